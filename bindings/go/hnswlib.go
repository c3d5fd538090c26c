// hnswlib.go - files of hnswlib: indexes read from them, and written as such
// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build cgo

package nigh

import (
	"context"
	"errors"
	"io"
	"runtime"
)

// ReadHnswlib reads a file of hnswlib 0.6 to 0.8 (saveIndex, save_index), to the end of r, written
// where a size_t has 64 or 32 bits: the same links, layers and vectors, labels as keys, deleted
// elements removed. The file does not say what it holds, so options do: Dim, and F32 with L2,
// InnerProduct or Cosine, or U8 with L2. M, M0 and EfBuild are the file's; Codes must be zero. With
// Vectors those of the file are not looked at.
//
// Searches with SearchOptions.Expansions of 1 answer as hnswlib does at the same ef. Keys may be
// removed and the index saved as it is; before other changes its graph must be rooted: see Root.
//
// It fails with ErrFormat if r gives no such file, ErrCorrupt, ErrMismatch if its vectors have
// another size, ErrVector if one is not finite (Cosine: or zero), ErrKey for labels that are not
// the slots that SlotKeys says, ErrUnsupported for other metrics and types and an M beyond 1024.
func ReadHnswlib[K ~uint64](r io.Reader, options Options) (*Index[K], error) {
	made, err := readHnswlib(r, options)
	if err != nil {
		return nil, err
	}
	return own[K](made), nil
}

// WriteHnswlib writes the index as a file of hnswlib for 64-bit programs: keys are labels, removed
// keys deleted elements, and so are free slots, under labels from the highest down. Rows of a
// Cosine index are normalised, as hnswlib wants them. Read again and rooted it gives the same
// graph. It fails with ErrUnsupported for string keys, and for metrics and types other than
// ReadHnswlib names. What Save says of w and of changes holds here too.
func (x *Index[K]) WriteHnswlib(w io.Writer) error { return x.writeHnswlib(w, 0) }

// WriteHnswlib32 is WriteHnswlib for hnswlib in a 32-bit program, as in a browser. It fails with
// ErrKey for a key of more than 32 bits.
func (x *Index[K]) WriteHnswlib32(w io.Writer) error { return x.writeHnswlib(w, hnswlib32) }

func (x *Index[K]) writeHnswlib(w io.Writer, flags uint32) error {
	defer runtime.KeepAlive(x)
	core, err := x.open("write hnswlib")
	if err != nil {
		return err
	}
	return core.writeHnswlib(w, flags)
}

// Root gives the nodes of a graph that ReadHnswlib has read what changes of it need: a tree of
// parents, from the root to every node. Some links move, are added or dropped for it. A graph that
// has its tree already (Config.Unrooted is false) stays as it is. For ctx and what runs beside it
// see Build.
func (x *Index[K]) Root(ctx context.Context, options *JobOptions) error {
	defer runtime.KeepAlive(x)
	core, err := x.open("root")
	if err != nil {
		return err
	}
	return core.root(ctx, options)
}

// explained says why a graph without a tree refused a change.
func (c *core) explained(err error) error {
	failed, is := err.(*Error)
	if is && errors.Is(failed, ErrUnsupported) {
		if config, err := c.configNow(); err == nil && config.Unrooted {
			failed.Detail = "a graph of hnswlib's, which Root prepares for changes"
		}
	}
	return err
}
