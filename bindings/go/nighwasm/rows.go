// rows.go - keys and vectors of a call, checked and written to the module's memory
// SPDX-License-Identifier: MIT OR Apache-2.0

package nighwasm

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"unsafe"
)

// keyList is keys of either kind, borrowed from the caller for a call.
type keyList struct {
	numbers []uint64
	strings []string
}

func keysOf[K Key](keys []K) keyList {
	if len(keys) == 0 {
		return keyList{}
	}
	if isString[K]() {
		return keyList{strings: unsafe.Slice((*string)(unsafe.Pointer(&keys[0])), len(keys))}
	}
	return keyList{numbers: unsafe.Slice((*uint64)(unsafe.Pointer(&keys[0])), len(keys))}
}

func (k keyList) count() int { return len(k.numbers) + len(k.strings) }

func (k keyList) slice(from, to int) keyList {
	if k.strings != nil {
		return keyList{strings: k.strings[from:to]}
	}
	if k.numbers != nil {
		return keyList{numbers: k.numbers[from:to]}
	}
	return k
}

// bytes is what the keys take one after another.
func (k keyList) bytes() uint64 {
	bytes := 8 * uint64(len(k.numbers))
	for _, key := range k.strings {
		bytes += uint64(len(key))
	}
	return bytes
}

// name is a key as an error shows it.
func (k keyList) name(i int) string {
	switch {
	case i < len(k.numbers):
		return "key " + strconv.FormatUint(k.numbers[i], 10)
	case i < len(k.strings):
		return "key " + strconv.Quote(k.strings[i])
	}
	return ""
}

// put writes the keys to memory of bytes() and, for strings, 4 count() bytes.
func (k keyList) put(c *caller, keys, lengths uint32) {
	to := c.bytes(keys, int(k.bytes()))
	if k.strings == nil {
		for i, key := range k.numbers {
			binary.LittleEndian.PutUint64(to[8*i:], key)
		}
		return
	}
	counts := c.bytes(lengths, 4*len(k.strings))
	for i, key := range k.strings {
		to = to[copy(to, key):]
		binary.LittleEndian.PutUint32(counts[4*i:], uint32(len(key)))
	}
}

// oneKey is a key that the module gave.
type oneKey struct {
	number uint64
	text   string
}

func asKey[K Key](key oneKey) K {
	var made K
	if isString[K]() {
		*(*string)(unsafe.Pointer(&made)) = key.text
	} else {
		*(*uint64)(unsafe.Pointer(&made)) = key.number
	}
	return made
}

// vectors are a call's vectors, floats or rows of the index's own type, one after another.
type vectors struct {
	floats []float32
	rows   []byte
	raw    bool
}

func floats(slice []float32) vectors { return vectors{floats: slice} }

func rows(slice []byte) vectors { return vectors{rows: slice, raw: true} }

func (v vectors) none() bool { return v.floats == nil && v.rows == nil }

// shape is what vectors must be like.
type shape struct {
	dim      int
	dtype    DType
	rowBytes int
}

// check tells whether these are `count` vectors; message: what was expected.
func (v vectors) check(op string, to shape, count int) error {
	switch {
	case v.raw && len(v.rows) != count*to.rowBytes:
		return failure(op, eMismatch, fmt.Sprintf("%d bytes, expected %d rows of %d bytes",
			len(v.rows), count, to.rowBytes))
	case !v.raw && len(v.floats) != count*to.dim:
		return failure(op, eMismatch, fmt.Sprintf("%d floats, expected %d vectors of dim %d",
			len(v.floats), count, to.dim))
	}
	return nil
}

// count is how many vectors these are; check then says whether evenly.
func (v vectors) count(to shape) int {
	if v.raw {
		return len(v.rows) / max(to.rowBytes, 1)
	}
	return len(v.floats) / max(to.dim, 1)
}

func (v vectors) slice(to shape, from, end int) vectors {
	switch {
	case v.none():
		return v
	case v.raw:
		return rows(v.rows[from*to.rowBytes : end*to.rowBytes])
	}
	return floats(v.floats[from*to.dim : end*to.dim])
}

// floatsChunk floats at once go through memory of the module's to be converted.
const floatsChunk = 1 << 16

// put writes `count` checked vectors as rows to memory.
func (v vectors) put(c *caller, to shape, address uint32, count int) int32 {
	switch {
	case count == 0:
		return ok
	case v.raw:
		copy(c.bytes(address, count*to.rowBytes), v.rows)
		return ok
	case to.dtype == F32:
		putFloats(c.bytes(address, 4*len(v.floats)), v.floats)
		return ok
	}
	return v.convert(c, to, address, count, false)
}

// get reads `count` rows from memory into the caller's.
func (v vectors) get(c *caller, from shape, address uint32, count int) int32 {
	switch {
	case count == 0:
		return ok
	case v.raw:
		copy(v.rows, c.bytes(address, count*from.rowBytes))
		return ok
	case from.dtype == F32:
		getFloats(v.floats, c.bytes(address, 4*len(v.floats)))
		return ok
	}
	return v.convert(c, from, address, count, true)
}

// convert puts floats into rows at an address, or gets them, some at a time. (A function as its
// parameter would send the caller's floats to the heap.)
func (v vectors) convert(c *caller, of shape, address uint32, count int, get bool) int32 {
	step := max(1, floatsChunk/of.dim)
	at := c.alloc(uint64(4 * of.dim * min(step, count)))
	if at == 0 {
		return eMemory
	}
	defer c.free(at)
	dim, dtype := uint64(of.dim), uint64(of.dtype)
	for from := 0; from < count; from += step {
		end := min(count, from+step)
		part := v.floats[from*of.dim : end*of.dim]
		row := uint64(address + uint32(from*of.rowBytes))
		bytes := c.bytes(at, 4*len(part))
		status := int32(ok)
		if get {
			status = c.status(callConvert, dim, dtype, uint64(end-from), 0, 0, row, uint64(at))
			getFloats(part, bytes)
		} else {
			putFloats(bytes, part)
			status = c.status(callConvert, dim, dtype, uint64(end-from), uint64(at), row, 0, 0)
		}
		if status != ok {
			return status
		}
	}
	return ok
}

// littleEndian: floats lie in Go's memory as in the module's.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

func floatBytes(of []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(of))), 4*len(of))
}

func putFloats(to []byte, from []float32) {
	if littleEndian {
		copy(to, floatBytes(from))
		return
	}
	for i, value := range from {
		binary.LittleEndian.PutUint32(to[4*i:], math.Float32bits(value))
	}
}

func getFloats(to []float32, from []byte) {
	if littleEndian {
		copy(floatBytes(to), from)
		return
	}
	for i := range to {
		to[i] = math.Float32frombits(binary.LittleEndian.Uint32(from[4*i:]))
	}
}
