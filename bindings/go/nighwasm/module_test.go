// module_test.go - the module and the instance from inside: exports, leaks, replicas, damaged images
// SPDX-License-Identifier: MIT OR Apache-2.0

package nighwasm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tetratelabs/wazero/api"
)

// Functions of nigh.h without a method here.
var leftOut = map[string]string{
	"callIndexPager":   "a pager's memory would be Go's",
	"callAttachBlocks": "as IndexPager",
	"callHeader":       "as IndexPager",
	"callIndexBorrow":  "borrowed rows are Go's, they are fetched",
	"callSeal":         "files are not changed in place",

	"callStoreBytes":       stores,
	"callStoreFind":        stores,
	"callStoreOpen":        stores,
	"callStoreGrow":        stores,
	"callStoreStatsGet":    stores,
	"callStoreAttachBytes": stores,
	"callStoreAttach":      stores,
	"callStoreCommit":      stores,
}

const stores = "a store of its own comes later; files are saved whole"

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestParity(t *testing.T) {
	engine, err := theEngine()
	check(t, err)
	exported := engine.module.ExportedFunctions()
	if len(exported) != int(callCount)+1 { // and nighw_save
		t.Errorf("%d exports, expected %d", len(exported), callCount+1)
	}
	for _, e := range exports {
		definition := exported[e.name]
		if definition == nil {
			t.Fatalf("%s is not exported", e.name)
		}
		var types []string
		for _, kind := range append(slices.Clone(definition.ParamTypes()), definition.ResultTypes()...) {
			types = append(types, api.ValueTypeName(kind))
		}
		if !slices.Equal(types, e.types) {
			t.Errorf("%s has types %v, expected %v", e.name, types, e.types)
		}
	}
	text := sources(t)
	for _, match := range regexp.MustCompile(`(?m)^\t(call[A-Z]\w+)`).FindAllStringSubmatch(layout(t), -1) {
		name := match[1]
		called := regexp.MustCompile(`\b` + name + `\b`).MatchString(text)
		if _, left := leftOut[name]; called == left {
			t.Errorf("%s is called: %v, left out: %v", name, called, left)
		}
	}
}

func layout(t *testing.T) string {
	data, err := os.ReadFile("layout.go")
	check(t, err)
	return string(data)
}

func sources(t *testing.T) string {
	paths, err := filepath.Glob("*.go")
	check(t, err)
	var all strings.Builder
	for _, path := range paths {
		if path != "layout.go" && !strings.HasSuffix(path, "_test.go") {
			data, err := os.ReadFile(path)
			check(t, err)
			all.Write(data)
		}
	}
	return all.String()
}

func draw(count, dim int, seed uint64) []float32 {
	random := rand.New(rand.NewPCG(seed, 9))
	out := make([]float32, count*dim)
	for i := range out {
		out[i] = float32(random.NormFloat64())
	}
	return out
}

func some(count int) []uint64 {
	keys := make([]uint64, count)
	for i := range keys {
		keys[i] = uint64(i)
	}
	return keys
}

func built(t *testing.T, count, dim int, o Options) (*Index[uint64], []float32) {
	t.Helper()
	o.Dim, o.Metric, o.EfBuild = dim, L2, 40
	index, err := New[uint64](o)
	check(t, err)
	t.Cleanup(func() { index.Close() })
	vectors := draw(count, dim, 1)
	_, err = index.Build(context.Background(), some(count), vectors, nil)
	check(t, err)
	return index, vectors
}

// used is what the index's instance has handed out.
func used[K Key](x *Index[K]) uint64 {
	c := x.core.Load().current.Load().enter()
	defer c.leave()
	return c.call(callUsed)
}

func TestCallsLeaveNoMemoryOfTheModule(t *testing.T) {
	index, vectors := built(t, 500, 8, Options{Codes: U7Codes})
	filter, err := index.AllowFunc(func(key uint64) bool { return key%2 == 0 })
	check(t, err)
	some, err := index.Allow(1, 2, 3)
	check(t, err)
	round := func() {
		for i := range 20 {
			query := vectors[i*8 : i*8+8]
			for _, o := range []*SearchOptions{nil, {Filter: filter}, {Filter: some}, {Exact: true},
				{FrontierMax: 100}, {Ef: 700, Stats: &SearchStats{}}} {
				_, err := index.Search(query, 5, o)
				check(t, err)
			}
			_, err := index.Search(query[:7], 5, nil)
			if !errors.Is(err, ErrMismatch) {
				t.Fatal(err)
			}
			for range index.Nearest(query, nil) {
				break
			}
			_, err = index.Get(uint64(i))
			check(t, err)
			check(t, index.Set(uint64(i), query))
			_, err = index.Node(uint32(i), 0)
			check(t, err)
		}
		_, err := index.SearchBatch(vectors[:800], 3, nil)
		check(t, err)
		for range index.Keys() {
		}
		check(t, index.Refine(context.Background(), nil))
		_, err = index.Check()
		check(t, err)
		check(t, index.Save(&bytes.Buffer{}))
		check(t, index.Tune())
	}
	round()
	before := used(index)
	for range 5 {
		round()
	}
	if after := used(index); after != before {
		t.Fatalf("%d bytes of the module's memory before, %d after", before, after)
	}
}

