// file_test.go - saved, loaded, mapped, changed in place, replaced whole
// SPDX-License-Identifier: MIT OR Apache-2.0
// Generated from bindings/go/file_test.go by bindings/go/nighwasm/share.py. Do not edit.

package nighwasm_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	nigh "github.com/nigh-search/nigh/bindings/go/nighwasm"
)

func filled[K nigh.Key](t testing.TB, keys []K, dim int) *nigh.Index[K] {
	index := newIndex[K](t, nigh.Options{Dim: dim, Metric: nigh.L2, EfBuild: 30})
	_, err := index.AddMany(keys, vectorsOf(len(keys), dim, 40))
	must(t, err)
	return index
}

func TestSaveAndLoad(t *testing.T) {
	index := filled(t, names(0, 500), 6)
	must(t, index.Remove("key-3"))
	image := imageOf(t, index)
	size, err := index.Size()
	must(t, err)
	var buffer bytes.Buffer
	written, err := index.WriteTo(&buffer)
	must(t, err)
	if written != int64(len(image)) || size != written || !bytes.Equal(buffer.Bytes(), image) {
		t.Fatal(written, size, len(image))
	}
	for _, r := range []io.Reader{bytes.NewReader(image), iotest.OneByteReader(bytes.NewReader(image)),
		iotest.DataErrReader(bytes.NewReader(image))} {
		loaded, err := nigh.Load[string](r, nil)
		must(t, err)
		defer loaded.Close()
		sameAnswers(t, index, loaded, 6)
		if !bytes.Equal(imageOf(t, loaded), image) {
			t.Fatal("another image")
		}
		must(t, loaded.Add("one more", vectorsOf(1, 6, 41)))
		must(t, loaded.Unremove("key-3"))
		sound(t, loaded)
	}
	var read nigh.Index[string]
	n, err := read.ReadFrom(bytes.NewReader(image))
	must(t, err)
	if n != int64(len(image)) || read.Len() != 499 {
		t.Fatal(n, read.Len())
	}
	n, err = read.ReadFrom(strings.NewReader("nonsense"))
	wants(t, err, nigh.ErrFormat)
	if n != 8 || read.Len() != 499 { // as it was
		t.Fatal(n, read.Len())
	}
	must(t, read.Close())
	_, err = nigh.Load[uint64](bytes.NewReader(image), nil)
	wants(t, err, nigh.ErrMismatch)
	broken := errors.New("broken pipe")
	_, err = nigh.Load[string](iotest.ErrReader(broken), nil)
	wants(t, err, broken)
	func() {
		before := nigh.MemoryInUse()
		defer func() {
			if recover() == nil || nigh.MemoryInUse() != before {
				t.Error("no panic, or memory that it left behind")
			}
		}()
		nigh.Load[string](panickingReader{}, nil)
	}()
}

type panickingReader struct{}

func (panickingReader) Read([]byte) (int, error) { panic("no more") }

// failingWriter takes some bytes, then fails.
type failingWriter struct {
	room int
	err  error
}

func (w *failingWriter) Write(p []byte) (int, error) {
	if len(p) > w.room {
		if w.err == nil {
			panic("no more")
		}
		return w.room, w.err
	}
	w.room -= len(p)
	return len(p), nil
}

func TestFailedWrites(t *testing.T) {
	index := filled(t, numbers(0, 500), 6)
	full := errors.New("disk full")
	wants(t, index.Save(&failingWriter{100, full}), full)
	var caught *nigh.PanicError
	if err := index.Save(&failingWriter{100, nil}); !errors.As(err, &caught) {
		t.Fatal(err)
	}
	wants(t, index.Save(shortWriter{}), io.ErrShortWrite)
	folder := t.TempDir()
	err := index.SaveFile(filepath.Join(folder, "no such folder", "x.nigh"))
	wants(t, err, fs.ErrNotExist)
	if err := index.SaveFile(folder); err == nil || !strings.Contains(err.Error(), "not a regular") {
		t.Fatal(err)
	}
	left, err := os.ReadDir(folder)
	must(t, err)
	if len(left) != 0 {
		t.Fatal(left)
	}
}

