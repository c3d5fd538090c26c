// race_on_test.go - with the race detector
// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build race

package nigh_test

const (
	raced = true
	slow  = 4 // limits of time are so many times as long
)
