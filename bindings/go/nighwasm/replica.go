// replica.go - copies of an index for searches beside each other, made when searches meet
// SPDX-License-Identifier: MIT OR Apache-2.0

package nighwasm

import "sync"

const replicasMax = 1024

// replicas are handles over copies of the index, which do not change. One that is older than the
// index's last change is not used, and made anew when searches meet again and the index has stayed
// as it is since they met before: a copy costs about what writing the index does.
type replicas struct {
	mutex  sync.Mutex
	copies []*handle // nil: none yet
	making bool
	seen   uint64 // the version when searches met last
}

func newReplicas(count int) *replicas { return &replicas{copies: make([]*handle, count)} }

// searcher gives the handle for a search, which releases it: the one with the fewest calls.
func (c *core) searcher(op string) (*handle, error) {
	h, err := c.hold(op)
	if err != nil || c.replicas == nil || h.busy.Load() == 0 {
		return h, err
	}
	version, r := c.version.Load(), c.replicas
	r.mutex.Lock()
	place := -1
	best := h
	for i, one := range r.copies {
		switch {
		case one == nil || one.version != version:
			place = i
		case one.busy.Load() < best.busy.Load():
			best = one
		}
	}
	calm := r.seen == version
	r.seen = version
	anew := place >= 0 && calm && !r.making && best.busy.Load() > 0
	if anew {
		r.making = true
	} else if best != h && !best.retain() {
		best = h
	}
	r.mutex.Unlock()
	if anew {
		best = c.replica(op, h, place)
	}
	if best != h {
		h.release()
	}
	return best, nil
}

// replica makes one and gives it, held; or the index's own handle when that cannot be done.
func (c *core) replica(op string, h *handle, place int) *handle {
	made := c.copyNow(op, h)
	r := c.replicas
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.making = false
	if made != nil && c.closed.Load() { // nobody would drop it
		made.release()
		made = nil
	}
	if made == nil {
		return h
	}
	if old := r.copies[place]; old != nil {
		old.release()
	}
	r.copies[place] = made
	made.retain()
	return made
}

// copyNow copies the index unless it is being changed.
func (c *core) copyNow(op string, h *handle) *handle {
	if !c.gate.TryLock() {
		return nil
	}
	defer c.gate.Unlock()
	if c.closed.Load() || c.current.Load() != h {
		return nil
	}
	made, err := c.copied(op, h, 0, false)
	if err != nil { // no memory, or a job: the index itself will do
		return nil
	}
	made.version = c.version.Load()
	return made
}

// drop gives up the copies; searches that are under way keep theirs.
func (r *replicas) drop() {
	if r == nil {
		return
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for i, one := range r.copies {
		if one != nil {
			one.release()
			r.copies[i] = nil
		}
	}
}
