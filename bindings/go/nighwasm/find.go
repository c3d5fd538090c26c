// find.go - searches: single ones, batches, cursors
// SPDX-License-Identifier: MIT OR Apache-2.0

package nighwasm

import (
	"fmt"
	"iter"
	"runtime"
)

const (
	batchChunk  = 256 // queries that one call of the module answers
	cursorChunk = 64  // neighbours that All asks for at once
	kPlain      = 4096
)

// finder is one call's handle and session. The instance is its own from begin to end, a cursor's
// only while it is asked.
type finder struct {
	core    *core
	h       *handle
	call    *caller
	s       *session
	options uint32 // in the session's memory
	query   uint32
	filter  filterCall
	k       int
	panics  uint64 // seen before
}

var noOptions SearchOptions

// check finds what would otherwise wrap round.
func (o *SearchOptions) check(op string, k int) error {
	limits := [...]struct {
		name  string
		value int
	}{{"k", k}, {"Ef", o.Ef}, {"Expansions", o.Expansions}, {"ExpansionsMax", o.ExpansionsMax},
		{"Rerank", o.Rerank}, {"FrontierMax", o.FrontierMax}}
	for _, l := range limits {
		if l.value < 0 || l.value > slotsMax {
			return failure(op, eInvalid, fmt.Sprintf("%s %d, expected 0..%d", l.name, l.value, slotsMax))
		}
	}
	if !(o.Gamma >= 0) || (o.HasRadius && o.Radius != o.Radius) {
		return failure(op, eInvalid, fmt.Sprintf("Gamma %g, Radius %g", o.Gamma, o.Radius))
	}
	return nil
}

func (o *SearchOptions) put(to record) {
	flags := uint32(0)
	if o.Exact {
		flags |= searchExact
	}
	if o.NoCodes {
		flags |= searchNoCodes
	}
	if o.HasRadius {
		flags |= searchRadius
	}
	to.u32(searchOptionsStructSize, searchOptionsSize)
	to.u32(searchOptionsEf, uint32(o.Ef))
	to.u32(searchOptionsExpansions, uint32(o.Expansions))
	to.u32(searchOptionsFlags, flags)
	to.f32(searchOptionsRadius, o.Radius)
	to.u32(searchOptionsExpansionsMax, uint32(o.ExpansionsMax))
	to.u32(searchOptionsRerank, uint32(o.Rerank))
	to.f32(searchOptionsGamma, o.Gamma)
}

// begin takes a session of a handle, which it owns from then on, and puts `count` queries and room
// for their hits into its memory. k is cut to what the index can have.
func (f *finder) begin(op string, c *core, h *handle, query vectors, count, k int,
	o *SearchOptions) error {
	*f = finder{core: c, h: h, call: h.enter(), panics: c.panics.count.Load()}
	f.k = h.atMost(f.call, k)
	err := f.take(op, query, count, o)
	if err != nil {
		f.end(nil)
	}
	return err
}

func (f *finder) take(op string, query vectors, count int, o *SearchOptions) error {
	var err error
	f.s, err = f.h.session(f.call, op, &f.h.readers, max(o.Ef, f.k), o.FrontierMax)
	if err != nil {
		return err
	}
	if err := f.fill(op, query, count, o); err != nil {
		return err
	}
	return f.filter.begin(op, f.h, f.call, f.s, o.Filter)
}

func (f *finder) fill(op string, query vectors, count int, o *SearchOptions) error {
	c, s := f.core, &f.s.scratch
	queryBytes := uint64(count) * uint64(c.rowBytes)
	bytes := queryBytes + searchOptionsSize + c.outputBytes(count, max(f.k, 1)) + o.Filter.bytes()
	if err := s.reserve(f.call, op, bytes, outputPieces+3); err != nil {
		return err
	}
	f.query = s.take(queryBytes)
	f.options = s.take(searchOptionsSize)
	f.s.out = c.takeOutputs(s, count, max(f.k, 1))
	f.call.putU32(f.s.out.found, 0)
	o.put(f.call.bytes(f.options, searchOptionsSize))
	if status := query.put(f.call, c.shape, f.query, count); status != ok {
		return c.fail(op, status, "query")
	}
	return nil
}

// end gives back what begin took, and tells what the search cost.
func (f *finder) end(stats *SearchStats) {
	if f.s != nil {
		if stats != nil {
			*stats = f.s.stats(f.h, f.call)
		}
		f.filter.end(f.h, f.call, f.s)
		f.s.back(f.call)
	}
	f.call.leave()
	f.h.release()
}

func (s *session) stats(h *handle, c *caller) SearchStats {
	at, err := c.put("search", newRecord(sessionStatsSize))
	if err != nil {
		return SearchStats{}
	}
	defer c.drop(&at)
	if c.status(callSessionStatsGet, uint64(s.address), uint64(at.address)) != ok {
		return SearchStats{}
	}
	r := record(c.bytes(at.address, sessionStatsSize))
	return SearchStats{Distances: r.getInt(sessionStatsDistances),
		Expansions: r.getInt(sessionStatsExpansions), Fetches: r.getInt(sessionStatsFetches),
		Truncated: r.getU32(sessionStatsTruncated) != 0,
		Scanned:   r.getU32(sessionStatsScanned) != 0,
		Reranked:  r.getInt(sessionStatsReranked)}
}

