// store_test.go - callbacks: vectors outside, distances, pagers, and all that goes wrong in them
// SPDX-License-Identifier: MIT OR Apache-2.0
// Generated from bindings/go/store_test.go by bindings/go/nighwasm/share.py. Do not edit.

package nighwasm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"unsafe"

	nigh "github.com/nigh-search/nigh/bindings/go/nighwasm"
)

// rowStore is vectors in a Go slice, handed out by copying.
type rowStore struct {
	dim     int
	vectors []float32
	calls   atomic.Int64
	hints   atomic.Int64
	collect bool // runs the collector in the middle of a batch
	fail    atomic.Pointer[error]
	panics  atomic.Bool
	hint    atomic.Bool // Prefetch panics
	keyed   func(slot uint32, key uint64)
}

func (s *rowStore) Fetch(batch nigh.Batch) error {
	s.calls.Add(1)
	if s.panics.Load() {
		panic("fetch gave up")
	}
	if err := s.fail.Load(); err != nil {
		return *err
	}
	for i, slot := range batch.Slots() {
		copy(batch.Floats(i), s.vectors[int(slot)*s.dim:int(slot+1)*s.dim])
		if s.keyed != nil {
			s.keyed(slot, batch.Keys()[i])
		}
		if s.collect {
			runtime.GC()
		}
	}
	return nil
}

func (s *rowStore) Prefetch(slots []uint32, keys []uint64) {
	s.hints.Add(int64(len(slots)))
	if s.hint.Load() {
		panic("prefetch gave up")
	}
}

const storeCount, storeDim = 600, 10

func storeIndex(t *testing.T, store nigh.VectorStore) *nigh.Index[uint64] {
	index := newIndex[uint64](t, nigh.Options{Dim: storeDim, Metric: nigh.L2, Vectors: store,
		EfBuild: 30})
	done, err := index.AddMany(numbers(0, storeCount), nil)
	must(t, err)
	if done != storeCount {
		t.Fatal(done)
	}
	return index
}

func ownedIndex(t *testing.T, vectors []float32) *nigh.Index[uint64] {
	index := newIndex[uint64](t, nigh.Options{Dim: storeDim, Metric: nigh.L2, EfBuild: 30})
	_, err := index.AddMany(numbers(0, storeCount), vectors)
	must(t, err)
	return index
}

// sameAnswers: both find the same keys at the same distances, bit by bit.
func sameAnswers[K nigh.Key](t *testing.T, a, b *nigh.Index[K], dim int) {
	t.Helper()
	for q := range 20 {
		query := vectorsOf(1, dim, uint64(1000+q))
		x, err := a.Search(query, 10, nil)
		must(t, err)
		y, err := b.Search(query, 10, nil)
		must(t, err)
		if !slices.Equal(x, y) {
			t.Fatalf("%v\n%v", x, y)
		}
	}
}

func TestFetchedVectors(t *testing.T) {
	store := &rowStore{dim: storeDim, vectors: vectorsOf(storeCount, storeDim, 20)}
	store.keyed = func(slot uint32, key uint64) {
		if uint64(slot) != key {
			t.Errorf("slot %d has key %d", slot, key)
		}
	}
	index := storeIndex(t, store)
	owned := ownedIndex(t, store.vectors)
	sameAnswers(t, index, owned, storeDim)
	var stats nigh.SearchStats
	_, err := index.Search(store.vectors[:storeDim], 3, &nigh.SearchOptions{Stats: &stats})
	must(t, err)
	if stats.Fetches == 0 || store.calls.Load() == 0 || store.hints.Load() == 0 {
		t.Fatalf("%+v, %d calls, %d hints", stats, store.calls.Load(), store.hints.Load())
	}
	got, err := index.Get(17)
	must(t, err)
	if !slices.Equal(got, store.vectors[17*storeDim:18*storeDim]) {
		t.Fatal(got)
	}
	// Changing a vector outside: first there, then here.
	store.keyed = nil
	copy(store.vectors[5*storeDim:], vectorsOf(1, storeDim, 77))
	wants(t, index.Set(5, nil), nigh.ErrInvalid)
	must(t, index.SetExclusive(5, nil))
	hits, err := index.Search(vectorsOf(1, storeDim, 77), 1, nil)
	must(t, err)
	if hits[0].Key != 5 || hits[0].Distance != 0 {
		t.Fatal(hits)
	}
	sound(t, index)
}

// stringStore finds rows by string key.
type stringStore struct {
	dim  int
	rows map[string][]float32
	t    *testing.T
	seen atomic.Int64
}

