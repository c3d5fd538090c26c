// work.go - long work that several goroutines share: Build, Refine, AddCodes, Vacuum
// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build cgo

package nigh

import (
	"context"
	"runtime"
)

// Build inserts vectors, one after another in `vectors`, on several goroutines; the index is the
// same, byte for byte, with any number of them (and not the one that single Adds make). keys may be
// nil with SlotKeys, vectors with a VectorStore. It ends at the first vector or key that Add would
// refuse, after all before it, and tells how many are in. When ctx is done it ends within some
// milliseconds; what is in stays in, and the index is whole. keys and vectors must not change
// meanwhile. Searches go on beside it, changes are refused with ErrBusy.
func (x *Index[K]) Build(ctx context.Context, keys []K, vectors []float32,
	options *JobOptions) (int, error) {
	defer runtime.KeepAlive(x)
	core, err := x.open("build")
	if err != nil {
		return 0, err
	}
	done, err := core.build(ctx, keysOf(keys), floats(vectors), options)
	return done, core.explained(err)
}

// Refine chooses the links of layer 0 anew, knowing all nodes: searches gain up to a third. A pass
// that finds less than before is put back. For ctx and what runs beside it see Build.
func (x *Index[K]) Refine(ctx context.Context, options *RefineOptions) error {
	defer runtime.KeepAlive(x)
	core, err := x.open("refine")
	if err != nil {
		return err
	}
	return core.explained(core.refine(ctx, options))
}

// Vacuum takes removed keys out for good: they are forgotten, their slots are free for others, and
// links lead round them. For ctx and what runs beside it see Build.
func (x *Index[K]) Vacuum(ctx context.Context, options *JobOptions) error {
	defer runtime.KeepAlive(x)
	core, err := x.open("vacuum")
	if err != nil {
		return err
	}
	return core.explained(core.vacuum(ctx, options))
}

// AddCodes makes codes for an index that has none; searches use them from then on. While a search
// or cursor from before DropCodes is under way it is ErrBusy. For ctx see Build.
func (x *Index[K]) AddCodes(ctx context.Context, options CodesOptions) error {
	defer runtime.KeepAlive(x)
	core, err := x.open("add codes")
	if err != nil {
		return err
	}
	return core.addCodes(ctx, options)
}

// DropCodes takes codes away; searches use the vectors.
func (x *Index[K]) DropCodes(ctx context.Context) error {
	defer runtime.KeepAlive(x)
	core, err := x.open("drop codes")
	if err != nil {
		return err
	}
	return core.dropCodes(ctx)
}
