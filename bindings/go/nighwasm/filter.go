// filter.go - which keys a search may return: a set of keys, a bitmap of slots, a function
// SPDX-License-Identifier: MIT OR Apache-2.0

package nighwasm

import (
	"encoding/binary"
	"runtime"
)

// Filter says which keys searches of one index may return (SearchOptions.Filter). Any number of
// searches may use it at once. How many keys it lets through decides how a search goes about it.
type Filter struct {
	core *core
	bits []byte                // of slots, or
	call func(key oneKey) bool // on the goroutine that searches
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
	made := &Filter{core: core, bits: make([]byte, 4*len(bits)+4)}
	for i, word := range bits {
		binary.LittleEndian.PutUint32(made.bits[4*i:], word)
	}
	return made, nil
}

// AllowFunc makes a filter of a function, which is called on the goroutine that searches and may
// read the index. A panic in it is the search's error.
func (x *Index[K]) AllowFunc(allow func(key K) bool) (*Filter, error) {
	core, err := x.open("allow")
	if err != nil {
		return nil, err
	}
	return &Filter{core: core, call: func(key oneKey) bool { return allow(asKey[K](key)) }}, nil
}

func (c *core) allow(keys keyList) (*Filter, error) {
	stats, err := c.stats()
	if err != nil {
		return nil, err
	}
	bits := make([]byte, (stats.Slots+31)/32*4+4)
	for from := 0; from < keys.count(); {
		to := min(keys.count(), from+allowChunk)
		slots, done, err := c.getCall("allow", keys.slice(from, to), vectors{})
		switch {
		case err == nil:
			addSlots(bits, slots)
			from = to
		case !isGone(err):
			return nil, err
		case done == 0:
			from++
		default: // those before the one that is gone, then on behind it
			if slots, _, err = c.getCall("allow", keys.slice(from, from+done), vectors{}); err == nil {
				addSlots(bits, slots)
				from += done + 1
			} else if !isGone(err) {
				return nil, err
			}
		}
	}
	return &Filter{core: c, bits: bits}, nil
}

const allowChunk = 256 // keys that one call looks up

// addSlots sets bits; a slot that came after the bitmap was made is not in it.
func addSlots(bits []byte, slots []uint32) {
	for _, slot := range slots {
		if int(slot/8) < len(bits)-4 {
			bits[slot/8] |= 1 << (slot % 8)
		}
	}
}

// filterCall is a filter at work in one search or cursor.
type filterCall struct {
	filter *Filter
	state  *filterState // of a function
	number uint32       // by which its callback finds the state
}

// filterState is what the function's callback needs.
type filterState struct {
	filter *Filter
	err    error
}

// bytes is what the filter takes of the session's scratch, in one piece.
func (f *Filter) bytes() uint64 {
	if f == nil {
		return 0
	}
	return uint64(len(f.bits))
}

func (f *filterCall) begin(op string, h *handle, c *caller, s *session, filter *Filter) error {
	if filter == nil {
		return nil
	}
	if filter.core != h.core {
		return failure(op, eInvalid, "the filter is another index's")
	}
	*f = filterCall{filter: filter}
	if filter.call == nil {
		at := s.scratch.take(filter.bytes())
		copy(c.bytes(at, len(filter.bits)), filter.bits)
		slots := min(8*(len(filter.bits)-4), slotsMax)
		status := c.status(callSessionFilter, uint64(s.address), uint64(at), uint64(slots), 0, 0)
		return h.core.failUnless(op, status)
	}
	f.state = &filterState{filter: filter}
	for f.number == 0 || h.filters[f.number] != nil {
		h.filter++
		f.number = h.filter
	}
	h.filters[f.number] = f.state
	status := c.status(callSessionFilter, uint64(s.address), 0, 0,
		uint64(c.functions[kindFilter]), uint64(f.number))
	return h.core.failUnless(op, status)
}

// failed is what the function panicked with.
func (f *filterCall) failed() error {
	if f.state == nil {
		return nil
	}
	return f.state.err
}

// end lets the session allow all again.
func (f *filterCall) end(h *handle, c *caller, s *session) {
	if f.filter == nil {
		return
	}
	c.status(callSessionFilter, uint64(s.address), 0, 0, 0, 0)
	delete(h.filters, f.number)
	*f = filterCall{}
}
