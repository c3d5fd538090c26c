// callback.go - what C calls: each finds its Go object by a handle and lets no panic through
// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build cgo

package nigh

// #include "bridge.h"
import "C"

import (
	"errors"
	"math"
	"runtime/cgo"
	"unsafe"
)

var errFetch = errors.New("Fetch gave no row for a slot")

// answer is the status that carries an error through C.
func (c *core) answer(err error) C.nigh_status {
	if err == nil {
		return ok
	}
	return C.nigh_status(c.errors.put(err))
}

//export nighgoFetch
func nighgoFetch(user C.uintptr_t, slots *C.uint32_t, keys *C.uint64_t, count C.uint32_t,
	scratch, vectors unsafe.Pointer) C.nigh_status {
	h := cgo.Handle(user).Value().(*handle)
	batch := Batch{h: h, rowBytes: h.core.rowBytes, lent: vectors,
		slots: unsafe.Slice((*uint32)(unsafe.Pointer(slots)), count)}
	batch.scratch = unsafe.Slice((*byte)(scratch), int(count)*batch.rowBytes)
	if keys != nil && !h.core.strings {
		batch.keys = unsafe.Slice((*uint64)(unsafe.Pointer(keys)), count)
	}
	return h.core.answer(fetch(h.core.store, batch))
}

func fetch(store VectorStore, batch Batch) (err error) {
	defer caught(&err)
	if err := store.Fetch(batch); err != nil {
		return err
	}
	for _, address := range unsafe.Slice((*uintptr)(batch.lent), batch.Len()) {
		if address == 0 {
			return errFetch
		}
	}
	return nil
}

//export nighgoPrefetch
func nighgoPrefetch(user C.uintptr_t, slots *C.uint32_t, keys *C.uint64_t, count C.uint32_t) {
	h := cgo.Handle(user).Value().(*handle)
	var numbers []uint64
	if keys != nil && !h.core.strings {
		numbers = unsafe.Slice((*uint64)(unsafe.Pointer(keys)), count)
	}
	// A hint has no status: the call that it belongs to looks at panics.
	if err := prefetch(h.core.store, unsafe.Slice((*uint32)(unsafe.Pointer(slots)), count),
		numbers); err != nil {
		h.core.panics.put(err)
	}
}

func prefetch(store VectorStore, slots []uint32, keys []uint64) (err error) {
	defer caught(&err)
	store.(Prefetcher).Prefetch(slots, keys)
	return nil
}

//export nighgoDistance
func nighgoDistance(user C.uintptr_t, a, b unsafe.Pointer) C.float {
	c := cgo.Handle(user).Value().(*handle).core
	distance, err := c.distanceOf(unsafe.Slice((*byte)(a), c.rowBytes),
		unsafe.Slice((*byte)(b), c.rowBytes))
	if err != nil {
		c.panics.put(err)
		return C.float(math.NaN())
	}
	return C.float(distance)
}

func (c *core) distanceOf(a, b []byte) (distance float32, err error) {
	defer caught(&err)
	return c.distance(a, b), nil
}

//export nighgoFilter
func nighgoFilter(user C.uintptr_t, slot C.uint32_t, key *C.uint64_t) C.int32_t {
	state := cgo.Handle(user).Value().(*filterState)
	if state.err == nil && state.allows(uint32(slot), (*uint64)(unsafe.Pointer(key))) {
		return 1
	}
	return 0
}

func (s *filterState) allows(slot uint32, key *uint64) bool {
	defer caught(&s.err)
	return s.filter.call(s.h, slot, key)
}

//export nighgoWrite
func nighgoWrite(user C.uintptr_t, bytes unsafe.Pointer, count C.uint64_t) C.nigh_status {
	call := cgo.Handle(user).Value().(*writeCall)
	call.err = call.write(unsafe.Slice((*byte)(bytes), uint64(count)))
	if call.err != nil {
		return eWrite
	}
	return ok
}

//export nighgoMap
func nighgoMap(user C.uintptr_t, region, block C.uint32_t, bytes C.uint64_t,
	address unsafe.Pointer) C.nigh_status {
	c := cgo.Handle(user).Value().(*handle).core
	given, err := c.pagerCall(func() (unsafe.Pointer, error) {
		return c.pager.Map(uint32(region), uint32(block), uint64(bytes))
	})
	if err == nil {
		*(*uintptr)(address) = uintptr(given)
	}
	return c.answer(err)
}

//export nighgoDirty
func nighgoDirty(user C.uintptr_t, region, block C.uint32_t, bytes C.uint64_t,
	address unsafe.Pointer) C.nigh_status {
	c := cgo.Handle(user).Value().(*handle).core
	before := *(*unsafe.Pointer)(address)
	given, err := c.pagerCall(func() (unsafe.Pointer, error) {
		return c.pager.Dirty(uint32(region), uint32(block), uint64(bytes), before)
	})
	if err == nil {
		*(*uintptr)(address) = uintptr(given)
	}
	return c.answer(err)
}

func (c *core) pagerCall(call func() (unsafe.Pointer, error)) (given unsafe.Pointer, err error) {
	defer caught(&err)
	return call()
}
