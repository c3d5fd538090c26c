// hnswlib_test.go - files of hnswlib: written, read, searched as they are, rooted and changed
// SPDX-License-Identifier: MIT OR Apache-2.0
// Generated from bindings/go/hnswlib_test.go by bindings/go/nighwasm/share.py. Do not edit.

package nighwasm_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	nigh "github.com/nigh-search/nigh/bindings/go/nighwasm"
)

const hnswlibDim = 8

var background = context.Background()

func ofHnswlib(metric nigh.Metric) nigh.Options {
	return nigh.Options{Dim: hnswlibDim, Metric: metric}
}

// labelled is an index of 900 keys, three of them removed.
func labelled(t testing.TB, metric nigh.Metric) *nigh.Index[uint64] {
	options := ofHnswlib(metric)
	options.M, options.EfBuild, options.Seed = 6, 60, 5
	index := newIndex[uint64](t, options)
	keys := make([]uint64, 900)
	for i := range keys {
		keys[i] = uint64(3*i + 5)
	}
	_, err := index.AddMany(keys, vectorsOf(len(keys), hnswlibDim, 60))
	must(t, err)
	must(t, index.Remove(5, 8, 302))
	return index
}

func hnswlibOf[K nigh.Key](t testing.TB, index *nigh.Index[K]) []byte {
	t.Helper()
	var buffer bytes.Buffer
	must(t, index.WriteHnswlib(&buffer))
	return buffer.Bytes()
}

func readHnswlib(t testing.TB, file []byte, options nigh.Options) *nigh.Index[uint64] {
	t.Helper()
	index, err := nigh.ReadHnswlib[uint64](bytes.NewReader(file), options)
	must(t, err)
	t.Cleanup(func() { index.Close() })
	return index
}

// sameWalks compares answers in hnswlib's order.
func sameWalks(t testing.TB, a, b *nigh.Index[uint64]) {
	t.Helper()
	options := &nigh.SearchOptions{Ef: 40, Expansions: 1}
	for q := range 50 {
		query := vectorsOf(1, hnswlibDim, uint64(2000+q))
		x, err := a.Search(query, 10, options)
		must(t, err)
		y, err := b.Search(query, 10, options)
		must(t, err)
		if len(x) != 10 || !slices.Equal(x, y) {
			t.Fatalf("%v\n%v", x, y)
		}
	}
}

func unrooted[K nigh.Key](t testing.TB, index *nigh.Index[K]) bool {
	t.Helper()
	config, err := index.Config()
	must(t, err)
	return config.Unrooted
}

func TestHnswlibWrittenAndRead(t *testing.T) {
	for _, metric := range []nigh.Metric{nigh.L2, nigh.InnerProduct} {
		index := labelled(t, metric)
		file := hnswlibOf(t, index)
		for _, r := range []io.Reader{bytes.NewReader(file),
			iotest.HalfReader(bytes.NewReader(file)), iotest.DataErrReader(bytes.NewReader(file))} {
			again, err := nigh.ReadHnswlib[uint64](r, ofHnswlib(metric))
			must(t, err)
			defer again.Close()
			config, err := again.Config()
			must(t, err)
			if config.M != 6 || config.M0 != 12 || config.EfBuild != 60 || !config.Unrooted {
				t.Fatalf("%+v", config)
			}
			stats, err := again.Stats()
			must(t, err)
			if stats.Live != 897 || stats.Removed != 3 || unrooted(t, index) {
				t.Fatalf("%+v", stats)
			}
			sound(t, again)
			sameWalks(t, index, again)
			if !bytes.Equal(hnswlibOf(t, again), file) {
				t.Fatal("another file")
			}
		}
	}
}

func TestHnswlibOf32Bits(t *testing.T) {
	index := labelled(t, nigh.L2)
	file := hnswlibOf(t, index)
	var narrow bytes.Buffer
	must(t, index.WriteHnswlib32(&narrow))
	if len(file)-narrow.Len() != 900*4+40 {
		t.Fatal(len(file), narrow.Len())
	}
	again := readHnswlib(t, narrow.Bytes(), ofHnswlib(nigh.L2))
	if !bytes.Equal(hnswlibOf(t, again), file) {
		t.Fatal("another file")
	}
	must(t, index.Add(1<<32, vectorsOf(1, hnswlibDim, 61)))
	wants(t, index.WriteHnswlib32(io.Discard), nigh.ErrKey)
}

// A seed that draws fewer layers than the file has: there is room for them nevertheless.
func TestHnswlibOfAnotherDraw(t *testing.T) {
	file := hnswlibOf(t, labelled(t, nigh.L2))
	options := ofHnswlib(nigh.L2)
	options.BlockBytes = 256 // no slack
	for seed := range uint64(10) {
		options.Seed = seed
		if !bytes.Equal(hnswlibOf(t, readHnswlib(t, file, options)), file) {
			t.Fatalf("another file, seed %d", seed)
		}
	}
}

