// cbench_linux.go - the same searches in C, to compare the benchmark of Go with
// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build cgo

// Package cbench runs searches in a C loop, so that benchmarks can tell what Go adds. It is only
// imported by tests of package nigh: go forbids those cgo of their own.
package cbench

// #cgo CFLAGS: -std=gnu11 -O3
// #include "loop_linux.h"
import "C"

import (
	"time"
	"unsafe"
)

// Bench is a C session on an index of Go's.
type Bench struct{ c *C.cbench }

// Open takes a nigh_index, which must stay open; false: there is no session to be had.
func Open(index unsafe.Pointer) (Bench, bool) {
	c := C.cbench_open((*C.nigh_index)(index))
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

// CPU is the processor time of the whole process, the collector's threads included.
func CPU() time.Duration { return time.Duration(C.cbench_cpu_ns()) }
