// nigh_test.go - the index as its users see it: every method, every kind of key and element
// SPDX-License-Identifier: MIT OR Apache-2.0
// Generated from bindings/go/nigh_test.go by bindings/go/nighwasm/share.py. Do not edit.

package nighwasm_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	nigh "github.com/nigh-search/nigh/bindings/go/nighwasm"
)

// vectorsOf draws `count` vectors, the same for the same seed.
func vectorsOf(count, dim int, seed uint64) []float32 {
	random := rand.New(rand.NewPCG(seed, 1))
	vectors := make([]float32, count*dim)
	for i := range vectors {
		vectors[i] = float32(random.NormFloat64())
	}
	return vectors
}

func numbers(from, count int) []uint64 {
	keys := make([]uint64, count)
	for i := range keys {
		keys[i] = uint64(from + i)
	}
	return keys
}

func names(from, count int) []string {
	keys := make([]string, count)
	for i := range keys {
		keys[i] = fmt.Sprintf("key-%d", from+i)
	}
	return keys
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wants(t testing.TB, err, wanted error) {
	t.Helper()
	if !errors.Is(err, wanted) {
		t.Fatalf("got %v, expected %v", err, wanted)
	}
}

func newIndex[K nigh.Key](t testing.TB, options nigh.Options) *nigh.Index[K] {
	t.Helper()
	index, err := nigh.New[K](options)
	must(t, err)
	t.Cleanup(func() { index.Close() })
	return index
}

// l2 is the distance as plain Go says it, to compare with loosely.
func l2(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum += d * d
	}
	return sum
}

// nearestPlain is the exact answer: numbers of the k nearest.
func nearestPlain(vectors, query []float32, k int) []int {
	dim := len(query)
	order := make([]int, len(vectors)/dim)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := l2(vectors[a*dim:(a+1)*dim], query), l2(vectors[b*dim:(b+1)*dim], query)
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	return order[:k]
}

// sound fails the test if the index is not.
func sound[K nigh.Key](t testing.TB, index *nigh.Index[K]) {
	t.Helper()
	report, err := index.Check()
	must(t, err)
	must(t, report.Err)
}

func imageOf[K nigh.Key](t testing.TB, index *nigh.Index[K]) []byte {
	t.Helper()
	var buffer bytes.Buffer
	must(t, index.Save(&buffer))
	return buffer.Bytes()
}

func TestVersion(t *testing.T) {
	if nigh.Version() != "0.1.0" || nigh.Features()&nigh.Scalar == 0 {
		t.Fatalf("version %s, features %x", nigh.Version(), nigh.Features())
	}
}

func TestAddSearchFindsExactly(t *testing.T) {
	const count, dim, k = 2000, 16, 10
	vectors := vectorsOf(count, dim, 1)
	index := newIndex[uint64](t, nigh.Options{Dim: dim, Metric: nigh.L2})
	for i := range count {
		must(t, index.Add(uint64(1000+i), vectors[i*dim:(i+1)*dim]))
	}
	if index.Len() != count {
		t.Fatalf("Len %d", index.Len())
	}
	same := 0
	for q := range 50 {
		query := vectorsOf(1, dim, uint64(100+q))
		exact := nearestPlain(vectors, query, k)
		for _, o := range []*nigh.SearchOptions{{Exact: true}, {Ef: 100}, nil} {
			hits, err := index.Search(query, k, o)
			must(t, err)
			if len(hits) != k {
				t.Fatalf("%d hits", len(hits))
			}
			for i, hit := range hits {
				right := hit.Key == uint64(1000+exact[i])
				if o != nil && o.Exact && !right {
					t.Fatalf("query %d hit %d is %d, exactly it is %d", q, i, hit.Key, 1000+exact[i])
				}
				if o != nil && o.Ef == 100 && right {
					same++
				}
				at := int(hit.Key) - 1000
				want := l2(vectors[at*dim:(at+1)*dim], query)
				if math.Abs(want-float64(hit.Distance)) > 1e-4*want {
					t.Fatalf("distance %g, in float64 %g", hit.Distance, want)
				}
			}
		}
	}
	if same < 50*k*95/100 {
		t.Fatalf("only %d of %d hits are the exact ones", same, 50*k)
	}
	sound(t, index)
}

