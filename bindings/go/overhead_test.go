// overhead_test.go - what Go adds to a search: beside the same searches in a C loop
// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build cgo && linux

package nigh_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	nigh "github.com/nigh-search/nigh/bindings/go"
	"github.com/nigh-search/nigh/bindings/go/internal/cbench"
)

const (
	overheadCount, overheadDim, overheadQueries = 20000, 128, 1000
	overheadK, overheadEf                       = 10, 20
	overheadRounds                              = 200
)

// overhead is an index and two ways to search it: Go's, and a loop in C.
//
//	go test -run '^$' -bench Overhead -benchtime 1x -count 3 .
type overhead struct {
	index   *nigh.Index[uint64]
	c       cbench.Bench
	queries []float32
	hits    []nigh.Hit[uint64]
}

var overheadOnce = sync.OnceValue(func() *overhead {
	random := rand.New(rand.NewPCG(1, 2))
	centres := make([]float32, 100*overheadDim)
	for i := range centres {
		centres[i] = float32(random.NormFloat64())
	}
	draw := func(n int) []float32 {
		vectors := make([]float32, n*overheadDim)
		for i := range n {
			at := random.IntN(100) * overheadDim
			for j := range overheadDim {
				vectors[i*overheadDim+j] = centres[at+j] + float32(random.NormFloat64())/2
			}
		}
		return vectors
	}
	index, err := nigh.New[uint64](nigh.Options{Dim: overheadDim, Metric: nigh.L2,
		Capacity: overheadCount})
	if err != nil {
		panic(err)
	}
	keys := make([]uint64, overheadCount)
	for i := range keys {
		keys[i] = uint64(i)
	}
	if _, err := index.Build(context.Background(), keys, draw(overheadCount), nil); err != nil {
		panic(err)
	}
	c, good := cbench.Open(index.Address())
	if !good {
		panic("no session in C")
	}
	return &overhead{index, c, draw(overheadQueries), make([]nigh.Hit[uint64], overheadK)}
})

func (w *overhead) query(i int) []float32 {
	at := i % overheadQueries * overheadDim
	return w.queries[at : at+overheadDim]
}

// search is the sum of all keys found, so that both ways can be seen to find the same.
func (w *overhead) search(tb testing.TB) uint64 {
	sum := uint64(0)
	options := nigh.SearchOptions{Ef: overheadEf}
	for q := range overheadQueries {
		found, err := w.index.SearchInto(w.hits, w.query(q), &options)
		if err != nil {
			tb.Fatal(err)
		}
		for _, hit := range w.hits[:found] {
			sum += hit.Key
		}
	}
	return sum
}

func (w *overhead) batch(tb testing.TB) uint64 {
	sum := uint64(0)
	answers, err := w.index.SearchBatch(w.queries, overheadK, &nigh.SearchOptions{Ef: overheadEf})
	if err != nil {
		tb.Fatal(err)
	}
	for _, hits := range answers {
		for _, hit := range hits {
			sum += hit.Key
		}
	}
	return sum
}

func (w *overhead) searchC(tb testing.TB) uint64 {
	sum, good := w.c.Search(w.queries, overheadDim, overheadK, overheadEf)
	if !good {
		tb.Fatal("a search failed")
	}
	return sum
}

func (w *overhead) batchC(tb testing.TB) uint64 {
	sum, good := w.c.Batch(w.queries, overheadDim, overheadK, overheadEf)
	if !good {
		tb.Fatal("a batch failed")
	}
	return sum
}

func BenchmarkSearchInto(b *testing.B) {
	w := overheadOnce()
	options := nigh.SearchOptions{Ef: overheadEf}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := w.index.SearchInto(w.hits, w.query(i), &options); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSearchParallel(b *testing.B) {
	w := overheadOnce()
	b.RunParallel(func(pb *testing.PB) {
		hits := make([]nigh.Hit[uint64], overheadK)
		options := nigh.SearchOptions{Ef: overheadEf}
		for i := 0; pb.Next(); i++ {
			if _, err := w.index.SearchInto(hits, w.query(i), &options); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkOverhead answers 1,000 queries in Go and in C, in turns, and reports of Go's time by C's
// the median over rounds (median-go/c) and that of the best times (best-go/c, go-us, c-us), which
// what else the machine does makes longer, never shorter. Both are elapsed time. cpu-go/c is the
// median by processor time of the whole process: Go's monitor thread, which looks every 20 us at
// long calls of C, counts there, and is dear in a virtual machine.
func BenchmarkOverhead(b *testing.B) {
	w := overheadOnce()
	b.Run("search", func(b *testing.B) { compareWithC(b, w.search, w.searchC) })
	b.Run("batch", func(b *testing.B) { compareWithC(b, w.batch, w.batchC) })
}

func compareWithC(b *testing.B, inGo, inC func(testing.TB) uint64) {
	ways := [2]func(testing.TB) uint64{inGo, inC}
	if inGo(b) != inC(b) {
		b.Fatal("Go and C find different keys")
	}
	for b.Loop() {
		var elapsed, cpu [2][overheadRounds]float64
		for round := range overheadRounds {
			for turn := range ways {
				way := (round + turn) % 2
				start, startCPU := time.Now(), cbench.CPU()
				ways[way](b)
				cpu[way][round] = (cbench.CPU() - startCPU).Seconds()
				elapsed[way][round] = time.Since(start).Seconds()
			}
		}
		best := [2]float64{slices.Min(elapsed[0][:]), slices.Min(elapsed[1][:])}
		b.ReportMetric(medianRatio(elapsed), "median-go/c")
		b.ReportMetric(medianRatio(cpu), "cpu-go/c")
		b.ReportMetric(best[0]/best[1], "best-go/c")
		b.ReportMetric(1e6*best[0]/overheadQueries, "go-us")
		b.ReportMetric(1e6*best[1]/overheadQueries, "c-us")
		b.ReportMetric(0, "ns/op")
	}
}

func medianRatio(times [2][overheadRounds]float64) float64 {
	var ratios [overheadRounds]float64
	for round := range ratios {
		ratios[round] = times[0][round] / times[1][round]
	}
	slices.Sort(ratios[:])
	return ratios[overheadRounds/2]
}
