// stub_nocgo.go - without cgo this package does not compile, and the error names the one that does
// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build !cgo

package nigh

// The compiler's complaint about this name is the message.
var _ = cgo_is_off__set_CGO_ENABLED_1_or_import_github_com_nigh_search_nigh_bindings_go_nighwasm
