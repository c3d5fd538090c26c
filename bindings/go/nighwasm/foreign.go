// foreign.go - files of hnswlib, read into the module's memory and written from there
// SPDX-License-Identifier: MIT OR Apache-2.0

package nighwasm

import (
	"fmt"
	"io"
)

func readHnswlib(r io.Reader, options Options) (*core, error) {
	const op = "read hnswlib"
	if err := options.check(op, false); err != nil {
		return nil, err
	}
	if options.Codes != NoCodes {
		return nil, failure(op, eInvalid, "Codes, which AddCodes makes afterwards")
	}
	file, err := io.ReadAll(r)
	if err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	config, facts, err := hnswlibFacts(op, file, &options)
	if err != nil {
		return nil, err
	}
	options.Capacity = max(options.Capacity, facts.getInt(hnswlibSlotCount))
	c, made, err := firstHandle(op, &options, false, config, facts.getU32(hnswlibUpperExtra))
	if err != nil {
		return nil, err
	}
	if err := made.readHnswlib(op, file); err != nil {
		made.release()
		return nil, err
	}
	c.current.Store(made)
	return c, nil
}

// hnswlibFacts is the configuration that a file wants, and what it holds: found out in an instance
// that is then closed, so that the index's own has no room that it does not need.
func hnswlibFacts(op string, file []byte, o *Options) (record, record, error) {
	in, err := newInstance(op, nil)
	if err != nil {
		return nil, nil, err
	}
	defer in.close()
	c := in.enter()
	defer c.leave()
	config, facts := o.record(false), newRecord(hnswlibSize)
	var at [3]block
	for i, bytes := range [][]byte{file, config, facts} {
		if at[i], err = c.put(op, bytes); err != nil {
			return nil, nil, err
		}
	}
	status := c.status(callHnswlibConfig, uint64(at[0].address), uint64(len(file)),
		uint64(at[1].address), uint64(at[2].address))
	if status != ok {
		return nil, nil, failure(op, status, foreignDetail(status, o))
	}
	copy(config, c.bytes(at[1].address, len(config)))
	copy(facts, c.bytes(at[2].address, len(facts)))
	return config, facts, nil
}

// foreignDetail is what the module's sentence, which is about images, leaves open.
func foreignDetail(status int32, o *Options) string {
	switch status {
	case eFormat:
		return "no file of hnswlib"
	case eMismatch:
		return fmt.Sprintf("its vectors do not have Dim %d", o.Dim)
	}
	return ""
}

func (h *handle) readHnswlib(op string, file []byte) error {
	c := h.enter()
	defer c.leave()
	at, err := c.put(op, file)
	if err != nil {
		return err
	}
	defer c.drop(&at)
	status := c.status(callHnswlibRead, uint64(h.index), uint64(at.address), uint64(len(file)))
	return h.core.failUnless(op, status)
}

func (c *core) writeHnswlib(w io.Writer, flags uint32) error {
	const op = "write hnswlib"
	c.gate.Lock()
	defer c.gate.Unlock()
	h, err := c.hold(op)
	if err != nil {
		return err
	}
	defer h.release()
	call := h.enter()
	defer call.leave()
	s, err := h.session(call, op, &h.readers, 0, 0)
	if err != nil {
		return err
	}
	defer s.back(call)
	_, err = h.writes(op, w, func() int32 {
		return call.status(callHnswlibWrite, uint64(h.index), uint64(s.address), uint64(flags), 0,
			uint64(call.functions[kindWrite]), 0)
	})
	return err
}
