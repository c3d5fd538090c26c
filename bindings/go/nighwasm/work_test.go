// work_test.go - jobs: the same bytes with any number of goroutines, ended in time, nothing lost
// SPDX-License-Identifier: MIT OR Apache-2.0
// Generated from bindings/go/work_test.go by bindings/go/nighwasm/share.py. Do not edit.

package nighwasm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	nigh "github.com/nigh-search/nigh/bindings/go/nighwasm"
)

func threads(n int) *nigh.JobOptions { return &nigh.JobOptions{Threads: n} }

func TestBuildIsDeterministic(t *testing.T) {
	const count, dim = 3000, 16
	vectors := vectorsOf(count, dim, 50)
	for _, dtype := range []nigh.DType{nigh.F32, nigh.F16} {
		var first []byte
		for _, n := range []int{1, 2, 4, 0} {
			index := newIndex[string](t, nigh.Options{Dim: dim, Metric: nigh.L2, DType: dtype, Seed: 3})
			calls, last := 0, uint64(0)
			done, err := index.Build(context.Background(), names(0, count), vectors,
				&nigh.JobOptions{Threads: n, Progress: func(done, total uint64) {
					if done < last || total != count {
						t.Errorf("%d of %d after %d", done, total, last)
					}
					calls, last = calls+1, done
				}})
			must(t, err)
			if done != count || index.Len() != count || calls == 0 || last != count {
				t.Fatal(done, index.Len(), calls, last)
			}
			image := imageOf(t, index)
			if first == nil {
				first = image
				sound(t, index)
			} else if !bytes.Equal(image, first) {
				t.Fatalf("%d threads made another index", n)
			}
		}
		raw := newIndex[string](t, nigh.Options{Dim: dim, Metric: nigh.L2, DType: dtype, Seed: 3})
		rows, err := nigh.EncodeRows(dim, dtype, vectors)
		must(t, err)
		_, err = raw.Raw().Build(context.Background(), names(0, count), rows, nil)
		must(t, err)
		if !bytes.Equal(imageOf(t, raw), first) {
			t.Fatal("rows made another index than floats")
		}
	}
}

func TestBuildStopsAtWhatAddWouldRefuse(t *testing.T) {
	const count, dim = 2000, 8
	vectors := vectorsOf(count, dim, 51)
	index := newIndex[uint64](t, nigh.Options{Dim: dim, Metric: nigh.L2})
	vectors[1500*dim+3] = float32(math.NaN())
	done, err := index.Build(context.Background(), numbers(0, count), vectors, nil)
	wants(t, err, nigh.ErrVector)
	var e *nigh.Error
	if done != 1500 || index.Len() != 1500 || !errors.As(err, &e) || e.Detail != "key 1500" {
		t.Fatal(done, index.Len(), err)
	}
	sound(t, index)
	done, err = index.Build(context.Background(), []uint64{5000, 7}, vectors[:2*dim], nil)
	wants(t, err, nigh.ErrExists)
	if done != 1 {
		t.Fatal(done)
	}
	_, err = index.Build(context.Background(), []uint64{6000}, nil, nil)
	wants(t, err, nigh.ErrInvalid)
	_, err = index.Build(context.Background(), []uint64{6000}, vectors[:3], nil)
	wants(t, err, nigh.ErrMismatch)
	done, err = index.Build(context.Background(), nil, nil, nil)
	if done != 0 || err != nil {
		t.Fatal(done, err)
	}
	_, err = index.Build(context.Background(), []uint64{6000}, vectors[:dim], threads(-1))
	wants(t, err, nigh.ErrInvalid)
}

func TestBuildBeyondTheFirstTable(t *testing.T) {
	const count, dim = 70000, 2
	vectors := vectorsOf(count, dim, 52)
	options := nigh.Options{Dim: dim, Metric: nigh.L2, M: 4, EfBuild: 8}
	index := newIndex[uint64](t, options)
	must(t, index.Add(1<<40, []float32{9, 9}))
	done, err := index.Build(context.Background(), numbers(0, count), vectors, nil)
	must(t, err)
	if done != count || index.Len() != count+1 {
		t.Fatal(done)
	}
	sound(t, index)
}

