// command_test.go - the bytes and answers of the nigh command
// SPDX-License-Identifier: MIT OR Apache-2.0

package nighwasm_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	nigh "github.com/nigh-search/nigh/bindings/go/nighwasm"
)

type goldenCase struct {
	Name, Image, Metric, Keys, Codes string
	Count                            int
	External                         bool
	Searches                         []struct {
		Ef      int
		Answers [][][3]json.RawMessage
	}
}

type goldenFile struct {
	Dim, K        int
	Queries, Rows string
	Cases         []goldenCase
}

func goldenFolder(t *testing.T) string {
	folder := os.Getenv("NIGH_GOLDEN")
	if folder == "" {
		t.Skip("NIGH_GOLDEN is not set: the folder that tests/bindings/golden.py makes")
	}
	return folder
}

func floatsOf(t *testing.T, path string) []float32 {
	bytes, err := os.ReadFile(path)
	must(t, err)
	out := make([]float32, len(bytes)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(bytes[4*i:]))
	}
	return out
}

func linesOf(t *testing.T, path string) []string {
	bytes, err := os.ReadFile(path)
	must(t, err)
	return strings.Split(strings.TrimRight(string(bytes), "\n"), "\n")
}

// text is a key as golden.json has it.
func text[K nigh.Key](key K) string {
	if number, is := any(key).(uint64); is {
		return strconv.FormatUint(number, 10)
	}
	return any(key).(string)
}

func sameAnswers[K nigh.Key](t *testing.T, index *nigh.Index[K], c goldenCase, k int,
	queries []float32, dim int) {
	t.Helper()
	for _, search := range c.Searches {
		for q, expected := range search.Answers {
			hits, err := index.Search(queries[q*dim:(q+1)*dim], k, &nigh.SearchOptions{Ef: search.Ef})
			must(t, err)
			if len(hits) != len(expected) {
				t.Fatalf("%s, ef %d, query %d: %d hits", c.Name, search.Ef, q, len(hits))
			}
			for i, hit := range hits {
				var key string
				must(t, json.Unmarshal(expected[i][0], &key))
				bits, _ := strconv.ParseUint(string(expected[i][1]), 10, 32)
				if text(hit.Key) != key || math.Float32bits(hit.Distance) != uint32(bits) {
					t.Fatalf("%s, ef %d, query %d, hit %d: %v, expected %s %08x", c.Name,
						search.Ef, q, i, hit, key, bits)
				}
			}
		}
	}
}

func goldenCaseIs[K nigh.Key](t *testing.T, g goldenFile, c goldenCase, folder string) {
	path := filepath.Join(folder, c.Image)
	image, err := os.ReadFile(path)
	must(t, err)
	queries, rows := floatsOf(t, filepath.Join(folder, g.Queries)),
		floatsOf(t, filepath.Join(folder, g.Rows))
	options := nigh.OpenOptions{Replicas: 2}
	if c.External {
		store, err := nigh.Borrow(g.Dim, rows)
		must(t, err)
		options.Vectors = store
	}
	index, err := nigh.Open[K](path, &options)
	must(t, err)
	defer index.Close()
	if index.Len() != c.Count {
		t.Fatalf("%d keys", index.Len())
	}
	sameAnswers(t, index, c, g.K, queries, g.Dim)
	if !bytes.Equal(imageOf(t, index), image) {
		t.Fatal("saves other bytes")
	}
	config, err := index.Config()
	must(t, err)
	built := rebuilt[K](t, config, options.Vectors, folder, rows)
	if !bytes.Equal(imageOf(t, built), image) {
		t.Fatal("builds other bytes")
	}
	sameAnswers(t, built, c, g.K, queries, g.Dim)
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

func TestGoldenBytesAndAnswers(t *testing.T) {
	folder := goldenFolder(t)
	file, err := os.ReadFile(filepath.Join(folder, "golden.json"))
	must(t, err)
	var g goldenFile
	must(t, json.Unmarshal(file, &g))
	if len(g.Cases) < 4 {
		t.Fatalf("%d cases", len(g.Cases))
	}
	for _, c := range g.Cases {
		t.Run(c.Name, func(t *testing.T) {
			if c.Keys == "bytes" {
				goldenCaseIs[string](t, g, c, folder)
			} else {
				goldenCaseIs[uint64](t, g, c, folder)
			}
		})
	}
}
