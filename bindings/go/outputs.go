// outputs.go - hits on their way from C memory to the caller's
// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build cgo

package nigh

// #include "bridge.h"
import "C"

import "unsafe"

// outputs are where one call leaves its hits: k places for each query, in the session's C memory.
type outputs struct {
	keys      unsafe.Pointer
	lengths   *C.uint32_t // string keys only
	distances *C.float
	found     *C.uint32_t // one for each query
	done      *C.uint32_t
	room      int // bytes of k keys
}

// outputBytes is what outputs of `count` queries take, in outputPieces pieces.
func (c *core) outputBytes(count, k int) uint64 {
	return uint64(count) * uint64(k) * uint64(c.keyRoom()+8)
}

const outputPieces = 5

func (c *core) keyRoom() int {
	if c.strings {
		return c.config.KeyBytesMax
	}
	return 8
}

func (c *core) takeOutputs(s *scratch, count, k int) outputs {
	places := uint64(count) * uint64(k)
	out := outputs{room: k * c.keyRoom()}
	out.keys = s.take(places * uint64(c.keyRoom()))
	if c.strings {
		out.lengths = (*C.uint32_t)(s.take(4 * places))
	}
	out.distances = (*C.float)(s.take(4 * places))
	out.found = (*C.uint32_t)(s.take(4 * uint64(count)))
	out.done = (*C.uint32_t)(s.take(4))
	*out.found = 0
	return out
}

func (o *outputs) count(query int) int {
	return int(unsafe.Slice(o.found, query+1)[query])
}

// fillHits copies the hits of a query. String keys of one answer share one allocation.
func fillHits[K Key](to []Hit[K], o *outputs, query, k int) {
	if len(to) == 0 {
		return
	}
	distances := unsafe.Slice((*float32)(unsafe.Pointer(o.distances)), (query+1)*k)[query*k:]
	if o.lengths != nil {
		fillStrings(to, o, query, k, distances)
		return
	}
	keys := unsafe.Slice((*K)(o.keys), (query+1)*k)[query*k:]
	for i := range to {
		to[i] = Hit[K]{keys[i], distances[i]}
	}
}

func fillStrings[K Key](to []Hit[K], o *outputs, query, k int, distances []float32) {
	lengths := unsafe.Slice((*uint32)(unsafe.Pointer(o.lengths)), (query+1)*k)[query*k:]
	bytes := 0
	for i := range to {
		bytes += int(lengths[i])
	}
	text := string(unsafe.Slice((*byte)(unsafe.Add(o.keys, query*o.room)), bytes))
	for i := range to {
		to[i] = Hit[K]{asKey[K](oneKey{text: text[:lengths[i]]}), distances[i]}
		text = text[lengths[i]:]
	}
}
