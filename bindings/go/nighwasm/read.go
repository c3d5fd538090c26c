// read.go - what an index tells: vectors, keys, counts, nodes, whether it is sound
// SPDX-License-Identifier: MIT OR Apache-2.0

package nighwasm

import (
	"encoding/binary"
	"fmt"
	"iter"
)

const busyTries = 1000

// getCall is nigh_get for keys of one call, with vectors or without; done: how many there were
// before the first that failed.
func (c *core) getCall(op string, keys keyList, v vectors) (slots []uint32, done int, err error) {
	h, err := c.hold(op)
	if err != nil {
		return nil, 0, err
	}
	defer h.release()
	call := h.enter()
	defer call.leave()
	s, err := h.session(call, op, &h.readers, 0, 0)
	if err != nil {
		return nil, 0, err
	}
	defer s.back(call)
	a, err := s.changeCall(call, op, c.shape, keys, vectors{}, 0)
	if err != nil {
		return nil, 0, err
	}
	count := keys.count()
	rowsBytes := uint64(0)
	if !v.none() {
		rowsBytes = uint64(count) * uint64(c.rowBytes)
	}
	var answers scratch
	if err := answers.reserve(call, op, rowsBytes+4*uint64(count), 2); err != nil {
		return nil, 0, err
	}
	defer call.drop(&answers.block)
	vectorsAt := answers.take(rowsBytes)
	slotsAt := answers.take(4 * uint64(count))
	status := int32(eBusy)
	for tries := 0; tries < busyTries && status == eBusy; tries++ { // it keeps changing: again
		status = call.status(callGet, uint64(h.index), uint64(s.address), uint64(a.keys),
			uint64(a.lengths), uint64(count), uint64(vectorsAt), uint64(slotsAt), uint64(a.done))
	}
	if status != ok {
		done = int(call.u32(a.done))
		return nil, done, c.fail(op, status, keys.name(done))
	}
	if !v.none() {
		if status := v.get(call, c.shape, vectorsAt, count); status != ok {
			return nil, 0, c.fail(op, status, "")
		}
	}
	return h.getSlots(nil, slotsAt, uint32(count)), count, nil
}

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
		for from := uint32(0); ; {
			found, next := c.keysSome(from, keysChunk)
			for _, key := range found {
				if !yield(key) {
					return
				}
			}
			if len(found) == 0 {
				return
			}
			from = next
		}
	}
}

func (c *core) keysSome(from uint32, count int) ([]oneKey, uint32) {
	h, err := c.hold("keys")
	if err != nil {
		return nil, 0
	}
	defer h.release()
	found, slots := h.keysSome(from, count)
	if len(found) == 0 {
		return nil, 0
	}
	return found, slots[len(slots)-1] + 1
}

// keysSome gives at most `count` live keys from a slot on, and their slots.
func (h *handle) keysSome(from uint32, count int) ([]oneKey, []uint32) {
	c := h.enter()
	defer c.leave()
	room := h.core.keyRoom()
	var s scratch
	if s.reserve(c, "keys", uint64(count)*uint64(room+8)+4, 4) != nil {
		return nil, nil
	}
	defer c.drop(&s.block)
	keys, slots, foundAt := s.take(uint64(count*room)), s.take(4*uint64(count)), s.take(4)
	lengths := uint32(0)
	if h.core.strings {
		lengths = s.take(4 * uint64(count))
	}
	status := c.status(callKeys, uint64(h.index), uint64(from), uint64(count), uint64(keys),
		uint64(lengths), uint64(slots), uint64(foundAt))
	if status != ok {
		return nil, nil
	}
	found := c.u32(foundAt)
	out := make([]oneKey, found)
	at := keys
	for i := range out {
		if lengths == 0 {
			out[i].number = c.u64(keys + uint32(8*i))
			continue
		}
		length := c.u32(lengths + uint32(4*i))
		out[i].text = string(c.bytes(at, int(length)))
		at += length
	}
	return out, h.getSlots(nil, slots, found)
}

// stringKey is the key of a slot; "" if there is none.
func (h *handle) stringKey(slot uint32) string {
	found, slots := h.keysSome(slot, 1)
	if len(found) == 0 || slots[0] != slot {
		return ""
	}
	return found[0].text
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
	call := h.enter()
	defer call.leave()
	var s scratch
	links := uint64(4 * c.config.M0)
	if err := s.reserve(call, op, links+12, 4); err != nil {
		return Node{}, err
	}
	defer call.drop(&s.block)
	top, flags, count, linksAt := s.take(4), s.take(4), s.take(4), s.take(links)
	status := call.status(callNode, uint64(h.index), uint64(slot), uint64(uint32(level)),
		uint64(top), uint64(flags), uint64(linksAt), uint64(count))
	if status != ok {
		return Node{}, c.fail(op, status, fmt.Sprintf("slot %d, layer %d", slot, level))
	}
	is := call.u32(flags)
	return Node{Top: int(call.u32(top)), Removed: is&nodeDeleted != 0, Free: is&nodeFree != 0,
		Links: h.getSlots([]uint32{}, linksAt, call.u32(count))}, nil
}

// alone runs what wants no change beside it.
func (c *core) alone(op string, run func(h *handle, call *caller, s *session) int32) error {
	c.gate.Lock()
	defer c.gate.Unlock()
	h, err := c.hold(op)
	if err != nil {
		return err
	}
	defer h.release()
	call := h.enter()
	defer call.leave()
	s, err := h.session(call, op, &h.readers, 0, 0)
	if err != nil {
		return err
	}
	defer s.back(call)
	return c.failUnless(op, run(h, call, s))
}

func (c *core) check() (Report, error) {
	r := newRecord(reportSize)
	err := c.alone("check", func(h *handle, call *caller, s *session) int32 {
		at, err := call.put("check", r)
		if err != nil {
			return eMemory
		}
		defer call.drop(&at)
		status := call.status(callCheck, uint64(h.index), uint64(s.address), uint64(at.address))
		copy(r, call.bytes(at.address, reportSize))
		return status
	})
	if err != nil {
		return Report{}, err
	}
	report := Report{Slot: r.getU32(reportSlot), Level: r.getInt(reportLevel),
		Fault: r.getInt(reportFault), Unreachable: r.getInt(reportUnreachable),
		Links: r.getU64(reportLinkCount), BlocksChecked: r.getU64(reportBlocksChecked)}
	if status := int32(binary.LittleEndian.Uint32(r[reportStatus:])); status != ok {
		report.Err = failure("check", status,
			fmt.Sprintf("rule %d, slot %d, layer %d", report.Fault, report.Slot, report.Level))
	}
	return report, nil
}

func (c *core) tune() error {
	return c.alone("tune", func(h *handle, call *caller, s *session) int32 {
		return call.status(callTune, uint64(h.index), uint64(s.address),
			uint64(call.functions[kindClock]), 0)
	})
}
