// change.go - insert, set, remove, unremove, and the room that they need
// SPDX-License-Identifier: MIT OR Apache-2.0

package nighwasm

import "fmt"

type changeKind int

const (
	insertCall   changeKind = callInsert
	setCall      changeKind = callSet
	removeCall   changeKind = callRemove
	unremoveCall changeKind = callUnremove
)

const (
	chunkBytes = 1 << 20 // of vectors that one call hands to the module
	fullMax    = 8       // times that an index may say "full" after it was given room
)

// change does one kind of change to keys in order, up to the first failure, and tells how many.
func (c *core) change(op string, kind changeKind, flags uint32, keys keyList,
	v vectors) (int, error) {
	count := keys.count()
	if count == 0 && c.config.SlotKeys && kind == insertCall {
		count = v.count(c.shape)
	}
	if kind == insertCall || kind == setCall {
		if v.none() && !c.config.External && count > 0 {
			return 0, failure(op, eInvalid, "a vector is missing")
		}
		if !v.none() {
			if err := v.check(op, c.shape, count); err != nil {
				return 0, err
			}
		}
	}
	step := max(1, chunkBytes/c.rowBytes)
	for from := 0; from < count; from += step {
		to := min(count, from+step)
		some := keys.slice(from, to)
		done, err := c.changeSome(op, kind, flags, some, v.slice(c.shape, from, to), to-from)
		if err != nil {
			return from + done, err
		}
	}
	return count, nil
}

// changeSome is one call, again with more room when the index is full.
func (c *core) changeSome(op string, kind changeKind, flags uint32, keys keyList, v vectors,
	count int) (int, error) {
	c.gate.Lock()
	defer c.gate.Unlock()
	defer c.changing()()
	done := 0
	for fulls := 0; ; {
		part := keys.slice(min(done, keys.count()), keys.count())
		more, status, err := c.changeOnce(op, kind, flags, part, v.slice(c.shape, done, count),
			count-done)
		done += more
		switch {
		case err != nil:
			return done, err
		case status == ok:
			return done, nil
		case status == eFull && fulls < fullMax:
			if more > 0 {
				fulls = 0
			}
			fulls++
			if err := c.makeRoom(op, count-done, keys.bytes(), fulls); err != nil {
				return done, err
			}
		default:
			return done, c.fail(op, status, keys.name(done))
		}
	}
}

func (c *core) changeOnce(op string, kind changeKind, flags uint32, keys keyList, v vectors,
	count int) (int, int32, error) {
	h, err := c.hold(op)
	if err != nil {
		return 0, ok, err
	}
	defer h.release()
	call := h.enter()
	defer call.leave()
	s, err := h.session(call, op, &h.writers, 0, 0)
	if err != nil {
		return 0, ok, err
	}
	defer s.back(call)
	arguments, err := s.changeCall(call, op, c.shape, keys, v, count)
	if err != nil || arguments.status != ok {
		return 0, arguments.status, err
	}
	seen := c.panics.count.Load()
	status := arguments.run(h, call, s, kind, flags, count)
	done := int(call.u32(arguments.done))
	if err := c.panics.since(seen); err != nil {
		return done, status, &Error{Op: op, Err: err}
	}
	return done, status, nil
}

// changeArguments are those of one call, in the session's memory.
type changeArguments struct {
	status                       int32 // of converting the vectors
	keys, lengths, vectors, done uint32
}

func (s *session) changeCall(c *caller, op string, to shape, keys keyList, v vectors,
	count int) (changeArguments, error) {
	var a changeArguments
	rowsBytes := uint64(0)
	if !v.none() {
		rowsBytes = uint64(count) * uint64(to.rowBytes)
	}
	lengthsBytes := 4 * uint64(len(keys.strings))
	keyBytes := keys.bytes()
	if keys.strings != nil {
		keyBytes = max(keyBytes, 1) // keys of no bytes are the module's to refuse
	}
	if err := s.scratch.reserve(c, op, rowsBytes+lengthsBytes+keyBytes+4, 4); err != nil {
		return a, err
	}
	a.keys = s.scratch.take(keyBytes)
	a.lengths = s.scratch.take(lengthsBytes)
	a.vectors = s.scratch.take(rowsBytes)
	a.done = s.scratch.take(4)
	c.putU32(a.done, 0)
	if keys.count() > 0 {
		keys.put(c, a.keys, a.lengths)
	}
	if !v.none() {
		a.status = v.put(c, to, a.vectors, count)
	}
	return a, nil
}

