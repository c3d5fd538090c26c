// read.go - what an index tells: vectors, keys, counts, nodes, whether it is sound
// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build cgo

package nigh

// #cgo noescape nigh_keys
// #cgo nocallback nigh_keys
// #cgo noescape nigh_stats_get
// #cgo nocallback nigh_stats_get
// #cgo noescape nigh_node
// #cgo nocallback nigh_node
// #include "bridge.h"
import "C"

import (
	"fmt"
	"iter"
	"unsafe"
)

// getCall is nigh_get for keys of one call, with vectors or without; done: how many there were
// before the first that failed.
func (c *core) getCall(op string, keys keyList, v vectors) (slots []uint32, done int, err error) {
	h, err := c.hold(op)
	if err != nil {
		return nil, 0, err
	}
	defer h.release()
	s, err := h.session(op, &h.readers, 0, 0)
	if err != nil {
		return nil, 0, err
	}
	defer s.back()
	count := keys.count()
	call, err := s.changeCall(op, c.shape, keys, vectors{}, 0)
	if err != nil {
		return nil, 0, err
	}
	var answers scratch
	defer answers.free()
	rowsBytes := uint64(0)
	if !v.none() {
		rowsBytes = uint64(count) * uint64(c.rowBytes)
	}
	if err := answers.reserve(op, rowsBytes+4*uint64(count), 2); err != nil {
		return nil, 0, err
	}
	vectorsAt := answers.take(rowsBytes)
	slotsAt := (*C.uint32_t)(answers.take(4 * uint64(count)))
	status := C.nigh_status(eBusy)
	for tries := 0; tries < busyTries && status == eBusy; tries++ { // it keeps changing: again
		status = C.nigh_get(h.index, s.c, call.keys, call.lengths, C.uint32_t(count), vectorsAt,
			slotsAt, call.done)
	}
	if status != ok {
		done = int(*call.done)
		return nil, done, c.fail(op, int32(status), keys.name(done))
	}
	if !v.none() {
		if status := v.get(c.shape, vectorsAt, count); status != ok {
			return nil, 0, c.fail(op, status, "")
		}
	}
	slots = make([]uint32, count)
	copy(slots, unsafe.Slice((*uint32)(unsafe.Pointer(slotsAt)), count))
	return slots, count, nil
}

const busyTries = 1000

func (c *core) get(op string, keys keyList, v vectors) error {
	if err := v.check(op, c.shape, keys.count()); err != nil || keys.count() == 0 {
		return err
	}
	_, _, err := c.getCall(op, keys, v)
	return err
}

func (c *core) slot(keys keyList) (uint32, error) {
	slots, _, err := c.getCall("slot", keys, vectors{})
	if err != nil {
		return 0, err
	}
	return slots[0], nil
}

const keysChunk = 128

// keys goes through the live keys, some at a time; the index may change between two times.
func (c *core) keys() iter.Seq[oneKey] {
	return func(yield func(oneKey) bool) {
		room := 8
		if c.strings {
			room = c.config.KeyBytesMax
		}
		bytes := make([]byte, keysChunk*room)
		numbers := make([]uint64, keysChunk)
		var lengths, slots [keysChunk]uint32
		for from := uint32(0); ; {
			found := c.keysSome(from, bytes, numbers, lengths[:], slots[:])
			if found == 0 {
				return
			}
			at := 0
			for i := range found {
				key := oneKey{number: numbers[i]}
				if c.strings {
					key.text = string(bytes[at : at+int(lengths[i])])
					at += int(lengths[i])
				}
				if !yield(key) {
					return
				}
			}
			from = slots[found-1] + 1
		}
	}
}

func (c *core) keysSome(from uint32, bytes []byte, numbers []uint64, lengths,
	slots []uint32) int {
	h, err := c.hold("keys")
	if err != nil {
		return 0
	}
	defer h.release()
	return h.keysSome(from, bytes, numbers, lengths, slots)
}

func (h *handle) keysSome(from uint32, bytes []byte, numbers []uint64, lengths,
	slots []uint32) int {
	var found C.uint32_t
	keys := unsafe.Pointer(&numbers[0])
	var lengthsAt *C.uint32_t
	if h.core.strings {
		keys = unsafe.Pointer(&bytes[0])
		lengthsAt = (*C.uint32_t)(unsafe.Pointer(&lengths[0]))
	}
	status := C.nigh_keys(h.index, C.uint32_t(from), C.uint32_t(len(slots)), keys, lengthsAt,
		(*C.uint32_t)(unsafe.Pointer(&slots[0])), &found)
	if status != ok {
		return 0
	}
	return int(found)
}

