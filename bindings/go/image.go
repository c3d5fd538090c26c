// image.go - an index as one piece of bytes: files mapped, readers read, writers written
// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build cgo

package nigh

// #cgo noescape nigh_save_bytes
// #cgo nocallback nigh_save_bytes
// #include "bridge.h"
import "C"

import (
	"fmt"
	"io"
	"runtime/cgo"
	"unsafe"
)

// image is the file that an index lies in.
type image struct {
	bytes []byte
	unmap func() error // flushes first what is to be in the file
	flush func() error
}

func (i *image) close() {
	if i != nil {
		i.unmap()
	}
}

func (o *OpenOptions) check(op string) error {
	if o.Mode < ReadOnly || o.Mode > InPlace {
		return failure(op, eInvalid, "Mode, expected ReadOnly, Copy or InPlace")
	}
	if o.Capacity != 0 && o.Mode != Copy {
		return failure(op, eInvalid, "Capacity is for Mode Copy")
	}
	if o.Unsealed && o.Mode != ReadOnly {
		return failure(op, eInvalid, "Unsealed is for Mode ReadOnly")
	}
	if err := limit(op, "Capacity", o.Capacity, 1, slotsMax); err != nil {
		return err
	}
	return limit(op, "Lanes", o.Lanes, 1, 4)
}

func (o *OpenOptions) flags(writable bool) uint32 {
	flags := uint32(0)
	if writable {
		flags |= openWritable
	}
	if o.Unsealed {
		flags |= openUnsealed
	}
	if o.Verify {
		flags |= openVerify
	}
	return flags
}

func openCore(path string, options *OpenOptions, text bool) (*core, error) {
	const op = "open"
	var o OpenOptions
	if options != nil {
		o = *options
	}
	if err := o.check(op); err != nil {
		return nil, err
	}
	file, err := mapFile(path, o.Mode)
	if err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	c := &core{strings: text, mode: o.Mode}
	h := newHandle(c)
	h.image = file
	address := unsafe.Pointer(unsafe.SliceData(file.bytes))
	err = c.attachFirst(op, h, address, uint64(len(file.bytes)), &o, o.Mode != ReadOnly)
	if err != nil {
		return nil, fmt.Errorf("%w (%s)", err, path)
	}
	return c, nil
}

// attachFirst makes the core's first handle of an image; it owns the handle.
func (c *core) attachFirst(op string, h *handle, address unsafe.Pointer, bytes uint64,
	o *OpenOptions, writable bool) error {
	c.source(o.Vectors, o.Distance, o.Features, o.Lanes)
	err := h.attach(op, address, bytes, 0, o.flags(writable))
	if err == nil {
		err = c.learn(op, h)
	}
	if err == nil {
		err = c.fits(op)
	}
	if err == nil {
		err = c.adopt(op, h, writable)
	}
	if err != nil {
		h.release()
		return err
	}
	c.current.Store(h)
	if o.Capacity > 0 {
		if err = c.reserve(o.Capacity, 0); err != nil {
			c.close()
		}
	}
	return err
}

// fits tells whether the image is what the caller takes it for.
func (c *core) fits(op string) error {
	switch {
	case c.config.StringKeys && !c.strings:
		return failure(op, eMismatch, "its keys are strings, expected uint64")
	case !c.config.StringKeys && c.strings:
		return failure(op, eMismatch, "its keys are uint64, expected strings")
	case !c.config.External && c.store != nil:
		return failure(op, eMismatch, "it holds its vectors itself, Vectors are not wanted")
	case (c.config.Metric == Custom) != (c.distance != nil):
		return failure(op, eMismatch, "Metric Custom and Distance want each other")
	}
	return nil
}

// ---- Reading ------------------------------------------------------------------------------------

// sized is what some readers know: how much is left.
type sized interface{ Len() int }

// readAll reads to the end into C memory.
func readAll(op string, r io.Reader) (block, uint64, error) {
	room := uint64(1 << 20)
	if s, known := r.(sized); known {
		room = uint64(s.Len()) + 1
	} else if s, known := r.(io.Seeker); known {
		room = restOf(s, room)
	}
	memory, err := newBlock(op, room)
	if err != nil {
		return block{}, 0, err
	}
	whole := false
	defer func() { // also when r panics
		if !whole {
			memory.free()
		}
	}()
	for used := uint64(0); ; {
		if used == memory.bytes {
			larger, err := newBlock(op, 2*memory.bytes)
			if err != nil {
				return block{}, used, err
			}
			copy(larger.slice(), memory.slice())
			memory.free()
			memory = larger
		}
		n, err := r.Read(memory.slice()[used:])
		used += uint64(n)
		if err == io.EOF {
			whole = true
			return memory, used, nil
		}
		if err != nil {
			return block{}, used, &Error{Op: op, Err: err}
		}
	}
}

func restOf(s io.Seeker, otherwise uint64) uint64 {
	here, err := s.Seek(0, io.SeekCurrent)
	if err != nil {
		return otherwise
	}
	end, err := s.Seek(0, io.SeekEnd)
	if _, back := s.Seek(here, io.SeekStart); err != nil || back != nil || end < here {
		return otherwise
	}
	return uint64(end-here) + 1
}