func (f *finder) search(op string) (int, error) {
	if f.k == 0 {
		return 0, nil
	}
	out := &f.s.out
	status := f.call.status(callSearch, uint64(f.h.index), uint64(f.s.address), uint64(f.query),
		uint64(f.options), uint64(f.k), uint64(out.keys), uint64(out.lengths),
		uint64(out.distances), 0, uint64(out.found))
	if err := f.failed(op, status); err != nil {
		return 0, err
	}
	return out.count(f.call, 0), nil
}

// failed is the error of a search: its status, or what a filter that cannot fail ran into.
func (f *finder) failed(op string, status int32) error {
	if err := f.filter.failed(); err != nil {
		return &Error{Op: op, Detail: "filter", Err: err}
	}
	if err := f.core.panics.since(f.panics); err != nil {
		return &Error{Op: op, Err: err}
	}
	return f.core.failUnless(op, status)
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
	if err := o.check(op, len(hits)); err != nil {
		return 0, err
	}
	if err := query.check(op, core.shape, 1); err != nil {
		return 0, err
	}
	h, err := core.searcher(op)
	runtime.KeepAlive(x)
	if err != nil {
		return 0, err
	}
	var f finder
	if err := f.begin(op, core, h, query, 1, len(hits), o); err != nil {
		return 0, err
	}
	found, err := f.search(op)
	if err == nil {
		fillHits(f.call, hits[:found], &f.s.out, 0, f.k)
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
func (h *handle) atMost(c *caller, k int) int {
	if k <= kPlain {
		return k
	}
	stats, err := h.statsNow(c, "search")
	if err != nil {
		return kPlain
	}
	return min(k, max(stats.Slots, 1))
}

func (x *Index[K]) atMost(k int) int {
	if k <= kPlain {
		return k
	}
	core, err := x.open("search")
	if err != nil {
		return 0
	}
	stats, err := core.stats()
	runtime.KeepAlive(x)
	if err != nil {
		return 0
	}
	return min(k, max(stats.Slots, 1))
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
	if err := o.check(op, k); err != nil {
		return nil, err
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

func batchSome[K Key](c *core, answers [][]Hit[K], queries vectors, count, k int,
	o *SearchOptions, stats *SearchStats) ([][]Hit[K], error) {
	const op = "search"
	h, err := c.searcher(op)
	if err != nil {
		return answers, err
	}
	var f finder
	if err := f.begin(op, c, h, queries, count, k, o); err != nil {
		return answers, err
	}
	defer func() { f.end(stats) }()
	if f.k == 0 {
		return append(answers, make([][]Hit[K], count)...), nil
	}
	out := &f.s.out
	f.call.putU32(out.done, 0)
	status := f.call.status(callSearchBatch, uint64(f.h.index), uint64(f.s.address),
		uint64(f.query), uint64(count), uint64(f.options), uint64(f.k), uint64(out.keys),
		uint64(out.lengths), uint64(out.distances), 0, uint64(out.found), uint64(out.done))
	if err := f.failed(op, status); err != nil {
		return append(answers, make([][]Hit[K], f.call.u32(out.done))...), err
	}
	hits := make([]Hit[K], count*f.k)
	for query := range count {
		found := out.count(f.call, query)
		fillHits(f.call, hits[:found], out, query, f.k)
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

// ask enters the instance for the finder of a cursor.
func (c *cursor) ask() { c.f.call = c.f.h.enter() }

// rest leaves it.
func (c *cursor) rest() { c.f.call.leave() }

func (c *cursor) close() {
	c.ask()
	c.f.end(c.stats)
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
	if err := o.check(op, cursorChunk); err != nil {
		return nil, err
	}
	if err := query.check(op, core.shape, 1); err != nil {
		return nil, err
	}
	h, err := core.hold(op)
	if err != nil {
		return nil, err
	}
	made := &Cursor[K]{index: x, cursor: &cursor{stats: o.Stats}}
	f := &made.cursor.f
	if err := f.begin(op, core, h, query, 1, cursorChunk, o); err != nil {
		return nil, err
	}
	status := f.call.status(callCursorBegin, uint64(f.h.index), uint64(f.s.address),
		uint64(f.query), uint64(f.options))
	if err := f.failed(op, status); err != nil {
		f.end(nil)
		return nil, err
	}
	made.cursor.rest()
	made.guard = runtime.AddCleanup(made, func(c *cursor) { c.close() }, made.cursor)
	return made, nil
}

func cursorNext[K Key](c *Cursor[K], hits []Hit[K]) (int, error) {
	const op = "cursor"
	if c.cursor == nil {
		return 0, &Error{Op: op, Err: ErrClosed}
	}
	defer runtime.KeepAlive(c) // else its cleanup may end it while it is asked
	c.cursor.ask()
	defer c.cursor.rest()
	f, all := &c.cursor.f, 0
	for all < len(hits) && f.k > 0 {
		k := min(f.k, len(hits)-all)
		out := &f.s.out
		status := f.call.status(callCursorNext, uint64(f.h.index), uint64(f.s.address), uint64(k),
			uint64(out.keys), uint64(out.lengths), uint64(out.distances), 0, uint64(out.found))
		found := out.count(f.call, 0)
		fillHits(f.call, hits[all:all+found], out, 0, k)
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
		c.cursor.close()
		c.cursor = nil
		c.guard.Stop()
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
