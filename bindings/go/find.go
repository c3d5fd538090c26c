// find.go - searches: single ones, batches, cursors
// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build cgo

package nigh

// #cgo nocallback nigh_session_filter
// #cgo noescape nigh_session_stats_get
// #cgo nocallback nigh_session_stats_get
// #include "bridge.h"
import "C"

import (
	"fmt"
	"iter"
	"runtime"
	"unsafe"
)

const (
	batchChunk  = 64 // queries that one call of C answers: their hits stay in the nearest cache
	cursorChunk = 64 // neighbours that All asks for at once
	kPlain      = 4096
)

// finder is one call's handle and session.
type finder struct {
	core    *core
	h       *handle
	s       *session
	options *C.nigh_search_options // in the session's C memory
	query   unsafe.Pointer
	filter  filterCall
	k       int
	panics  uint64 // seen before
	inPlace bool   // the queries stay in the caller's memory
}

var noOptions SearchOptions

// check finds what would otherwise wrap round.
func (o *SearchOptions) check(op string, k int) error {
	limits := []struct {
		name  string
		value int
	}{{"k", k}, {"Ef", o.Ef}, {"Expansions", o.Expansions}, {"ExpansionsMax", o.ExpansionsMax},
		{"Rerank", o.Rerank}, {"FrontierMax", o.FrontierMax}}
	for _, l := range limits {
		if l.value < 0 || l.value > slotsMax {
			return failure(op, eInvalid, fmt.Sprintf("%s %d, expected 0..%d", l.name, l.value,
				slotsMax))
		}
	}
	if !(o.Gamma >= 0) || (o.HasRadius && o.Radius != o.Radius) {
		return failure(op, eInvalid, fmt.Sprintf("Gamma %g, Radius %g", o.Gamma, o.Radius))
	}
	return nil
}

func (o *SearchOptions) put(to *C.nigh_search_options) {
	*to = C.nigh_search_options{ef: C.uint32_t(o.Ef), expansions: C.uint32_t(o.Expansions),
		radius: C.float(o.Radius), expansions_max: C.uint32_t(o.ExpansionsMax),
		rerank: C.uint32_t(o.Rerank), gamma: C.float(o.Gamma)}
	to.struct_size = C.uint32_t(unsafe.Sizeof(*to))
	if o.Exact {
		to.flags |= searchExact
	}
	if o.NoCodes {
		to.flags |= searchNoCodes
	}
	if o.HasRadius {
		to.flags |= searchRadius
	}
}

// begin takes a session and puts `count` queries and room for their hits into its memory. k is cut
// to what the index can have.
func (f *finder) begin(op string, c *core, query vectors, count, k int,
	o *SearchOptions) error {
	if err := o.check(op, k); err != nil {
		return err
	}
	if err := query.check(op, c.shape, count); err != nil {
		return err
	}
	h, err := c.hold(op)
	if err != nil {
		return err
	}
	*f = finder{core: c, h: h, k: h.atMost(k), panics: c.panics.count.Load(), inPlace: f.inPlace}
	f.s, err = h.session(op, &h.readers, max(o.Ef, f.k), o.FrontierMax)
	if err == nil {
		err = f.fill(op, query, count, o)
	}
	if err == nil {
		err = f.filter.begin(op, f.h, f.s, o.Filter)
	}
	if err != nil {
		f.end(nil)
	}
	return err
}

func (f *finder) fill(op string, query vectors, count int, o *SearchOptions) error {
	c, s := f.core, &f.s.scratch
	copied := count
	if f.inPlace {
		copied = 0
	}
	queryBytes := uint64(copied) * uint64(c.rowBytes)
	optionBytes := uint64(unsafe.Sizeof(C.nigh_search_options{}))
	bytes := queryBytes + optionBytes + c.outputBytes(count, max(f.k, 1)) + 4*uint64(count) + 4
	if err := s.reserve(op, bytes, outputPieces+2); err != nil {
		return err
	}
	f.query = s.take(queryBytes)
	f.options = (*C.nigh_search_options)(s.take(optionBytes))
	f.s.out = c.takeOutputs(s, count, max(f.k, 1))
	o.put(f.options)
	if status := query.put(c.shape, f.query, copied); status != ok {
		return c.fail(op, status, "query")
	}
	return nil
}

// end gives back what begin took, and tells what the search cost.
func (f *finder) end(stats *SearchStats) {
	if f.s != nil {
		if stats != nil {
			*stats = f.s.stats()
		}
		f.filter.end(f.s)
		f.s.back()
	}
	f.h.release()
}

func (s *session) stats() SearchStats {
	var c C.nigh_session_stats
	c.struct_size = C.uint32_t(unsafe.Sizeof(c))
	if C.nigh_session_stats_get(s.c, &c) != ok {
		return SearchStats{}
	}
	return SearchStats{Distances: int(c.distances), Expansions: int(c.expansions),
		Fetches: int(c.fetches), Truncated: c.truncated != 0, Scanned: c.scanned != 0,
		Reranked: int(c.reranked)}
}

