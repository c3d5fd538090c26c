// main.go - an index file of any keys searched with the floats of another file
// SPDX-License-Identifier: MIT OR Apache-2.0

// usage: scratch INDEX QUERIES.f32 EF [VECTORS.f32]
//
// Prints a line for each neighbour: query, rank, key, bits of the distance, slot. VECTORS: for an
// index without any. A module that knows nigh only as a package; tests/bindings/scratch.py makes
// it, and puts the path of either package below.
package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"math"
	"os"
	"strconv"

	nigh "github.com/nigh-search/nigh/bindings/go"
)

const k = 10

// lent are the vectors of slot 0, 1, ...
type lent []float32

func (l lent) Fetch(batch nigh.Batch) error {
	for i, slot := range batch.Slots() {
		row := batch.Floats(i)
		copy(row, l[int(slot)*len(row):])
	}
	return nil
}

func floatsOf(path string) []float32 {
	data, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	values := make([]float32, len(data)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return values
}

func search[K nigh.Key](path string, options *nigh.OpenOptions, queries []float32, ef int) error {
	index, err := nigh.Open[K](path, options)
	if err != nil {
		return err
	}
	defer index.Close()
	config, err := index.Config()
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	for q := 0; q < len(queries)/config.Dim; q++ {
		query := queries[q*config.Dim : (q+1)*config.Dim]
		hits, err := index.Search(query, k, &nigh.SearchOptions{Ef: ef})
		if err != nil {
			return err
		}
		for rank, hit := range hits {
			slot, err := index.Slot(hit.Key)
			if err != nil {
				return err
			}
			bits := math.Float32bits(hit.Distance)
			fmt.Fprintf(out, "%d\t%d\t%v\t%08x\t%d\n", q, rank, hit.Key, bits, slot)
		}
	}
	return out.Flush()
}

func main() {
	if len(os.Args) != 4 && len(os.Args) != 5 {
		log.Fatal("usage: scratch INDEX QUERIES.f32 EF [VECTORS.f32]")
	}
	ef, err := strconv.Atoi(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	options, queries := &nigh.OpenOptions{}, floatsOf(os.Args[2])
	if len(os.Args) == 5 {
		options.Vectors = lent(floatsOf(os.Args[4]))
	}
	err = search[uint64](os.Args[1], options, queries, ef)
	if errors.Is(err, nigh.ErrMismatch) {
		err = search[string](os.Args[1], options, queries, ef)
	}
	if err != nil {
		log.Fatal(err)
	}
}
