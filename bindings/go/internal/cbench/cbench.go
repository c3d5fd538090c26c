// cbench.go - the same searches in C, to compare the benchmark of Go with
// SPDX-License-Identifier: MIT OR Apache-2.0

// Package cbench runs searches in a C loop, so that benchmarks can tell what Go adds. It compiles
// the library a second time, and is only imported by tests: go forbids those cgo of their own.
package cbench

// #cgo CFLAGS: -std=gnu11 -O3 -DNIGH_API=static -Wno-unused-function
// #include "loop.h"
import "C"

import "unsafe"

// Bench is an index in C.
type Bench struct{ c *C.cbench }

// Open copies an image; false: it does not open.
func Open(image []byte) (Bench, bool) {
	c := C.cbench_open(unsafe.Pointer(&image[0]), C.uint64_t(len(image)))
	return Bench{c}, c != nil
}

// Search answers queries one after another and adds up the keys found; false: a search failed.
func (b Bench) Search(queries []float32, dim, k, ef int) (uint64, bool) {
	sum := C.cbench_search(b.c, (*C.float)(&queries[0]), C.uint32_t(len(queries)/dim),
		C.uint32_t(dim), C.uint32_t(k), C.uint32_t(ef))
	return uint64(sum), sum != 1<<64-1
}

// Batch is Search in one call of nigh_search_batch.
func (b Bench) Batch(queries []float32, dim, k, ef int) (uint64, bool) {
	sum := C.cbench_batch(b.c, (*C.float)(&queries[0]), C.uint32_t(len(queries)/dim), C.uint32_t(k),
		C.uint32_t(ef))
	return uint64(sum), sum != 1<<64-1
}

// Close gives the memory back.
func (b Bench) Close() { C.cbench_close(b.c) }