func TestStringKeysComeBackWhole(t *testing.T) {
	const dim = 8
	index := newIndex[string](t, nigh.Options{Dim: dim, Metric: nigh.Cosine})
	keys := []string{"a", "zwölf", string(bytes.Repeat([]byte{'x'}, 511)), "nul\x00inside"}
	vectors := vectorsOf(len(keys), dim, 2)
	done, err := index.AddMany(keys, vectors)
	must(t, err)
	if done != len(keys) {
		t.Fatal(done)
	}
	for i, key := range keys {
		hits, err := index.Search(vectors[i*dim:(i+1)*dim], 4, nil)
		must(t, err)
		if len(hits) != 4 || hits[0].Key != key {
			t.Fatalf("found %q, expected %q", hits[0].Key, key)
		}
		if !index.Has(key) {
			t.Fatalf("%q is not there", key)
		}
	}
	wants(t, index.Add("", vectors[:dim]), nigh.ErrKey)
	wants(t, index.Add(string(make([]byte, 512)), vectors[:dim]), nigh.ErrKey)
	if got := slices.Collect(index.Keys()); !slices.Equal(got, keys) {
		t.Fatalf("keys %q", got)
	}
}

func TestManyStringKeys(t *testing.T) {
	const count, dim = 3000, 4
	index := newIndex[string](t, nigh.Options{Dim: dim, Metric: nigh.L2, EfBuild: 20})
	keys := make([]string, count)
	for i := range keys { // lengths that grow: key bytes run out before slots do
		keys[i] = fmt.Sprintf("%0*d", 10+i%400, i)
	}
	_, err := index.AddMany(keys, vectorsOf(count, dim, 3))
	must(t, err)
	if got := slices.Collect(index.Keys()); !slices.Equal(got, keys) {
		t.Fatal("keys differ")
	}
	sound(t, index)
}

type userID uint64
type word string

func TestNamedKeyTypes(t *testing.T) {
	ids := newIndex[userID](t, nigh.Options{Dim: 2, Metric: nigh.L2})
	must(t, ids.Add(userID(7), []float32{1, 2}))
	words := newIndex[word](t, nigh.Options{Dim: 2, Metric: nigh.L2})
	must(t, words.Add(word("seven"), []float32{1, 2}))
	a, err := ids.Search([]float32{1, 2}, 1, nil)
	must(t, err)
	b, err := words.Search([]float32{1, 2}, 1, nil)
	must(t, err)
	if a[0].Key != 7 || b[0].Key != "seven" {
		t.Fatal(a, b)
	}
}

func TestChanges(t *testing.T) {
	const dim = 4
	v := vectorsOf(10, dim, 4)
	at := func(i int) []float32 { return v[i*dim : (i+1)*dim] }
	index := newIndex[uint64](t, nigh.Options{Dim: dim, Metric: nigh.L2})
	must(t, index.Add(1, at(1)))
	wants(t, index.Add(1, at(2)), nigh.ErrExists)
	must(t, index.Set(1, at(2)))
	got, err := index.Get(1)
	must(t, err)
	if !slices.Equal(got, at(2)) {
		t.Fatal(got)
	}
	must(t, index.Set(2, at(3)))
	must(t, index.Remove(1))
	wants(t, index.Remove(1), nigh.ErrDeleted)
	wants(t, index.Remove(99), nigh.ErrNotFound)
	wants(t, index.Add(1, at(1)), nigh.ErrDeleted)
	_, err = index.Get(1)
	wants(t, err, nigh.ErrDeleted)
	if index.Has(1) || !index.Has(2) || index.Len() != 1 {
		t.Fatal("1 is there, or 2 is not")
	}
	must(t, index.Unremove(1))
	wants(t, index.Unremove(1), nigh.ErrExists)
	must(t, index.Remove(1, 2))
	must(t, index.AddReplacing(3, at(5)))
	wants(t, index.Unremove(1), nigh.ErrNotFound)
	slot, err := index.Slot(3)
	must(t, err)
	if slot != 0 {
		t.Fatalf("key 3 has slot %d", slot)
	}
	done, err := index.SetMany([]uint64{4, 5, 6}, v[:3*dim])
	must(t, err)
	if done != 3 || index.Len() != 4 {
		t.Fatal(done, index.Len())
	}
	done, err = index.AddMany([]uint64{7, 4, 8}, v[:3*dim])
	wants(t, err, nigh.ErrExists)
	var e *nigh.Error
	if done != 1 || !errors.As(err, &e) || e.Detail != "key 4" || e.Op != "add" {
		t.Fatalf("%d done, %v", done, err)
	}
	sound(t, index)
}

