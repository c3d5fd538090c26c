// handle.go - a nigh_index in an instance of its own, closed when the last call is through
// SPDX-License-Identifier: MIT OR Apache-2.0

package nighwasm

import (
	"sync/atomic"
)

// handle is a nigh_index: an index that outgrows one moves to the next, while cursors go on with
// the old one. It counts who uses it, and the first user is the core.
type handle struct {
	*instance
	core    *core
	index   uint32
	slotMax int
	version uint64 // of the index when it was copied: replicas
	users   atomic.Int64
	readers pool
	writers pool

	filters  map[uint32]*filterState // by the number that their callback gets
	filter   uint32                  // the last number
	writing  *writeCall              // the Save under way
	fetching []*fetchCall            // that no call uses
}

func newHandle(op string, c *core) (*handle, error) {
	h := &handle{core: c, filters: make(map[uint32]*filterState)}
	h.users.Store(1)
	h.readers.reads = true
	var err error
	h.instance, err = newInstance(op, h)
	if err != nil {
		return nil, err
	}
	return h, nil
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
	if h.users.Add(-1) == 0 {
		h.instance.close()
	}
}

func optionsRecord(slots int, features CPU, flags uint32) record {
	r := newRecord(optionsSize)
	r.u32(optionsSlotMax, uint32(slots))
	r.u32(optionsFeatures, uint32(features))
	r.u32(optionsFlags, flags)
	return r
}

// part is memory that lives as long as the handle.
func (c *caller) part(op string, bytes uint64) (uint32, error) {
	made, err := c.newBlock(op, bytes)
	return made.address, err
}

// create makes an empty index.
func (h *handle) create(op string, config record, slots int, upperExtra uint32) error {
	c := h.enter()
	defer c.leave()
	at, err := c.put(op, config)
	if err != nil {
		return err
	}
	defer c.drop(&at)
	r := optionsRecord(slots, h.core.features, 0)
	r.u32(optionsUpperExtra, upperExtra)
	options, err := c.put(op, r)
	if err != nil {
		return err
	}
	defer c.drop(&options)
	bytes, status := c.sized(callIndexBytes, uint64(at.address), uint64(options.address))
	if status != ok {
		return h.core.fail(op, status, "options")
	}
	memory, err := c.part(op, bytes)
	if err != nil {
		return err
	}
	status = c.status(callIndexInit, uint64(at.address), uint64(options.address), uint64(memory),
		bytes, uint64(c.cell))
	if status != ok {
		return h.core.fail(op, status, "options")
	}
	h.index, h.slotMax = c.u32(c.cell), slots
	return nil
}

// attach uses an image in the handle's memory.
func (h *handle) attach(c *caller, op string, image block, slots int, flags uint32) error {
	options, err := c.put(op, optionsRecord(slots, h.core.features, flags))
	if err != nil {
		return err
	}
	defer c.drop(&options)
	needed, status := c.sized(callAttachBytes, uint64(image.address), image.bytes,
		uint64(options.address))
	if status != ok {
		return h.core.fail(op, status, "")
	}
	memory, err := c.part(op, needed)
	if err != nil {
		return err
	}
	status = c.status(callAttach, uint64(image.address), image.bytes, uint64(options.address),
		uint64(memory), needed, uint64(c.cell))
	if status != ok {
		return h.core.fail(op, status, "")
	}
	h.index = c.u32(c.cell)
	stats, err := h.statsNow(c, op)
	h.slotMax = stats.SlotMax
	return err
}