// again tells whether a status only means that codes came between taking a session and using it;
// then it has another session for a second try.
func (f *finder) again(op string, status C.nigh_status, query vectors, count int,
	o *SearchOptions) (bool, error) {
	if status != eSession {
		return false, nil
	}
	f.filter.end(f.s)
	f.s.discard()
	f.s = nil
	s, err := f.h.fresh(op, &f.h.readers, max(o.Ef, f.k), o.FrontierMax)
	if err != nil {
		return false, err
	}
	f.s = s
	if err := f.fill(op, query, count, o); err != nil {
		return false, err
	}
	return true, f.filter.begin(op, f.h, f.s, o.Filter)
}

func (f *finder) search(op string, query vectors, o *SearchOptions) (int, error) {
	if f.k == 0 {
		return 0, nil
	}
	for try := 0; ; try++ {
		out := &f.s.out
		status := C.nigh_search(f.h.index, f.s.c, f.query, f.options, C.uint32_t(f.k), out.keys,
			out.lengths, out.distances, nil, out.found)
		if try == 0 && status != ok {
			again, err := f.again(op, status, query, 1, o)
			if err != nil {
				return 0, err
			}
			if again {
				continue
			}
		}
		if err := f.failed(op, status); err != nil {
			return 0, err
		}
		return out.count(0), nil
	}
}

// failed is the error of a search: its status, or what a filter that cannot fail ran into.
func (f *finder) failed(op string, status C.nigh_status) error {
	if err := f.filter.failed(); err != nil {
		return &Error{Op: op, Detail: "filter", Err: err}
	}
	if err := f.core.panics.since(f.panics); err != nil {
		return &Error{Op: op, Err: err}
	}
	return f.core.failUnless(op, int32(status))
}

func searchInto[K Key](x *Index[K], hits []Hit[K], query vectors, o *SearchOptions) (int, error) {
	const op = "search"
	core, err := x.open(op)
	if err != nil {
		return 0, err
	}
	if o == nil {
		o = &noOptions
	}
	var f finder
	err = f.begin(op, core, query, 1, len(hits), o)
	runtime.KeepAlive(x)
	if err != nil {
		return 0, err
	}
	found, err := f.search(op, query, o)
	if err == nil {
		fillHits(hits[:found], &f.s.out, 0, f.k)
	}
	f.end(o.Stats)
	return found, err
}

func search[K Key](x *Index[K], query vectors, k int, o *SearchOptions) ([]Hit[K], error) {
	if k < 0 {
		return nil, failure("search", eInvalid, fmt.Sprintf("k %d", k))
	}
	hits := make([]Hit[K], x.atMost(k))
	found, err := searchInto(x, hits, query, o)
	if err != nil {
		return nil, err
	}
	return hits[:found], nil
}

// atMost cuts a k that asks for far more than there can be, so that memory follows what is there.
func (h *handle) atMost(k int) int {
	if k <= kPlain {
		return k
	}
	stats, err := h.stats("search")
	if err != nil {
		return kPlain
	}
	return min(k, max(stats.Slots, 1))
}

func (x *Index[K]) atMost(k int) int {
	core, err := x.open("search")
	if err != nil {
		return 0
	}
	h, err := core.hold("search")
	runtime.KeepAlive(x)
	if err != nil {
		return 0
	}
	defer h.release()
	return h.atMost(k)
}

func searchBatch[K Key](x *Index[K], queries vectors, k int, o *SearchOptions) ([][]Hit[K],
	error) {
	defer runtime.KeepAlive(x)
	const op = "search batch"
	core, err := x.open(op)
	if err != nil {
		return nil, err
	}
	if o == nil {
		o = &noOptions
	}
	count := queries.count(core.shape)
	if err := queries.check(op, core.shape, count); err != nil {
		return nil, err
	}
	answers := make([][]Hit[K], 0, count)
	total := SearchStats{}
	for from := 0; from < count; from += batchChunk {
		to := min(count, from+batchChunk)
		some := queries.slice(core.shape, from, to)
		stats := SearchStats{}
		answers, err = batchSome(core, answers, some, to-from, k, o, &stats)
		if err != nil {
			return nil, &Error{Op: op, Detail: fmt.Sprintf("query %d", len(answers)), Err: err}
		}
		total.add(stats)
	}
	if o.Stats != nil {
		*o.Stats = total
	}
	return answers, nil
}

func (s *SearchStats) add(more SearchStats) {
	s.Distances += more.Distances
	s.Expansions += more.Expansions
	s.Fetches += more.Fetches
	s.Reranked += more.Reranked
	s.Truncated = s.Truncated || more.Truncated
	s.Scanned = s.Scanned || more.Scanned
}

