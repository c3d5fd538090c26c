// job.go - one job, task by task, ended between two tasks when its context is done
// SPDX-License-Identifier: MIT OR Apache-2.0

package nighwasm

import (
	"context"
	"fmt"
	"time"
)

// job is a nigh_job under way. Between two tasks the instance is free for other calls.
type job struct {
	core     *core
	op       string
	h        *handle
	address  uint32
	ef       int
	ctx      context.Context
	options  JobOptions
	readers  bool // any session will do
	progress block
	done     uint64
	status   int32 // of the task that failed
	told     time.Time
}

const progressTime = 50 * time.Millisecond

func jobRecord(kind uint32) record {
	r := newRecord(jobOptionsSize)
	r.u32(jobOptionsKind, kind)
	return r
}

// jobInput is what a Build inserts, in the module's memory; other jobs have none.
type jobInput struct {
	keys, lengths, vectors block
	count                  int
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
	j.h = h
	return j, nil
}

func (j *job) end() {
	j.h.release()
	j.core.work.Unlock()
}

// run does a job from begin to end. The caller holds core.work.
func (j *job) run(options record, in *jobInput) (err error) {
	c := j.core
	defer c.changing()()
	memory, err := j.begin(options, in)
	if err != nil {
		return err
	}
	seen := c.panics.count.Load()
	defer func() { // also when Progress panics
		call := j.h.enter()
		defer call.leave()
		call.status(callJobEnd, uint64(j.address))
		call.drop(&j.progress)
		if options.getU32(jobOptionsKind) == jobCodes {
			j.h.readers.outdate(call) // they have no room for the codes that there are now
			j.h.writers.outdate(call)
		} else {
			call.drop(&memory)
		}
	}()
	if err := j.tasks(); err != nil {
		return err
	}
	if err := c.panics.since(seen); err != nil {
		return &Error{Op: j.op, Err: err}
	}
	return nil
}

// begin makes the job. Its memory is the job's, that of codes the handle's.
func (j *job) begin(options record, in *jobInput) (block, error) {
	c := j.core
	c.gate.Lock()
	defer c.gate.Unlock()
	call := j.h.enter()
	defer call.leave()
	at, err := call.put(j.op, options)
	if err != nil {
		return block{}, err
	}
	defer call.drop(&at)
	index, count := uint64(j.h.index), uint64(in.count)
	bytes, status := call.sized(callJobBytes, index, uint64(at.address), count)
	if status != ok {
		return block{}, c.fail(j.op, status, "")
	}
	memory, err := call.newBlock(j.op, bytes)
	if err != nil {
		return block{}, err
	}
	j.progress, err = call.put(j.op, newRecord(progressSize))
	if err == nil {
		status = call.status(callJobBegin, index, uint64(at.address), uint64(in.keys.address),
			uint64(in.lengths.address), uint64(in.vectors.address), count, uint64(memory.address),
			bytes, uint64(call.cell))
		j.address = call.u32(call.cell)
		err = c.failUnless(j.op, status)
	}
	if err != nil {
		call.drop(&j.progress)
		call.drop(&memory)
		return block{}, err
	}
	return memory, nil
}

// tasks runs one after the other.
func (j *job) tasks() error {
	for {
		if err := j.ctx.Err(); err != nil {
			return &Error{Op: j.op, Err: context.Cause(j.ctx)}
		}
		if j.core.closed.Load() {
			return &Error{Op: j.op, Err: ErrClosed}
		}
		progress, err := j.task()
		if err != nil {
			return err
		}
		finished := progress.getU32(progressState) == jobDone
		if j.options.Progress != nil && (finished || time.Since(j.told) >= progressTime) {
			j.told = time.Now()
			j.options.Progress(j.done, progress.getU64(progressTotal))
		}
		if finished {
			return nil
		}
	}
}

