// engine.go - the module, compiled once in a process, and what wazero needs to run it
// SPDX-License-Identifier: MIT OR Apache-2.0

package nighwasm

import (
	"context"
	_ "embed"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// nigh.wasm is the SIMD128 module of the project's wasm/ folder (nigh.wasm.txt tells which).
//
//go:embed nigh.wasm
var moduleBytes []byte

// Exports that are not nigh.h's: the project's wasm/nighw.h.
const (
	callAlloc = abiCount + iota
	callFree
	callFunction
	callUsed
	callCount
)

var helpers = [callCount - abiCount]string{"nighw_alloc", "nighw_free", "nighw_function",
	"nighw_used"}

// Kinds of callbacks, as wasm/nighw.h numbers them.
const (
	kindFetch = iota + 1
	kindPrefetch
	kindDistance
	kindFilter
	kindWrite
	kindMap
	kindDirty
	kindClock
	kindCount
)

// engine is wazero's runtime with the compiled module; instances are made of it.
type engine struct {
	runtime wazero.Runtime
	module  wazero.CompiledModule
}

// theEngine compiles at the first use, which takes some tenths of a second; where wazero has no
// compiler (other than amd64 and arm64) it interprets.
var theEngine = sync.OnceValues(func() (*engine, error) {
	ctx := context.Background()
	runtime := wazero.NewRuntime(ctx)
	const i32 = api.ValueTypeI32
	_, err := runtime.NewHostModuleBuilder("nigh").NewFunctionBuilder().
		WithGoFunction(api.GoFunc(called), []api.ValueType{i32, i32, i32, i32, i32, i32, i32},
			[]api.ValueType{i32}).Export("callback").Instantiate(ctx)
	if err != nil {
		return nil, err
	}
	module, err := runtime.CompileModule(ctx, moduleBytes)
	if err != nil {
		return nil, err
	}
	return &engine{runtime, module}, nil
})
