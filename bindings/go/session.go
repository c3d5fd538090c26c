// session.go - sessions: the scratch of one call at a time, kept for the next one
// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build cgo

package nigh

// #cgo nocallback nigh_session_bytes
// #cgo nocallback nigh_session_init
// #include "bridge.h"
import "C"

import (
	"math/bits"
	"sync"
	"unsafe"
)

const efMin = 512 // a session's ef_max is at least this, so that nearly all calls share sessions

// session is a nigh_session and memory for what one call hands to C and back.
type session struct {
	pool     *pool
	c        *C.nigh_session
	memory   block
	efMax    int
	frontier int    // as asked for; 0: the library's choice
	epoch    uint32 // of the pool when it was made
	scratch  scratch
	out      outputs
	cell     block // a nighgo_user, for filters
}

// pool keeps the sessions of a handle that no call uses. It is not a sync.Pool: that forgets what
// lies in it whenever the collector runs, and the memory here is C's.
type pool struct {
	mutex sync.Mutex
	free  []*session
	epoch uint32 // rises when there are other codes: older sessions have no room for them
	lent  int    // sessions of this epoch that calls use
	older int    // sessions of epochs before it that calls still use
	reads bool
}

// session takes one that can do a call, or makes it.
func (h *handle) session(op string, p *pool, ef, frontier int) (*session, error) {
	efMax := min(slotsMax, max(efMin, 1<<bits.Len(uint(max(ef, 1)-1))))
	p.mutex.Lock()
	epoch := p.epoch
	var found *session
	if last := len(p.free) - 1; last >= 0 && frontier == 0 {
		found = p.free[last]
		p.free = p.free[:last]
	}
	p.lent++
	p.mutex.Unlock()
	if found != nil && found.efMax >= efMax {
		return found, nil
	}
	if found != nil {
		found.close()
	}
	return h.newSession(op, p, efMax, frontier, epoch)
}

// fresh is session without looking into the pool.
func (h *handle) fresh(op string, p *pool, ef, frontier int) (*session, error) {
	p.outdate()
	return h.session(op, p, ef, frontier)
}

func (h *handle) newSession(op string, p *pool, efMax, frontier int, epoch uint32) (*session,
	error) {
	made := &session{pool: p, efMax: efMax, frontier: frontier, epoch: epoch}
	if err := made.open(op, h); err != nil {
		p.mutex.Lock()
		made.left()
		p.mutex.Unlock()
		return nil, err
	}
	return made, nil
}

func (s *session) open(op string, h *handle) error {
	options := C.nigh_session_options{ef_max: C.uint32_t(s.efMax),
		frontier_max: C.uint32_t(s.frontier)}
	options.struct_size = C.uint32_t(unsafe.Sizeof(options))
	if s.pool.reads {
		options.flags = sessionRead
		options.lanes = C.uint32_t(h.core.lanes)
	}
	for {
		var bytes C.uint64_t
		if status := C.nigh_session_bytes(h.index, &options, &bytes); status != ok {
			return h.core.fail(op, int32(status), "session")
		}
		memory, err := newBlock(op, uint64(bytes))
		if err != nil {
			return err
		}
		status := C.nigh_session_init(h.index, &options, memory.address, bytes, &s.c)
		if status == ok {
			s.memory = memory
			return nil
		}
		memory.free()
		if status != eMemory { // else codes appeared in between, which want more
			return h.core.fail(op, int32(status), "session")
		}
	}
}

func (s *session) close() {
	s.memory.free()
	s.scratch.free()
	s.cell.free()
}

// user is what a filter's callback is given.
func (s *session) user(op string) (*C.nighgo_user, error) {
	if s.cell.address == nil {
		cell, err := newBlock(op, uint64(unsafe.Sizeof(C.nighgo_user{})))
		if err != nil {
			return nil, err
		}
		s.cell = cell
	}
	return (*C.nighgo_user)(s.cell.address), nil
}

// A session with more scratch than this, after a very large call, is not kept.
const scratchKept = 8 << 20

// left counts a session as used by no call; its pool is locked.
func (s *session) left() {
	if s.epoch == s.pool.epoch {
		s.pool.lent--
	} else {
		s.pool.older--
	}
}

// back returns a session after its call.
func (s *session) back() {
	p := s.pool
	p.mutex.Lock()
	s.left()
	kept := s.frontier == 0 && s.epoch == p.epoch && s.scratch.bytes <= scratchKept
	if kept {
		p.free = append(p.free, s)
	}
	p.mutex.Unlock()
	if !kept {
		s.close()
	}
}

// outdate lets no session that there is now be used again. It takes them out while it holds the
// lock: one that a call found here after it would be counted in the wrong epoch.
func (p *pool) outdate() {
	p.mutex.Lock()
	p.epoch++
	p.older += p.lent
	p.lent = 0
	free := p.free
	p.free = nil
	p.mutex.Unlock()
	closeAll(free)
}

// behind tells whether a call still uses a session from before the last outdate.
func (p *pool) behind() bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.older > 0
}

// discard is back for a session that is of no use any more.
func (s *session) discard() {
	s.pool.mutex.Lock()
	s.left()
	s.pool.mutex.Unlock()
	s.close()
}

// drop closes the sessions that no call uses.
func (p *pool) drop() {
	p.mutex.Lock()
	free := p.free
	p.free = nil
	p.mutex.Unlock()
	closeAll(free)
}

func closeAll(sessions []*session) {
	for _, s := range sessions {
		s.close()
	}
}
