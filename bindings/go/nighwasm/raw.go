// raw.go - the same index with rows of its own type instead of floats
// SPDX-License-Identifier: MIT OR Apache-2.0
// Generated from bindings/go/raw.go by bindings/go/nighwasm/share.py. Do not edit.

package nighwasm

import (
	"context"
	"iter"
	"runtime"
)

// Raw is an Index whose vectors are rows of its DType, RowBytes bytes each, one after another,
// without any conversion. Its methods are those of Index.
type Raw[K Key] struct {
	index *Index[K]
}

// Raw gives the view of the index that takes and gives rows as they are stored.
func (x *Index[K]) Raw() Raw[K] { return Raw[K]{x} }

// RowBytes is the size of a row; 0 when closed.
func (r Raw[K]) RowBytes() int {
	core, err := r.index.open("row bytes")
	if err != nil {
		return 0
	}
	return int(core.rowBytes)
}

// Add is Index.Add.
func (r Raw[K]) Add(key K, row []byte) error {
	return r.index.change("add", insertCall, 0, key, rows(row))
}

// AddMany is Index.AddMany.
func (r Raw[K]) AddMany(keys []K, rowsOf []byte) (int, error) {
	return r.index.changeMany("add", insertCall, 0, keys, rows(rowsOf))
}

// Set is Index.Set.
func (r Raw[K]) Set(key K, row []byte) error {
	return r.index.change("set", setCall, 0, key, rows(row))
}

// Get is Index.Get.
func (r Raw[K]) Get(key K) ([]byte, error) {
	defer runtime.KeepAlive(r.index)
	core, err := r.index.open("get")
	if err != nil {
		return nil, err
	}
	row := make([]byte, core.rowBytes)
	one := [1]K{key}
	if err := core.get("get", keysOf(one[:]), rows(row)); err != nil {
		return nil, err
	}
	return row, nil
}

// Build is Index.Build.
func (r Raw[K]) Build(ctx context.Context, keys []K, rowsOf []byte, options *JobOptions) (int,
	error) {
	defer runtime.KeepAlive(r.index)
	core, err := r.index.open("build")
	if err != nil {
		return 0, err
	}
	done, err := core.build(ctx, keysOf(keys), rows(rowsOf), options)
	return done, core.explained(err)
}

// Search is Index.Search.
func (r Raw[K]) Search(query []byte, k int, options *SearchOptions) ([]Hit[K], error) {
	return search[K](r.index, rows(query), k, options)
}

// SearchInto is Index.SearchInto.
func (r Raw[K]) SearchInto(hits []Hit[K], query []byte, options *SearchOptions) (int, error) {
	return searchInto(r.index, hits, rows(query), options)
}

// SearchBatch is Index.SearchBatch.
func (r Raw[K]) SearchBatch(queries []byte, k int, options *SearchOptions) ([][]Hit[K], error) {
	return searchBatch(r.index, rows(queries), k, options)
}

// Nearest is Index.Nearest.
func (r Raw[K]) Nearest(query []byte, options *SearchOptions) iter.Seq2[K, float32] {
	return nearest(r.index, rows(query), options)
}

// Cursor is Index.Cursor.
func (r Raw[K]) Cursor(query []byte, options *SearchOptions) (*Cursor[K], error) {
	return newCursor(r.index, rows(query), options)
}
