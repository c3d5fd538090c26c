// race_off_test.go - without the race detector
// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build !race

package nigh_test

const (
	raced = false
	slow  = 1
)
