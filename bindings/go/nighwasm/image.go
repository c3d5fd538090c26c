// image.go - an index as one piece of bytes: files and readers read, writers written, copies
// SPDX-License-Identifier: MIT OR Apache-2.0

package nighwasm

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

func (o *OpenOptions) check(op string) error {
	if o.Mode < ReadOnly || o.Mode > InPlace {
		return failure(op, eInvalid, "Mode, expected ReadOnly or Copy")
	}
	if o.Mode == InPlace {
		return failure(op, eUnsupported, "InPlace: open with Copy, then SaveFile")
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
	if err := limit(op, "Replicas", o.Replicas, 1, replicasMax); err != nil {
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
	file, err := os.Open(path)
	if err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, &Error{Op: op, Err: err}
	case !info.Mode().IsRegular():
		return nil, &Error{Op: op, Detail: path, Err: errNotRegular}
	case info.Size() == 0:
		return nil, failure(op, eFormat, path+" is empty")
	}
	c := &core{strings: text}
	if _, err := c.readFirst(op, file, uint64(info.Size()), &o, o.Mode != ReadOnly); err != nil {
		return nil, fmt.Errorf("%w (%s)", err, path)
	}
	return c, nil
}

// sized is what some readers know: how much is left.
type sized interface{ Len() int }

func loadCore(r io.Reader, options *OpenOptions, text bool) (*core, int64, error) {
	const op = "load"
	var o OpenOptions
	if options != nil {
		o = *options
	}
	if o.Mode != ReadOnly {
		return nil, 0, failure(op, eInvalid, "Mode is for Open")
	}
	o.Mode = Copy
	if o.Unsealed {
		o.Mode = ReadOnly
	}
	if err := o.check(op); err != nil {
		return nil, 0, err
	}
	var size uint64
	if s, known := r.(sized); known {
		size = uint64(s.Len())
	} else {
		all, err := io.ReadAll(r)
		if err != nil {
			return nil, int64(len(all)), &Error{Op: op, Err: err}
		}
		r, size = bytes.NewReader(all), uint64(len(all))
	}
	c := &core{strings: text}
	count, err := c.readFirst(op, r, size, &o, !o.Unsealed)
	return c, count, err
}

// readFirst makes the core's first handle of `size` bytes that r gives.
func (c *core) readFirst(op string, r io.Reader, size uint64, o *OpenOptions,
	writable bool) (int64, error) {
	c.source(o.Vectors, o.Distance, o.Features, o.Lanes, o.Replicas)
	h, err := newHandle(op, c)
	if err != nil {
		return 0, err
	}
	count, err := h.read(op, r, size, o.flags(writable))
	if err == nil {
		err = c.learn(op, h)
	}
	if err == nil {
		err = c.fits(op)
	}
	if err == nil {
		err = h.connect(op, writable)
	}
	if err != nil {
		h.release()
		return count, err
	}
	c.current.Store(h)
	if o.Capacity > 0 {
		if err = c.reserve(o.Capacity, 0); err != nil {
			c.close()
		}
	}
	return count, err
}

// read reads an image straight into the module's memory and attaches it.
func (h *handle) read(op string, r io.Reader, size uint64, flags uint32) (int64, error) {
	c := h.enter()
	defer c.leave()
	image, err := c.newBlock(op, size)
	if err != nil {
		return 0, err
	}
	count, err := io.ReadFull(r, c.bytes(image.address, int(size)))
	if err != nil && size > 0 {
		return int64(count), &Error{Op: op, Err: err}
	}
	return int64(count), h.attach(c, op, image, 0, flags)
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

func (x *Index[K]) load(r io.Reader) (int64, error) {
	options := OpenOptions{}
	before := x.core.Load()
	if before != nil {
		options.Vectors, options.Distance = before.store, before.distance
		options.Features, options.Lanes = before.features, before.lanes
		if before.replicas != nil {
			options.Replicas = len(before.replicas.copies)
		}
	}
	made, count, err := loadCore(r, &options, isString[K]())
	if err != nil {
		return count, err
	}
	x.become(made)
	if before != nil {
		err = before.close()
	}
	return count, err
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
	const op = "save"
	c.gate.Lock()
	defer c.gate.Unlock()
	h, err := c.hold(op)
	if err != nil {
		return 0, err
	}
	defer h.release()
	return h.save(op, w, flags)
}

// save is for one at a time, behind the gate.
func (h *handle) save(op string, w io.Writer, flags uint32) (int64, error) {
	c := h.enter()
	defer c.leave()
	return h.writes(op, w, func() int32 {
		return c.status(callSave, uint64(h.index), uint64(flags), uint64(c.functions[kindWrite]), 0)
	})
}

// writes lets the module write by kindWrite. It is for who entered the instance.
func (h *handle) writes(op string, w io.Writer, write func() int32) (int64, error) {
	call := &writeCall{w: w}
	h.writing = call
	status := write()
	h.writing = nil
	if call.err != nil {
		return call.bytes, &Error{Op: op, Err: call.err}
	}
	return call.bytes, h.core.failUnless(op, status)
}

func (h *handle) size(op string, flags uint32) (uint64, error) {
	c := h.enter()
	defer c.leave()
	bytes, status := c.sized(callSaveBytes, uint64(h.index), uint64(flags))
	return bytes, h.core.failUnless(op, status)
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

// imageWriter writes into another instance's memory.
type imageWriter struct {
	to   *caller
	at   uint32
	left int
}

func (w *imageWriter) Write(bytes []byte) (int, error) {
	n := copy(w.to.bytes(w.at, w.left), bytes)
	w.at += uint32(n)
	w.left -= n
	return n, nil
}

// copied makes a handle of a copy of the index, with a table of so many slots (0: as many as there
// are). Behind the gate.
func (c *core) copied(op string, from *handle, slots int, writable bool) (*handle, error) {
	size, err := from.size(op, 0)
	if err != nil {
		return nil, err
	}
	made, err := newHandle(op, c)
	if err != nil {
		return nil, err
	}
	err = made.copyOf(op, from, size, slots, writable)
	if err == nil {
		err = made.connect(op, writable)
	}
	if err != nil {
		made.release()
		return nil, err
	}
	return made, nil
}

func (h *handle) copyOf(op string, from *handle, size uint64, slots int, writable bool) error {
	c := h.enter()
	defer c.leave()
	image, err := c.newBlock(op, size)
	if err != nil {
		return err
	}
	_, err = from.save(op, &imageWriter{c, image.address, int(size)}, 0)
	if err != nil {
		return err
	}
	flags := uint32(0)
	if writable {
		flags = openWritable
	}
	return h.attach(c, op, image, slots, flags)
}

// seal: there is no index here that could be sealed.
func (c *core) seal() error {
	const op = "seal"
	h, err := c.hold(op)
	if err != nil {
		return err
	}
	defer h.release()
	return failure(op, eUnsupported, "only an index opened InPlace is sealed")
}
