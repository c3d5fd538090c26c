// foreign.go - files of hnswlib, read into C memory and written from there
// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build cgo

package nigh

// #cgo nocallback nigh_hnswlib_config
// #include "bridge.h"
import "C"

import (
	"fmt"
	"io"
	"unsafe"
)

func readHnswlib(r io.Reader, options Options) (*core, error) {
	const op = "read hnswlib"
	if err := options.check(op, false); err != nil {
		return nil, err
	}
	if options.Codes != NoCodes {
		return nil, failure(op, eInvalid, "Codes, which AddCodes makes afterwards")
	}
	file, bytes, err := readAll(op, r)
	if err != nil {
		return nil, err
	}
	defer file.free()
	config := options.c(false)
	var facts C.nigh_hnswlib
	facts.struct_size = C.uint32_t(unsafe.Sizeof(facts))
	status := C.nigh_hnswlib_config(file.address, C.uint64_t(bytes), &config, &facts)
	if status != ok {
		return nil, failure(op, int32(status), foreignDetail(int32(status), &options))
	}
	options.Capacity = max(options.Capacity, int(facts.slot_count))
	c, made, err := firstHandle(op, &options, false, &config, uint32(facts.upper_extra))
	if err != nil {
		return nil, err
	}
	status = C.nigh_hnswlib_read(made.index, file.address, C.uint64_t(bytes))
	if status != ok {
		made.release()
		return nil, c.fail(op, int32(status), "")
	}
	c.current.Store(made)
	return c, nil
}

// foreignDetail is what the library's sentence, which is about images, leaves open.
func foreignDetail(status int32, o *Options) string {
	switch status {
	case eFormat:
		return "no file of hnswlib"
	case eMismatch:
		return fmt.Sprintf("its vectors do not have Dim %d", o.Dim)
	}
	return ""
}

func (c *core) writeHnswlib(w io.Writer, flags uint32) error {
	const op = "write hnswlib"
	_, err := c.writing(op, w, func(h *handle, user unsafe.Pointer) (C.nigh_status, error) {
		s, err := h.session(op, &h.readers, 0, 0)
		if err != nil {
			return ok, err
		}
		defer s.back()
		return C.nigh_hnswlib_write(h.index, s.c, C.uint32_t(flags), 0,
			C.nigh_write_fn(C.nighgo_write), user), nil
	})
	return err
}
