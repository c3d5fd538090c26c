// save.go - an index as bytes: writers, readers, files replaced whole
// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build cgo

package nigh

import (
	"io"
	"runtime"
)

// Save writes the index; the same content gives the same bytes. It waits for changes that are under
// way and lets none begin; searches go on. w gets pieces of memory that is not its to keep, and
// must neither change nor close the index.
func (x *Index[K]) Save(w io.Writer) error {
	_, err := x.save(w, 0)
	return err
}

// SaveGraph is Save without vectors: who opens it brings them (OpenOptions.Vectors).
func (x *Index[K]) SaveGraph(w io.Writer) error {
	_, err := x.save(w, saveGraphOnly)
	return err
}

// SaveFile saves into a file that is replaced whole: who reads it sees the old one or the new one,
// also after a crash. Symbolic links are followed, permissions of an existing file are kept.
func (x *Index[K]) SaveFile(path string) error {
	return replaceFile(path, x.Save)
}

// SaveGraphFile is SaveGraph into a file, replaced as by SaveFile.
func (x *Index[K]) SaveGraphFile(path string) error {
	return replaceFile(path, x.SaveGraph)
}

// WriteTo is Save as an io.WriterTo: it tells how many bytes it wrote.
func (x *Index[K]) WriteTo(w io.Writer) (int64, error) { return x.save(w, 0) }

// ReadFrom is Load as an io.ReaderFrom: what the index held is dropped once r is read to its end
// and good; the zero Index will do. On failure the index is as it was. Vectors, Distance and
// Features stay as they were given. Calls that began before may still answer from what there was,
// or fail with ErrClosed; cursors go on with it.
func (x *Index[K]) ReadFrom(r io.Reader) (int64, error) {
	return x.load(r)
}

// Size is how many bytes Save writes.
func (x *Index[K]) Size() (int64, error) {
	defer runtime.KeepAlive(x)
	core, err := x.open("size")
	if err != nil {
		return 0, err
	}
	return core.size(0)
}

// Seal ends the changes to an index opened InPlace: its file is good again, and flushed to the
// disk. With a Pager every block counts as clean. Other indexes: ErrUnsupported.
func (x *Index[K]) Seal() error {
	defer runtime.KeepAlive(x)
	core, err := x.open("seal")
	if err != nil {
		return err
	}
	return core.seal()
}

func (x *Index[K]) save(w io.Writer, flags uint32) (int64, error) {
	defer runtime.KeepAlive(x)
	core, err := x.open("save")
	if err != nil {
		return 0, err
	}
	return core.save(w, flags)
}
