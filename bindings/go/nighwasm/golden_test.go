// golden_test.go - indexes of the nigh command open here with the same answers, and the other way
// SPDX-License-Identifier: MIT OR Apache-2.0
// Generated from bindings/go/golden_test.go by bindings/go/nighwasm/share.py. Do not edit.

package nighwasm_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	nigh "github.com/nigh-search/nigh/bindings/go/nighwasm"
)

// golden is what tests/bindings/golden.py writes.
type golden struct {
	Dim, K        int
	Queries, Rows string
	Cases         []goldenCase
}

type goldenCase struct {
	Name, Image, Metric, Keys, Codes string
	Count                            int
	External                         bool
	Searches                         []struct {
		Ef      int
		Answers [][][3]any
	}
}

// goldenFolder is where the runner put them; without it there is nothing to compare with.
func goldenFolder(t *testing.T) string {
	folder := os.Getenv("NIGH_GOLDEN")
	if folder == "" {
		t.Skip("NIGH_GOLDEN is not set: tests/bindings/test_go.py does")
	}
	return folder
}

func floatsOf(t *testing.T, path string) []float32 {
	data, err := os.ReadFile(path)
	must(t, err)
	values := make([]float32, len(data)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return values
}

func TestGolden(t *testing.T) {
	folder := goldenFolder(t)
	data, err := os.ReadFile(filepath.Join(folder, "golden.json"))
	must(t, err)
	var all golden
	must(t, json.Unmarshal(data, &all))
	queries := floatsOf(t, filepath.Join(folder, all.Queries))
	if len(all.Cases) < 3 || len(queries) == 0 {
		t.Fatal("too little in golden.json")
	}
	for _, c := range all.Cases {
		t.Run(c.Name, func(t *testing.T) {
			var options nigh.OpenOptions
			if c.External {
				borrowed, err := nigh.Borrow(all.Dim, floatsOf(t, filepath.Join(folder, all.Rows)))
				must(t, err)
				options.Vectors = borrowed
			}
			path := filepath.Join(folder, c.Image)
			if c.Keys == "bytes" {
				checkGolden(t, path, &options, &c, all.K, queries,
					func(key string) string { return key })
				return
			}
			checkGolden(t, path, &options, &c, all.K, queries,
				func(key uint64) string { return strconv.FormatUint(key, 10) })
		})
	}
}

func checkGolden[K nigh.Key](t *testing.T, path string, o *nigh.OpenOptions, c *goldenCase, k int,
	queries []float32, name func(K) string) {
	index, err := nigh.Open[K](path, o)
	must(t, err)
	defer index.Close()
	config, err := index.Config()
	must(t, err)
	if index.Len() != c.Count || (config.Codes == nigh.U7Codes) != (c.Codes == "u7") {
		t.Fatal(index.Len(), config)
	}
	for _, search := range c.Searches {
		options := &nigh.SearchOptions{Ef: search.Ef}
		batch, err := index.SearchBatch(queries, k, options)
		must(t, err)
		if len(batch) != len(search.Answers) {
			t.Fatal(len(batch))
		}
		for q, want := range search.Answers {
			hits, err := index.Search(queries[q*config.Dim:(q+1)*config.Dim], k, options)
			must(t, err)
			if len(hits) != len(want) {
				t.Fatalf("query %d: %d hits, expected %d", q, len(hits), len(want))
			}
			for i, hit := range hits {
				slot, err := index.Slot(hit.Key)
				must(t, err)
				got := fmt.Sprint(name(hit.Key), math.Float32bits(hit.Distance), slot)
				if want := fmt.Sprint(want[i][0], uint32(want[i][1].(float64)),
					uint32(want[i][2].(float64))); got != want || batch[q][i] != hit {
					t.Fatalf("ef %d query %d hit %d: %s, expected %s", search.Ef, q, i, got, want)
				}
			}
		}
	}
	sound(t, index)
}

// The command's build and Go's make the same bytes, with 1 goroutine and with 4.
func TestSameBytesAsTheCommand(t *testing.T) {
	folder, command := goldenFolder(t), os.Getenv("NIGH_COMMAND")
	if command == "" {
		t.Fatal("NIGH_COMMAND is not set")
	}
	data, err := os.ReadFile(filepath.Join(folder, "golden.json"))
	must(t, err)
	var all golden
	must(t, json.Unmarshal(data, &all))
	vectors := floatsOf(t, filepath.Join(folder, all.Rows))
	count := len(vectors) / all.Dim
	path := filepath.Join(t.TempDir(), "x.nigh")
	for _, c := range []struct {
		metric string
		nigh.Options
	}{{"l2", nigh.Options{Metric: nigh.L2}},
		{"cosine", nigh.Options{Metric: nigh.Cosine, Codes: nigh.U7Codes, M: 8}}} {
		arguments := []string{"build", filepath.Join(folder, "rows.npy"), "-o", path, "--metric",
			c.metric, "--seed", "42", "--threads", "2", "--m", strconv.Itoa(max(c.M, 16*btoi(c.M == 0)))}
		if c.Codes == nigh.U7Codes {
			arguments = append(arguments, "--codes", "u7")
		}
		if out, err := exec.Command(command, arguments...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		want, err := os.ReadFile(path)
		must(t, err)
		for _, n := range []int{1, 4} {
			options := c.Options
			options.Dim, options.Seed = all.Dim, 42
			index := newIndex[uint64](t, options)
			_, err := index.Build(context.Background(), numbers(0, count), vectors, threads(n))
			must(t, err)
			must(t, index.SaveFile(path))
			got, err := os.ReadFile(path)
			must(t, err)
			if string(got) != string(want) {
				t.Fatalf("%s with %d goroutines: other bytes than the command's", c.metric, n)
			}
		}
	}
	// and back: what Go wrote, the command checks
	if out, err := exec.Command(command, "check", path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
