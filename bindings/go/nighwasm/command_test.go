// command_test.go - the golden indexes built here, byte for byte
// SPDX-License-Identifier: MIT OR Apache-2.0

package nighwasm_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	nigh "github.com/nigh-search/nigh/bindings/go/nighwasm"
)

func linesOf(t *testing.T, path string) []string {
	bytes, err := os.ReadFile(path)
	must(t, err)
	return strings.Split(strings.TrimRight(string(bytes), "\n"), "\n")
}

func rebuildIs[K nigh.Key](t *testing.T, c goldenCase, folder string, rows []float32, dim int) {
	image, err := os.ReadFile(filepath.Join(folder, c.Image))
	must(t, err)
	options := nigh.OpenOptions{}
	if c.External {
		options.Vectors, err = nigh.Borrow(dim, rows)
		must(t, err)
	}
	index, err := nigh.Open[K](filepath.Join(folder, c.Image), &options)
	must(t, err)
	defer index.Close()
	config, err := index.Config()
	must(t, err)
	built := rebuilt[K](t, config, options.Vectors, folder, rows)
	if !bytes.Equal(imageOf(t, built), image) {
		t.Fatal("builds other bytes")
	}
}

// rebuilt makes the index as golden.py has the command make it.
func rebuilt[K nigh.Key](t *testing.T, config nigh.Config, store nigh.VectorStore, folder string,
	rows []float32) *nigh.Index[K] {
	index := newIndex[K](t, nigh.Options{Dim: config.Dim, Metric: config.Metric, M: config.M,
		M0: config.M0, EfBuild: config.EfBuild, Expansions: config.Expansions, Alpha: config.Alpha,
		Seed: config.Seed, Codes: config.Codes, BlockBytes: config.BlockBytes, CodeMin: config.CodeMin,
		CodeMax: config.CodeMax, SlotKeys: config.SlotKeys, Vectors: store,
		KeyBytesMax: config.KeyBytesMax})
	count := len(rows) / config.Dim
	var keys []K
	var late []K
	if config.StringKeys {
		keys = any(linesOf(t, filepath.Join(folder, "names.txt"))).([]K)
	} else if config.SlotKeys {
		keys = any(numbers(0, count)).([]K)
	} else {
		var numbersLate []uint64
		for _, line := range linesOf(t, filepath.Join(folder, "late.txt")) {
			number, err := strconv.ParseUint(line, 10, 64)
			must(t, err)
			numbersLate = append(numbersLate, number)
		}
		late = any(numbersLate).([]K)
		count -= len(late)
		keys = any(numbers(0, count)).([]K)
	}
	vectors := rows[:count*config.Dim]
	if store != nil {
		vectors = nil
	}
	done, err := index.Build(context.Background(), keys, vectors, nil)
	must(t, err)
	if done != count {
		t.Fatalf("%d of %d", done, count)
	}
	if late != nil {
		removed := []uint64{0, 3, 77, 1024, 1899}
		must(t, index.Remove(any(removed).([]K)...))
		_, err := index.AddMany(late, rows[count*config.Dim:])
		must(t, err)
	}
	return index
}

// The golden indexes, with strings, removed and late keys, vectors outside: the same bytes again.
func TestRebuildsGoldenIndexes(t *testing.T) {
	folder := goldenFolder(t)
	file, err := os.ReadFile(filepath.Join(folder, "golden.json"))
	must(t, err)
	var g golden
	must(t, json.Unmarshal(file, &g))
	if len(g.Cases) < 4 {
		t.Fatalf("%d cases", len(g.Cases))
	}
	rows := floatsOf(t, filepath.Join(folder, g.Rows))
	for _, c := range g.Cases {
		t.Run(c.Name, func(t *testing.T) {
			if c.Keys == "bytes" {
				rebuildIs[string](t, c, folder, rows, g.Dim)
			} else {
				rebuildIs[uint64](t, c, folder, rows, g.Dim)
			}
		})
	}
}
