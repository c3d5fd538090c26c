// threads_test.go - many goroutines on one index; memory that comes back; nothing allocated
// SPDX-License-Identifier: MIT OR Apache-2.0
// Generated from bindings/go/threads_test.go by bindings/go/nighwasm/share.py. Do not edit.

package nighwasm_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	nigh "github.com/nigh-search/nigh/bindings/go/nighwasm"
)

// Searches from many goroutines, while others insert, set and remove, and the index grows.
func TestSearchesBesideChanges(t *testing.T) {
	const dim, kept, writers, each = 8, 500, 4, 600
	index := newIndex[uint64](t, nigh.Options{Dim: dim, Metric: nigh.L2, EfBuild: 40})
	base := vectorsOf(kept, dim, 70)
	_, err := index.AddMany(numbers(0, kept), base)
	must(t, err)
	var writing, reading sync.WaitGroup
	var over atomic.Bool
	var searches atomic.Int64
	for w := range writers {
		writing.Add(1)
		go func() {
			defer writing.Done()
			from := 1000 + w*each
			more := vectorsOf(each, dim, uint64(71+w))
			for i := range each {
				key := uint64(from + i)
				if err := index.Add(key, more[i*dim:(i+1)*dim]); err != nil {
					t.Error(err)
				}
				if i%3 == 0 {
					if err := index.Remove(key); err != nil {
						t.Error(err)
					}
				}
				if i%5 == 0 {
					if err := index.Set(key, more[:dim]); err != nil {
						t.Error(err)
					}
				}
			}
		}()
	}
	for r := range 4 {
		reading.Add(1)
		go func() {
			defer reading.Done()
			hits := make([]nigh.Hit[uint64], 5)
			for i := r; !over.Load(); i = (i + 7) % kept {
				found, err := index.SearchInto(hits, base[i*dim:(i+1)*dim],
					&nigh.SearchOptions{Ef: 64})
				if err != nil || found != 5 || hits[0].Distance < 0 {
					t.Error(found, err)
				}
				searches.Add(1)
				if i%50 == 0 {
					if !index.Has(uint64(i)) {
						t.Errorf("key %d is gone", i)
					}
				}
			}
		}()
	}
	writing.Wait()
	over.Store(true)
	reading.Wait()
	want := kept
	for range writers {
		for i := range each {
			if i%3 != 0 || i%5 == 0 {
				want++
			}
		}
	}
	if index.Len() != want || searches.Load() == 0 {
		t.Fatal(index.Len(), want, searches.Load())
	}
	sound(t, index)
}

// The same key from many goroutines: one gets it in.
func TestSameKeyFromMany(t *testing.T) {
	index := newIndex[string](t, nigh.Options{Dim: 4, Metric: nigh.L2})
	for round := range 50 {
		var in atomic.Int64
		var all sync.WaitGroup
		for g := range 8 {
			all.Add(1)
			go func() {
				defer all.Done()
				err := index.Add(fmt.Sprint("key", round), vectorsOf(1, 4, uint64(g)))
				if err == nil {
					in.Add(1)
				} else if !errors.Is(err, nigh.ErrExists) {
					t.Error(err)
				}
			}()
		}
		all.Wait()
		if in.Load() != 1 {
			t.Fatalf("%d got in", in.Load())
		}
	}
	if index.Len() != 50 {
		t.Fatal(index.Len())
	}
}

