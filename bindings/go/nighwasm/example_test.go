// example_test.go - runnable examples, which the documentation shows
// SPDX-License-Identifier: MIT OR Apache-2.0
// Generated from bindings/go/example_test.go by bindings/go/nighwasm/share.py. Do not edit.

package nighwasm_test

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	nigh "github.com/nigh-search/nigh/bindings/go/nighwasm"
)

func Example() {
	index, err := nigh.New[string](nigh.Options{Dim: 2, Metric: nigh.L2})
	if err != nil {
		log.Fatal(err)
	}
	defer index.Close()
	index.Add("north", []float32{0, 1})
	index.Add("east", []float32{1, 0})
	index.Add("far", []float32{4, 4})
	hits, err := index.Search([]float32{0.9, 0.1}, 2, nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, hit := range hits {
		fmt.Printf("%s %.2f\n", hit.Key, hit.Distance)
	}
	// Output:
	// east 0.02
	// north 1.62
}

func ExampleIndex_Nearest() {
	index, _ := nigh.New[uint64](nigh.Options{Dim: 1, Metric: nigh.L2})
	defer index.Close()
	index.AddMany([]uint64{10, 20, 30, 40}, []float32{1, 2, 3, 4})
	for key, distance := range index.Nearest([]float32{2.2}, nil) {
		if distance > 1 {
			break
		}
		fmt.Println(key)
	}
	// Output:
	// 20
	// 30
}

func ExampleIndex_SearchInto() {
	index, _ := nigh.New[uint64](nigh.Options{Dim: 2, Metric: nigh.Cosine})
	defer index.Close()
	index.AddMany([]uint64{1, 2, 3}, []float32{1, 0, 0, 1, 1, 1})
	hits := make([]nigh.Hit[uint64], 2) // used again and again: no search allocates
	found, err := index.SearchInto(hits, []float32{3, 2}, &nigh.SearchOptions{Ef: 20})
	fmt.Println(found, err, hits[0].Key)
	// Output: 2 <nil> 3
}

func ExampleIndex_AllowFunc() {
	index, _ := nigh.New[uint64](nigh.Options{Dim: 1, Metric: nigh.L2})
	defer index.Close()
	index.AddMany([]uint64{1, 2, 3, 4}, []float32{1, 2, 3, 4})
	even, _ := index.AllowFunc(func(key uint64) bool { return key%2 == 0 })
	hits, _ := index.Search([]float32{1}, 1, &nigh.SearchOptions{Filter: even})
	fmt.Println(hits[0].Key)
	// Output: 2
}

func ExampleOpen() {
	folder, _ := os.MkdirTemp("", "nigh")
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "points.nigh")
	index, _ := nigh.New[uint64](nigh.Options{Dim: 2, Metric: nigh.L2})
	index.Add(7, []float32{1, 2})
	if err := index.SaveFile(path); err != nil {
		log.Fatal(err)
	}
	index.Close()

	mapped, err := nigh.Open[uint64](path, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer mapped.Close()
	err = mapped.Add(8, []float32{3, 4})
	fmt.Println(mapped.Len(), errors.Is(err, nigh.ErrReadOnly))
	// Output: 1 true
}

// rowsOutside is a VectorStore: vectors that the index asks for.
type rowsOutside map[uint64][]float32

func (rows rowsOutside) Fetch(batch nigh.Batch) error {
	for i, key := range batch.Keys() {
		row, known := rows[key]
		if !known {
			return fmt.Errorf("no vector for key %d", key)
		}
		copy(batch.Floats(i), row)
	}
	return nil
}

func ExampleVectorStore() {
	rows := rowsOutside{5: {1, 1}, 6: {2, 2}}
	index, _ := nigh.New[uint64](nigh.Options{Dim: 2, Metric: nigh.L2, Vectors: rows})
	defer index.Close()
	index.Add(5, nil)
	index.Add(6, nil)
	fmt.Println(index.Add(7, nil))
	hits, _ := index.Search([]float32{2, 1.9}, 1, nil)
	fmt.Println(hits[0].Key)
	// Output:
	// nigh: add: key 7: no vector for key 7
	// 6
}

func ExampleIndex_Save() {
	index, _ := nigh.New[string](nigh.Options{Dim: 2, Metric: nigh.InnerProduct})
	defer index.Close()
	index.Add("one", []float32{1, 0})
	var buffer bytes.Buffer
	if err := index.Save(&buffer); err != nil {
		log.Fatal(err)
	}
	again, err := nigh.Load[string](&buffer, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer again.Close()
	fmt.Println(again.Has("one"))
	// Output: true
}