// cancelled builds for a while and tells how late after the end of ctx it returned.
func cancelled(t *testing.T, index *nigh.Index[uint64], keys []uint64,
	vectors []float32) time.Duration {
	before := index.Len()
	ctx, cancel := context.WithCancel(context.Background())
	var at time.Time
	go func() {
		time.Sleep(200 * time.Millisecond)
		at = time.Now()
		cancel()
	}()
	done, err := index.Build(ctx, keys, vectors, nil)
	late := time.Since(at)
	wants(t, err, context.Canceled)
	if done >= len(keys) || index.Len() != before+done {
		t.Fatalf("%d done, %d in after %d", done, index.Len(), before)
	}
	return late
}

// Ended from outside within 50 ms: what is in stays in, the index is whole, and it can go on. The
// best of three counts, as other programs may keep this one waiting.
func TestCancelledBuild(t *testing.T) {
	const count, dim = 20000, 64
	vectors := vectorsOf(count, dim, 53)
	index := newIndex[uint64](t, nigh.Options{Dim: dim, Metric: nigh.L2, EfBuild: 400,
		ExactBuild: true})
	late := time.Hour
	const most = 500 * time.Millisecond // a task takes less than a tenth; other work may be beside it
	for try := 0; try < 3 && late > most*slow; try++ {
		late = min(late, cancelled(t, index, numbers(try*count, count), vectors))
	}
	t.Logf("ended %v after cancel", late)
	if late > most*slow {
		t.Fatalf("ended only %v after cancel", late)
	}
	sound(t, index)
	must(t, index.Add(1<<40, vectors[:dim]))
	deadline, free := context.WithTimeout(context.Background(), time.Microsecond)
	defer free()
	<-deadline.Done()
	_, err := index.Build(deadline, numbers(0, 5), vectors[:5*dim], nil)
	wants(t, err, context.DeadlineExceeded)
	why := errors.New("no longer wanted")
	caused, stop := context.WithCancelCause(context.Background())
	stop(why)
	wants(t, index.Refine(caused, nil), why)
}

func TestBesideAJob(t *testing.T) {
	const count, dim = 8000, 32
	vectors := vectorsOf(count, dim, 54)
	index := newIndex[uint64](t, nigh.Options{Dim: dim, Metric: nigh.L2})
	_, err := index.AddMany(numbers(0, 500), vectors[:500*dim])
	must(t, err)
	started, asked := make(chan bool), make(chan bool)
	go func() {
		defer close(asked)
		<-started
		wants2 := func(err error) {
			if !errors.Is(err, nigh.ErrBusy) {
				t.Errorf("%v, expected ErrBusy", err)
			}
		}
		wants2(index.Add(1<<40, vectors[:dim]))
		wants2(index.Remove(1))
		wants2(index.Save(&bytes.Buffer{}))
		wants2(index.Vacuum(context.Background(), nil))
		wants2(index.Reserve(1<<20, 0))
		hits, err := index.Search(vectors[:dim], 1, nil)
		if err != nil || hits[0].Key != 0 {
			t.Error(hits, err)
		}
	}()
	first := true
	done, err := index.Build(context.Background(), numbers(500, count-500), vectors[500*dim:],
		&nigh.JobOptions{Threads: 2, Progress: func(uint64, uint64) {
			if first { // the job waits here until all have been refused
				first = false
				close(started)
				<-asked
			}
		}})
	must(t, err)
	if done != count-500 {
		t.Fatal(done)
	}
	sound(t, index)
}

func TestCloseEndsAJob(t *testing.T) {
	const count, dim = 30000, 64
	index, err := nigh.New[uint64](nigh.Options{Dim: dim, Metric: nigh.L2, EfBuild: 400,
		ExactBuild: true})
	must(t, err)
	go func() {
		time.Sleep(100 * time.Millisecond)
		index.Close()
	}()
	_, err = index.Build(context.Background(), numbers(0, count), vectorsOf(count, dim, 55), nil)
	wants(t, err, nigh.ErrClosed)
}

// Progress may close the index: the job ends.
func TestCloseInProgress(t *testing.T) {
	index, err := nigh.New[uint64](nigh.Options{Dim: 4, Metric: nigh.L2})
	must(t, err)
	_, err = index.Build(context.Background(), numbers(0, 5000), vectorsOf(5000, 4, 56),
		&nigh.JobOptions{Progress: func(uint64, uint64) { index.Close() }})
	wants(t, err, nigh.ErrClosed)
}