type shortWriter struct{}

func (shortWriter) Write(p []byte) (int, error) { return len(p) - 1, nil }

func TestSaveFileReplacesWhole(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "x.nigh")
	must(t, os.WriteFile(path, []byte("before"), 0o640))
	link := filepath.Join(folder, "link.nigh")
	must(t, os.Symlink("x.nigh", link))
	index := filled(t, numbers(0, 300), 6)
	must(t, index.SaveFile(link))
	data, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(data, imageOf(t, index)) {
		t.Fatal("other bytes")
	}
	info, err := os.Lstat(path)
	must(t, err)
	linked, err := os.Lstat(link)
	must(t, err)
	if info.Mode().Perm() != 0o640 || linked.Mode()&fs.ModeSymlink == 0 {
		t.Fatal(info.Mode(), linked.Mode())
	}
	must(t, index.Close())
	wants(t, index.SaveFile(path), nigh.ErrClosed) // and what was there stays
	again, err := os.ReadFile(path)
	must(t, err)
	left, err := os.ReadDir(folder)
	must(t, err)
	if !bytes.Equal(again, data) || len(left) != 2 {
		t.Fatal(len(again), left)
	}
}

func TestWrongFiles(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "x")
	_, err := nigh.Open[uint64](path, nil)
	wants(t, err, fs.ErrNotExist)
	_, err = nigh.Open[uint64](folder, nil)
	if err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Fatal(err)
	}
	must(t, os.WriteFile(path, nil, 0o600))
	_, err = nigh.Open[uint64](path, nil)
	wants(t, err, nigh.ErrFormat)
	must(t, os.WriteFile(path, bytes.Repeat([]byte("x"), 5000), 0o600))
	_, err = nigh.Open[uint64](path, nil)
	wants(t, err, nigh.ErrFormat)
	image := imageOf(t, filled(t, numbers(0, 300), 6))
	must(t, os.WriteFile(path, image[:len(image)-1], 0o600))
	_, err = nigh.Open[uint64](path, nil)
	if !errors.Is(err, nigh.ErrCorrupt) && !errors.Is(err, nigh.ErrFormat) {
		t.Fatal(err)
	}
	damaged := slices.Clone(image)
	damaged[len(damaged)*3/4] ^= 1
	must(t, os.WriteFile(path, damaged, 0o600))
	_, err = nigh.Open[uint64](path, &nigh.OpenOptions{Verify: true})
	wants(t, err, nigh.ErrCorrupt)
	quick, err := nigh.Open[uint64](path, nil)
	must(t, err)
	report, err := quick.Check()
	must(t, err)
	wants(t, report.Err, nigh.ErrCorrupt)
	must(t, quick.Close())
	_, err = nigh.Open[string](path, nil)
	wants(t, err, nigh.ErrMismatch)
	for _, o := range []nigh.OpenOptions{{Mode: 7}, {Capacity: 5}, {Mode: nigh.Copy, Unsealed: true}} {
		_, err = nigh.Open[uint64](path, &o)
		wants(t, err, nigh.ErrInvalid)
	}
}

func TestGraphOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "graph.nigh")
	index := filled(t, numbers(0, 300), 6)
	must(t, index.SaveGraphFile(path))
	bare, err := nigh.Open[uint64](path, nil)
	must(t, err)
	_, err = bare.Search(vectorsOf(1, 6, 1), 1, nil)
	wants(t, err, nigh.ErrNoVectors)
	must(t, bare.Close())
	borrowed, err := nigh.Borrow(6, vectorsOf(300, 6, 40))
	must(t, err)
	whole, err := nigh.Open[uint64](path, &nigh.OpenOptions{Vectors: borrowed})
	must(t, err)
	sameAnswers(t, index, whole, 6)
	must(t, whole.Close())
	must(t, index.SaveFile(path))
	_, err = nigh.Open[uint64](path, &nigh.OpenOptions{Vectors: borrowed})
	wants(t, err, nigh.ErrMismatch)
}