func TestWrongInputIsRefused(t *testing.T) {
	index := newIndex[uint64](t, nigh.Options{Dim: 3, Metric: nigh.Cosine})
	nan := float32(math.NaN())
	must(t, index.Add(1, []float32{1, 2, 3}))
	wants(t, index.Add(2, []float32{1, 2}), nigh.ErrMismatch)
	wants(t, index.Add(2, nil), nigh.ErrInvalid)
	wants(t, index.Add(2, []float32{nan, 0, 0}), nigh.ErrVector)
	wants(t, index.Add(2, []float32{0, 0, 0}), nigh.ErrVector)
	_, err := index.Search([]float32{1, 2}, 1, nil)
	wants(t, err, nigh.ErrMismatch)
	_, err = index.Search([]float32{1, nan, 2}, 1, nil)
	wants(t, err, nigh.ErrVector)
	_, err = index.Search([]float32{1, 1, 2}, -1, nil)
	wants(t, err, nigh.ErrInvalid)
	_, err = index.Search([]float32{1, 1, 2}, 1, &nigh.SearchOptions{Ef: -5})
	wants(t, err, nigh.ErrInvalid)
	_, err = index.Search([]float32{1, 1, 2}, 1, &nigh.SearchOptions{Expansions: 99})
	wants(t, err, nigh.ErrInvalid)
	for _, o := range []nigh.Options{{}, {Dim: 3}, {Dim: -3, Metric: nigh.L2},
		{Dim: 3, Metric: nigh.L2, M: 1}, {Dim: 3, Metric: nigh.Hamming},
		{Dim: 3, Metric: nigh.Custom}, {Dim: 70000, Metric: nigh.L2},
		{Dim: 3, Metric: nigh.L2, BlockBytes: 3000}, {Dim: 3, Metric: nigh.L2, Capacity: -1}} {
		_, err := nigh.New[uint64](o)
		wants(t, err, nigh.ErrInvalid)
	}
	_, err = nigh.New[string](nigh.Options{Dim: 3, Metric: nigh.L2, SlotKeys: true})
	wants(t, err, nigh.ErrInvalid)
	if index.Len() != 1 {
		t.Fatal("something got in")
	}
}

func TestFewerThanK(t *testing.T) {
	index := newIndex[uint64](t, nigh.Options{Dim: 2, Metric: nigh.L2})
	hits, err := index.Search([]float32{0, 0}, 5, nil)
	must(t, err)
	if len(hits) != 0 {
		t.Fatal(hits)
	}
	must(t, index.Add(1, []float32{1, 0}))
	must(t, index.Add(2, []float32{2, 0}))
	for _, k := range []int{0, 1, 2, 3, 5000, 1 << 30} {
		hits, err := index.Search([]float32{0, 0}, k, nil)
		must(t, err)
		if len(hits) != min(k, 2) {
			t.Fatalf("k %d: %v", k, hits)
		}
	}
}

func TestSearchKinds(t *testing.T) {
	const count, dim = 1500, 12
	vectors := vectorsOf(count, dim, 5)
	index := newIndex[uint64](t, nigh.Options{Dim: dim, Metric: nigh.L2, Capacity: count})
	_, err := index.AddMany(numbers(0, count), vectors)
	must(t, err)
	query := vectorsOf(1, dim, 6)
	exact := nearestPlain(vectors, query, 20)
	var stats nigh.SearchStats
	hits, err := index.Search(query, 20, &nigh.SearchOptions{Exact: true, Stats: &stats})
	must(t, err)
	if stats.Distances < count {
		t.Fatalf("an exact search scored %d", stats.Distances)
	}
	radius := hits[7].Distance
	near, err := index.Search(query, 20, &nigh.SearchOptions{Radius: radius, HasRadius: true,
		Exact: true})
	must(t, err)
	if len(near) != 8 {
		t.Fatalf("%d within the eighth's distance", len(near))
	}
	all, err := index.Search(query, 5, &nigh.SearchOptions{Ef: 400, Stats: &stats})
	must(t, err)
	wide := stats.Distances
	few, err := index.Search(query, 5, &nigh.SearchOptions{Ef: 400, Gamma: 0.05, Stats: &stats})
	must(t, err)
	if len(all) != 5 || len(few) != 5 || stats.Distances >= wide || stats.Expansions == 0 {
		t.Fatalf("gamma: %d distances, without %d", stats.Distances, wide)
	}
	_, err = index.Search(query, 5, &nigh.SearchOptions{ExpansionsMax: 3, Expansions: 1,
		Stats: &stats})
	must(t, err)
	if stats.Expansions > 3 {
		t.Fatalf("%d expansions", stats.Expansions)
	}
	deep, err := index.Search(query, 700, &nigh.SearchOptions{Ef: 900})
	must(t, err)
	if len(deep) != 700 || deep[0].Key != uint64(exact[0]) {
		t.Fatalf("%d hits", len(deep))
	}
}