// stringKey is the key of a slot; "" if there is none.
func (h *handle) stringKey(slot uint32) string {
	var bytes [512]byte
	var lengths, slots [1]uint32
	if h.keysSome(slot, bytes[:], make([]uint64, 1), lengths[:], slots[:]) == 0 ||
		slots[0] != slot {
		return ""
	}
	return string(bytes[:lengths[0]])
}

func (h *handle) stats(op string) (Stats, error) {
	var s C.nigh_stats
	s.struct_size = C.uint32_t(unsafe.Sizeof(s))
	if status := C.nigh_stats_get(h.index, &s); status != ok {
		return Stats{}, h.core.fail(op, int32(status), "")
	}
	return Stats{
		Slots: int(s.slot_count), Live: int(s.live_count), Removed: int(s.deleted_count),
		Free: int(s.free_count), SlotCapacity: int(s.slot_capacity), SlotMax: int(s.slot_max),
		LevelMax: int(s.level_max), EntrySlot: uint32(s.entry_slot),
		UpperRecords: int(s.upper_count), Features: CPU(s.features), Writable: s.writable != 0,
		KeyBytes: uint64(s.key_bytes), KeyCapacity: uint64(s.key_capacity),
		ImageBytes: uint64(s.image_bytes), Codes: Codes(s.codes), CodeClamped: int(s.code_clamped),
	}, nil
}

func (c *core) stats() (Stats, error) {
	h, err := c.hold("stats")
	if err != nil {
		return Stats{}, err
	}
	defer h.release()
	return h.stats("stats")
}

func (c *core) configNow() (Config, error) {
	h, err := c.hold("config")
	if err != nil {
		return Config{}, err
	}
	defer h.release()
	return h.describe("config")
}

func (c *core) node(slot uint32, level int) (Node, error) {
	const op = "node"
	h, err := c.hold(op)
	if err != nil {
		return Node{}, err
	}
	defer h.release()
	if level < 0 {
		return Node{}, failure(op, eNotFound, fmt.Sprintf("layer %d", level))
	}
	var top, flags, count C.uint32_t
	links := make([]uint32, c.config.M0)
	status := C.nigh_node(h.index, C.uint32_t(slot), C.uint32_t(level), &top, &flags,
		(*C.uint32_t)(unsafe.Pointer(&links[0])), &count)
	if status != ok {
		return Node{}, c.fail(op, int32(status), fmt.Sprintf("slot %d, layer %d", slot, level))
	}
	return Node{Top: int(top), Removed: flags&nodeDeleted != 0, Free: flags&nodeFree != 0,
		Links: links[:count]}, nil
}

// alone runs what wants no change beside it.
func (c *core) alone(op string, run func(h *handle, s *session) int32) error {
	c.gate.Lock()
	defer c.gate.Unlock()
	h, err := c.hold(op)
	if err != nil {
		return err
	}
	defer h.release()
	s, err := h.session(op, &h.readers, 0, 0)
	if err != nil {
		return err
	}
	defer s.back()
	return c.failUnless(op, run(h, s))
}

func (c *core) check() (Report, error) {
	var r C.nigh_report
	r.struct_size = C.uint32_t(unsafe.Sizeof(r))
	err := c.alone("check", func(h *handle, s *session) int32 {
		return int32(C.nigh_check(h.index, s.c, &r))
	})
	if err != nil {
		return Report{}, err
	}
	report := Report{Slot: uint32(r.slot), Level: int(r.level), Fault: int(r.fault),
		Unreachable: int(r.unreachable), Links: uint64(r.link_count),
		BlocksChecked: uint64(r.blocks_checked)}
	if r.status != ok {
		report.Err = failure("check", r.status,
			fmt.Sprintf("rule %d, slot %d, layer %d", report.Fault, report.Slot, report.Level))
	}
	return report, nil
}

func (c *core) tune() error {
	return c.alone("tune", func(h *handle, s *session) int32 {
		return int32(C.nigh_tune(h.index, s.c, C.nigh_clock_fn(C.nighgo_clock), nil))
	})
}
