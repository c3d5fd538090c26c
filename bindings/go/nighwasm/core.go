// core.go - an index without its key type: made, given room, closed
// SPDX-License-Identifier: MIT OR Apache-2.0

package nighwasm

import (
	"fmt"
	"sync"
	"sync/atomic"
)

const (
	slotsMin = 1 << 16   // a handle's table is made for at least so many slots
	slotsMax = 1<<31 - 2 // the most that there can be
)

// core is everything about an index but the type of its keys. It never refers to its Index, so that
// the collector sees when that is gone.
type core struct {
	gate    sync.Mutex // held by a change, and by what wants no change beside it
	work    sync.Mutex // held by the job that is under way
	current atomic.Pointer[handle]
	closed  atomic.Bool
	version atomic.Uint64 // rises before and after each change

	config Config
	shape
	strings bool

	features CPU
	lanes    int
	store    VectorStore
	distance Distance
	replicas *replicas // nil: none

	errors keptErrors
	panics panics
}

func limit(op, name string, value, low, high int) error {
	if value != 0 && (value < low || value > high) {
		return failure(op, eInvalid, fmt.Sprintf("%s %d, expected %d..%d", name, value, low, high))
	}
	return nil
}

// check finds what cannot even be said to the module, or what it would refuse without a reason.
func (o *Options) check(op string, text bool) error {
	limits := []struct {
		name             string
		value, low, high int
	}{
		{"M", o.M, 2, 1024}, {"M0", o.M0, 4, 2048}, {"EfBuild", o.EfBuild, 1, 65535},
		{"Expansions", o.Expansions, 1, 8}, {"KeyBytesMax", o.KeyBytesMax, 1, 511},
		{"BlockBytes", o.BlockBytes, 256, 1 << 26}, {"Capacity", o.Capacity, 1, slotsMax},
		{"Lanes", o.Lanes, 1, 4}, {"Replicas", o.Replicas, 1, replicasMax},
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

func (o *Options) record(text bool) record {
	r := newRecord(configSize)
	for at, value := range map[int]int{
		configDim: o.Dim, configMetric: int(o.Metric), configDtype: int(o.DType), configM: o.M,
		configM0: o.M0, configEfBuild: o.EfBuild, configExpansions: o.Expansions,
		configBlockBytes: o.BlockBytes, configKeyBytesMax: o.KeyBytesMax,
		configCodes: int(o.Codes),
	} {
		r.u32(at, uint32(value))
	}
	r.u64(configSeed, o.Seed)
	r.f32(configAlpha, o.Alpha)
	r.f32(configCodeMin, o.CodeMin)
	r.f32(configCodeMax, o.CodeMax)
	switch {
	case text:
		r.u32(configKeys, keysBytes)
	case o.SlotKeys:
		r.u32(configKeys, keysIdentity)
	}
	if o.Vectors != nil {
		r.u32(configVectors, vectorsExternal)
	}
	flags := uint32(0)
	if o.KeepPruned {
		flags |= buildKeepPruned
	}
	if o.ExactBuild {
		flags |= buildExact
	}
	r.u32(configBuildFlags, flags)
	if o.DType == 0 {
		r.u32(configDtype, dtypeF32)
	}
	return r
}

// source takes over what a caller gave beside the stored options.
func (c *core) source(store VectorStore, distance Distance, features CPU, lanes, copies int) {
	c.store, c.distance, c.features, c.lanes = store, distance, features, lanes
	if copies > 0 {
		c.replicas = newReplicas(copies)
	}
}

func newCore(options Options, text bool) (*core, error) {
	const op = "new"
	if err := options.check(op, text); err != nil {
		return nil, err
	}
	c, made, err := firstHandle(op, &options, text, options.record(text), 0)
	if err != nil {
		return nil, err
	}
	c.current.Store(made)
	return c, nil
}

// firstHandle makes a core and an empty index of a configuration, which is not the core's yet;
// upperExtra: as in nigh_options.
func firstHandle(op string, options *Options, text bool, config record,
	upperExtra uint32) (*core, *handle, error) {
	c := &core{strings: text}
	c.source(options.Vectors, options.Distance, options.Features, options.Lanes, options.Replicas)
	slots := slotsMin
	if options.Capacity > slots {
		slots = min(slotsMax, 2*options.Capacity)
	}
	made, err := newHandle(op, c)
	if err != nil {
		return nil, nil, err
	}
	err = made.create(op, config, slots, upperExtra)
	if err == nil {
		err = c.learn(op, made)
	}
	if err == nil {
		err = made.connect(op, true)
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

// close drops the index. What is under way goes on with its memory, which goes with the last call.
func (c *core) close() error {
	if c.closed.Swap(true) {
		return nil
	}
	c.gate.Lock() // a job sees `closed` and ends
	defer c.gate.Unlock()
	if h := c.current.Swap(nil); h != nil {
		h.release()
	}
	c.replicas.drop()
	return nil
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

func (c *core) failUnless(op string, status int32) error {
	if status == ok {
		return nil
	}
	return c.fail(op, status, "")
}

// changing tells replicas that they are out of date, when a change begins and when it has ended.
func (c *core) changing() func() {
	c.version.Add(1)
	return func() { c.version.Add(1) }
}