func TestPanicInProgress(t *testing.T) {
	index := newIndex[uint64](t, nigh.Options{Dim: 4, Metric: nigh.L2})
	func() {
		defer func() {
			if recover() != "enough" {
				t.Error("another panic, or none")
			}
		}()
		index.Build(context.Background(), numbers(0, 1000), vectorsOf(1000, 4, 56),
			&nigh.JobOptions{Progress: func(uint64, uint64) { panic("enough") }})
	}()
	must(t, index.Add(1<<40, []float32{1, 2, 3, 4})) // the job is over
	sound(t, index)
}

func TestRefine(t *testing.T) {
	const count, dim = 3000, 12
	vectors := vectorsOf(count, dim, 57)
	build := func() *nigh.Index[uint64] {
		index := newIndex[uint64](t, nigh.Options{Dim: dim, Metric: nigh.L2, EfBuild: 30})
		_, err := index.Build(context.Background(), numbers(0, count), vectors, nil)
		must(t, err)
		return index
	}
	var images [][]byte
	for _, n := range []int{1, 3} {
		index := build()
		before := imageOf(t, index)
		must(t, index.Refine(context.Background(), &nigh.RefineOptions{JobOptions: *threads(n),
			Ef: 64, Alpha: 1.1}))
		images = append(images, imageOf(t, index))
		if bytes.Equal(before, images[0]) {
			t.Fatal("nothing was refined")
		}
		sound(t, index)
	}
	if !bytes.Equal(images[0], images[1]) {
		t.Fatal("another number of threads made another index")
	}
	wants(t, build().Refine(context.Background(), &nigh.RefineOptions{Alpha: 7}), nigh.ErrInvalid)
	wants(t, build().Refine(context.Background(), &nigh.RefineOptions{Ef: -1}), nigh.ErrInvalid)
}

func TestVacuum(t *testing.T) {
	const count, dim = 1000, 8
	vectors := vectorsOf(count, dim, 58)
	index := newIndex[uint64](t, nigh.Options{Dim: dim, Metric: nigh.L2})
	_, err := index.AddMany(numbers(0, count), vectors)
	must(t, err)
	must(t, index.Remove(numbers(0, 400)...))
	must(t, index.Vacuum(context.Background(), threads(2)))
	stats, err := index.Stats()
	must(t, err)
	if stats.Free != 400 || stats.Removed != 0 || stats.Live != 600 {
		t.Fatalf("%+v", stats)
	}
	wants(t, index.Unremove(3), nigh.ErrNotFound)
	before := stats.SlotCapacity
	done, err := index.AddMany(numbers(0, 400), vectors[:400*dim])
	must(t, err)
	stats, err = index.Stats()
	must(t, err)
	if done != 400 || stats.Free != 0 || stats.Slots != count || stats.SlotCapacity != before {
		t.Fatalf("%d, %+v", done, stats)
	}
	sound(t, index)
}