func TestBatchIsSingleSearches(t *testing.T) {
	const count, dim, k = 1200, 8, 7
	numbersIndex := newIndex[uint64](t, nigh.Options{Dim: dim, Metric: nigh.L2, Lanes: 4})
	namesIndex := newIndex[string](t, nigh.Options{Dim: dim, Metric: nigh.L2})
	vectors := vectorsOf(count, dim, 7)
	_, err := numbersIndex.AddMany(numbers(0, count), vectors)
	must(t, err)
	_, err = namesIndex.AddMany(names(0, count), vectors)
	must(t, err)
	must(t, numbersIndex.Tune())
	queries := vectorsOf(600, dim, 8) // more than one chunk
	var stats nigh.SearchStats
	a, err := numbersIndex.SearchBatch(queries, k, &nigh.SearchOptions{Ef: 30, Stats: &stats})
	must(t, err)
	b, err := namesIndex.SearchBatch(queries, k, &nigh.SearchOptions{Ef: 30})
	must(t, err)
	if len(a) != 600 || len(b) != 600 || stats.Distances < 600 {
		t.Fatal(len(a), len(b), stats)
	}
	for q := range 600 {
		one, err := numbersIndex.Search(queries[q*dim:(q+1)*dim], k, &nigh.SearchOptions{Ef: 30})
		must(t, err)
		if !slices.Equal(one, a[q]) {
			t.Fatalf("query %d: %v, alone %v", q, a[q], one)
		}
		for i := range one {
			name := nigh.Hit[string]{Key: fmt.Sprintf("key-%d", one[i].Key), Distance: one[i].Distance}
			if b[q][i] != name {
				t.Fatalf("query %d: %v, expected %v", q, b[q][i], name)
			}
		}
	}
	queries[300*dim] = float32(math.Inf(1))
	_, err = numbersIndex.SearchBatch(queries, k, nil)
	wants(t, err, nigh.ErrVector)
	var e *nigh.Error
	if !errors.As(err, &e) || e.Detail != "query 300" {
		t.Fatal(err)
	}
	_, err = numbersIndex.SearchBatch(queries[:dim+1], k, nil)
	wants(t, err, nigh.ErrMismatch)
}

func TestNearestHandsOutAll(t *testing.T) {
	const count, dim = 500, 6
	vectors := vectorsOf(count, dim, 9)
	index := newIndex[string](t, nigh.Options{Dim: dim, Metric: nigh.L2})
	_, err := index.AddMany(names(0, count), vectors)
	must(t, err)
	query := vectorsOf(1, dim, 10)
	exact := nearestPlain(vectors, query, 3)
	seen := map[string]bool{}
	for key := range index.Nearest(query, &nigh.SearchOptions{Ef: 64}) {
		if len(seen) < 3 && key != fmt.Sprintf("key-%d", exact[len(seen)]) {
			t.Fatalf("place %d is %s", len(seen), key)
		}
		seen[key] = true
	}
	if len(seen) != count {
		t.Fatalf("%d of %d", len(seen), count)
	}
	for range index.Nearest(query, nil) {
		break // gives its session back
	}
	// Changes within the loop, also such that move the index to a larger table.
	added := 0
	for range index.Nearest(query, nil) {
		if added < 100 {
			must(t, index.Add(fmt.Sprintf("new-%d", added), vectorsOf(1, dim, uint64(added))))
			added++
		}
	}
	func() {
		defer func() {
			err, _ := recover().(error)
			wants(t, err, nigh.ErrMismatch)
		}()
		for range index.Nearest(query[:2], nil) {
			t.Fatal("a hit for a wrong query")
		}
	}()
	cursor, err := index.Cursor(query, nil)
	must(t, err)
	must(t, cursor.Close())
	must(t, cursor.Close())
	_, err = cursor.Next(make([]nigh.Hit[string], 1))
	wants(t, err, nigh.ErrClosed)
}

