// file_other.go - index files read into memory, where mapping them is not known
// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build cgo && !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package nigh

import (
	"fmt"
	"os"
)

// mapFile reads a file into C memory; what InPlace changes is not written back, so it is refused.
func mapFile(path string, mode Mode) (*image, error) {
	if mode == InPlace {
		return nil, fmt.Errorf("in-place changes of %s: %w", path, ErrUnsupported)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &os.PathError{Op: "read", Path: path, Err: errNotRegular}
	}
	if info.Size() == 0 {
		return nil, fmt.Errorf("%s is empty: %w", path, ErrFormat)
	}
	memory, bytes, err := readAll("open", file)
	if err != nil {
		return nil, err
	}
	made := &image{bytes: memory.slice()[:bytes]}
	made.flush = func() error { return nil }
	made.unmap = func() error {
		memory.free()
		return nil
	}
	return made, nil
}
