// job.go - one job on several goroutines, ended between two tasks when its context is done
// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build cgo

package nigh

// #include "bridge.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// jobInput is what a Build inserts; other jobs have none.
type jobInput struct {
	keys, vectors unsafe.Pointer
	lengths       *C.uint32_t
	count         int
	name          func(i int) string
}

// job is a nigh_job under way.
type job struct {
	core    *core
	op      string
	h       *handle
	c       *C.nigh_job
	ef      int
	ctx     context.Context
	options JobOptions
	pool    *pool
	panics  uint64
	stop    atomic.Bool
	done    atomic.Uint64
	mutex   sync.Mutex
	err     error // the first
	status  int32 // of err
	told    time.Time
}

const (
	jobWaitTime  = 50 * time.Microsecond
	progressTime = 50 * time.Millisecond
)

func cJobOptions(kind uint32) C.nigh_job_options {
	options := C.nigh_job_options{kind: C.uint32_t(kind)}
	options.struct_size = C.uint32_t(unsafe.Sizeof(options))
	return options
}

// run does a job from begin to end. The caller holds core.work.
func (j *job) run(options *C.nigh_job_options, in jobInput) (err error) {
	c := j.core
	memory, err := j.begin(options, in)
	if err != nil {
		return err
	}
	j.panics = c.panics.count.Load()
	threads := j.options.Threads
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	var others sync.WaitGroup
	defer func() { // also when Progress panics
		j.stop.Store(true)
		others.Wait()
		C.nigh_job_end(j.c)
		if options.kind == jobCodes {
			c.recoded(j.h)
		} else {
			memory.free()
		}
		if failed := j.close(); failed != nil {
			err = errors.Join(err, failed)
		}
	}()
	for range threads - 1 {
		others.Add(1)
		go func() {
			defer others.Done()
			j.work(false)
		}()
	}
	j.work(true)
	others.Wait()
	if j.err == nil {
		if err := c.panics.since(j.panics); err != nil {
			return &Error{Op: j.op, Err: err}
		}
	}
	return j.err
}

// begin makes the job. Its memory is the job's, that of codes the handle's.
func (j *job) begin(options *C.nigh_job_options, in jobInput) (block, error) {
	c := j.core
	c.gate.Lock()
	defer c.gate.Unlock()
	var bytes C.uint64_t
	status := C.nigh_job_bytes(j.h.index, options, C.uint32_t(in.count), &bytes)
	if status != ok {
		return block{}, c.fail(j.op, int32(status), "")
	}
	memory, err := newBlock(j.op, uint64(bytes))
	if err != nil {
		return block{}, err
	}
	status = C.nigh_job_begin(j.h.index, options, in.keys, in.lengths, in.vectors,
		C.uint32_t(in.count), memory.address, bytes, &j.c)
	if status != ok {
		memory.free()
		return block{}, c.fail(j.op, int32(status), "")
	}
	if options.kind == jobCodes {
		j.h.mutex.Lock()
		j.h.parts = append(j.h.parts, memory)
		j.h.mutex.Unlock()
	}
	return memory, nil
}

// work runs tasks until there are none, with a session of its own.
func (j *job) work(first bool) {
	s, err := j.h.session(j.op, j.pool, j.ef, 0)
	if err != nil {
		j.fail(err, ok)
		return
	}
	defer s.back()
	var progress C.nigh_progress
	progress.struct_size = C.uint32_t(unsafe.Sizeof(progress))
	for !j.stop.Load() {
		if j.interrupted() {
			return
		}
		status := C.nigh_job_run(j.c, s.c, &progress)
		j.reached(uint64(progress.done))
		if status != ok {
			j.fail(j.core.fail(j.op, int32(status), ""), int32(status))
			return
		}
		if first {
			j.tell(uint64(progress.done), uint64(progress.total), progress.state == jobDone)
		}
		switch progress.state {
		case jobDone:
			return
		case jobWait:
			time.Sleep(jobWaitTime)
		}
	}
}

func (j *job) interrupted() bool {
	if err := j.ctx.Err(); err != nil {
		j.fail(&Error{Op: j.op, Err: context.Cause(j.ctx)}, ok)
		return true
	}
	if j.core.closed.Load() {
		j.fail(&Error{Op: j.op, Err: ErrClosed}, ok)
		return true
	}
	return false
}

