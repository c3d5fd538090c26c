// nigh.go - the package: what it is, what it knows about itself, rows of all types
// SPDX-License-Identifier: MIT OR Apache-2.0

// Package nighwasm finds nearest neighbours with an HNSW graph, without cgo: the library is a
// WebAssembly module in this package, which wazero compiles. Types, methods, bytes and answers are
// those of github.com/nigh-search/nigh/bindings/go, which is several times as fast.
//
//	index, err := nighwasm.New[uint64](nighwasm.Options{Dim: 128, Metric: nighwasm.Cosine})
//	err = index.Add(7, vector)
//	hits, err := index.Search(query, 10, nil)
//
// What differs: files are read, not mapped, and Open has no InPlace; there is no Pager, and a
// VectorStore gives its rows by copying; Build and its kin use one thread.
//
// Threads: every method of Index may be called from any number of goroutines at once. An index is
// one instance of the module, in which calls take turns, long work task by task (some milliseconds)
// and not while VectorStore.Fetch, AllowFunc's function or an io.Writer run. With Options.Replicas
// searches run on copies of the index besides. Changes come one at a time; during long work they
// are refused with ErrBusy.
//
// Memory: an instance has a memory of its own, managed by Go's collector, of at most 4 GiB, index
// and all; it grows as needed and is given back by Close, or when an Index is unreachable.
// MemoryInUse counts it. A Build holds its vectors twice meanwhile, and growing may copy.
//
// Errors: the Err constants work with errors.Is; *Error tells which call and which key.
package nighwasm

import (
	"bytes"
	"fmt"
	"sync"
)

// library is an instance without an index, for what needs none.
var library = sync.OnceValues(func() (*instance, error) { return newInstance("start", nil) })

// Version is the version of the module, "major.minor.patch"; "" if wazero cannot run it.
func Version() string {
	in, err := library()
	if err != nil {
		return ""
	}
	c := in.enter()
	defer c.leave()
	v := uint32(c.call(callVersion))
	return fmt.Sprintf("%d.%d.%d", v>>16, v>>8&0xff, v&0xff)
}

// Features tells which kernels the module has: Scalar and SIMD128.
func Features() CPU {
	in, err := library()
	if err != nil {
		return 0
	}
	c := in.enter()
	defer c.leave()
	return CPU(c.call(callFeatures))
}

// MemoryInUse is how many bytes the memories of all indexes and replicas have at the moment.
func MemoryInUse() int64 { return memoryInUse.Load() }

// RowBytes is the size of one row of Raw: dim elements of a type, with what belongs to them.
func RowBytes(dim int, dtype DType) (int, error) {
	const op = "row bytes"
	if dim < 0 || dim > 65535 {
		return 0, failure(op, eInvalid, fmt.Sprintf("dim %d, expected 1..65535", dim))
	}
	in, err := library()
	if err != nil {
		return 0, err
	}
	c := in.enter()
	defer c.leave()
	bytes, status := c.sized(callRowBytes, uint64(dim), uint64(dtype))
	if status != ok {
		return 0, failure(op, status, fmt.Sprintf("dim %d, type %d", dim, dtype))
	}
	return int(bytes), nil
}

// EncodeRows converts vectors, one after another, to rows of a type: the same conversion that Add
// does. I8 gets the scale and zero point that span each vector, U8 is rounded and clamped, B1 is
// x > 0. It fails with ErrVector for NaN, infinity, or what a type cannot hold.
func EncodeRows(dim int, dtype DType, vectors []float32) ([]byte, error) {
	const op = "encode rows"
	rowBytes, err := RowBytes(dim, dtype)
	if err != nil {
		return nil, err
	}
	if len(vectors)%dim != 0 {
		return nil, failure(op, eInvalid,
			fmt.Sprintf("%d floats are not a multiple of dim %d", len(vectors), dim))
	}
	to := shape{dim, dtype, rowBytes}
	return converted(op, to, len(vectors)/dim, func(c *caller, at uint32, count int) int32 {
		return floats(vectors).put(c, to, at, count)
	}, nil)
}

// DecodeRows converts rows of a type to floats. For I8, U8 and B1 that is what they stand for, not
// what was encoded.
func DecodeRows(dim int, dtype DType, rowsOf []byte) ([]float32, error) {
	const op = "decode rows"
	rowBytes, err := RowBytes(dim, dtype)
	if err != nil {
		return nil, err
	}
	if len(rowsOf)%rowBytes != 0 {
		return nil, failure(op, eInvalid,
			fmt.Sprintf("%d bytes are not a multiple of a row's %d", len(rowsOf), rowBytes))
	}
	from := shape{dim, dtype, rowBytes}
	count := len(rowsOf) / rowBytes
	vectors := make([]float32, count*dim)
	_, err = converted(op, from, count, func(c *caller, at uint32, count int) int32 {
		return rows(rowsOf).put(c, from, at, count)
	}, vectors)
	return vectors, err
}

// converted runs `fill` on memory for `count` rows and gives a copy of them; or their floats.
func converted(op string, of shape, count int, fill func(c *caller, at uint32, count int) int32,
	to []float32) ([]byte, error) {
	if count == 0 {
		return []byte{}, nil
	}
	in, err := library()
	if err != nil {
		return nil, err
	}
	c := in.enter()
	defer c.leave()
	memory, err := c.newBlock(op, uint64(count)*uint64(of.rowBytes))
	if err != nil {
		return nil, err
	}
	defer c.drop(&memory)
	status := fill(c, memory.address, count)
	if status == ok && to != nil {
		status = floats(to).get(c, of, memory.address, count)
	}
	if status != ok {
		return nil, failure(op, status, "")
	}
	return bytes.Clone(c.bytes(memory.address, count*of.rowBytes)), nil
}
