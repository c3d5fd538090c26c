// instance.go - one instance of the module: calls one after another, memory, callbacks in between
// SPDX-License-Identifier: MIT OR Apache-2.0

package nighwasm

import (
	"context"
	"encoding/binary"
	"math"
	"sync"
	"sync/atomic"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// suspendedMax is how many calls may stand in callbacks at once, each on the module's stack. A
// callback beyond keeps the instance to itself.
const suspendedMax = 16

var memoryInUse atomic.Int64

// instance runs one call at a time. While a callback of the user's runs, the instance is free for
// other calls, which end before the one that waits goes on: they share the module's stack.
type instance struct {
	module    api.Module
	memory    api.Memory
	ctx       context.Context
	functions [kindCount]uint32 // of the module's table, for callbacks
	busy      atomic.Int32      // calls in it or waiting for it

	mutex     sync.Mutex // held by the call that runs, and of all below
	resume    sync.Cond
	suspended int
	callers   []*caller // that no call uses
	counts    bool      // in memoryInUse
	size      int64     // of the memory, as counted there
	broken    error     // a trap: it never happens unless the module has a defect
}

type instanceKey struct{}

// newInstance makes one; what callbacks get is `of`.
func newInstance(op string, of *handle) (*instance, error) {
	engine, err := theEngine()
	if err != nil {
		return nil, &Error{Op: op, Detail: "wazero", Err: err}
	}
	in := &instance{ctx: context.WithValue(context.Background(), instanceKey{}, of)}
	in.resume.L = &in.mutex
	in.module, err = engine.runtime.InstantiateModule(in.ctx, engine.module,
		wazero.NewModuleConfig().WithName(""))
	if err != nil {
		return nil, &Error{Op: op, Detail: "wazero", Err: err}
	}
	in.memory = in.module.Memory()
	in.counts = of != nil
	in.count()
	c := in.enter()
	defer c.leave()
	for kind := uint32(1); kind < kindCount; kind++ {
		in.functions[kind] = uint32(c.call(callFunction, uint64(kind)))
	}
	return in, nil
}

// close gives the memory back to Go. No call may be under way.
func (in *instance) close() {
	memoryInUse.Add(-in.size)
	in.size = 0
	in.module.Close(context.Background())
}

// count adds what the memory has grown; the library's own instance is nobody's.
func (in *instance) count() {
	if !in.counts {
		return
	}
	size := int64(in.memory.Size())
	memoryInUse.Add(size - in.size)
	in.size = size
}

// caller is one call at a time: functions of its own, since wazero's serve no two calls that are
// both under way, and memory for what they write.
type caller struct {
	*instance
	called [callCount]api.Function
	stack  [16]uint64
	cell   uint32 // 64 bytes
}

// enter takes the instance for calls, until leave.
func (in *instance) enter() *caller {
	in.busy.Add(1)
	in.mutex.Lock()
	if last := len(in.callers) - 1; last >= 0 {
		c := in.callers[last]
		in.callers = in.callers[:last]
		return c
	}
	c := &caller{instance: in}
	c.cell = c.alloc(64)
	return c
}

func (c *caller) leave() {
	in := c.instance
	in.callers = append(in.callers, c)
	in.mutex.Unlock()
	in.busy.Add(-1)
}

// outside runs a callback of the user's and lets other calls in meanwhile.
func (in *instance) outside(run func()) {
	if in.suspended == suspendedMax {
		run()
		return
	}
	in.suspended++
	mine := in.suspended
	in.mutex.Unlock()
	defer func() {
		in.mutex.Lock()
		for in.suspended != mine {
			in.resume.Wait()
		}
		in.suspended--
		in.resume.Broadcast()
	}()
	run()
}

// call calls an export; 0 for one without a result.
func (c *caller) call(which int, arguments ...uint64) uint64 {
	if c.broken != nil {
		return broken(which)
	}
	function := c.called[which]
	if function == nil {
		name := ""
		if which < abiCount {
			name = exports[which].name
		} else {
			name = helpers[which-abiCount]
		}
		function = c.module.ExportedFunction(name)
		c.called[which] = function
	}
	copy(c.stack[:], arguments)
	if err := function.CallWithStack(c.ctx, c.stack[:]); err != nil {
		c.broken = err
		return broken(which)
	}
	return c.stack[0]
}

// broken is what a call of a broken instance gives: no address, or a status.
func broken(which int) uint64 {
	if which == callAlloc || which == callFunction {
		return 0
	}
	status := int32(eCorrupt)
	return uint64(uint32(status))
}

// status is call for what returns one.
func (c *caller) status(which int, arguments ...uint64) int32 {
	return int32(uint32(c.call(which, arguments...)))
}

// ---- Memory -------------------------------------------------------------------------------------

// alloc gives the module's memory, 64-byte aligned, not zeroed; 0 if there is no more.
func (c *caller) alloc(bytes uint64) uint32 {
	address := uint32(c.call(callAlloc, bytes))
	c.count()
	return address
}

func (c *caller) free(address uint32) { c.call(callFree, uint64(address)) }

// bytes are a part of the memory, until the next call or callback.
func (in *instance) bytes(at uint32, count int) []byte {
	bytes, inside := in.memory.Read(at, uint32(count))
	if !inside || count < 0 || uint64(count) > math.MaxUint32 {
		panic("nigh: an address beyond the module's memory")
	}
	return bytes
}

func (in *instance) u32(at uint32) uint32 { return binary.LittleEndian.Uint32(in.bytes(at, 4)) }
func (in *instance) u64(at uint32) uint64 { return binary.LittleEndian.Uint64(in.bytes(at, 8)) }

func (in *instance) putU32(at, value uint32) { binary.LittleEndian.PutUint32(in.bytes(at, 4), value) }

// sized is the u64 that a function writes through its last parameter.
func (c *caller) sized(which int, arguments ...uint64) (uint64, int32) {
	status := c.status(which, append(arguments, uint64(c.cell))...)
	return c.u64(c.cell), status
}

// record is a structure of the ABI on its way into the memory or out of it.
type record []byte

func newRecord(size int) record {
	r := make(record, size)
	r.u32(0, uint32(size)) // struct_size, the first field of all
	return r
}

func (r record) u32(at int, value uint32)  { binary.LittleEndian.PutUint32(r[at:], value) }
func (r record) u64(at int, value uint64)  { binary.LittleEndian.PutUint64(r[at:], value) }
func (r record) f32(at int, value float32) { r.u32(at, math.Float32bits(value)) }

func (r record) getU32(at int) uint32  { return binary.LittleEndian.Uint32(r[at:]) }
func (r record) getU64(at int) uint64  { return binary.LittleEndian.Uint64(r[at:]) }
func (r record) getF32(at int) float32 { return math.Float32frombits(r.getU32(at)) }
func (r record) getInt(at int) int     { return int(r.getU32(at)) }

// block is memory of the module with one owner; the zero block is none.
type block struct {
	address uint32
	bytes   uint64
}

func (c *caller) newBlock(op string, bytes uint64) (block, error) {
	address := c.alloc(bytes)
	if address == 0 {
		return block{}, &Error{Op: op, Err: ErrNoMemory}
	}
	return block{address, bytes}, nil
}

func (c *caller) drop(b *block) {
	c.free(b.address)
	*b = block{}
}

// put is a block with a copy of these bytes.
func (c *caller) put(op string, bytes []byte) (block, error) {
	made, err := c.newBlock(op, uint64(len(bytes)))
	if err == nil {
		copy(c.bytes(made.address, len(bytes)), bytes)
	}
	return made, err
}

// scratch is memory that one call after another uses, handed out from its start.
type scratch struct {
	block
	used uint64
}

const scratchAlign = 64

// reserve empties the scratch and makes sure of room for so many bytes in so many pieces.
func (s *scratch) reserve(c *caller, op string, bytes uint64, pieces int) error {
	s.used = 0
	bytes += uint64(pieces) * scratchAlign
	if bytes <= s.bytes {
		return nil
	}
	larger, err := c.newBlock(op, max(bytes, 2*s.bytes))
	if err != nil {
		return err
	}
	c.drop(&s.block)
	s.block = larger
	return nil
}

// take hands out memory that reserve counted; bytes 0 give NULL.
func (s *scratch) take(bytes uint64) uint32 {
	if bytes == 0 {
		return 0
	}
	address := s.address + uint32(s.used)
	s.used += (bytes + scratchAlign - 1) / scratchAlign * scratchAlign
	if s.used > s.bytes {
		panic("nigh: scratch counted wrongly")
	}
	return address
}
