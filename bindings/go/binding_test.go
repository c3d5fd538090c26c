// binding_test.go - the binding as source: functions reached, cgo's directives
// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build cgo

package nigh_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func sources(t *testing.T) string {
	paths, err := filepath.Glob("*.go")
	must(t, err)
	var all strings.Builder
	for _, path := range paths {
		if !strings.HasSuffix(path, "_test.go") {
			data, err := os.ReadFile(path)
			must(t, err)
			all.Write(data)
		}
	}
	return all.String()
}

func names1(text, pattern string) []string {
	var found []string
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// Every function of nigh.h is called.
func TestParity(t *testing.T) {
	// for who keeps blocks himself (LMDB, flash), in C
	left := []string{"nigh_header", "nigh_attach_blocks", "nigh_store_bytes", "nigh_store_find",
		"nigh_store_open", "nigh_store_grow", "nigh_store_stats_get", "nigh_store_attach_bytes",
		"nigh_store_attach", "nigh_store_commit"}
	text := sources(t)
	called := names1(text, `\bC\.(nigh_\w+)\(`)
	header, err := os.ReadFile("nigh.h")
	must(t, err)
	declared := names1(string(header), `NIGH_API [^;(]*?\b(nigh_\w+)\(`)
	if len(declared) < 40 {
		t.Fatal(declared)
	}
	if data, err := os.ReadFile("../../abi/nigh.json"); err == nil { // not in the module's zip
		var abi struct{ Functions []struct{ Name string } }
		must(t, json.Unmarshal(data, &abi))
		if len(abi.Functions) != len(declared) {
			t.Fatalf("%d functions in nigh.json, %d in nigh.h", len(abi.Functions), len(declared))
		}
	}
	for _, name := range declared {
		if slices.Contains(called, name) == slices.Contains(left, name) {
			t.Errorf("%s is not called, or left out and called", name)
		}
	}
}

// Trap: nocallback on a function that can call back ends the process, at the callback; noescape on
// one leaves C with an address on a stack that has moved.
func TestDirectives(t *testing.T) {
	callsBack := []string{"nigh_insert", "nigh_set", "nigh_remove", "nigh_unremove", "nigh_search",
		"nigh_search_batch", "nigh_cursor_begin", "nigh_cursor_next", "nigh_tune", "nigh_get",
		"nigh_job_begin", "nigh_job_run", "nigh_job_end", "nigh_check", "nigh_save", "nigh_seal",
		"nigh_grow", "nigh_hnswlib_read", "nigh_hnswlib_write"}
	text := sources(t)
	quiet := names1(text, `#cgo nocallback (\w+)`)
	for _, name := range quiet {
		if slices.Contains(callsBack, name) {
			t.Errorf("%s may call back", name)
		}
	}
	for _, name := range names1(text, `#cgo noescape (\w+)`) {
		if !slices.Contains(quiet, name) {
			t.Errorf("%s: noescape without nocallback", name)
		}
	}
	// A directive for a function that is never called by that name would do nothing.
	for _, name := range quiet {
		if !strings.Contains(text, "C."+name+"(") {
			t.Errorf("%s is not called", name)
		}
	}
	// Trap: a handle is a number. It travels in C memory, never as a pointer to Go's or of its value.
	if regexp.MustCompile(`unsafe\.Pointer\((&?\w+\.)?self\)|unsafe\.Pointer\(uintptr\(`).
		MatchString(text) {
		t.Error("a handle is passed as a pointer")
	}
	// Trap: a store of a pointer type into C's memory has a write barrier, which reads what was there.
	if regexp.MustCompile(`\*\(\*unsafe\.Pointer\)\([^\n]*\) = |\[\]unsafe\.Pointer`).MatchString(text) {
		t.Error("an address is stored through a pointer type")
	}
}
