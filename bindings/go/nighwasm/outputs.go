// outputs.go - hits on their way from the module's memory to the caller's
// SPDX-License-Identifier: MIT OR Apache-2.0

package nighwasm

import (
	"encoding/binary"
	"math"
)

// outputs are where one call leaves its hits: k places for each query, in the session's memory.
type outputs struct {
	keys      uint32
	lengths   uint32 // string keys only
	distances uint32
	found     uint32 // one for each query
	done      uint32
	room      int // bytes of a key
}

// outputBytes is what outputs of `count` queries take, in outputPieces pieces.
func (c *core) outputBytes(count, k int) uint64 {
	return uint64(count)*uint64(k)*uint64(c.keyRoom()+8) + 4*uint64(count) + 4
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
	out := outputs{room: c.keyRoom()}
	out.keys = s.take(places * uint64(out.room))
	if c.strings {
		out.lengths = s.take(4 * places)
	}
	out.distances = s.take(4 * places)
	out.found = s.take(4 * uint64(count))
	out.done = s.take(4)
	return out
}

func (o *outputs) count(c *caller, query int) int { return int(c.u32(o.found + 4*uint32(query))) }

// fillHits copies the hits of a query. String keys of one answer share one allocation.
func fillHits[K Key](c *caller, to []Hit[K], o *outputs, query, k int) {
	if len(to) == 0 {
		return
	}
	first := uint32(query * k)
	distances := c.bytes(o.distances+4*first, 4*len(to))
	for i := range to {
		to[i].Distance = math.Float32frombits(binary.LittleEndian.Uint32(distances[4*i:]))
	}
	keys := o.keys + first*uint32(o.room)
	if o.lengths == 0 {
		numbers := c.bytes(keys, 8*len(to))
		for i := range to {
			to[i].Key = asKey[K](oneKey{number: binary.LittleEndian.Uint64(numbers[8*i:])})
		}
		return
	}
	lengths := c.bytes(o.lengths+4*first, 4*len(to))
	bytes := 0
	for i := range to {
		bytes += int(binary.LittleEndian.Uint32(lengths[4*i:]))
	}
	text := string(c.bytes(keys, bytes))
	for i := range to {
		length := binary.LittleEndian.Uint32(lengths[4*i:])
		to[i].Key = asKey[K](oneKey{text: text[:length]})
		text = text[length:]
	}
}
