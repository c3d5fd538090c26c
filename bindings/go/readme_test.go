// readme_test.go - the README shows what runs
// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build cgo

package nigh_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The README's first example is the one that runs.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	must(t, err)
	examples, err := os.ReadFile("example_test.go")
	must(t, err)
	plain := func(text string) string { // without comments and space
		text = regexp.MustCompile(`//.*`).ReplaceAllString(text, "")
		return strings.Join(strings.Fields(text), " ")
	}
	found := regexp.MustCompile("(?s)```go\n(.*?)```").FindStringSubmatch(string(readme))
	if found == nil || !strings.Contains(plain(string(examples)), plain(found[1])) {
		t.Fatal("the README's example is not that of example_test.go")
	}
}
