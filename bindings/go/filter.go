// filter.go - which keys a search may return: a set of keys, a bitmap of slots, a function
// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build cgo

package nigh

// Filter says which keys searches of one index may return (SearchOptions.Filter). Any number of
// searches may use it at once. How many keys it lets through decides how a search goes about it.
type Filter struct {
	core *core
	bits *bitmap
	call func(slot uint32, key *uint64) bool
}

// Allow makes a filter that lets these keys through, none that are added later. Keys that are not
// there, or removed, are left out.
func (x *Index[K]) Allow(keys ...K) (*Filter, error) {
	core, err := x.open("allow")
	if err != nil {
		return nil, err
	}
	return core.allow(keysOf(keys))
}

// AllowSlots makes a filter that lets slot s through if bit s%32 of bits[s/32] is set. bits is
// copied.
func (x *Index[K]) AllowSlots(bits []uint32) (*Filter, error) {
	core, err := x.open("allow")
	if err != nil {
		return nil, err
	}
	return core.allowSlots(bits)
}

// AllowFunc makes a filter of a function, which is called on the goroutine that searches and may
// read the index. A panic in it is the search's error.
func (x *Index[K]) AllowFunc(allow func(key K) bool) (*Filter, error) {
	core, err := x.open("allow")
	if err != nil {
		return nil, err
	}
	return filterFunc(core, allow), nil
}