func TestFilters(t *testing.T) {
	const count, dim = 1000, 6
	vectors := vectorsOf(count, dim, 11)
	index := newIndex[uint64](t, nigh.Options{Dim: dim, Metric: nigh.L2})
	_, err := index.AddMany(numbers(0, count), vectors)
	must(t, err)
	text := newIndex[string](t, nigh.Options{Dim: dim, Metric: nigh.L2})
	_, err = text.AddMany(names(0, count), vectors)
	must(t, err)
	query := vectorsOf(1, dim, 12)
	few, err := index.Allow(3, 14, 159, 26535)
	must(t, err)
	bits := make([]uint32, (count+31)/32)
	for i := 0; i < count; i += 3 {
		bits[i/32] |= 1 << (i % 32)
	}
	third, err := index.AllowSlots(bits)
	must(t, err)
	odd, err := index.AllowFunc(func(key uint64) bool { return key%2 == 1 })
	must(t, err)
	oddName, err := text.AllowFunc(func(key string) bool { return (key[len(key)-1]-'0')%2 == 1 })
	must(t, err)
	keys := func(filter *nigh.Filter, k int) []uint64 {
		hits, err := index.Search(query, k, &nigh.SearchOptions{Filter: filter})
		must(t, err)
		all := []uint64{}
		for _, hit := range hits {
			all = append(all, hit.Key)
		}
		return all
	}
	if got := keys(few, 10); len(got) != 3 {
		t.Fatal(got)
	}
	must(t, index.Remove(100, 200, 300))
	many, err := index.Allow(numbers(90, 2000)...) // some removed, most unknown
	must(t, err)
	if got := keys(many, count); len(got) != count-90-3 {
		t.Fatal(len(got))
	}
	must(t, index.Unremove(100, 200, 300))
	for _, key := range keys(third, 50) {
		if key%3 != 0 {
			t.Fatal(key)
		}
	}
	odds := keys(odd, 50)
	for _, key := range odds {
		if key%2 != 1 {
			t.Fatal(key)
		}
	}
	hits, err := text.Search(query, 50, &nigh.SearchOptions{Filter: oddName})
	must(t, err)
	for i, hit := range hits {
		if hit.Key != fmt.Sprintf("key-%d", odds[i]) {
			t.Fatal(hit.Key, odds[i])
		}
	}
	if got := keys(nil, 50); len(got) != 50 || slices.Equal(got, odds) {
		t.Fatal("the filter stayed")
	}
}

func TestFilterOfOthersAndCursors(t *testing.T) {
	const count = 1000
	index, text := filled(t, numbers(0, count), 6), filled(t, names(0, 10), 6)
	query := vectorsOf(1, 6, 12)
	odd, err := index.AllowFunc(func(key uint64) bool { return key%2 == 1 })
	must(t, err)
	_, err = text.Search(query, 1, &nigh.SearchOptions{Filter: odd})
	wants(t, err, nigh.ErrInvalid)
	seen := 0
	for key := range index.Nearest(query, &nigh.SearchOptions{Filter: odd}) {
		if key%2 != 1 {
			t.Fatal(key)
		}
		seen++
	}
	if seen != count/2 {
		t.Fatal(seen)
	}
}

