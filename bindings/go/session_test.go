// session_test.go - which sessions are in use is known, however calls and changes of codes meet
// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build cgo

package nigh

import (
	"sync"
	"sync/atomic"
	"testing"
)

// A session that is taken while the pool is made to forget what it has belongs to one epoch or the
// other, and is counted there when it is taken and when it is given back.
func TestSessionsAreCounted(t *testing.T) {
	index, err := New[uint64](Options{Dim: 2, Metric: L2})
	if err != nil {
		t.Fatal(err)
	}
	defer index.Close()
	h, err := index.core.Load().hold("test")
	if err != nil {
		t.Fatal(err)
	}
	defer h.release()
	p := &h.readers
	var users sync.WaitGroup
	for range 4 {
		users.Add(1)
		go func() {
			defer users.Done()
			for range 20000 {
				s, err := h.session("test", p, 1, 0)
				if err != nil {
					t.Error(err)
					return
				}
				p.mutex.Lock()
				if p.lent < 0 || p.older < 0 {
					t.Errorf("%d sessions lent, %d older ones", p.lent, p.older)
				}
				p.mutex.Unlock()
				s.back()
			}
		}()
	}
	var done atomic.Bool
	go func() {
		users.Wait()
		done.Store(true)
	}()
	for !done.Load() {
		p.outdate()
	}
	if p.lent != 0 || p.older != 0 {
		t.Fatalf("nobody uses a session; %d lent, %d older ones", p.lent, p.older)
	}
}

// Sessions that cannot be made are not in use.
func TestSessionsThatFailAreNotCounted(t *testing.T) {
	index, err := New[uint64](Options{Dim: 2, Metric: L2})
	if err != nil {
		t.Fatal(err)
	}
	defer index.Close()
	h, err := index.core.Load().hold("test")
	if err != nil {
		t.Fatal(err)
	}
	defer h.release()
	if _, err := h.session("test", &h.readers, 1, -1); err == nil {
		t.Fatal("a frontier of 2^32-1 was made")
	}
	if p := &h.readers; p.lent != 0 || p.older != 0 || p.behind() {
		t.Fatalf("%d lent, %d older ones", p.lent, p.older)
	}
}