// A file with one element, as hnswlib writes it where a size_t has 32 bits.
func TestHnswlibByHand(t *testing.T) {
	const element = 4 + 4*4 + 4*2 + 4
	var file bytes.Buffer
	for _, part := range []any{
		[]uint32{0, 10, 1, element, element - 4, 20}, // offset, room, count, sizes
		[]uint32{0, 0, 2, 4, 2},                      // top, entry, M above, in layer 0, M
		1 / math.Ln2, uint32(77),                     // ef_construction
		[5]uint32{}, []float32{0.5, -2}, uint32(4711), // no links, vector, label
		uint32(0), // no lists above
	} {
		must(t, binary.Write(&file, binary.LittleEndian, part))
	}
	type label uint64
	index, err := nigh.ReadHnswlib[label](&file, nigh.Options{Dim: 2, Metric: nigh.L2})
	must(t, err)
	defer index.Close()
	config, err := index.Config()
	must(t, err)
	vector, err := index.Get(4711)
	must(t, err)
	if config.M != 2 || config.M0 != 4 || config.EfBuild != 77 || !slices.Equal(vector,
		[]float32{0.5, -2}) {
		t.Fatal(config, vector)
	}
	must(t, index.Add(4712, []float32{1, 1})) // one node is a tree
	sound(t, index)
}

func TestHnswlibRootedThenChanged(t *testing.T) {
	file := hnswlibOf(t, labelled(t, nigh.Cosine))
	options := ofHnswlib(nigh.Cosine)
	options.Seed = 9
	index := readHnswlib(t, file, options)
	row := vectorsOf(1, hnswlibDim, 62)
	refused := func(err error) {
		t.Helper()
		wants(t, err, nigh.ErrUnsupported)
		if !strings.Contains(err.Error(), "Root") {
			t.Fatal(err)
		}
	}
	refused(index.Add(1, row))
	refused(index.Set(11, row))
	_, err := index.AddMany([]uint64{1}, row)
	refused(err)
	_, err = index.Build(background, []uint64{1}, row, nil)
	refused(err)
	refused(index.Refine(background, nil))
	refused(index.Vacuum(background, nil))
	must(t, index.Remove(11))
	must(t, index.Reserve(1<<18, 0)) // beyond its table: moves as it is
	saved, err := nigh.Load[uint64](bytes.NewReader(imageOf(t, index)), nil)
	must(t, err)
	defer saved.Close()
	if !unrooted(t, saved) || !unrooted(t, index) {
		t.Fatal("rooted by itself")
	}

	ctx, cancel := context.WithCancel(background)
	cancel()
	wants(t, index.Root(ctx, nil), context.Canceled)
	must(t, index.Root(background, threads(2)))
	if unrooted(t, index) {
		t.Fatal("not rooted")
	}
	sound(t, index)
	image := imageOf(t, index)
	must(t, index.Root(background, nil)) // nothing is left to do
	if !bytes.Equal(imageOf(t, index), image) {
		t.Fatal("rooted twice")
	}
	must(t, index.Add(1, row))
	hits, err := index.Search(row, 1, nil)
	must(t, err)
	if hits[0].Key != 1 {
		t.Fatal(hits)
	}
	must(t, index.Vacuum(background, nil))
	_, err = index.Build(background, numbers(10000, 2000), vectorsOf(2000, hnswlibDim, 63), nil)
	must(t, err)
	if index.Len() != 2897 {
		t.Fatal(index.Len())
	}
	sound(t, index)
}

func TestHnswlibSlotsAndBytes(t *testing.T) {
	options := nigh.Options{Dim: 4, Metric: nigh.L2, DType: nigh.U8, SlotKeys: true}
	index := newIndex[uint64](t, options)
	for i := range 100 {
		must(t, index.Add(uint64(i), []float32{float32(i), 7, 200, float32(255 - i)}))
	}
	again := readHnswlib(t, hnswlibOf(t, index), options)
	hits, err := again.Search([]float32{42, 7, 200, 213}, 1, nil)
	must(t, err)
	if hits[0].Key != 42 {
		t.Fatal(hits)
	}
	options = ofHnswlib(nigh.L2)
	options.SlotKeys = true
	file := hnswlibOf(t, labelled(t, nigh.L2))
	_, err = nigh.ReadHnswlib[uint64](bytes.NewReader(file), options)
	wants(t, err, nigh.ErrKey)
}

