// nigh.go - the package: what it is, how it is compiled, what it knows about itself
// SPDX-License-Identifier: MIT OR Apache-2.0

// Package nigh finds nearest neighbours with an HNSW graph: exact memory, the same bytes and the
// same answers on every machine, searches that never wait for writers.
//
//	index, err := nigh.New[uint64](nigh.Options{Dim: 128, Metric: nigh.Cosine})
//	err = index.Add(7, vector)
//	hits, err := index.Search(query, 10, nil)
//
// Keys are uint64 or string. Vectors travel as float32; an index may keep them as half floats,
// bytes or bits (Options.DType), and Index.Raw takes such rows as they are.
//
// Threads: every method of Index may be called from any number of goroutines at once. Searches run
// beside changes and never wait for them. Long work (Build, Refine, AddCodes, Vacuum) lets searches
// go on, while changes are refused with ErrBusy until it ends; Save and Check wait for changes
// that are under way. What needs the index for itself says so.
//
// Memory: an index lives in C memory, which Go's collector neither sees nor counts (MemoryInUse
// does), and grows by itself. Close gives it back; so does the collector once an Index is
// unreachable, some time later.
//
// Errors: the Err constants work with errors.Is; *Error tells which call and which key.
//
// The C library is compiled into the package: nothing is to be installed. With the build tag
// nigh_system the system's libnigh is used instead (pkg-config). Without cgo use the package
// github.com/nigh-search/nigh/bindings/go/nighwasm, which has the same methods.
package nigh

// #cgo CFLAGS: -std=gnu11 -O3
// #cgo nigh_system pkg-config: nigh
// #cgo noescape nigh_convert
// #cgo nocallback nigh_version
// #cgo nocallback nigh_status_text
// #cgo nocallback nigh_features
// #cgo nocallback nigh_row_bytes
// #cgo nocallback nigh_convert
// #include "bridge.h"
import "C"

import (
	"fmt"
	"unsafe"
)

// Version is the version of the C library, "major.minor.patch".
func Version() string {
	v := uint32(C.nigh_version())
	return fmt.Sprintf("%d.%d.%d", v>>16, v>>8&0xff, v&0xff)
}

// Features tells which instruction sets this machine has, as far as the library uses them.
func Features() CPU { return CPU(C.nigh_features()) | CPU(C.nighgo_features()) }

// MemoryInUse is how many bytes of C memory this package holds at the moment, for all indexes,
// sessions, cursors and filters together. Mapped files do not count.
func MemoryInUse() int64 { return int64(C.nighgo_memory_used()) }

// RowBytes is the size of one row of Raw: dim elements of a type, with what belongs to them.
func RowBytes(dim int, dtype DType) (int, error) {
	var bytes C.uint64_t
	if dim < 0 || dim > 65535 {
		return 0, failure("row bytes", eInvalid, fmt.Sprintf("dim %d, expected 1..65535", dim))
	}
	status := C.nigh_row_bytes(C.uint32_t(dim), C.uint32_t(dtype), &bytes)
	if status != ok {
		return 0, failure("row bytes", status, fmt.Sprintf("dim %d, type %d", dim, dtype))
	}
	return int(bytes), nil
}

// EncodeRows converts vectors, one after another, to rows of a type: the same conversion that Add
// does. I8 gets the scale and zero point that span each vector, U8 is rounded and clamped, B1 is
// x > 0. It fails with ErrVector for NaN, infinity, or what a type cannot hold.
func EncodeRows(dim int, dtype DType, vectors []float32) ([]byte, error) {
	bytes, err := RowBytes(dim, dtype)
	if err != nil {
		return nil, err
	}
	if len(vectors)%dim != 0 {
		return nil, failure("encode rows", eInvalid,
			fmt.Sprintf("%d floats are not a multiple of dim %d", len(vectors), dim))
	}
	count := len(vectors) / dim
	rows := make([]byte, count*bytes)
	if count == 0 {
		return rows, nil
	}
	status := C.nigh_convert(C.uint32_t(dim), C.uint32_t(dtype), C.uint32_t(count),
		(*C.float)(&vectors[0]), unsafe.Pointer(&rows[0]), nil, nil)
	if status != ok {
		return nil, failure("encode rows", status, "")
	}
	return rows, nil
}

// DecodeRows converts rows of a type to floats. For I8, U8 and B1 that is what they stand for, not
// what was encoded.
func DecodeRows(dim int, dtype DType, rows []byte) ([]float32, error) {
	bytes, err := RowBytes(dim, dtype)
	if err != nil {
		return nil, err
	}
	if len(rows)%bytes != 0 {
		return nil, failure("decode rows", eInvalid,
			fmt.Sprintf("%d bytes are not a multiple of a row's %d", len(rows), bytes))
	}
	count := len(rows) / bytes
	vectors := make([]float32, count*dim)
	if count == 0 {
		return vectors, nil
	}
	status := C.nigh_convert(C.uint32_t(dim), C.uint32_t(dtype), C.uint32_t(count), nil, nil,
		unsafe.Pointer(&rows[0]), (*C.float)(&vectors[0]))
	if status != ok {
		return nil, failure("decode rows", status, "")
	}
	return vectors, nil
}