func TestElementTypes(t *testing.T) {
	const count, dim, k = 400, 20, 5
	vectors := vectorsOf(count, dim, 13)
	for i := range vectors {
		vectors[i] *= 20
	}
	for _, c := range []struct {
		dtype  nigh.DType
		metric nigh.Metric
		lost   float64 // of an element, at most
	}{{nigh.F32, nigh.L2, 0}, {nigh.F16, nigh.Cosine, 0.1}, {nigh.BF16, nigh.L2, 0.5},
		{nigh.I8, nigh.InnerProduct, 1}, {nigh.U8, nigh.L1, 100}, {nigh.B1, nigh.Hamming, 200}} {
		t.Run(fmt.Sprint("type", c.dtype), func(t *testing.T) {
			index := newIndex[uint64](t, nigh.Options{Dim: dim, Metric: c.metric, DType: c.dtype})
			_, err := index.AddMany(numbers(0, count), vectors)
			must(t, err)
			rows, err := nigh.EncodeRows(dim, c.dtype, vectors)
			must(t, err)
			bytes, err := nigh.RowBytes(dim, c.dtype)
			must(t, err)
			if index.Raw().RowBytes() != bytes || len(rows) != count*bytes {
				t.Fatal(bytes, len(rows))
			}
			raw := newIndex[uint64](t, nigh.Options{Dim: dim, Metric: c.metric, DType: c.dtype})
			must(t, raw.Raw().Add(0, rows[:bytes]))
			must(t, raw.Raw().Set(0, rows[:bytes]))
			sameBytes := newIndex[uint64](t, nigh.Options{Dim: dim, Metric: c.metric,
				DType: c.dtype})
			_, err = sameBytes.Raw().AddMany(numbers(0, count), rows)
			must(t, err)
			if !slices.Equal(imageOf(t, index), imageOf(t, sameBytes)) {
				t.Fatal("rows and floats make different indexes")
			}
			decoded, err := nigh.DecodeRows(dim, c.dtype, rows)
			must(t, err)
			got, err := index.Get(7)
			must(t, err)
			row, err := index.Raw().Get(7)
			must(t, err)
			if !slices.Equal(got, decoded[7*dim:8*dim]) ||
				!slices.Equal(row, rows[7*bytes:8*bytes]) {
				t.Fatal("what comes back is not what went in")
			}
			nearly(t, got, vectors[7*dim:8*dim], c.lost)
			a, err := index.Search(vectors[:dim], k, nil)
			must(t, err)
			b, err := index.Raw().Search(rows[:bytes], k, nil)
			must(t, err)
			if !slices.Equal(a, b) || len(a) != k {
				t.Fatal(a, b)
			}
			batch, err := index.Raw().SearchBatch(rows[:2*bytes], k, nil)
			must(t, err)
			into := make([]nigh.Hit[uint64], k)
			found, err := index.Raw().SearchInto(into, rows[bytes:2*bytes], nil)
			must(t, err)
			if !slices.Equal(batch[1], into[:found]) {
				t.Fatal(batch[1], into)
			}
			for key, distance := range index.Raw().Nearest(rows[:bytes], nil) {
				if key != a[0].Key || distance != a[0].Distance {
					t.Fatal(key, distance, a[0])
				}
				break
			}
			sound(t, index)
		})
	}
}

// nearly: no element lost more than that.
func nearly(t *testing.T, got, want []float32, lost float64) {
	t.Helper()
	for i, x := range got {
		if math.Abs(float64(x-want[i])) > lost {
			t.Fatalf("element %d: %g became %g", i, want[i], x)
		}
	}
}

func TestEncodeRowsRefuses(t *testing.T) {
	_, err := nigh.EncodeRows(20, nigh.F32, make([]float32, 3))
	wants(t, err, nigh.ErrInvalid)
	_, err = nigh.EncodeRows(2, nigh.F16, []float32{1e6, 0})
	wants(t, err, nigh.ErrVector)
	_, err = nigh.DecodeRows(2, nigh.F16, make([]byte, 5))
	wants(t, err, nigh.ErrInvalid)
	_, err = nigh.RowBytes(0, nigh.F32)
	wants(t, err, nigh.ErrInvalid)
}

func TestSlotKeys(t *testing.T) {
	index := newIndex[uint64](t, nigh.Options{Dim: 2, Metric: nigh.L2, SlotKeys: true})
	done, err := index.AddMany(nil, []float32{0, 0, 1, 1, 2, 2})
	must(t, err)
	must(t, index.Add(3, []float32{3, 3}))
	wants(t, index.Add(7, []float32{3, 3}), nigh.ErrKey)
	hits, err := index.Search([]float32{2, 2}, 1, nil)
	must(t, err)
	if done != 3 || hits[0].Key != 2 || !slices.Equal(slices.Collect(index.Keys()), numbers(0, 4)) {
		t.Fatal(done, hits)
	}
}