// batch asks for all at once. Floats are read where they are: so this makes them escape to the
// heap, which is right for many and would not be for a single query on the stack.
func (f *finder) batch(queries vectors, count int) C.nigh_status {
	from, out := f.query, &f.s.out
	if f.inPlace {
		from = unsafe.Pointer(&queries.floats[0])
	}
	return C.nigh_search_batch(f.h.index, f.s.c, from, C.uint32_t(count), f.options,
		C.uint32_t(f.k), out.keys, out.lengths, out.distances, nil, out.found, out.done)
}

func batchSome[K Key](c *core, answers [][]Hit[K], queries vectors, count, k int,
	o *SearchOptions, stats *SearchStats) ([][]Hit[K], error) {
	const op = "search"
	var f finder
	f.inPlace = queries.asRows(c.shape)
	if err := f.begin(op, c, queries, count, k, o); err != nil {
		return answers, err
	}
	defer func() { f.end(stats) }()
	if f.k == 0 {
		return append(answers, make([][]Hit[K], count)...), nil
	}
	status := f.batch(queries, count)
	if again, err := f.again(op, status, queries, count, o); err != nil {
		return answers, err
	} else if again {
		status = f.batch(queries, count)
	}
	out := &f.s.out
	if err := f.failed(op, status); err != nil {
		return append(answers, make([][]Hit[K], int(*out.done))...), err
	}
	hits := make([]Hit[K], count*f.k)
	for query := range count {
		found := out.count(query)
		fillHits(hits[:found], out, query, f.k)
		answers = append(answers, hits[:found:found])
		hits = hits[f.k:]
	}
	return answers, nil
}

// ---- Cursor -------------------------------------------------------------------------------------

// cursor keeps its session until it is closed, and the index that it began on.
type cursor struct {
	f     finder
	stats *SearchStats
}

func newCursor[K Key](x *Index[K], query vectors, o *SearchOptions) (*Cursor[K], error) {
	defer runtime.KeepAlive(x)
	const op = "cursor"
	core, err := x.open(op)
	if err != nil {
		return nil, err
	}
	if o == nil {
		o = &noOptions
	}
	made := &Cursor[K]{index: x, cursor: &cursor{stats: o.Stats}}
	f := &made.cursor.f
	if err := f.begin(op, core, query, 1, cursorChunk, o); err != nil {
		return nil, err
	}
	status := C.nigh_cursor_begin(f.h.index, f.s.c, f.query, f.options)
	again, err := f.again(op, status, query, 1, o)
	if again && err == nil {
		status = C.nigh_cursor_begin(f.h.index, f.s.c, f.query, f.options)
	}
	if err == nil {
		err = f.failed(op, status)
	}
	if err != nil {
		f.end(nil)
		return nil, err
	}
	made.guard = runtime.AddCleanup(made, func(c *cursor) { c.f.end(nil) }, made.cursor)
	return made, nil
}

func cursorNext[K Key](c *Cursor[K], hits []Hit[K]) (int, error) {
	const op = "cursor"
	if c.cursor == nil {
		return 0, &Error{Op: op, Err: ErrClosed}
	}
	defer runtime.KeepAlive(c) // else its cleanup may end it while it is asked
	f, all := &c.cursor.f, 0
	for all < len(hits) && f.k > 0 {
		k := min(f.k, len(hits)-all)
		out := &f.s.out
		status := C.nigh_cursor_next(f.h.index, f.s.c, C.uint32_t(k), out.keys, out.lengths,
			out.distances, nil, out.found)
		found := out.count(0)
		fillHits(hits[all:all+found], out, 0, k)
		all += found
		if err := f.failed(op, status); err != nil {
			return all, err
		}
		if found < k {
			break
		}
	}
	return all, nil
}

func cursorAll[K Key](c *Cursor[K]) iter.Seq2[K, float32] {
	return func(yield func(K, float32) bool) {
		hits := make([]Hit[K], 8) // few at first: many loops end early
		for {
			found, err := c.Next(hits)
			for _, hit := range hits[:found] {
				if !yield(hit.Key, hit.Distance) {
					return
				}
			}
			c.err = err
			if err != nil || found < len(hits) {
				return
			}
			if len(hits) < cursorChunk {
				hits = make([]Hit[K], 2*len(hits))
			}
		}
	}
}

func cursorClose[K Key](c *Cursor[K]) error {
	if c.cursor != nil {
		c.guard.Stop()
		c.cursor.f.end(c.cursor.stats)
		c.cursor = nil
		runtime.KeepAlive(c) // else its cleanup might begin before it is stopped
	}
	return nil
}

func nearest[K Key](x *Index[K], query vectors, o *SearchOptions) iter.Seq2[K, float32] {
	return func(yield func(K, float32) bool) {
		c, err := newCursor(x, query, o)
		if err != nil {
			panic(err)
		}
		defer c.Close()
		for key, distance := range c.All() {
			if !yield(key, distance) {
				return
			}
		}
		if c.err != nil {
			panic(c.err)
		}
	}
}
