// race_off_test.go - without the race detector
// SPDX-License-Identifier: MIT OR Apache-2.0
// Generated from bindings/go/race_off_test.go by bindings/go/nighwasm/share.py. Do not edit.

//go:build !race

package nighwasm_test

const (
	raced = false
	slow  = 1
)
