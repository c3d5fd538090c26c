// session.go - sessions: the scratch of one call at a time, kept for the next one
// SPDX-License-Identifier: MIT OR Apache-2.0

package nighwasm

import "math/bits"

const efMin = 512 // a session's ef_max is at least this, so that nearly all calls share sessions

// session is a nigh_session and memory for what one call hands to the module and back.
type session struct {
	pool     *pool
	address  uint32
	memory   block
	efMax    int
	frontier int    // as asked for; 0: the module's choice
	epoch    uint32 // of the pool when it was made
	scratch  scratch
	out      outputs
}

// pool keeps the sessions of a handle that no call uses; it belongs to who entered the instance.
type pool struct {
	free  []*session
	epoch uint32 // rises when there are other codes: older sessions have no room for them
	lent  int    // sessions of this epoch that calls use
	older int    // sessions of epochs before it that calls still use
	reads bool
}

// session takes one that can do a call, or makes it.
func (h *handle) session(c *caller, op string, p *pool, ef, frontier int) (*session, error) {
	efMax := min(slotsMax, max(efMin, 1<<bits.Len(uint(max(ef, 1)-1))))
	if last := len(p.free) - 1; last >= 0 && frontier == 0 {
		found := p.free[last]
		p.free = p.free[:last]
		if found.efMax >= efMax {
			p.lent++
			return found, nil
		}
		found.close(c)
	}
	made := &session{pool: p, efMax: efMax, frontier: frontier, epoch: p.epoch}
	if err := made.open(h, c, op); err != nil {
		return nil, err
	}
	p.lent++
	return made, nil
}

func (s *session) open(h *handle, c *caller, op string) error {
	r := newRecord(sessionOptionsSize)
	r.u32(sessionOptionsEfMax, uint32(s.efMax))
	r.u32(sessionOptionsFrontierMax, uint32(s.frontier))
	if s.pool.reads {
		r.u32(sessionOptionsFlags, sessionRead)
		r.u32(sessionOptionsLanes, uint32(h.core.lanes))
	}
	options, err := c.put(op, r)
	if err != nil {
		return err
	}
	defer c.drop(&options)
	bytes, status := c.sized(callSessionBytes, uint64(h.index), uint64(options.address))
	if status != ok {
		return h.core.fail(op, status, "session")
	}
	s.memory, err = c.newBlock(op, bytes)
	if err != nil {
		return err
	}
	status = c.status(callSessionInit, uint64(h.index), uint64(options.address),
		uint64(s.memory.address), bytes, uint64(c.cell))
	if status != ok {
		c.drop(&s.memory)
		return h.core.fail(op, status, "session")
	}
	s.address = c.u32(c.cell)
	return nil
}

func (s *session) close(c *caller) {
	c.drop(&s.memory)
	c.drop(&s.scratch.block)
}

// back returns a session after its call.
func (s *session) back(c *caller) {
	if s.epoch == s.pool.epoch {
		s.pool.lent--
	} else {
		s.pool.older--
	}
	if s.frontier == 0 && s.epoch == s.pool.epoch {
		s.pool.free = append(s.pool.free, s)
		return
	}
	s.close(c)
}

// outdate lets no session that there is now be used again.
func (p *pool) outdate(c *caller) {
	p.epoch++
	p.older += p.lent
	p.lent = 0
	for _, s := range p.free {
		s.close(c)
	}
	p.free = nil
}