func (j *job) reached(done uint64) {
	for {
		before := j.done.Load()
		if done <= before || j.done.CompareAndSwap(before, done) {
			return
		}
	}
}

func (j *job) fail(err error, status int32) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	if j.err == nil {
		j.err, j.status = err, status
	}
	j.stop.Store(true)
}

func (j *job) tell(done, total uint64, last bool) {
	if j.options.Progress == nil || (!last && time.Since(j.told) < progressTime) {
		return
	}
	j.told = time.Now()
	j.telling(true)
	defer j.telling(false)
	j.options.Progress(done, total)
}

func (j *job) telling(now bool) {
	j.core.tells.mutex.Lock()
	j.core.tells.running = now
	j.core.tells.mutex.Unlock()
}

// close does what a Close by Progress left to the job.
func (j *job) close() error {
	j.core.tells.mutex.Lock()
	left := j.core.tells.closed
	j.core.tells.mutex.Unlock()
	if !left {
		return nil
	}
	return j.core.drop()
}

// recoded: searches from now on want sessions for the codes that there are now.
func (c *core) recoded(h *handle) {
	h.readers.outdate()
	h.writers.outdate()
}

// startJob takes the right to run a job, and the handle.
func (c *core) startJob(ctx context.Context, op string, options *JobOptions) (*job, error) {
	j := &job{core: c, op: op, ctx: ctx}
	if options != nil {
		j.options = *options
	}
	if err := limit(op, "Threads", j.options.Threads, 1, 1<<16); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, &Error{Op: op, Err: context.Cause(ctx)}
	}
	if !c.work.TryLock() {
		return nil, failure(op, eBusy, "another job is under way")
	}
	h, err := c.hold(op)
	if err != nil {
		c.work.Unlock()
		return nil, err
	}
	j.take(h)
	return j, nil
}

func (j *job) take(h *handle) {
	j.h, j.pool = h, &h.writers
}

func (j *job) end() {
	j.h.release()
	j.core.work.Unlock()
}

// ---- The jobs -----------------------------------------------------------------------------------

func (c *core) build(ctx context.Context, keys keyList, v vectors, options *JobOptions) (int,
	error) {
	const op = "build"
	count := keys.count()
	if count == 0 && c.config.SlotKeys {
		count = v.count(c.shape)
	}
	switch {
	case count > slotsMax:
		return 0, failure(op, eFull, fmt.Sprintf("%d vectors, at most %d", count, slotsMax))
	case v.none() && !c.config.External && count > 0:
		return 0, failure(op, eInvalid, "vectors are missing")
	case !v.none():
		if err := v.check(op, c.shape, count); err != nil {
			return 0, err
		}
	}
	j, err := c.startJob(ctx, op, options)
	if err != nil || count == 0 {
		if err == nil {
			j.end()
		}
		return 0, err
	}
	defer func() { j.end() }()
	if err := j.makeRoom(count, keys); err != nil {
		return 0, err
	}
	var in jobInput
	var held buildMemory
	defer held.release()
	if err := held.hold(op, c, &in, keys, v, count); err != nil {
		return 0, err
	}
	cOptions := cJobOptions(jobBuild)
	err = j.run(&cOptions, in)
	done := int(j.done.Load())
	if e, is := err.(*Error); is && j.status != ok && done < count {
		e.Detail = keys.name(done)
	}
	return done, err
}

// makeRoom grows the index for a Build, which may move it to another handle.
func (j *job) makeRoom(count int, keys keyList) error {
	c := j.core
	c.gate.Lock()
	defer c.gate.Unlock()
	if !c.grows() {
		return nil // what the file has must do
	}
	stats, err := j.h.stats(j.op)
	if err != nil {
		return err
	}
	if !stats.Writable {
		return failure(j.op, eReadOnly, "")
	}
	keyBytes := uint64(0)
	if c.strings {
		keyBytes = stats.KeyBytes + keys.bytes()
	}
	slots := max(stats.Slots+count, stats.SlotCapacity) // a job leaves free slots to Add
	if err := c.grow(j.op, j.h, slots, keyBytes, true); err != nil {
		return err
	}
	h, err := c.hold(j.op)
	if err != nil {
		return err
	}
	j.h.release()
	j.take(h)
	return nil
}