// ---- Replicas -----------------------------------------------------------------------------------

func (r *replicas) count(version uint64) int {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	count := 0
	for _, one := range r.copies {
		if one != nil && one.version == version {
			count++
		}
	}
	return count
}

func TestReplicas(t *testing.T) {
	index, vectors := built(t, 2000, 16, Options{Replicas: 3})
	c := index.core.Load()
	wanted := make([][]Hit[uint64], 40)
	for q := range wanted {
		var err error
		wanted[q], err = index.Search(vectors[q*16:q*16+16], 10, nil)
		check(t, err)
	}
	if c.replicas.count(c.version.Load()) != 0 {
		t.Fatal("copies without need")
	}
	var all sync.WaitGroup
	for range 8 {
		all.Add(1)
		go func() {
			defer all.Done()
			for round := range 2000 {
				q := round % len(wanted)
				hits, err := index.Search(vectors[q*16:q*16+16], 10, nil)
				if err != nil || !slices.Equal(hits, wanted[q]) {
					t.Error(err, hits)
					return
				}
			}
		}()
	}
	all.Wait()
	if c.replicas.count(c.version.Load()) == 0 {
		t.Fatal("searches met and no copy was made")
	}
	if MemoryInUse() < 2*int64(used(index)) {
		t.Fatal("copies are not counted")
	}
	// a change is seen by every search that begins after it
	check(t, index.Add(5000, vectors[:16]))
	check(t, index.Remove(0))
	if c.replicas.count(c.version.Load()) != 0 {
		t.Fatal("copies of before are in use")
	}
	for range 8 {
		all.Add(1)
		go func() {
			defer all.Done()
			for range 200 {
				hits, err := index.Search(vectors[:16], 1, nil)
				if err != nil || hits[0].Key != 5000 {
					t.Error(err, hits)
					return
				}
			}
		}()
	}
	all.Wait()
}

// slowStore waits, reads the index in between, and counts who is in it at once.
type slowStore struct {
	vectors []float32
	index   *Index[uint64]
	mutex   sync.Mutex
	inside  int
	most    int
}

func (s *slowStore) Fetch(batch Batch) error {
	s.mutex.Lock()
	s.inside++
	s.most = max(s.most, s.inside)
	s.mutex.Unlock()
	if s.index != nil {
		time.Sleep(50 * time.Microsecond)
		if s.index.Len() == 0 {
			return errors.New("an empty index")
		}
	}
	for i, slot := range batch.Slots() {
		copy(batch.Floats(i), s.vectors[8*slot:8*slot+8])
	}
	s.mutex.Lock()
	s.inside--
	s.mutex.Unlock()
	return nil
}

// Calls go on while a store waits, more of them than may stand in callbacks, and a store may ask
// the index that asks it.
func TestCallsBesideASlowStore(t *testing.T) {
	store := &slowStore{vectors: draw(400, 8, 3)}
	index, err := New[uint64](Options{Dim: 8, Metric: L2, EfBuild: 20, M: 4, Vectors: store})
	check(t, err)
	defer index.Close()
	_, err = index.AddMany(some(300), nil)
	check(t, err)
	store.index = index
	plain, err := New[uint64](Options{Dim: 8, Metric: L2, EfBuild: 20, M: 4})
	check(t, err)
	defer plain.Close()
	_, err = plain.AddMany(some(300), store.vectors[:2400])
	check(t, err)
	var all sync.WaitGroup
	for g := range suspendedMax - 2 {
		all.Add(1)
		go func() {
			defer all.Done()
			for q := range 3 {
				query := draw(1, 8, uint64(10*g+q))
				a, err := index.Search(query, 5, nil)
				b, err2 := plain.Search(query, 5, nil)
				if err != nil || err2 != nil || len(a) != 5 {
					t.Error(err, err2, a)
					return
				}
				if a[0] != b[0] && a[0].Key < 300 { // the others came meanwhile
					t.Error(a, b)
				}
			}
		}()
	}
	for key := range uint64(5) { // and changes, one at a time
		check(t, index.Add(300+key, nil))
	}
	all.Wait()
	if store.most < 2 {
		t.Fatalf("at most %d calls in the store", store.most)
	}
	report, err := index.Check()
	check(t, err)
	check(t, report.Err)
}