func TestCodes(t *testing.T) {
	const count, dim = 2000, 32
	vectors := vectorsOf(count, dim, 59)
	index := newIndex[uint64](t, nigh.Options{Dim: dim, Metric: nigh.Cosine})
	_, err := index.Build(context.Background(), numbers(0, count), vectors, nil)
	must(t, err)
	query := vectorsOf(1, dim, 60)
	random := vectorsOf(200, dim, 62)
	for round, kind := range []nigh.Codes{nigh.U7Codes, nigh.B1Codes} {
		must(t, index.AddCodes(context.Background(), nigh.CodesOptions{Codes: kind,
			JobOptions: *threads(2)}))
		stats, err := index.Stats()
		must(t, err)
		if stats.Codes != kind {
			t.Fatalf("%+v", stats)
		}
		var cost nigh.SearchStats
		coded, err := index.Search(query, 10, &nigh.SearchOptions{Ef: 200, Rerank: 100, Stats: &cost})
		must(t, err)
		best, err := index.Search(query, 1, &nigh.SearchOptions{Exact: true})
		must(t, err)
		if cost.Reranked == 0 || (kind == nigh.U7Codes && coded[0] != best[0]) {
			t.Fatalf("%+v, %v, without codes %v", cost, coded, best)
		}
		_, err = index.Search(query, 10, &nigh.SearchOptions{NoCodes: true, Stats: &cost})
		must(t, err)
		if cost.Reranked != 0 {
			t.Fatalf("%+v", cost)
		}
		for i := range 100 { // room for codes grows too
			must(t, index.Add(uint64(10000*(round+1)+i), random[(100*round+i)*dim:][:dim]))
		}
		loaded, err := nigh.Load[uint64](bytes.NewReader(imageOf(t, index)), nil)
		must(t, err)
		config, err := loaded.Config()
		must(t, err)
		if config.Codes != kind {
			t.Fatalf("%+v", config)
		}
		must(t, loaded.Close())
		sound(t, index)
		must(t, index.DropCodes(context.Background()))
		_, err = index.Search(query, 10, &nigh.SearchOptions{Stats: &cost})
		must(t, err)
		if cost.Reranked != 0 {
			t.Fatalf("%+v", cost)
		}
	}
	wants(t, index.AddCodes(context.Background(), nigh.CodesOptions{}), nigh.ErrInvalid)
	from := newIndex[uint64](t, nigh.Options{Dim: dim, Metric: nigh.L2, Codes: nigh.U7Codes,
		CodeMin: -4, CodeMax: 4})
	_, err = from.AddMany(numbers(0, 3000), vectorsOf(3000, dim, 61))
	must(t, err)
	stats, err := from.Stats()
	must(t, err)
	if stats.Codes != nigh.U7Codes {
		t.Fatalf("%+v", stats)
	}
	sound(t, from)
}

func ExampleIndex_Build() {
	index, _ := nigh.New[string](nigh.Options{Dim: 2, Metric: nigh.L2})
	defer index.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	done, err := index.Build(ctx, []string{"north", "east", "far"}, []float32{0, 1, 1, 0, 9, 9}, nil)
	fmt.Println(done, err)
	// Output: 3 <nil>
}

// A cursor goes on reading the codes that it began with; nothing may take their place meanwhile.
func TestCodesBesideACursor(t *testing.T) {
	const count, dim = 2000, 32
	vectors := vectorsOf(count, dim, 77)
	index := newIndex[uint64](t, nigh.Options{Dim: dim, Metric: nigh.L2})
	_, err := index.AddMany(numbers(0, count), vectors)
	must(t, err)
	codes := nigh.CodesOptions{Codes: nigh.U7Codes}
	must(t, index.AddCodes(context.Background(), codes))
	seen := 0
	for range index.Nearest(vectors[:dim], nil) {
		if seen++; seen == 10 {
			must(t, index.DropCodes(context.Background()))
			wants(t, index.AddCodes(context.Background(), codes), nigh.ErrBusy)
		}
		if seen == 100 {
			break
		}
	}
	must(t, index.AddCodes(context.Background(), codes))
	sound(t, index)
}

// doneOnce is a context that does something when it is first asked whether it is done.
type doneOnce struct {
	context.Context
	work func()
}

func (c *doneOnce) Err() error {
	work := c.work
	c.work = nil
	if work != nil {
		work()
	}
	return c.Context.Err()
}

// Codes that somebody drops while AddCodes begins are still being read by a cursor.
func TestCodesDroppedMeanwhile(t *testing.T) {
	const count, dim = 500, 8
	vectors := vectorsOf(count, dim, 78)
	index := newIndex[uint64](t, nigh.Options{Dim: dim, Metric: nigh.L2})
	_, err := index.AddMany(numbers(0, count), vectors)
	must(t, err)
	codes := nigh.CodesOptions{Codes: nigh.U7Codes}
	must(t, index.AddCodes(context.Background(), codes))
	cursor, err := index.Cursor(vectors[:dim], nil)
	must(t, err)
	drops := &doneOnce{context.Background(), func() {
		must(t, index.DropCodes(context.Background()))
	}}
	wants(t, index.AddCodes(drops, codes), nigh.ErrBusy)
	must(t, cursor.Close())
	must(t, index.AddCodes(context.Background(), codes))
	sound(t, index)
}
