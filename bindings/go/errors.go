// errors.go - what can go wrong, for errors.Is and errors.As
// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build cgo

package nigh

// #include "bridge.h"
import "C"

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// Status is an answer of the C library that is not "ok". The Err constants are all that there are.
type Status int32

// Error is the library's sentence for a status.
func (s Status) Error() string { return C.GoString(C.nigh_status_text(C.nigh_status(s))) }

var (
	// ErrClosed is what calls get after Close.
	ErrClosed = errors.New("the index is closed")
	// ErrNoMemory tells that the system gives no more C memory; the index is as it was.
	ErrNoMemory = errors.New("the system has no memory left")
)

// Error is a failed call: what was to be done, with what, and why it failed.
type Error struct {
	Op     string // "add", "search", ...
	Detail string // the key or the value in question; "" if there is none
	Err    error  // an Err constant, a callback's own error, *PanicError, ctx.Err() or the system's
}

func (e *Error) Error() string {
	if e.Detail == "" {
		return "nigh: " + e.Op + ": " + e.Err.Error()
	}
	return "nigh: " + e.Op + ": " + e.Detail + ": " + e.Err.Error()
}

// Unwrap gives what errors.Is and errors.As look at.
func (e *Error) Unwrap() error { return e.Err }

// PanicError is a panic in a callback (VectorStore, Distance, Filter, Pager). It does not run
// through C, it becomes the error of the call that asked.
type PanicError struct {
	Value any    // what was given to panic
	Stack []byte // where
}

func (p *PanicError) Error() string { return fmt.Sprintf("panic in a callback: %v", p.Value) }

// Unwrap is the panic's value if that is an error.
func (p *PanicError) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// number is any type that a status comes in.
type number interface {
	~int | ~int32
}

func failure[N number](op string, status N, detail string) error {
	return &Error{Op: op, Detail: detail, Err: Status(status)}
}

func isGone(err error) bool {
	return errors.Is(err, ErrNotFound) || errors.Is(err, ErrDeleted)
}

// keptErrors lets an error of Go pass through C: as a number at or below NIGH_E_USER.
type keptErrors struct {
	mutex sync.Mutex
	last  int32
	kept  map[int32]error
}

// The numbers go round; what C did not hand on by then is forgotten.
const keptErrorsMax = 1 << 12

func (k *keptErrors) put(err error) int32 {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if k.kept == nil {
		k.kept = make(map[int32]error)
	}
	k.last = (k.last + 1) % keptErrorsMax
	k.kept[k.last] = err
	return eUser - k.last
}

// take gives the error of a number; several calls may get the same number.
func (k *keptErrors) take(status int32) error {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if err := k.kept[eUser-status]; err != nil {
		return err
	}
	return Status(status)
}

// caught turns a panic that is under way into an error. For deferred calls only.
func caught(err *error) {
	if value := recover(); value != nil {
		*err = &PanicError{Value: value, Stack: debug.Stack()}
	}
}

// panics remembers the last panic in a callback that has no status to answer with (Distance,
// Prefetch). A call notes the count before and asks after: so the call that ran into one always
// reports it, and at worst one beside it does too.
type panics struct {
	count atomic.Uint64
	last  atomic.Pointer[error]
}

func (p *panics) put(err error) {
	p.last.Store(&err)
	p.count.Add(1)
}

func (p *panics) since(seen uint64) error {
	if p.count.Load() == seen {
		return nil
	}
	return *p.last.Load()
}