func TestGrowth(t *testing.T) {
	const dim = 2
	index := newIndex[uint64](t, nigh.Options{Dim: dim, Metric: nigh.L2, M: 4, EfBuild: 8})
	const count = 70000 // beyond the first table's 65,536
	vectors := vectorsOf(count, dim, 14)
	done, err := index.AddMany(numbers(0, count), vectors)
	must(t, err)
	stats, err := index.Stats()
	must(t, err)
	if done != count || stats.Live != count || stats.SlotMax <= 65536 {
		t.Fatalf("%+v", stats)
	}
	// The same bytes as with all the room from the start.
	roomy := newIndex[uint64](t, nigh.Options{Dim: dim, Metric: nigh.L2, M: 4, EfBuild: 8,
		Capacity: count})
	_, err = roomy.AddMany(numbers(0, count), vectors)
	must(t, err)
	if !bytes.Equal(imageOf(t, index), imageOf(t, roomy)) {
		t.Fatal("growing changed the bytes")
	}
	must(t, index.Reserve(200000, 0))
	stats, err = index.Stats()
	must(t, err)
	if stats.SlotCapacity < 200000 {
		t.Fatalf("%+v", stats)
	}
	sound(t, index)
}

func TestConfigStatsNode(t *testing.T) {
	index := newIndex[string](t, nigh.Options{Dim: 5, Metric: nigh.InnerProduct, M: 8, Seed: 9,
		KeyBytesMax: 20, KeepPruned: true, ExactBuild: true, Alpha: 1.25})
	c, err := index.Config()
	must(t, err)
	want := nigh.Config{Dim: 5, M: 8, M0: 16, EfBuild: 200, Expansions: 2, BlockBytes: 65536,
		KeyBytesMax: 20, Metric: nigh.InnerProduct, DType: nigh.F32, Alpha: 1.25, Seed: 9,
		StringKeys: true, KeepPruned: true, ExactBuild: true}
	if c != want {
		t.Fatalf("%+v", c)
	}
	_, err = index.AddMany(names(0, 50), vectorsOf(50, 5, 15))
	must(t, err)
	node, err := index.Node(49, 0)
	must(t, err)
	if len(node.Links) == 0 || node.Removed || node.Free {
		t.Fatalf("%+v", node)
	}
	must(t, index.Remove("key-49"))
	node, err = index.Node(49, 0)
	must(t, err)
	if !node.Removed {
		t.Fatalf("%+v", node)
	}
	for _, at := range [][2]int{{50, 0}, {0, 99}, {0, -1}} {
		_, err = index.Node(uint32(at[0]), at[1])
		wants(t, err, nigh.ErrNotFound)
	}
	if index.String() != "nigh.Index(49 keys, dim 5)" {
		t.Fatal(index)
	}
	count := 0
	for key, vector := range index.All() {
		if key != fmt.Sprintf("key-%d", count) || len(vector) != 5 {
			t.Fatal(key, vector)
		}
		count++
	}
	if count != 49 {
		t.Fatal(count)
	}
	into := make([]float32, 10)
	must(t, index.GetInto(into, "key-1", "key-2"))
	wants(t, index.GetInto(into, "key-1"), nigh.ErrMismatch)
}

func TestClosed(t *testing.T) {
	index, err := nigh.New[uint64](nigh.Options{Dim: 2, Metric: nigh.L2})
	must(t, err)
	must(t, index.Add(1, []float32{1, 1}))
	cursor, err := index.Cursor([]float32{1, 1}, nil)
	must(t, err)
	must(t, index.Close())
	must(t, index.Close())
	wants(t, index.Add(2, []float32{1, 1}), nigh.ErrClosed)
	_, err = index.Search([]float32{1, 1}, 1, nil)
	wants(t, err, nigh.ErrClosed)
	wants(t, index.Save(io.Discard), nigh.ErrClosed)
	if index.Len() != 0 || index.Has(1) || index.String() != "nigh.Index(closed)" {
		t.Fatal("a closed index has something")
	}
	hits := make([]nigh.Hit[uint64], 3) // a cursor keeps what it began on
	found, err := cursor.Next(hits)
	must(t, err)
	if found != 1 || hits[0].Key != 1 {
		t.Fatal(found)
	}
	must(t, cursor.Close())
	var zero nigh.Index[uint64]
	wants(t, zero.Add(1, nil), nigh.ErrClosed)
	must(t, zero.Close())
}
