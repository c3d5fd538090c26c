// store.go - vectors outside of an index: what a VectorStore is asked, vectors that lie in memory
// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build cgo

package nigh

import (
	"fmt"
	"unsafe"
)

// Batch is what a VectorStore is asked for: the vectors of some slots.
type Batch struct {
	slots    []uint32
	keys     []uint64
	scratch  []byte
	rowBytes int
	lent     unsafe.Pointer // an array of C's, an address for each slot; never typed as pointers
	h        *handle
}

// Len is how many vectors are wanted.
func (b Batch) Len() int { return len(b.slots) }

// Slots are the slots whose vectors are wanted; borrowed.
func (b Batch) Slots() []uint32 { return b.slots }

// Keys are their keys, if those are uint64; else nil, see StringKey. Borrowed.
func (b Batch) Keys() []uint64 { return b.keys }

// StringKey is the i-th key of an index with string keys; "" if it was removed.
func (b Batch) StringKey(i int) string { return b.h.stringKey(b.slots[i]) }

// Row is memory for the i-th row, to be filled.
func (b Batch) Row(i int) []byte {
	row := b.scratch[i*b.rowBytes : (i+1)*b.rowBytes : (i+1)*b.rowBytes]
	b.lend(i, unsafe.Pointer(&row[0]))
	return row
}

// Floats is Row for an index of F32.
func (b Batch) Floats(i int) []float32 {
	row := b.Row(i)
	return unsafe.Slice((*float32)(unsafe.Pointer(&row[0])), len(row)/4)
}

// Lend gives an address instead: memory of at least a row that stays as it is while any call on the
// index runs, aligned to an element, and that Go's collector does not manage (C, mapped) or that a
// runtime.Pinner holds.
func (b Batch) Lend(i int, row unsafe.Pointer) {
	if i < 0 || i >= len(b.slots) {
		panic(fmt.Sprintf("nigh: Lend(%d) in a batch of %d", i, len(b.slots)))
	}
	b.lend(i, row)
}

// lend stores an address as a number. A store of a Go pointer type would have a write barrier,
// which reads what was there before as a pointer: the collector would follow whatever C left.
func (b Batch) lend(i int, row unsafe.Pointer) {
	*(*uintptr)(unsafe.Add(b.lent, i*int(unsafe.Sizeof(uintptr(0))))) = uintptr(row)
}

// Borrowed are vectors in memory that an index uses where they are: slot s is row s. Nothing is
// called to reach them. See Borrow.
type Borrowed struct {
	memory  unsafe.Pointer
	stride  int
	count   int
	trailer int
}

// Fetch makes Borrowed a VectorStore; an index does not call it.
func (b *Borrowed) Fetch(batch Batch) error {
	for i, slot := range batch.slots {
		if int(slot) >= b.count {
			return fmt.Errorf("slot %d of %d borrowed rows", slot, b.count)
		}
		batch.lend(i, unsafe.Add(b.memory, int(slot)*b.stride))
	}
	return nil
}

// Borrow makes a VectorStore of vectors of dim floats, one after another, for an index of F32. They
// are not copied: the slice is pinned until the index that uses it is closed, and must not change
// but for SetExclusive. An index holds at most as many as there are; Add then takes no vector.
func Borrow(dim int, vectors []float32) (*Borrowed, error) {
	if dim < 1 || dim > 65535 || len(vectors) < dim || len(vectors)%dim != 0 {
		return nil, failure("borrow", eInvalid, fmt.Sprintf("%d floats, dim %d", len(vectors), dim))
	}
	return borrow(unsafe.Pointer(&vectors[0]), 4*len(vectors), 4*dim, 0)
}

// BorrowRows makes a VectorStore of rows of any type, stride bytes from one to the next. trailer:
// for I8, where in a row its scale and zero point lie; 0: there are none, scale 1 and zero 0.
func BorrowRows(rows []byte, stride, trailer int) (*Borrowed, error) {
	if stride < 1 || len(rows) < stride || trailer < 0 || trailer >= stride {
		return nil, failure("borrow", eInvalid,
			fmt.Sprintf("%d bytes, stride %d, trailer %d", len(rows), stride, trailer))
	}
	return borrow(unsafe.Pointer(&rows[0]), len(rows), stride, trailer)
}

func borrow(memory unsafe.Pointer, bytes, stride, trailer int) (*Borrowed, error) {
	count := min(bytes/stride, slotsMax)
	return &Borrowed{memory: memory, stride: stride, count: count, trailer: trailer}, nil
}