func (a *changeArguments) run(h *handle, c *caller, s *session, kind changeKind, flags uint32,
	count int) int32 {
	index, session, n, done := uint64(h.index), uint64(s.address), uint64(count), uint64(a.done)
	keys, lengths := uint64(a.keys), uint64(a.lengths)
	if kind == insertCall || kind == setCall {
		return c.status(int(kind), index, session, uint64(flags), keys, lengths, uint64(a.vectors),
			n, done)
	}
	return c.status(int(kind), index, session, keys, lengths, n, done)
}

// ---- Room ---------------------------------------------------------------------------------------

// makeRoom is asked by a change that found the index full, for the attempt-th time.
func (c *core) makeRoom(op string, count int, keyBytes uint64, attempt int) error {
	h, err := c.hold(op)
	if err != nil {
		return err
	}
	defer h.release()
	stats, err := h.stats(op)
	if err != nil {
		return err
	}
	slots, bytes := stats.SlotCapacity, uint64(0)
	if needed := stats.Slots - stats.Free + count; needed > slots || attempt > 1 {
		slots = max(needed, slots+slots/2, 1024)
	}
	if c.strings {
		bytes = stats.KeyBytes + max(stats.KeyBytes/2, 2*keyBytes, 1<<16)
	}
	return c.grow(op, h, slots, bytes, false)
}

func (c *core) reserve(count int, keyBytes int64) error {
	const op = "reserve"
	if count < 0 || keyBytes < 0 || count > slotsMax {
		return failure(op, eInvalid, fmt.Sprintf("%d vectors, %d bytes of keys", count, keyBytes))
	}
	c.gate.Lock()
	defer c.gate.Unlock()
	h, err := c.hold(op)
	if err != nil {
		return err
	}
	defer h.release()
	stats, err := h.stats(op)
	if err != nil {
		return err
	}
	if !stats.Writable {
		return failure(op, eReadOnly, "")
	}
	return c.grow(op, h, max(count, stats.SlotCapacity), uint64(keyBytes), false)
}

// grow gives memory for so many slots and bytes of keys in total. Behind the gate; inJob: the
// caller holds core.work.
func (c *core) grow(op string, h *handle, slots int, keyBytes uint64, inJob bool) error {
	if slots > slotsMax {
		return failure(op, eFull, fmt.Sprintf("%d slots, at most %d", slots, slotsMax))
	}
	if slots > h.slotMax {
		if !inJob {
			if !c.work.TryLock() {
				return failure(op, eBusy, "")
			}
			defer c.work.Unlock()
		}
		larger, err := c.move(op, h, min(slotsMax, max(4*h.slotMax, slots+slots/4)))
		if err != nil {
			return err
		}
		defer larger.release()
		h = larger
	}
	call := h.enter()
	defer call.leave()
	bytes, status := call.sized(callGrowBytes, uint64(h.index), uint64(slots), keyBytes)
	if status != ok || bytes == 0 {
		return c.failUnless(op, status)
	}
	memory, err := call.newBlock(op, bytes)
	if err != nil {
		return err
	}
	status = call.status(callGrow, uint64(h.index), uint64(slots), keyBytes,
		uint64(memory.address), bytes)
	if status != ok {
		call.drop(&memory)
	}
	return c.failUnless(op, status)
}

// move makes a handle with a larger table over a copy of the index, and puts it in the place of the
// old one, which calls that are under way go on using. It is held for the caller, who is behind the
// gate and holds core.work.
func (c *core) move(op string, old *handle, slots int) (*handle, error) {
	if c.closed.Load() {
		return nil, &Error{Op: op, Err: ErrClosed}
	}
	made, err := c.copied(op, old, slots, true)
	if err != nil {
		return nil, err
	}
	made.retain()
	c.current.Store(made)
	old.release()
	return made, nil
}
