// file_unix.go - index files mapped by the system
// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build cgo && (linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package nigh

// #include "bridge.h"
import "C"

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"unsafe"
)

// mapFile maps a regular file as a mode wants it. An InPlace file is locked for other processes.
func mapFile(path string, mode Mode) (*image, error) {
	flags, protection, kind := os.O_RDONLY, syscall.PROT_READ, syscall.MAP_SHARED
	switch mode {
	case Copy:
		protection, kind = syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE
	case InPlace:
		flags, protection = os.O_RDWR, syscall.PROT_READ|syscall.PROT_WRITE
	}
	// Not blocking: opening a pipe must not wait for its writer, only to be refused then.
	file, err := os.OpenFile(path, flags|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	bytes, err := mapOpened(file, mode, protection, kind)
	if err != nil {
		file.Close()
		return nil, err
	}
	if mode != InPlace {
		file.Close()
		file = nil
	}
	made := &image{bytes: bytes}
	made.flush = func() error {
		if file == nil {
			return nil
		}
		number := C.nighgo_flush(unsafe.Pointer(&bytes[0]), C.uint64_t(len(bytes)))
		if number != 0 {
			return &fs.PathError{Op: "flush", Path: path, Err: syscall.Errno(number)}
		}
		return nil
	}
	made.unmap = func() error {
		err := syscall.Munmap(bytes)
		if file != nil {
			file.Close() // and with it the lock
		}
		return err
	}
	return made, nil
}

func mapOpened(file *os.File, mode Mode, protection, kind int) ([]byte, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "map", Path: file.Name(), Err: errNotRegular}
	}
	if info.Size() == 0 {
		return nil, fmt.Errorf("%s is empty: %w", file.Name(), ErrFormat)
	}
	if mode == InPlace {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == syscall.EWOULDBLOCK {
			return nil, fmt.Errorf("%s is written by another process: %w", file.Name(), ErrBusy)
		}
		if err != nil {
			return nil, &fs.PathError{Op: "lock", Path: file.Name(), Err: err}
		}
	}
	bytes, err := syscall.Mmap(int(file.Fd()), 0, int(info.Size()), protection, kind)
	if err != nil {
		return nil, &fs.PathError{Op: "map", Path: file.Name(), Err: err}
	}
	return bytes, nil
}