func (s *stringStore) Fetch(batch nigh.Batch) error {
	for i := range batch.Len() {
		key := batch.StringKey(i)
		if key == "" { // being inserted: not published yet
			key = fmt.Sprintf("key-%d", batch.Slots()[i])
		} else {
			s.seen.Add(1)
		}
		if batch.Keys() != nil {
			s.t.Error("string keys have numbers")
		}
		copy(batch.Floats(i), s.rows[key])
	}
	return nil
}

func TestFetchByStringKey(t *testing.T) {
	const count, dim = 200, 4
	vectors := vectorsOf(count, dim, 21)
	store := &stringStore{dim: dim, rows: map[string][]float32{}, t: t}
	for i := range count {
		store.rows[fmt.Sprintf("key-%d", i)] = vectors[i*dim : (i+1)*dim]
	}
	index := newIndex[string](t, nigh.Options{Dim: dim, Metric: nigh.L2, Vectors: store})
	_, err := index.AddMany(names(0, count), nil)
	must(t, err)
	hits, err := index.Search(vectors[50*dim:51*dim], 1, nil)
	must(t, err)
	if hits[0].Key != "key-50" || store.seen.Load() == 0 {
		t.Fatal(hits, store.seen.Load())
	}
}

// Trap: a store that fails, or panics, ends the call with its own error, and all goes on after.
func TestFailingStore(t *testing.T) {
	store := &rowStore{dim: storeDim, vectors: vectorsOf(storeCount+1, storeDim, 22)}
	index := storeIndex(t, store)
	broken := errors.New("the disk is on fire")
	store.fail.Store(&broken)
	query := vectorsOf(1, storeDim, 23)
	_, err := index.Search(query, 3, nil)
	wants(t, err, broken)
	wants(t, index.Add(storeCount, nil), broken)
	_, err = index.SearchBatch(query, 3, nil)
	wants(t, err, broken)
	_, err = index.Get(4)
	wants(t, err, broken)
	must2 := func(err error) {
		t.Helper()
		wants(t, err, broken)
	}
	must2(index.Refine(context.Background(), nil))
	cursor, err := index.Cursor(query, nil)
	if err == nil {
		_, err = cursor.Next(make([]nigh.Hit[uint64], 3))
		cursor.Close()
	}
	wants(t, err, broken)
	store.fail.Store(nil)
	store.panics.Store(true)
	_, err = index.Search(query, 3, nil)
	var caught *nigh.PanicError
	if !errors.As(err, &caught) || caught.Value != "fetch gave up" ||
		!bytes.Contains(caught.Stack, []byte("store_test.go")) {
		t.Fatal(err)
	}
	store.panics.Store(false)
	store.hint.Store(true)
	_, err = index.Search(query, 3, nil)
	if !errors.As(err, &caught) || caught.Value != "prefetch gave up" {
		t.Fatal(err)
	}
	store.hint.Store(false)
	_, err = index.Search(query, 3, nil)
	must(t, err)
	must(t, index.Add(storeCount, nil))
	sound(t, index)
}

// lazyStore gives no row for some slots.
type lazyStore struct{}

func (lazyStore) Fetch(nigh.Batch) error { return nil }

func TestStoreThatGivesNothing(t *testing.T) {
	index := newIndex[uint64](t, nigh.Options{Dim: 4, Metric: nigh.L2, Vectors: lazyStore{}})
	err := index.Add(1, nil)
	if err == nil || err.Error() != "nigh: add: key 1: Fetch gave no row for a slot" {
		t.Fatal(err)
	}
}

func TestBorrowed(t *testing.T) {
	vectors := vectorsOf(storeCount, storeDim, 25)
	borrowed, err := nigh.Borrow(storeDim, vectors)
	must(t, err)
	index := newIndex[uint64](t, nigh.Options{Dim: storeDim, Metric: nigh.L2, Vectors: borrowed,
		EfBuild: 30})
	_, err = index.AddMany(numbers(0, storeCount), nil)
	must(t, err)
	sameAnswers(t, index, ownedIndex(t, vectors), storeDim)
	wants(t, index.Add(storeCount, nil), nigh.ErrMismatch)
	runtime.GC()
	must(t, index.Close())
	_, err = nigh.Borrow(storeDim, vectors[:7])
	wants(t, err, nigh.ErrInvalid)
	_, err = nigh.BorrowRows(nil, 4, 0)
	wants(t, err, nigh.ErrInvalid)
	rows, err := nigh.EncodeRows(storeDim, nigh.F16, vectors)
	must(t, err)
	halves, err := nigh.BorrowRows(rows, 2*storeDim, 0)
	must(t, err)
	half := newIndex[uint64](t, nigh.Options{Dim: storeDim, Metric: nigh.L2, DType: nigh.F16,
		Vectors: halves})
	n, err := half.Build(context.Background(), numbers(0, storeCount), nil, nil)
	must(t, err)
	if n != storeCount {
		t.Fatal(n)
	}
	sound(t, half)
}

