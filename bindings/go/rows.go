// rows.go - keys and vectors of a call, checked and written to C memory
// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build cgo

package nigh

// #include "bridge.h"
import "C"

import (
	"fmt"
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

// put writes the keys to C memory of bytes() and, for strings, 4 count() bytes.
func (k keyList) put(keys unsafe.Pointer, lengths *C.uint32_t) {
	if k.strings == nil {
		copy(unsafe.Slice((*uint64)(keys), len(k.numbers)), k.numbers)
		return
	}
	to := unsafe.Slice(lengths, len(k.strings))
	at := 0
	for i, key := range k.strings {
		at += copy(unsafe.Slice((*byte)(unsafe.Add(keys, at)), len(key)), key)
		to[i] = C.uint32_t(len(key))
	}
}

// oneKey is a key that C gave.
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

// asRows tells whether floats are rows already.
func (v vectors) asRows(to shape) bool { return !v.raw && to.dtype == F32 }

func (v vectors) slice(to shape, from, end int) vectors {
	switch {
	case v.none():
		return v
	case v.raw:
		return rows(v.rows[from*to.rowBytes : end*to.rowBytes])
	}
	return floats(v.floats[from*to.dim : end*to.dim])
}

// put writes `count` checked vectors as rows to C memory.
func (v vectors) put(to shape, address unsafe.Pointer, count int) int32 {
	bytes := count * to.rowBytes
	switch {
	case count == 0:
		return ok
	case v.raw:
		copy(unsafe.Slice((*byte)(address), bytes), v.rows)
		return ok
	case to.dtype == F32:
		copy(unsafe.Slice((*float32)(address), bytes/4), v.floats)
		return ok
	}
	return int32(C.nigh_convert(C.uint32_t(to.dim), C.uint32_t(to.dtype), C.uint32_t(count),
		(*C.float)(unsafe.Pointer(&v.floats[0])), address, nil, nil))
}

// get reads `count` rows from C memory into the caller's.
func (v vectors) get(from shape, address unsafe.Pointer, count int) int32 {
	bytes := count * from.rowBytes
	switch {
	case count == 0:
		return ok
	case v.raw:
		copy(v.rows, unsafe.Slice((*byte)(address), bytes))
		return ok
	case from.dtype == F32:
		copy(v.floats, unsafe.Slice((*float32)(address), bytes/4))
		return ok
	}
	return int32(C.nigh_convert(C.uint32_t(from.dim), C.uint32_t(from.dtype), C.uint32_t(count),
		nil, nil, address, (*C.float)(unsafe.Pointer(&v.floats[0]))))
}