// connect says where vectors and distances come from, and whether the handle changes.
func (h *handle) connect(op string, writable bool) error {
	core := h.core
	c := h.enter()
	defer c.leave()
	if core.store != nil {
		prefetch := uint32(0)
		if _, likes := core.store.(Prefetcher); likes {
			prefetch = c.functions[kindPrefetch]
		}
		if borrowed, is := core.store.(*Borrowed); is {
			if err := borrowed.fits(op, core.shape); err != nil {
				return err
			}
		}
		status := c.status(callIndexFetch, uint64(h.index), uint64(c.functions[kindFetch]),
			uint64(prefetch), 0)
		if status != ok {
			return core.fail(op, status, "Vectors")
		}
	}
	if core.distance != nil {
		status := c.status(callIndexDistance, uint64(h.index), uint64(c.functions[kindDistance]), 0)
		if status != ok {
			return core.fail(op, status, "Distance")
		}
	}
	if !writable {
		return nil
	}
	bytes, status := c.sized(callWriterBytes, uint64(h.index))
	if status != ok {
		return core.fail(op, status, "")
	}
	memory, err := c.part(op, bytes)
	if err != nil {
		return err
	}
	status = c.status(callWriterInit, uint64(h.index), uint64(memory), bytes)
	return core.failUnless(op, status)
}

// filled is a structure that a function fills in.
func (h *handle) filled(c *caller, op string, which, size int) (record, error) {
	r := newRecord(size)
	at, err := c.put(op, r)
	if err != nil {
		return nil, err
	}
	defer c.drop(&at)
	status := c.status(which, uint64(h.index), uint64(at.address))
	copy(r, c.bytes(at.address, size))
	return r, h.core.failUnless(op, status)
}

// describe reads what the index is.
func (h *handle) describe(op string) (Config, error) {
	c := h.enter()
	defer c.leave()
	r, err := h.filled(c, op, callConfigGet, configSize)
	if err != nil {
		return Config{}, err
	}
	keys, flags := r.getU32(configKeys), r.getU32(configBuildFlags)
	return Config{
		Dim: r.getInt(configDim), M: r.getInt(configM), M0: r.getInt(configM0),
		EfBuild: r.getInt(configEfBuild), Expansions: r.getInt(configExpansions),
		BlockBytes: r.getInt(configBlockBytes), KeyBytesMax: r.getInt(configKeyBytesMax),
		Metric: Metric(r.getU32(configMetric)), DType: DType(r.getU32(configDtype)),
		Codes: Codes(r.getU32(configCodes)), Alpha: r.getF32(configAlpha),
		CodeMin: r.getF32(configCodeMin), CodeMax: r.getF32(configCodeMax),
		Seed: r.getU64(configSeed), StringKeys: keys == keysBytes, SlotKeys: keys == keysIdentity,
		KeepPruned: flags&buildKeepPruned != 0, ExactBuild: flags&buildExact != 0,
		Unrooted: flags&buildUnrooted != 0,
		External: r.getU32(configVectors) == vectorsExternal,
	}, nil
}

func (h *handle) statsNow(c *caller, op string) (Stats, error) {
	r, err := h.filled(c, op, callStatsGet, statsSize)
	if err != nil {
		return Stats{}, err
	}
	return Stats{
		Slots: r.getInt(statsSlotCount), Live: r.getInt(statsLiveCount),
		Removed: r.getInt(statsDeletedCount), Free: r.getInt(statsFreeCount),
		SlotCapacity: r.getInt(statsSlotCapacity), SlotMax: r.getInt(statsSlotMax),
		LevelMax: r.getInt(statsLevelMax), EntrySlot: r.getU32(statsEntrySlot),
		UpperRecords: r.getInt(statsUpperCount), Features: CPU(r.getU32(statsFeatures)),
		Writable: r.getU32(statsWritable) != 0, KeyBytes: r.getU64(statsKeyBytes),
		KeyCapacity: r.getU64(statsKeyCapacity), ImageBytes: r.getU64(statsImageBytes),
		Codes: Codes(r.getU32(statsCodes)), CodeClamped: r.getInt(statsCodeClamped),
	}, nil
}

func (h *handle) stats(op string) (Stats, error) {
	c := h.enter()
	defer c.leave()
	return h.statsNow(c, op)
}