// Vectors of a store are written, and not wanted from the file where there is a store.
func TestHnswlibOfAStore(t *testing.T) {
	store := &rowStore{dim: hnswlibDim, vectors: vectorsOf(300, hnswlibDim, 64)}
	options := ofHnswlib(nigh.L2)
	options.Vectors = store
	index := newIndex[uint64](t, options)
	_, err := index.Build(background, numbers(0, 300), nil, nil)
	must(t, err)
	file := hnswlibOf(t, index)
	owned := readHnswlib(t, file, ofHnswlib(nigh.L2))
	sameWalks(t, index, owned)
	calls := store.calls.Load()
	fetched := readHnswlib(t, file, options)
	sameWalks(t, owned, fetched)
	if store.calls.Load() == calls {
		t.Fatal("the store was not asked")
	}
	broken := errors.New("no such row")
	store.fail.Store(&broken)
	wants(t, index.WriteHnswlib(io.Discard), broken)
}

func TestHnswlibEmpty(t *testing.T) {
	options := nigh.Options{Dim: 3, Metric: nigh.L2}
	index := readHnswlib(t, hnswlibOf(t, newIndex[uint64](t, options)), options)
	if index.Len() != 0 || unrooted(t, index) {
		t.Fatal(index)
	}
	_, err := index.AddMany(numbers(0, 3000), vectorsOf(3000, 3, 65))
	must(t, err)
	sound(t, index)
}

func TestHnswlibDamaged(t *testing.T) {
	index := labelled(t, nigh.L2)
	file := hnswlibOf(t, index)
	read := func(file []byte) (*nigh.Index[uint64], error) {
		return nigh.ReadHnswlib[uint64](bytes.NewReader(file), ofHnswlib(nigh.L2))
	}
	before := nigh.MemoryInUse()
	for _, not := range [][]byte{nil, []byte("not such a file"), imageOf(t, index)} {
		_, err := read(not)
		wants(t, err, nigh.ErrFormat)
	}
	for _, cut := range []int{1, 4, 100, len(file) / 2} {
		_, err := read(file[:len(file)-cut])
		wants(t, err, nigh.ErrCorrupt)
	}
	bad := slices.Clone(file)
	binary.LittleEndian.PutUint32(bad[96+4:], 1<<20) // the first link
	_, err := read(bad)
	wants(t, err, nigh.ErrCorrupt)
	bad = slices.Clone(file)
	binary.LittleEndian.PutUint32(bad[96+4+4*12:], math.Float32bits(float32(math.NaN())))
	_, err = read(bad)
	wants(t, err, nigh.ErrVector)
	for i := range 100 {
		bad := slices.Clone(file)
		for j := range 4 {
			bad[(i*7919+j*104729)%len(bad)] ^= 1 << (i % 8)
		}
		if index, err := read(bad); err == nil {
			sound(t, index)
			must(t, index.Close())
		}
	}
	if left := nigh.MemoryInUse() - before; left != 0 {
		t.Fatalf("%d bytes left behind", left)
	}
}

func TestHnswlibThatDoesNotFit(t *testing.T) {
	index := labelled(t, nigh.L2)
	file := hnswlibOf(t, index)
	for _, one := range []struct {
		options nigh.Options
		wanted  error
		says    string
	}{
		{nigh.Options{Dim: 9, Metric: nigh.L2}, nigh.ErrMismatch, "Dim 9"},
		{nigh.Options{Dim: 8, Metric: nigh.L1}, nigh.ErrUnsupported, ""},
		{nigh.Options{Dim: 8, Metric: nigh.L2, DType: nigh.F16}, nigh.ErrUnsupported, ""},
		{nigh.Options{Dim: 8, Metric: nigh.L2, Codes: nigh.U7Codes}, nigh.ErrInvalid, "AddCodes"},
		{nigh.Options{Dim: 8}, nigh.ErrInvalid, "Metric"},
	} {
		_, err := nigh.ReadHnswlib[uint64](bytes.NewReader(file), one.options)
		wants(t, err, one.wanted)
		if !strings.HasPrefix(err.Error(), "nigh: read hnswlib: ") ||
			!strings.Contains(err.Error(), one.says) {
			t.Fatal(err)
		}
	}
	broken := errors.New("broken pipe")
	_, err := nigh.ReadHnswlib[uint64](iotest.ErrReader(broken), ofHnswlib(nigh.L2))
	wants(t, err, broken)
	wants(t, index.WriteHnswlib(&failingWriter{100, broken}), broken)
	var caught *nigh.PanicError
	if err := index.WriteHnswlib(&failingWriter{100, nil}); !errors.As(err, &caught) {
		t.Fatal(err)
	}
	wants(t, newIndex[string](t, ofHnswlib(nigh.L2)).WriteHnswlib(io.Discard), nigh.ErrUnsupported)
	wants(t, newIndex[uint64](t, ofHnswlib(nigh.L1)).WriteHnswlib(io.Discard), nigh.ErrUnsupported)
	must(t, index.Close())
	wants(t, index.WriteHnswlib(io.Discard), nigh.ErrClosed)
	wants(t, index.Root(background, nil), nigh.ErrClosed)
}