// Closing while others search, change and follow cursors.
func TestCloseBesideCalls(t *testing.T) {
	for range 20 {
		index, err := nigh.New[uint64](nigh.Options{Dim: 4, Metric: nigh.L2})
		must(t, err)
		_, err = index.AddMany(numbers(0, 200), vectorsOf(200, 4, 72))
		must(t, err)
		var all sync.WaitGroup
		for g := range 6 {
			all.Add(1)
			go func() {
				defer all.Done()
				for i := 0; ; i++ {
					var err error
					switch g % 3 {
					case 0:
						_, err = index.Search([]float32{1, 2, 3, 4}, 3, nil)
					case 1:
						err = index.Set(uint64(g*100000+i%100), []float32{1, 2, 3, float32(i)})
					case 2:
						var cursor *nigh.Cursor[uint64]
						cursor, err = index.Cursor([]float32{1, 2, 3, 4}, nil)
						if err == nil {
							_, err = cursor.Next(make([]nigh.Hit[uint64], 3))
							cursor.Close()
						}
					}
					if errors.Is(err, nigh.ErrClosed) {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			}()
		}
		time.Sleep(2 * time.Millisecond)
		must(t, index.Close())
		all.Wait()
	}
	noMemory(t)
}

// noMemory waits until C memory is back at what it was when the tests began: none of this test's.
func noMemory(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second * slow)
	for {
		runtime.GC() // cleanups of what is unreachable run after it
		used := nigh.MemoryInUse()
		if used <= baseline.Load() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes of C memory stay", used-baseline.Load())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// baseline is what other tests' indexes hold: tests run one after the other, so it is 0 unless one
// of them leaks.
var baseline atomic.Int64

// A million mixed calls from 8 goroutines leave nothing behind (a hundred times fewer with -short):
// neither C memory nor, beyond what the first few leave in pools, memory of Go.
func TestNothingLeaks(t *testing.T) {
	calls := 1_000_000
	if testing.Short() {
		calls = 10_000
	}
	noMemory(t)
	manyMixed(t, calls/50)
	noMemory(t)
	before := heapBytes()
	manyMixed(t, calls)
	noMemory(t)
	if after := heapBytes(); after > before+4<<20 {
		t.Fatalf("%d bytes of Go memory stay", after-before)
	}
}

func heapBytes() uint64 {
	var told runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&told)
	return told.HeapAlloc
}

func manyMixed(t *testing.T, calls int) {
	index, err := nigh.New[uint64](nigh.Options{Dim: 4, Metric: nigh.L2, EfBuild: 16, M: 4})
	must(t, err)
	text, err := nigh.New[string](nigh.Options{Dim: 4, Metric: nigh.L2, EfBuild: 16, M: 4,
		Vectors: &rowStore{dim: 4, vectors: vectorsOf(4000, 4, 73)}})
	must(t, err)
	var all sync.WaitGroup
	for g := range 8 {
		all.Add(1)
		go func() {
			defer all.Done()
			mixed(t, index, text, rand.New(rand.NewPCG(uint64(g), 2)), calls/8)
		}()
	}
	all.Wait()
	sound(t, index)
	sound(t, text)
	must(t, index.Close())
	must(t, text.Close())
}

func mixed(t *testing.T, index *nigh.Index[uint64], text *nigh.Index[string], random *rand.Rand,
	calls int) {
	expected := []error{nigh.ErrExists, nigh.ErrDeleted, nigh.ErrNotFound, nigh.ErrBusy}
	check := func(err error) {
		for _, e := range expected {
			if errors.Is(err, e) {
				return
			}
		}
		if err != nil {
			t.Error(err)
		}
	}
	hits := make([]nigh.Hit[uint64], 4)
	vector := make([]float32, 4)
	for range calls {
		key := random.Uint64N(3000)
		for i := range vector {
			vector[i] = random.Float32()
		}
		var err error
		switch n := random.IntN(100); {
		case n < 50:
			_, err = index.SearchInto(hits, vector, nil)
		case n < 60:
			err = index.Set(key, vector)
		case n < 65:
			err = index.Remove(key)
		case n < 70:
			_, err = index.Get(key)
		case n < 75:
			_, err = text.Search(vector, 4, nil)
		case n < 77:
			slot := text.Len()
			if slot < 3000 {
				err = text.Add(fmt.Sprint("key-", key), vector)
			}
		case n < 80:
			cursor, e := index.Cursor(vector, nil)
			if err = e; e == nil {
				_, err = cursor.Next(hits)
				if n == 79 { // another one is left to the collector
					cursor.Close()
				}
			}
		case n < 83:
			filter, e := index.AllowFunc(func(key uint64) bool { return key%2 == 0 })
			check(e)
			_, err = index.SearchInto(hits, vector, &nigh.SearchOptions{Filter: filter})
		case n == 84 && random.IntN(20) == 0:
			filter, e := index.Allow(key)
			check(e)
			_, err = index.SearchInto(hits, vector, &nigh.SearchOptions{Filter: filter})
		case n == 85 && random.IntN(200) == 0:
			err = index.Vacuum(context.Background(), nil)
		default:
			index.Has(key)
		}
		check(err)
	}
}

// An index that nobody closes is the collector's to close.
func TestForgottenIndex(t *testing.T) {
	noMemory(t)
	for range 50 {
		index, err := nigh.New[uint64](nigh.Options{Dim: 4, Metric: nigh.L2,
			Vectors: &rowStore{dim: 4, vectors: vectorsOf(10, 4, 74)}})
		must(t, err)
		must(t, index.Add(1, nil))
	}
	if nigh.MemoryInUse() == 0 {
		t.Fatal("nothing is counted")
	}
	noMemory(t)
}

// collector runs the collector in the middle of calls, long enough for what it finds to be closed.
type collector struct{ calls atomic.Int64 }

func (c *collector) Fetch(batch nigh.Batch) error {
	if c.calls.Add(1)%20 == 0 {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	for i, slot := range batch.Slots() {
		batch.Floats(i)[int(slot)%1000] = float32(slot)
	}
	return nil
}

// A call that is the last use of an index is not cut short by the index becoming unreachable.
func TestLastUse(t *testing.T) {
	options := nigh.Options{Dim: 4000, Metric: nigh.L2, M: 2, M0: 4, EfBuild: 4}
	once := func() *nigh.Index[uint64] {
		options.Vectors = &collector{}
		index, err := nigh.New[uint64](options)
		must(t, err)
		return index
	}
	_, err := once().AddMany(numbers(0, 200), nil) // several chunks
	must(t, err)
	_, err = once().Build(context.Background(), numbers(0, 200), nil, nil)
	must(t, err)
	_, err = once().Raw().Build(context.Background(), numbers(0, 200), nil, nil)
	must(t, err)

	filled := func() *nigh.Index[uint64] {
		index := once()
		_, err := index.AddMany(numbers(0, 200), nil)
		must(t, err)
		return index
	}
	keys := 0
	for range filled().Keys() { // asks for 128 at a time
		if keys++; keys == 128 {
			runtime.GC()
			time.Sleep(time.Millisecond)
		}
	}
	if keys != 200 {
		t.Errorf("%d of 200 keys", keys)
	}
}

// Nor is one that is the last use of a cursor: C would go on with memory that was given back.
func TestLastUseOfCursor(t *testing.T) {
	store := &collector{}
	options := nigh.Options{Dim: 1000, Metric: nigh.L2, M: 2, M0: 4, EfBuild: 4, Vectors: store}
	begun := func() *nigh.Cursor[uint64] {
		index, err := nigh.New[uint64](options)
		must(t, err)
		_, err = index.AddMany(numbers(0, 200), nil)
		must(t, err)
		cursor, err := index.Cursor(make([]float32, 1000), nil)
		must(t, err)
		return cursor
	}
	hits := make([]nigh.Hit[uint64], 200)
	cursor := begun()
	asked := store.calls.Load()
	found, err := cursor.Next(hits)
	must(t, err)
	if found != 200 || store.calls.Load() < asked+20 {
		t.Errorf("%d of 200, %d fetches", found, store.calls.Load()-asked)
	}
}

func TestSearchIntoAllocatesNothing(t *testing.T) {
	if raced {
		t.Skip("the race detector allocates")
	}
	const count, dim = 1000, 16
	vectors := vectorsOf(count, dim, 75)
	for _, dtype := range []nigh.DType{nigh.F32, nigh.F16, nigh.I8} {
		index := newIndex[uint64](t, nigh.Options{Dim: dim, Metric: nigh.L2, DType: dtype})
		_, err := index.AddMany(numbers(0, count), vectors)
		must(t, err)
		even, err := index.Allow(numbers(0, 500)...)
		must(t, err)
		hits := make([]nigh.Hit[uint64], 10)
		stats := nigh.SearchStats{}
		for name, options := range map[string]*nigh.SearchOptions{"default": nil, "ef": {Ef: 20},
			"all": {Ef: 100, Gamma: 0.1, Stats: &stats, Filter: even}} {
			allocations := testing.AllocsPerRun(200, func() {
				if found, err := index.SearchInto(hits, vectors[:dim], options); err != nil || found != 10 {
					t.Fatal(found, err)
				}
			})
			if allocations != 0 {
				t.Errorf("%s of type %d: %v allocations a search", name, dtype, allocations)
			}
		}
		allocations := testing.AllocsPerRun(200, func() {
			query := [dim]float32{1, 2, 3} // on the stack
			options := nigh.SearchOptions{Ef: 30}
			if _, err := index.SearchInto(hits, query[:], &options); err != nil {
				t.Fatal(err)
			}
		})
		if allocations != 0 {
			t.Errorf("stack: %v allocations a search", allocations)
		}
	}
}
