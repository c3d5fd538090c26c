// core.go - an index without its key type: made, opened, given room, closed
// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build cgo

package nigh

// #cgo nocallback nigh_index_bytes
// #cgo nocallback nigh_index_init
// #cgo nocallback nigh_attach_bytes
// #cgo nocallback nigh_attach
// #cgo nocallback nigh_writer_bytes
// #cgo nocallback nigh_writer_init
// #include "bridge.h"
import "C"

import (
	"fmt"
	"sync"
	"sync/atomic"
	"unsafe"
)

const (
	slotsMin = 1 << 16   // a handle's table is made for at least so many slots
	slotsMax = 1<<31 - 2 // the most that there can be
)

// core is everything about an index but the type of its keys. It never refers to its Index, so that
// the collector sees when that is gone.
type core struct {
	gate    sync.RWMutex // changes hold it shared; what wants no writer beside it holds it alone
	work    sync.Mutex   // held by the job that is under way
	current atomic.Pointer[handle]
	closed  atomic.Bool

	config Config
	shape
	strings bool

	features CPU
	lanes    int
	store    VectorStore
	borrowed *Borrowed
	distance Distance
	pager    Pager
	mode     Mode
	capacity int // with a Pager: all that there can be

	errors keptErrors
	panics panics
	tells  tells
}

// tells is whether a job's Progress runs, and whether that closed an index InPlace: to seal it there
// would be to wait for the job that waits for Progress.
type tells struct {
	mutex   sync.Mutex
	running bool
	closed  bool
}

func limit(op, name string, value, low, high int) error {
	if value != 0 && (value < low || value > high) {
		return failure(op, eInvalid, fmt.Sprintf("%s %d, expected %d..%d", name, value, low, high))
	}
	return nil
}

// check finds what cannot even be said to the library, or what it would refuse without a reason.
func (o *Options) check(op string, text bool) error {
	limits := []struct {
		name             string
		value, low, high int
	}{
		{"M", o.M, 2, 1024}, {"M0", o.M0, 4, 2048}, {"EfBuild", o.EfBuild, 1, 65535},
		{"Expansions", o.Expansions, 1, 8}, {"KeyBytesMax", o.KeyBytesMax, 1, 511},
		{"BlockBytes", o.BlockBytes, 256, 1 << 26}, {"Capacity", o.Capacity, 1, slotsMax},
		{"Lanes", o.Lanes, 1, 4},
	}
	if o.Dim < 1 || o.Dim > 65535 {
		return failure(op, eInvalid, fmt.Sprintf("Dim %d, expected 1..65535", o.Dim))
	}
	for _, l := range limits {
		if err := limit(op, l.name, l.value, l.low, l.high); err != nil {
			return err
		}
	}
	switch {
	case o.Metric == 0:
		return failure(op, eInvalid, "Metric is missing: L2, InnerProduct, Cosine, ...")
	case (o.Metric == Custom) != (o.Distance != nil):
		return failure(op, eInvalid, "Metric Custom and Distance want each other")
	case text && o.SlotKeys:
		return failure(op, eInvalid, "SlotKeys are for uint64 keys")
	case (o.Metric == Hamming) != (o.DType == B1):
		return failure(op, eInvalid, "Metric Hamming and DType B1 want each other")
	}
	return nil
}

func (o *Options) c(text bool) C.nigh_config {
	config := C.nigh_config{
		dim: C.uint32_t(o.Dim), metric: C.uint32_t(o.Metric), dtype: C.uint32_t(o.DType),
		m: C.uint32_t(o.M), m0: C.uint32_t(o.M0), ef_build: C.uint32_t(o.EfBuild),
		expansions: C.uint32_t(o.Expansions), block_bytes: C.uint32_t(o.BlockBytes),
		key_bytes_max: C.uint32_t(o.KeyBytesMax), seed: C.uint64_t(o.Seed),
		codes: C.uint32_t(o.Codes), alpha: C.float(o.Alpha), code_min: C.float(o.CodeMin),
		code_max: C.float(o.CodeMax),
	}
	config.struct_size = C.uint32_t(unsafe.Sizeof(config))
	switch {
	case text:
		config.keys = keysBytes
	case o.SlotKeys:
		config.keys = keysIdentity
	}
	if o.Vectors != nil {
		config.vectors = vectorsExternal
	}
	if o.KeepPruned {
		config.build_flags |= buildKeepPruned
	}
	if o.ExactBuild {
		config.build_flags |= buildExact
	}
	if config.dtype == 0 {
		config.dtype = dtypeF32
	}
	return config
}