func (j *job) task() (record, error) {
	h := j.h
	call := h.enter()
	defer call.leave()
	sessions := &h.writers
	if j.readers {
		sessions = &h.readers
	}
	s, err := h.session(call, j.op, sessions, j.ef, 0)
	if err != nil {
		return nil, err
	}
	defer s.back(call)
	j.status = call.status(callJobRun, uint64(j.address), uint64(s.address),
		uint64(j.progress.address))
	progress := newRecord(progressSize)
	copy(progress, call.bytes(j.progress.address, progressSize))
	j.done = max(j.done, progress.getU64(progressDone))
	return progress, j.core.failUnless(j.op, j.status)
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
	if err != nil {
		return 0, err
	}
	defer func() { j.end() }()
	if count == 0 {
		return 0, nil
	}
	if err := j.makeRoom(count, keys); err != nil {
		return 0, err
	}
	in := jobInput{count: count}
	defer j.dropInput(&in)
	if err := j.putInput(&in, keys, v); err != nil {
		return 0, err
	}
	err = j.run(jobRecord(jobBuild), &in)
	done := int(j.done)
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
	slots := max(stats.Slots-stats.Free+count, stats.SlotCapacity)
	if err := c.grow(j.op, j.h, slots, keyBytes, true); err != nil {
		return err
	}
	h, err := c.hold(j.op)
	if err != nil {
		return err
	}
	j.h.release()
	j.h = h
	return nil
}

// putInput copies keys and vectors into the module's memory, until dropInput.
func (j *job) putInput(in *jobInput, keys keyList, v vectors) error {
	call := j.h.enter()
	defer call.leave()
	var err error
	if keys.count() > 0 {
		if in.keys, err = call.newBlock(j.op, max(keys.bytes(), 1)); err != nil {
			return err
		}
		if keys.strings != nil {
			if in.lengths, err = call.newBlock(j.op, 4*uint64(in.count)); err != nil {
				return err
			}
		}
		keys.put(call, in.keys.address, in.lengths.address)
	}
	if v.none() {
		return nil
	}
	bytes := uint64(in.count) * uint64(j.core.rowBytes)
	if in.vectors, err = call.newBlock(j.op, bytes); err != nil {
		return err
	}
	return j.core.failUnless(j.op, v.put(call, j.core.shape, in.vectors.address, in.count))
}

func (j *job) dropInput(in *jobInput) {
	call := j.h.enter()
	defer call.leave()
	for _, one := range []*block{&in.keys, &in.lengths, &in.vectors} {
		call.drop(one)
	}
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
	r := jobRecord(jobRefine)
	r.u32(jobOptionsEf, uint32(o.Ef))
	r.f32(jobOptionsAlpha, o.Alpha)
	return j.run(r, &jobInput{})
}

func (c *core) vacuum(ctx context.Context, options *JobOptions) error {
	j, err := c.startJob(ctx, "vacuum", options)
	if err != nil {
		return err
	}
	defer j.end()
	return j.run(jobRecord(jobVacuum), &jobInput{})
}

func (c *core) root(ctx context.Context, options *JobOptions) error {
	j, err := c.startJob(ctx, "root", options)
	if err != nil {
		return err
	}
	defer j.end()
	return j.run(jobRecord(jobRoot), &jobInput{})
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

// behind tells whether a call still uses a session from before the last change of codes.
func (j *job) behind() bool {
	call := j.h.enter()
	defer call.leave()
	return j.h.readers.older > 0
}

func (c *core) codesJob(ctx context.Context, op string, o *CodesOptions) error {
	j, err := c.startJob(ctx, op, &o.JobOptions)
	if err != nil {
		return err
	}
	defer j.end()
	j.readers = true
	if o.Codes != 0 && j.behind() { // new ones would take the place of dropped ones that it reads
		return failure(op, eBusy, "a search or cursor from before the last change of codes")
	}
	r := jobRecord(jobCodes)
	r.u32(jobOptionsCodes, uint32(o.Codes))
	r.f32(jobOptionsCodeMin, o.CodeMin)
	r.f32(jobOptionsCodeMax, o.CodeMax)
	return j.run(r, &jobInput{})
}