func (b *block) slice() []byte { return unsafe.Slice((*byte)(b.address), b.bytes) }

func loadCore(r io.Reader, options *OpenOptions, text bool) (*core, int64, error) {
	const op = "load"
	var o OpenOptions
	if options != nil {
		o = *options
	}
	if o.Mode != ReadOnly {
		return nil, 0, failure(op, eInvalid, "Mode is for Open")
	}
	capacity := o.Capacity
	o.Capacity = 0
	if err := o.check(op); err != nil {
		return nil, 0, err
	}
	memory, bytes, err := readAll(op, r)
	if err != nil {
		return nil, int64(bytes), err
	}
	o.Capacity = capacity
	c := &core{strings: text}
	h := newHandle(c)
	h.parts = append(h.parts, memory)
	err = c.attachFirst(op, h, memory.address, bytes, &o, !o.Unsealed)
	if err != nil {
		return nil, int64(bytes), err
	}
	return c, int64(bytes), nil
}

func (x *Index[K]) load(r io.Reader) (int64, error) {
	options := OpenOptions{}
	before := x.core.Load()
	if before != nil {
		options.Vectors, options.Distance = before.store, before.distance
		options.Features, options.Lanes = before.features, before.lanes
	}
	made, bytes, err := loadCore(r, &options, isString[K]())
	if err != nil {
		return bytes, err
	}
	x.become(made)
	if before != nil {
		err = before.close()
	}
	return bytes, err
}

// ---- Writing ------------------------------------------------------------------------------------

// writeCall is a Save under way.
type writeCall struct {
	w     io.Writer
	bytes int64
	err   error
}

func (w *writeCall) write(bytes []byte) (err error) {
	defer caught(&err)
	n, err := w.w.Write(bytes)
	w.bytes += int64(n)
	if err == nil && n != len(bytes) {
		err = io.ErrShortWrite
	}
	return err
}

func (c *core) save(w io.Writer, flags uint32) (int64, error) {
	return c.writing("save", w, func(h *handle, user unsafe.Pointer) (C.nigh_status, error) {
		return C.nigh_save(h.index, C.uint32_t(flags), C.nigh_write_fn(C.nighgo_write), user), nil
	})
}

// writing lets C write through nighgo_write, which wants `user`. No change is beside it.
func (c *core) writing(op string, w io.Writer,
	write func(h *handle, user unsafe.Pointer) (C.nigh_status, error)) (int64, error) {
	call := &writeCall{w: w}
	c.gate.Lock()
	defer c.gate.Unlock()
	h, err := c.hold(op)
	if err != nil {
		return 0, err
	}
	defer h.release()
	cell, err := newBlock(op, uint64(unsafe.Sizeof(C.nighgo_user{})))
	if err != nil {
		return 0, err
	}
	defer cell.free()
	self := cgo.NewHandle(call)
	defer self.Delete()
	(*C.nighgo_user)(cell.address).handle = C.uintptr_t(self)
	status, err := write(h, cell.address)
	switch {
	case err != nil:
		return 0, err
	case call.err != nil:
		return call.bytes, &Error{Op: op, Err: call.err}
	}
	return call.bytes, c.failUnless(op, int32(status))
}

func (h *handle) size(op string, flags uint32) (uint64, error) {
	var bytes C.uint64_t
	status := C.nigh_save_bytes(h.index, C.uint32_t(flags), &bytes)
	return uint64(bytes), h.core.failUnless(op, int32(status))
}

func (c *core) size(flags uint32) (int64, error) {
	h, err := c.hold("size")
	if err != nil {
		return 0, err
	}
	defer h.release()
	bytes, err := h.size("size", flags)
	return int64(bytes), err
}

// copyImage saves the index into C memory. Alone behind the gate.
func (h *handle) copyImage(op string) (block, error) {
	bytes, err := h.size(op, 0)
	if err != nil {
		return block{}, err
	}
	memory, err := newBlock(op, bytes)
	if err != nil {
		return block{}, err
	}
	cell, err := newBlock(op, uint64(unsafe.Sizeof(C.nighgo_target{})))
	if err != nil {
		memory.free()
		return block{}, err
	}
	defer cell.free()
	target := (*C.nighgo_target)(cell.address)
	target.bytes = (*C.uint8_t)(memory.address)
	target.room = C.uint64_t(bytes)
	status := C.nigh_save(h.index, 0, C.nigh_write_fn(C.nighgo_write_memory), cell.address)
	if status != ok {
		memory.free()
		return block{}, h.core.fail(op, int32(status), "")
	}
	return memory, nil
}

func (h *handle) seal(op string) error {
	status := C.nigh_seal(h.index)
	if err := h.core.failUnless(op, int32(status)); err != nil || h.image == nil {
		return err
	}
	if err := h.image.flush(); err != nil {
		return &Error{Op: op, Err: err}
	}
	return nil
}

func (c *core) seal() error {
	const op = "seal"
	c.gate.Lock()
	defer c.gate.Unlock()
	h, err := c.hold(op)
	if err != nil {
		return err
	}
	defer h.release()
	return h.seal(op)
}
