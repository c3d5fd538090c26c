// overhead_test.go - what Go adds to a search: beside the same searches in a C loop
// SPDX-License-Identifier: MIT OR Apache-2.0

//go:build cgo

// Package overhead measures what the binding costs. In a package of its own, so that the library is
// compiled a second time only for who runs it:
//
//	go test -run Same -bench . ./internal/overhead
package overhead

import (
	"bytes"
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
	count, dim, queryCount = 20000, 128, 1000
	k, ef                  = 10, 20
	rounds                 = 30 // of Overhead; the median counts
)

// world is the same index twice, in Go and in C, made once.
type world struct {
	index   *nigh.Index[uint64]
	c       cbench.Bench
	queries []float32
}

var once = sync.OnceValue(func() world {
	random := rand.New(rand.NewPCG(1, 2))
	centres := make([]float32, 100*dim)
	for i := range centres {
		centres[i] = float32(random.NormFloat64())
	}
	draw := func(n int) []float32 {
		vectors := make([]float32, n*dim)
		for i := range n {
			at := random.IntN(100) * dim
			for j := range dim {
				vectors[i*dim+j] = centres[at+j] + float32(random.NormFloat64())/2
			}
		}
		return vectors
	}
	built, err := nigh.New[uint64](nigh.Options{Dim: dim, Metric: nigh.L2, Capacity: count,
		EfBuild: 100})
	if err != nil {
		panic(err)
	}
	defer built.Close()
	keys := make([]uint64, count)
	for i := range keys {
		keys[i] = uint64(i)
	}
	if _, err := built.Build(context.Background(), keys, draw(count), nil); err != nil {
		panic(err)
	}
	var image bytes.Buffer
	if err := built.Save(&image); err != nil {
		panic(err)
	}
	c, good := cbench.Open(image.Bytes())
	index, err := nigh.Load[uint64](&image, nil)
	if err != nil || !good {
		panic("the image does not open")
	}
	return world{index, c, draw(queryCount)}
})

func (w world) goSearch(tb testing.TB, hits []nigh.Hit[uint64]) uint64 {
	sum := uint64(0)
	options := nigh.SearchOptions{Ef: ef}
	for q := range queryCount {
		found, err := w.index.SearchInto(hits, w.queries[q*dim:(q+1)*dim], &options)
		if err != nil {
			tb.Fatal(err)
		}
		for _, hit := range hits[:found] {
			sum += hit.Key
		}
	}
	return sum
}

func (w world) goBatch(tb testing.TB) uint64 {
	sum := uint64(0)
	answers, err := w.index.SearchBatch(w.queries, k, &nigh.SearchOptions{Ef: ef})
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

// All four ways find the same.
func TestSameAnswers(t *testing.T) {
	w := once()
	single, good := w.c.Search(w.queries, dim, k, ef)
	batch, good2 := w.c.Batch(w.queries, dim, k, ef)
	hits := make([]nigh.Hit[uint64], k)
	if a, b := w.goSearch(t, hits), w.goBatch(t); !good || !good2 || a != single || b != single ||
		batch != single {
		t.Fatal(single, batch, a, b)
	}
}

func BenchmarkSearchInto(b *testing.B) {
	w := once()
	hits := make([]nigh.Hit[uint64], k)
	options := nigh.SearchOptions{Ef: ef}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		q := i % queryCount
		if _, err := w.index.SearchInto(hits, w.queries[q*dim:(q+1)*dim], &options); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSearchParallel(b *testing.B) {
	w := once()
	b.RunParallel(func(pb *testing.PB) {
		hits := make([]nigh.Hit[uint64], k)
		options := nigh.SearchOptions{Ef: ef}
		for i := 0; pb.Next(); i++ {
			q := i % queryCount
			if _, err := w.index.SearchInto(hits, w.queries[q*dim:(q+1)*dim], &options); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkOverhead runs 1,000 queries in Go and in C in turns, and reports medians: microseconds a
// search, and the median over rounds of Go's time by C's.
func BenchmarkOverhead(b *testing.B) {
	w := once()
	hits := make([]nigh.Hit[uint64], k)
	ways := []struct {
		name  string
		go_   func()
		plain func()
	}{
		{"search", func() { w.goSearch(b, hits) }, func() { w.c.Search(w.queries, dim, k, ef) }},
		{"batch", func() { w.goBatch(b) }, func() { w.c.Batch(w.queries, dim, k, ef) }},
	}
	for _, way := range ways {
		b.Run(way.name, func(b *testing.B) {
			var ratios, goTimes, cTimes []float64
			for range b.N {
				for range rounds {
					inGo, inC := timed(way.go_), timed(way.plain)
					ratios = append(ratios, inGo/inC)
					goTimes, cTimes = append(goTimes, inGo), append(cTimes, inC)
				}
			}
			b.ReportMetric(median(ratios), "go/c")
			b.ReportMetric(1e6*median(goTimes)/queryCount, "go-us")
			b.ReportMetric(1e6*median(cTimes)/queryCount, "c-us")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func timed(run func()) float64 {
	start := time.Now()
	run()
	return time.Since(start).Seconds()
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
