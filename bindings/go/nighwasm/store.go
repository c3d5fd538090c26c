// store.go - vectors outside of an index: what a VectorStore is asked, vectors that lie in memory
// SPDX-License-Identifier: MIT OR Apache-2.0

package nighwasm

import (
	"fmt"
	"unsafe"
)

// Batch is what a VectorStore is asked for: the vectors of some slots.
type Batch struct {
	*fetchCall
}

// fetchCall is a batch in Go's memory: the module's may be another when Fetch returns.
type fetchCall struct {
	h        *handle
	slots    []uint32
	keys     []uint64
	rows     []byte
	filled   []bool
	rowBytes int
}

// Len is how many vectors are wanted.
func (b Batch) Len() int { return len(b.slots) }

// Slots are the slots whose vectors are wanted; borrowed.
func (b Batch) Slots() []uint32 { return b.slots }

// Keys are their keys, if those are uint64; else nil, see StringKey. Borrowed.
func (b Batch) Keys() []uint64 {
	if b.h.core.strings {
		return nil
	}
	return b.keys
}

// StringKey is the i-th key of an index with string keys; "" if it was removed.
func (b Batch) StringKey(i int) string { return b.h.stringKey(b.slots[i]) }

// Row is memory for the i-th row, to be filled.
func (b Batch) Row(i int) []byte {
	b.filled[i] = true
	return b.rows[i*b.rowBytes : (i+1)*b.rowBytes : (i+1)*b.rowBytes]
}

// Floats is Row for an index of F32.
func (b Batch) Floats(i int) []float32 {
	row := b.Row(i)
	return unsafe.Slice((*float32)(unsafe.Pointer(&row[0])), len(row)/4)
}

// Copy fills the i-th row with a copy of this one.
func (b Batch) Copy(i int, row []byte) {
	if len(row) != b.rowBytes {
		panic(fmt.Sprintf("nigh: Copy of %d bytes, a row has %d", len(row), b.rowBytes))
	}
	copy(b.Row(i), row)
}

// Borrowed are vectors in memory: slot s is row s. See Borrow.
type Borrowed struct {
	rows    []byte
	stride  int
	count   int
	trailer int
}

// Fetch makes Borrowed a VectorStore.
func (b *Borrowed) Fetch(batch Batch) error {
	for i, slot := range batch.slots {
		if int(slot) >= b.count {
			return fmt.Errorf("slot %d of %d borrowed rows: %w", slot, b.count, ErrMismatch)
		}
		b.copyRow(batch.Row(i), b.rows[int(slot)*b.stride:], batch.h.core.dtype)
	}
	return nil
}

// copyRow fills a row of the index's type. Behind the elements of I8 are a scale and a zero point.
func (b *Borrowed) copyRow(to, from []byte, dtype DType) {
	if dtype != I8 {
		copy(to, from)
		return
	}
	elements := len(to) - 8
	copy(to[:elements], from[:min(elements, b.stride)])
	if b.trailer != 0 {
		copy(to[elements:], from[b.trailer:b.trailer+8])
		return
	}
	scale := newRecord(8)
	scale.f32(0, 1)
	copy(to[elements:], scale)
}

// fits tells whether these are rows of an index of this shape.
func (b *Borrowed) fits(op string, of shape) error {
	needed := of.rowBytes
	if of.dtype == I8 {
		needed = of.dim
	} else if b.trailer != 0 {
		return failure(op, eInvalid, "a trailer is for I8")
	}
	if b.stride < needed {
		return failure(op, eInvalid, fmt.Sprintf("stride %d, expected %d or more", b.stride, needed))
	}
	return nil
}

// Borrow makes a VectorStore of vectors of dim floats, one after another, for an index of F32. They
// are not copied as a whole, only what a call looks at, and must not change but for SetExclusive.
// An index holds at most as many as there are; Add then takes no vector.
func Borrow(dim int, vectors []float32) (*Borrowed, error) {
	if dim < 1 || dim > 65535 || len(vectors) < dim || len(vectors)%dim != 0 {
		return nil, failure("borrow", eInvalid, fmt.Sprintf("%d floats, dim %d", len(vectors), dim))
	}
	if !littleEndian {
		return nil, failure("borrow", eUnsupported, "a big-endian machine")
	}
	return borrow(floatBytes(vectors), 4*dim, 0), nil
}

// BorrowRows makes a VectorStore of rows of any type, stride bytes from one to the next. trailer:
// for I8, where in a row its scale and zero point lie (8 bytes).
func BorrowRows(rows []byte, stride, trailer int) (*Borrowed, error) {
	if stride < 1 || len(rows) < stride || trailer < 0 || (trailer != 0 && trailer+8 > stride) {
		return nil, failure("borrow", eInvalid,
			fmt.Sprintf("%d bytes, stride %d, trailer %d", len(rows), stride, trailer))
	}
	return borrow(rows, stride, trailer), nil
}

func borrow(rows []byte, stride, trailer int) *Borrowed {
	return &Borrowed{rows: rows, stride: stride, count: min(len(rows)/stride, slotsMax),
		trailer: trailer}
}
