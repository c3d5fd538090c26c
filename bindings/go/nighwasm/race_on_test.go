// race_on_test.go - with the race detector
// SPDX-License-Identifier: MIT OR Apache-2.0
// Generated from bindings/go/race_on_test.go by bindings/go/nighwasm/share.py. Do not edit.

//go:build race

package nighwasm_test

const (
	raced = true
	slow  = 4 // limits of time are so many times as long
)
