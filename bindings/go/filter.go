// filter.go - which keys a search may return: a set of keys, a bitmap of slots, a function
// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build cgo

package nigh

// #include "bridge.h"
import "C"

import (
	"runtime"
	"runtime/cgo"
	"unsafe"
)

// Filter says which keys searches of one index may return (SearchOptions.Filter). Any number of
// searches may use it at once. How many keys it lets through decides how a search goes about it.
type Filter struct {
	core *core
	bits *bitmap                                        // or
	call func(h *handle, slot uint32, key *uint64) bool // key nil: string keys
}

// Allow makes a filter that lets these keys through, none that are added later. Keys that are not
// there, or removed, are left out.
func (x *Index[K]) Allow(keys ...K) (*Filter, error) {
	defer runtime.KeepAlive(x)
	core, err := x.open("allow")
	if err != nil {
		return nil, err
	}
	return core.allow(keysOf(keys))
}

// AllowSlots makes a filter that lets slot s through if bit s%32 of bits[s/32] is set. bits is
// copied.
func (x *Index[K]) AllowSlots(bits []uint32) (*Filter, error) {
	core, err := x.open("allow")
	if err != nil {
		return nil, err
	}
	return core.allowSlots(bits)
}

// AllowFunc makes a filter of a function, which is called on the goroutine that searches and may
// read the index. A panic in it is the search's error.
func (x *Index[K]) AllowFunc(allow func(key K) bool) (*Filter, error) {
	core, err := x.open("allow")
	if err != nil {
		return nil, err
	}
	return filterFunc(core, allow), nil
}

func filterFunc[K Key](c *core, allow func(key K) bool) *Filter {
	return &Filter{core: c, call: func(h *handle, slot uint32, key *uint64) bool {
		if key != nil {
			return allow(asKey[K](oneKey{number: *key}))
		}
		return allow(asKey[K](oneKey{text: h.stringKey(slot)}))
	}}
}

func (c *core) allow(keys keyList) (*Filter, error) {
	stats, err := c.stats()
	if err != nil {
		return nil, err
	}
	bits, err := newBitmap(stats.Slots)
	if err != nil {
		return nil, err
	}
	for from := 0; from < keys.count(); {
		to := min(keys.count(), from+allowChunk)
		slots, done, err := c.getCall("allow", keys.slice(from, to), vectors{})
		switch {
		case err == nil:
			bits.add(slots)
			from = to
		case !isGone(err):
			return nil, err
		case done == 0:
			from++
		default: // those before the one that is gone, then on behind it
			if slots, _, err = c.getCall("allow", keys.slice(from, from+done), vectors{}); err == nil {
				bits.add(slots)
				from += done + 1
			} else if !isGone(err) {
				return nil, err
			}
		}
	}
	return &Filter{core: c, bits: bits}, nil
}

const allowChunk = 256 // keys that one call looks up

// add sets the bits of slots; one that came after the bitmap was made is not in it.
func (b *bitmap) add(slots []uint32) {
	for _, slot := range slots {
		if int(slot) < b.slots {
			b.words[slot/32] |= 1 << (slot % 32)
		}
	}
}

func (c *core) allowSlots(words []uint32) (*Filter, error) {
	bits, err := newBitmap(32 * len(words))
	if err != nil {
		return nil, err
	}
	copy(bits.words, words)
	return &Filter{core: c, bits: bits}, nil
}

// filterCall is a filter at work in one search or cursor.
type filterCall struct {
	filter *Filter
	state  *filterState // of a function
	self   cgo.Handle
}

// filterState is what the function's callback needs; once it panicked it is not called again.
type filterState struct {
	filter *Filter
	h      *handle
	err    error
}

func (f *filterCall) begin(op string, h *handle, s *session, filter *Filter) error {
	if filter == nil {
		return nil
	}
	if filter.core != h.core {
		return failure(op, eInvalid, "the filter is another index's")
	}
	*f = filterCall{filter: filter}
	status := C.nigh_status(ok)
	if filter.bits != nil {
		status = C.nigh_session_filter(s.c, (*C.uint32_t)(unsafe.Pointer(&filter.bits.words[0])),
			C.uint32_t(min(filter.bits.slots, slotsMax)), nil, nil)
		return h.core.failUnless(op, int32(status))
	}
	user, err := s.user(op)
	if err != nil {
		return err
	}
	f.state = &filterState{filter: filter, h: h}
	f.self = cgo.NewHandle(f.state)
	user.handle = C.uintptr_t(f.self)
	status = C.nigh_session_filter(s.c, nil, 0, C.nigh_filter_fn(C.nighgo_filter),
		unsafe.Pointer(user))
	return h.core.failUnless(op, int32(status))
}

// failed is what the function panicked with.
func (f *filterCall) failed() error {
	if f.state == nil {
		return nil
	}
	return f.state.err
}

// end lets the session allow all again.
func (f *filterCall) end(s *session) {
	if f.filter == nil {
		return
	}
	C.nigh_session_filter(s.c, nil, 0, nil, nil)
	if f.self != 0 {
		f.self.Delete()
	}
	runtime.KeepAlive(f.filter) // its bits were C's until here
	*f = filterCall{}
}