// ---- Files --------------------------------------------------------------------------------------

func TestOpenModes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.nigh")
	index, vectors := built(t, 300, 6, Options{})
	check(t, index.SaveFile(path))
	before, err := os.ReadFile(path)
	check(t, err)
	read, err := Open[uint64](path, &OpenOptions{Verify: true})
	check(t, err)
	for name, err := range map[string]error{"add": read.Add(1000, vectors[:6]),
		"remove": read.Remove(1), "reserve": read.Reserve(5000, 0)} {
		if !errors.Is(err, ErrReadOnly) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := read.Seal(); !errors.Is(err, ErrUnsupported) {
		t.Error(err)
	}
	check(t, read.Close())
	changed, err := Open[uint64](path, &OpenOptions{Mode: Copy, Capacity: 400})
	check(t, err)
	for i := range 300 {
		check(t, changed.Add(uint64(1000+i), vectors[6*i:6*i+6]))
	}
	check(t, changed.Close())
	after, err := os.ReadFile(path)
	check(t, err)
	if !bytes.Equal(before, after) {
		t.Fatal("a copy changed the file")
	}
	_, err = Open[uint64](path, &OpenOptions{Mode: InPlace})
	if !errors.Is(err, ErrUnsupported) {
		t.Fatal(err)
	}
}

// Whatever the bytes are: an error, or an index whose calls end.
func TestDamagedImages(t *testing.T) {
	index, vectors := built(t, 300, 6, Options{BlockBytes: 4096, Codes: U7Codes})
	var image bytes.Buffer
	check(t, index.Save(&image))
	random := rand.New(rand.NewPCG(4, 4))
	opened := 0
	for round := range 150 {
		bad := bytes.Clone(image.Bytes())
		from := 0
		if round%3 != 0 {
			from = 1024 // behind what opening verifies
		}
		for range 1 + random.IntN(300) {
			bad[from+random.IntN(len(bad)-from)] = byte(random.Uint32())
		}
		if round%10 == 0 {
			bad = bad[:random.IntN(len(bad))]
		}
		damaged, err := Load[uint64](bytes.NewReader(bad), nil)
		if err != nil {
			continue
		}
		opened++
		for q := range 5 {
			_, _ = damaged.Search(vectors[6*q:6*q+6], 10, nil)
		}
		_ = damaged.Add(90000, vectors[:6])
		_, _ = damaged.Check()
		_ = damaged.Save(&bytes.Buffer{})
		if trap := damaged.core.Load().current.Load().broken; trap != nil {
			t.Fatalf("round %d: %v", round, trap)
		}
		check(t, damaged.Close())
	}
	if opened < 20 {
		t.Fatalf("%d opened", opened)
	}
}

// A memory that cannot grow is an error, and nothing is lost.
func TestNoMemory(t *testing.T) {
	index, vectors := built(t, 100, 6, Options{})
	err := index.Reserve(1<<25, 0) // more than 4 GiB of links
	if !errors.Is(err, ErrNoMemory) {
		t.Fatal(err)
	}
	hits, err := index.Search(vectors[:6], 1, nil)
	check(t, err)
	if hits[0].Key != 0 {
		t.Fatal(hits)
	}
	check(t, index.Add(1000, vectors[:6]))
}

func BenchmarkSearchInto(b *testing.B) {
	const count, dim = 20000, 128
	for _, codes := range []Codes{NoCodes, U7Codes} {
		index, err := New[uint64](Options{Dim: dim, Metric: L2, Codes: codes, Seed: 1})
		if err != nil {
			b.Fatal(err)
		}
		vectors := draw(count, dim, 1)
		_, err = index.Build(context.Background(), some(count), vectors, nil)
		if err != nil {
			b.Fatal(err)
		}
		hits := make([]Hit[uint64], 10)
		b.Run(fmt.Sprintf("codes%d", codes), func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				q := i % 1000 * dim
				if _, err := index.SearchInto(hits, vectors[q:q+dim], &SearchOptions{Ef: 20}); err != nil {
					b.Fatal(err)
				}
			}
		})
		index.Close()
	}
}
