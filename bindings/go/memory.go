// memory.go - C memory: blocks, what sessions borrow of it for a call, pinned slices
// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build cgo

package nigh

// #include "bridge.h"
import "C"

import (
	"runtime"
	"unsafe"
)

// block is C memory with one owner; the zero block is none.
type block struct {
	address unsafe.Pointer
	bytes   uint64
}

func newBlock(op string, bytes uint64) (block, error) {
	address := C.nighgo_memory_new(C.uint64_t(bytes))
	if address == nil {
		return block{}, &Error{Op: op, Err: ErrNoMemory}
	}
	return block{address, bytes}, nil
}

func (b *block) free() {
	C.nighgo_memory_free(b.address, C.uint64_t(b.bytes))
	*b = block{}
}

// scratch is C memory that one call after another uses, handed out from its start. All that C is
// given of a call lies in it: so nothing of Go's memory is C's, even while Go is called back.
type scratch struct {
	block
	used uint64
}

const scratchAlign = 64

// reserve empties the scratch and makes sure of room for so many bytes in so many pieces.
func (s *scratch) reserve(op string, bytes uint64, pieces int) error {
	s.used = 0
	bytes += uint64(pieces) * scratchAlign
	if bytes <= s.bytes {
		return nil
	}
	larger, err := newBlock(op, max(bytes, 2*s.bytes))
	if err != nil {
		return err
	}
	s.free()
	s.block = larger
	return nil
}

// take hands out memory that reserve counted; bytes 0 give nil.
func (s *scratch) take(bytes uint64) unsafe.Pointer {
	if bytes == 0 {
		return nil
	}
	address := unsafe.Add(s.address, s.used)
	s.used += (bytes + scratchAlign - 1) / scratchAlign * scratchAlign
	if s.used > s.bytes {
		panic("nigh: scratch counted wrongly")
	}
	return address
}

// pins hold slices of Go's memory still for C. What is pinned has no pointers in it.
type pins struct {
	pinner runtime.Pinner
}

func pin[T float32 | byte | uint64](p *pins, slice []T) unsafe.Pointer {
	p.pinner.Pin(&slice[0])
	return unsafe.Pointer(&slice[0])
}

func (p *pins) release() { p.pinner.Unpin() }

// bitmap is a filter's bits in C memory, given back when nothing refers to it any more.
type bitmap struct {
	words []uint32
	slots int
}

func newBitmap(slots int) (*bitmap, error) {
	made, err := newBlock("allow", uint64(slots+31)/32*4+4)
	if err != nil {
		return nil, err
	}
	bits := &bitmap{words: unsafe.Slice((*uint32)(made.address), made.bytes/4), slots: slots}
	runtime.AddCleanup(bits, func(b block) { b.free() }, made)
	return bits, nil
}
