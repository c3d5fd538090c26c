// handle.go - a nigh_index with all of its memory, given back when the last call is through
// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build cgo

package nigh

// #cgo nocallback nigh_index_borrow
// #cgo nocallback nigh_index_fetch
// #cgo nocallback nigh_index_distance
// #cgo nocallback nigh_index_pager
// #cgo nocallback nigh_config_get
// #include "bridge.h"
import "C"

import (
	"runtime/cgo"
	"sync"
	"sync/atomic"
	"unsafe"
)

// handle is a nigh_index: an index that outgrows one moves to the next, while calls go on with the
// old one. It counts who uses it, and the first user is the core.
type handle struct {
	core    *core
	index   *C.nigh_index
	slotMax int
	users   atomic.Int64
	self    cgo.Handle // what callbacks are given to find this, in the memory of cell
	cell    block
	mutex   sync.Mutex // of the two below
	parts   []block
	image   *image // of a file
	pins    pins   // of borrowed vectors
	readers pool
	writers pool
}

func newHandle(c *core) *handle {
	h := &handle{core: c}
	h.users.Store(1)
	h.readers.reads = true
	return h
}

// retain takes part in the use of a handle; false when nobody does any more.
func (h *handle) retain() bool {
	for {
		users := h.users.Load()
		if users == 0 {
			return false
		}
		if h.users.CompareAndSwap(users, users+1) {
			return true
		}
	}
}

// release ends that; the last one gives the memory back.
func (h *handle) release() {
	if h.users.Add(-1) != 0 {
		return
	}
	h.readers.drop()
	h.writers.drop()
	for i := range h.parts {
		h.parts[i].free()
	}
	if h.self != 0 {
		h.self.Delete()
	}
	h.cell.free()
	h.pins.release()
	h.image.close()
}

// part is memory that lives as long as the handle.
func (h *handle) part(op string, bytes uint64) (unsafe.Pointer, error) {
	made, err := newBlock(op, bytes)
	if err != nil {
		return nil, err
	}
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.parts = append(h.parts, made)
	return made.address, nil
}

// user is what callbacks get.
func (h *handle) user(op string) (unsafe.Pointer, error) {
	if h.self == 0 {
		cell, err := newBlock(op, uint64(unsafe.Sizeof(C.nighgo_user{})))
		if err != nil {
			return nil, err
		}
		h.cell, h.self = cell, cgo.NewHandle(h)
		(*C.nighgo_user)(cell.address).handle = C.uintptr_t(h.self)
	}
	return h.cell.address, nil
}

// create makes an empty index.
func (h *handle) create(op string, config *C.nigh_config, slots int, upperExtra uint32) error {
	options := cOptions(slots, h.core.features, 0)
	options.upper_extra = C.uint32_t(upperExtra)
	var bytes C.uint64_t
	if status := C.nigh_index_bytes(config, &options, &bytes); status != ok {
		return h.core.fail(op, int32(status), "options")
	}
	memory, err := h.part(op, uint64(bytes))
	if err != nil {
		return err
	}
	status := C.nigh_index_init(config, &options, memory, bytes, &h.index)
	if status != ok {
		return h.core.fail(op, int32(status), "options")
	}
	h.slotMax = slots
	return nil
}

// attach uses an image, which the handle keeps.
func (h *handle) attach(op string, address unsafe.Pointer, bytes uint64, slots int,
	flags uint32) error {
	options := cOptions(slots, h.core.features, flags)
	var needed C.uint64_t
	status := C.nigh_attach_bytes(address, C.uint64_t(bytes), &options, &needed)
	if status != ok {
		return h.core.fail(op, int32(status), "")
	}
	memory, err := h.part(op, uint64(needed))
	if err != nil {
		return err
	}
	status = C.nigh_attach(address, C.uint64_t(bytes), &options, memory, needed, &h.index)
	if status != ok {
		return h.core.fail(op, int32(status), "")
	}
	stats, err := h.stats(op)
	h.slotMax = stats.SlotMax
	return err
}

// connect says where vectors, distances and memory come from.
func (h *handle) connect(op string) error {
	c := h.core
	status := C.nigh_status(ok)
	if c.borrowed != nil {
		b := c.borrowed
		h.pins.pinner.Pin((*byte)(b.memory))
		status = C.nigh_index_borrow(h.index, b.memory, C.uint64_t(b.stride), C.uint32_t(b.count),
			C.uint32_t(b.trailer))
	} else if c.store != nil {
		user, err := h.user(op)
		if err != nil {
			return err
		}
		var prefetch C.nigh_prefetch_fn
		if _, likes := c.store.(Prefetcher); likes {
			prefetch = C.nigh_prefetch_fn(C.nighgo_prefetch)
		}
		status = C.nigh_index_fetch(h.index, C.nigh_fetch_fn(C.nighgo_fetch), prefetch, user)
	}
	if status != ok {
		return c.fail(op, int32(status), "Vectors")
	}
	if c.distance != nil {
		user, err := h.user(op)
		if err != nil {
			return err
		}
		status = C.nigh_index_distance(h.index, C.nigh_distance_fn(C.nighgo_distance), user)
		if status != ok {
			return c.fail(op, int32(status), "Distance")
		}
	}
	return h.connectPager(op)
}

func (h *handle) connectPager(op string) error {
	if h.core.pager == nil {
		return nil
	}
	user, err := h.user(op)
	if err != nil {
		return err
	}
	status := C.nigh_index_pager(h.index, C.nigh_map_fn(C.nighgo_map),
		C.nigh_dirty_fn(C.nighgo_dirty), user)
	if status != ok {
		return h.core.fail(op, int32(status), "Pager")
	}
	return nil
}

func (h *handle) makeWritable(op string) error {
	var bytes C.uint64_t
	if status := C.nigh_writer_bytes(h.index, &bytes); status != ok {
		return h.core.fail(op, int32(status), "")
	}
	memory, err := h.part(op, uint64(bytes))
	if err != nil {
		return err
	}
	if status := C.nigh_writer_init(h.index, memory, bytes); status != ok {
		return h.core.fail(op, int32(status), "")
	}
	return nil
}

// describe reads what the index is.
func (h *handle) describe(op string) (Config, error) {
	var config C.nigh_config
	config.struct_size = C.uint32_t(unsafe.Sizeof(config))
	if status := C.nigh_config_get(h.index, &config); status != ok {
		return Config{}, h.core.fail(op, int32(status), "")
	}
	return Config{
		Dim: int(config.dim), M: int(config.m), M0: int(config.m0), EfBuild: int(config.ef_build),
		Expansions: int(config.expansions), BlockBytes: int(config.block_bytes),
		KeyBytesMax: int(config.key_bytes_max), Metric: Metric(config.metric),
		DType: DType(config.dtype), Codes: Codes(config.codes), Alpha: float32(config.alpha),
		CodeMin: float32(config.code_min), CodeMax: float32(config.code_max),
		Seed: uint64(config.seed), StringKeys: config.keys == keysBytes,
		SlotKeys:   config.keys == keysIdentity,
		KeepPruned: config.build_flags&buildKeepPruned != 0,
		ExactBuild: config.build_flags&buildExact != 0,
		Unrooted:   config.build_flags&buildUnrooted != 0,
		External:   config.vectors == vectorsExternal,
	}, nil
}
