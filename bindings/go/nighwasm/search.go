// search.go - Search and its kinds: into the caller's memory, in batches, one neighbour at a time
// SPDX-License-Identifier: MIT OR Apache-2.0
// Generated from bindings/go/search.go by bindings/go/nighwasm/share.py. Do not edit.

package nighwasm

import (
	"iter"
	"runtime"
)

// Search finds the k nearest live keys, nearest first, equal distances in the order of slots. Fewer
// than k means that there are no more. It fails with ErrVector for NaN or infinity.
func (x *Index[K]) Search(query []float32, k int, options *SearchOptions) ([]Hit[K], error) {
	return search[K](x, floats(query), k, options)
}

// SearchInto is Search for k = len(hits), and tells how many there are. For uint64 keys it
// allocates nothing.
func (x *Index[K]) SearchInto(hits []Hit[K], query []float32, options *SearchOptions) (int, error) {
	return searchInto(x, hits, floats(query), options)
}

// SearchBatch is Search for queries one after another in `queries`: answer q is that of query q. It
// is one goroutine's work; several may do it at once.
func (x *Index[K]) SearchBatch(queries []float32, k int, options *SearchOptions) ([][]Hit[K],
	error) {
	return searchBatch(x, floats(queries), k, options)
}

// Nearest hands out neighbours nearest first, until the loop ends or there are no more. Order is
// exact among what a beam of Ef has seen: a neighbour discovered late comes late. The index may be
// changed within the loop. It panics with an *Error, as there is nobody to hand it to; Cursor gives
// it back instead.
//
//	for key, distance := range index.Nearest(query, nil) {
func (x *Index[K]) Nearest(query []float32, options *SearchOptions) iter.Seq2[K, float32] {
	return nearest(x, floats(query), options)
}

// Cursor is Nearest with errors: it begins to hand out neighbours nearest first. Close it.
func (x *Index[K]) Cursor(query []float32, options *SearchOptions) (*Cursor[K], error) {
	return newCursor(x, floats(query), options)
}

// Cursor hands out neighbours nearest first. One goroutine at a time uses it.
type Cursor[K Key] struct {
	index  *Index[K]
	cursor *cursor // nil when closed
	guard  runtime.Cleanup
	err    error
}

// Next fills hits with the next neighbours; fewer than len(hits) means that there are no more.
func (c *Cursor[K]) Next(hits []Hit[K]) (int, error) { return cursorNext(c, hits) }

// All hands out what is left. Err tells whether it ended early.
func (c *Cursor[K]) All() iter.Seq2[K, float32] { return cursorAll(c) }

// Err is what ended All early; nil if nothing did.
func (c *Cursor[K]) Err() error { return c.err }

// Close gives the cursor's memory back. A cursor may be closed twice.
func (c *Cursor[K]) Close() error { return cursorClose(c) }