// buildMemory is what a Build reads until it ends: the caller's slices, pinned, or rows and keys in
// C memory where theirs have another form.
type buildMemory struct {
	pins   pins
	blocks [3]block
}

func (m *buildMemory) release() {
	m.pins.release()
	for i := range m.blocks {
		m.blocks[i].free()
	}
}

func (m *buildMemory) hold(op string, c *core, in *jobInput, keys keyList, v vectors,
	count int) error {
	in.count = count
	if keys.numbers != nil {
		in.keys = pin(&m.pins, keys.numbers)
	}
	if keys.strings != nil {
		if err := m.holdStrings(op, in, keys); err != nil {
			return err
		}
	}
	switch {
	case v.none():
		return nil
	case !v.raw && c.dtype == F32:
		in.vectors = pin(&m.pins, v.floats)
		return nil
	case v.raw && uintptr(unsafe.Pointer(&v.rows[0]))%4 == 0:
		in.vectors = pin(&m.pins, v.rows)
		return nil
	}
	made, err := newBlock(op, uint64(count)*uint64(c.rowBytes))
	if err != nil {
		return err
	}
	m.blocks[0] = made
	in.vectors = made.address
	return c.failUnless(op, v.put(c.shape, made.address, count))
}

func (m *buildMemory) holdStrings(op string, in *jobInput, keys keyList) error {
	bytes, err := newBlock(op, max(keys.bytes(), 1))
	if err != nil {
		return err
	}
	m.blocks[1] = bytes
	lengths, err := newBlock(op, 4*uint64(len(keys.strings)))
	if err != nil {
		return err
	}
	m.blocks[2] = lengths
	in.keys, in.lengths = bytes.address, (*C.uint32_t)(lengths.address)
	keys.put(in.keys, in.lengths)
	return nil
}

func (c *core) refine(ctx context.Context, options *RefineOptions) error {
	const op = "refine"
	var o RefineOptions
	if options != nil {
		o = *options
	}
	if err := limit(op, "Ef", o.Ef, 1, 65535); err != nil {
		return err
	}
	j, err := c.startJob(ctx, op, &o.JobOptions)
	if err != nil {
		return err
	}
	defer j.end()
	j.ef = o.Ef
	cOptions := cJobOptions(jobRefine)
	cOptions.ef = C.uint32_t(o.Ef)
	cOptions.alpha = C.float(o.Alpha)
	return j.run(&cOptions, jobInput{})
}

func (c *core) vacuum(ctx context.Context, options *JobOptions) error {
	j, err := c.startJob(ctx, "vacuum", options)
	if err != nil {
		return err
	}
	defer j.end()
	cOptions := cJobOptions(jobVacuum)
	return j.run(&cOptions, jobInput{})
}

func (c *core) root(ctx context.Context, options *JobOptions) error {
	j, err := c.startJob(ctx, "root", options)
	if err != nil {
		return err
	}
	defer j.end()
	cOptions := cJobOptions(jobRoot)
	return j.run(&cOptions, jobInput{})
}

func (c *core) addCodes(ctx context.Context, o CodesOptions) error {
	const op = "add codes"
	if o.Codes != U7Codes && o.Codes != B1Codes {
		return failure(op, eInvalid, "Codes, expected U7Codes or B1Codes")
	}
	return c.codesJob(ctx, op, &o)
}

func (c *core) dropCodes(ctx context.Context) error {
	return c.codesJob(ctx, "drop codes", &CodesOptions{})
}

func (c *core) codesJob(ctx context.Context, op string, o *CodesOptions) error {
	j, err := c.startJob(ctx, op, &o.JobOptions)
	if err != nil {
		return err
	}
	defer j.end()
	j.pool = &j.h.readers
	if o.Codes != 0 && j.pool.behind() { // new ones would take the place of dropped ones it reads
		return failure(op, eBusy, "a search or cursor from before the last change of codes")
	}
	cOptions := cJobOptions(jobCodes)
	cOptions.codes = C.uint32_t(o.Codes)
	cOptions.code_min = C.float(o.CodeMin)
	cOptions.code_max = C.float(o.CodeMax)
	return j.run(&cOptions, jobInput{})
}