// Trap: C keeps no memory of Go's unless it is pinned; the slice here is the only reference.
func TestBorrowedStaysWithoutReference(t *testing.T) {
	borrow := func() *nigh.Borrowed {
		borrowed, err := nigh.Borrow(64, vectorsOf(500, 64, 26))
		must(t, err)
		return borrowed
	}
	index := newIndex[uint64](t, nigh.Options{Dim: 64, Metric: nigh.L2, Vectors: borrow()})
	_, err := index.AddMany(numbers(0, 500), nil)
	must(t, err)
	for range 5 {
		runtime.GC()
		_ = vectorsOf(2000, 64, 1) // would lie where the first slice was
	}
	got, err := index.Get(499)
	must(t, err)
	if !slices.Equal(got, vectorsOf(500, 64, 26)[499*64:]) {
		t.Fatal("the borrowed vectors are gone")
	}
}

func TestCustomDistance(t *testing.T) {
	const dim = 3
	var angry atomic.Bool
	chebyshev := func(a, b []byte) float32 {
		if angry.Load() {
			panic(errAngry)
		}
		x := unsafe.Slice((*float32)(unsafe.Pointer(&a[0])), dim)
		y := unsafe.Slice((*float32)(unsafe.Pointer(&b[0])), dim)
		most := float32(0)
		for i := range x {
			most = max(most, x[i]-y[i], y[i]-x[i])
		}
		return most
	}
	index := newIndex[uint64](t, nigh.Options{Dim: dim, Metric: nigh.Custom, Distance: chebyshev})
	vectors := vectorsOf(100, dim, 27)
	_, err := index.AddMany(numbers(0, 100), vectors)
	must(t, err)
	hits, err := index.Search([]float32{0, 0, 0}, 100, nil)
	must(t, err)
	for i, hit := range hits {
		at := vectors[hit.Key*dim:]
		want := max(at[0], -at[0], at[1], -at[1], at[2], -at[2])
		if hit.Distance != want || (i > 0 && hit.Distance < hits[i-1].Distance) {
			t.Fatal(i, hit, want)
		}
	}
	angry.Store(true)
	_, err = index.Search([]float32{0, 0, 0}, 5, nil)
	wants(t, err, errAngry)
	angry.Store(false)
	_, err = index.Search([]float32{0, 0, 0}, 5, nil)
	must(t, err)
	_, err = nigh.Load[uint64](bytes.NewReader(imageOf(t, index)), nil)
	wants(t, err, nigh.ErrMismatch) // the distance is missing
}

var errAngry = errors.New("angry")

func TestFilterThatPanics(t *testing.T) {
	index := newIndex[uint64](t, nigh.Options{Dim: 2, Metric: nigh.L2})
	_, err := index.AddMany(numbers(0, 50), vectorsOf(50, 2, 28))
	must(t, err)
	filter, err := index.AllowFunc(func(key uint64) bool { panic(errAngry) })
	must(t, err)
	_, err = index.Search([]float32{1, 1}, 3, &nigh.SearchOptions{Filter: filter})
	wants(t, err, errAngry)
	_, err = index.Search([]float32{1, 1}, 3, nil)
	must(t, err)
}

// Callbacks may read the index that calls them.
func TestFilterThatSearches(t *testing.T) {
	index := newIndex[uint64](t, nigh.Options{Dim: 2, Metric: nigh.L2})
	vectors := vectorsOf(50, 2, 29)
	_, err := index.AddMany(numbers(0, 50), vectors)
	must(t, err)
	filter, err := index.AllowFunc(func(key uint64) bool {
		hits, err := index.Search(vectors[key*2:key*2+2], 1, nil)
		return err == nil && hits[0].Key == key && key != 7 && grow(1000) > 0
	})
	must(t, err)
	hits, err := index.Search(vectors[14:16], 49, &nigh.SearchOptions{Filter: filter})
	must(t, err)
	if len(hits) != 49 || hits[0].Key == 7 {
		t.Fatal(len(hits))
	}
}

// grow needs much stack: the goroutine's moves while C is in the middle of a call.
func grow(depth int) int {
	var room [128]byte
	if depth == 0 {
		return 1
	}
	room[depth%128] = 1
	return grow(depth-1) + int(room[(depth+1)%128])
}
