// callback.go - what the module calls: the one import, told apart; no panic runs through wazero
// SPDX-License-Identifier: MIT OR Apache-2.0

package nighwasm

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"time"
)

var errFetch = errors.New("Fetch gave no row for a slot")

// called is the import: the kind, the user, five arguments.
func called(ctx context.Context, stack []uint64) {
	h, _ := ctx.Value(instanceKey{}).(*handle)
	user, a, b, n := uint32(stack[1]), uint32(stack[2]), uint32(stack[3]), uint32(stack[4])
	status := int32(eUnsupported)
	switch uint32(stack[0]) {
	case kindFetch:
		status = h.answer(h.fetch(a, b, n, uint32(stack[5]), uint32(stack[6])))
	case kindPrefetch:
		h.prefetch(a, b, n)
	case kindDistance:
		status = int32(math.Float32bits(h.distance(a, b)))
	case kindFilter:
		status = h.allows(user, a, b)
	case kindWrite:
		status = h.written(h.bytes(a, int(b)))
	case kindClock:
		binary.LittleEndian.PutUint64(h.bytes(a, 8), uint64(time.Since(started)))
	}
	stack[0] = uint64(uint32(status))
}

var started = time.Now()

// answer is the status that carries an error through the module.
func (h *handle) answer(err error) int32 {
	if err == nil {
		return ok
	}
	return h.core.errors.put(err)
}

// fetchCall takes memory for a batch, which goes back with its end.
func (h *handle) fetchCall(slots, keys, count uint32) *fetchCall {
	var f *fetchCall
	if last := len(h.fetching) - 1; last >= 0 {
		f = h.fetching[last]
		h.fetching = h.fetching[:last]
	} else {
		f = &fetchCall{h: h, rowBytes: h.core.rowBytes}
	}
	f.slots = h.getSlots(f.slots[:0], slots, count)
	f.keys = h.getKeys(f.keys[:0], keys, count)
	f.rows = slices.Grow(f.rows[:0], int(count)*f.rowBytes)[:int(count)*f.rowBytes]
	f.filled = slices.Grow(f.filled[:0], int(count))[:count]
	clear(f.filled)
	return f
}

func (h *handle) getSlots(to []uint32, at, count uint32) []uint32 {
	from := h.bytes(at, int(4*count))
	for i := range int(count) {
		to = append(to, binary.LittleEndian.Uint32(from[4*i:]))
	}
	return to
}

// getKeys are none for string keys.
func (h *handle) getKeys(to []uint64, at, count uint32) []uint64 {
	if at == 0 || h.core.strings {
		return to
	}
	from := h.bytes(at, int(8*count))
	for i := range int(count) {
		to = append(to, binary.LittleEndian.Uint64(from[8*i:]))
	}
	return to
}

func (h *handle) fetch(slots, keys, count, scratch, vectors uint32) error {
	f := h.fetchCall(slots, keys, count)
	defer func() { h.fetching = append(h.fetching, f) }()
	var err error
	if _, plain := h.core.store.(*Borrowed); plain {
		err = fetch(h.core.store, Batch{f})
	} else {
		h.outside(func() { err = fetch(h.core.store, Batch{f}) })
	}
	if err != nil {
		return err
	}
	copy(h.bytes(scratch, len(f.rows)), f.rows)
	to := h.bytes(vectors, int(4*count))
	for i := range int(count) {
		binary.LittleEndian.PutUint32(to[4*i:], scratch+uint32(i*f.rowBytes))
	}
	return nil
}

func fetch(store VectorStore, batch Batch) (err error) {
	defer caught(&err)
	if err := store.Fetch(batch); err != nil {
		return err
	}
	if slices.Contains(batch.filled, false) {
		return errFetch
	}
	return nil
}

// A hint has no status: the call that it belongs to looks at panics.
func (h *handle) prefetch(slots, keys, count uint32) {
	err := prefetch(h.core.store, h.getSlots(nil, slots, count), h.getKeys(nil, keys, count))
	if err != nil {
		h.core.panics.put(err)
	}
}

func prefetch(store VectorStore, slots []uint32, keys []uint64) (err error) {
	defer caught(&err)
	store.(Prefetcher).Prefetch(slots, keys)
	return nil
}

func (h *handle) distance(a, b uint32) float32 {
	c := h.core
	distance, err := c.distanceOf(h.bytes(a, c.rowBytes), h.bytes(b, c.rowBytes))
	if err != nil {
		c.panics.put(err)
		return float32(math.NaN())
	}
	return distance
}

func (c *core) distanceOf(a, b []byte) (distance float32, err error) {
	defer caught(&err)
	return c.distance(a, b), nil
}

// allows asks a filter's function; once it panicked it is not called again.
func (h *handle) allows(user, slot, key uint32) int32 {
	state := h.filters[user]
	if state.err != nil {
		return 0
	}
	one := oneKey{}
	if key != 0 {
		one.number = h.u64(key)
	}
	allowed := false
	h.outside(func() { allowed = state.allows(h, slot, one) })
	if allowed {
		return 1
	}
	return 0
}

func (s *filterState) allows(h *handle, slot uint32, key oneKey) (allowed bool) {
	defer caught(&s.err)
	if h.core.strings {
		key.text = h.stringKey(slot)
	}
	return s.filter.call(key)
}

func (h *handle) written(bytes []byte) int32 {
	call := h.writing
	h.outside(func() { call.err = call.write(bytes) })
	if call.err != nil {
		return eWrite
	}
	return ok
}
