// export_test.go - what only tests may see
// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build cgo

package nigh

import "unsafe"

// Address is the nigh_index in use, for C code of a benchmark. The index must neither grow nor be
// closed meanwhile.
func (x *Index[K]) Address() unsafe.Pointer {
	return unsafe.Pointer(x.core.Load().current.Load().index)
}