func cOptions(slots int, features CPU, flags uint32) C.nigh_options {
	options := C.nigh_options{slot_max: C.uint32_t(slots), features: C.uint32_t(features),
		flags: C.uint32_t(flags)}
	options.struct_size = C.uint32_t(unsafe.Sizeof(options))
	return options
}

// source takes over what a caller gave beside the stored options.
func (c *core) source(store VectorStore, distance Distance, features CPU, lanes int) {
	if features == 0 {
		features = Features()
	}
	c.store, c.distance, c.features, c.lanes = store, distance, features, lanes
	c.borrowed, _ = store.(*Borrowed)
}

func newCore(options Options, text bool) (*core, error) {
	const op = "new"
	if err := options.check(op, text); err != nil {
		return nil, err
	}
	config := options.c(text)
	c, made, err := firstHandle(op, &options, text, &config, 0)
	if err != nil {
		return nil, err
	}
	c.current.Store(made)
	return c, nil
}

// firstHandle makes a core and an empty index of a configuration, which is not the core's yet;
// upperExtra: as in nigh_options.
func firstHandle(op string, options *Options, text bool, config *C.nigh_config,
	upperExtra uint32) (*core, *handle, error) {
	c := &core{pager: options.Pager, strings: text, capacity: max(options.Capacity, slotsMin)}
	c.source(options.Vectors, options.Distance, options.Features, options.Lanes)
	slots := c.capacity
	if c.pager == nil && slots > slotsMin {
		slots = min(slotsMax, 2*slots)
	}
	made := newHandle(c)
	err := made.create(op, config, slots, upperExtra)
	if err == nil {
		err = c.learn(op, made)
	}
	if err == nil {
		err = c.adopt(op, made, true)
	}
	if err == nil && options.Capacity > 0 {
		err = c.grow(op, made, options.Capacity, 0, true)
	}
	if err != nil {
		made.release()
		return nil, nil, err
	}
	return c, made, nil
}

// learn reads what never changes.
func (c *core) learn(op string, h *handle) error {
	var err error
	if c.config, err = h.describe(op); err != nil {
		return err
	}
	bytes, err := RowBytes(c.config.Dim, c.config.DType)
	c.shape = shape{c.config.Dim, c.config.DType, bytes}
	return err
}

// adopt makes a handle ready for calls: where vectors and distances come from, whether it changes.
func (c *core) adopt(op string, h *handle, writable bool) error {
	if err := h.connect(op); err != nil {
		return err
	}
	if writable {
		return h.makeWritable(op)
	}
	return nil
}

// close drops the index. What is under way goes on with its memory, which goes with the last call.
func (c *core) close() error {
	if c.closed.Swap(true) {
		return nil
	}
	if c.mode == InPlace {
		if c.leftToJob() {
			return nil
		}
		c.work.Lock() // a job sees `closed` and ends; then the file can be sealed
		defer c.work.Unlock()
	}
	return c.drop()
}

// leftToJob: while Progress runs, closing is the business of its job.
func (c *core) leftToJob() bool {
	c.tells.mutex.Lock()
	defer c.tells.mutex.Unlock()
	c.tells.closed = c.tells.running
	return c.tells.closed
}

// drop seals and gives up the handle. No job is under way, but for one that does not go on.
func (c *core) drop() error {
	c.gate.Lock()
	defer c.gate.Unlock()
	h := c.current.Load()
	if h == nil {
		return nil
	}
	var err error
	if c.mode == InPlace {
		err = h.seal("close")
	}
	c.current.Store(nil)
	h.release()
	return err
}

// hold gives the handle for a call, which releases it.
func (c *core) hold(op string) (*handle, error) {
	for {
		h := c.current.Load()
		if h == nil {
			return nil, &Error{Op: op, Err: ErrClosed}
		}
		if h.retain() {
			return h, nil // else it was replaced in this very moment
		}
	}
}

// fail is the error of a status; a callback's own error comes back as it was.
func (c *core) fail(op string, status int32, detail string) error {
	if status <= eUser {
		return &Error{Op: op, Detail: detail, Err: c.errors.take(status)}
	}
	return failure(op, status, detail)
}
