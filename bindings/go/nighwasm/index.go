// index.go - Index: made, opened, changed, read, closed
// SPDX-License-Identifier: MIT OR Apache-2.0
// Generated from bindings/go/index.go by bindings/go/nighwasm/share.py. Do not edit.

package nighwasm

import (
	"fmt"
	"io"
	"iter"
	"reflect"
	"runtime"
	"sync/atomic"
)

// Index finds the nearest neighbours of vectors. Its methods may be called from any number of
// goroutines at once. The zero value is closed; only ReadFrom makes something of it.
type Index[K Key] struct {
	core atomic.Pointer[core]
}

// New makes an empty index. It fails with ErrInvalid for options out of range.
func New[K Key](options Options) (*Index[K], error) {
	made, err := newCore(options, isString[K]())
	if err != nil {
		return nil, err
	}
	return own[K](made), nil
}

// Open uses an index file where it lies: mapped, so that opening takes no longer for a large one.
// Its kind of keys must be K's. If others cut the file short meanwhile, the system ends the
// process; SaveFile never does that to it.
func Open[K Key](path string, options *OpenOptions) (*Index[K], error) {
	made, err := openCore(path, options, isString[K]())
	if err != nil {
		return nil, err
	}
	return own[K](made), nil
}

// Load reads an index that Save wrote, to the end of r, into memory of its own, and takes changes.
// Options.Mode must be zero.
func Load[K Key](r io.Reader, options *OpenOptions) (*Index[K], error) {
	made, _, err := loadCore(r, options, isString[K]())
	if err != nil {
		return nil, err
	}
	return own[K](made), nil
}

func own[K Key](made *core) *Index[K] {
	index := &Index[K]{}
	index.become(made)
	return index
}

func (x *Index[K]) become(made *core) {
	x.core.Store(made)
	runtime.AddCleanup(x, func(c *core) { c.close() }, made)
}

func isString[K Key]() bool { return reflect.TypeFor[K]().Kind() == reflect.String }

// Close gives the memory back, once calls and cursors that are under way have ended. An index
// opened InPlace is sealed and flushed first. Later calls fail with ErrClosed, but for Close. A
// callback must not close its index; Progress may, and its job then does what is left to do. No
// callback may end its goroutine (runtime.Goexit, testing.T.FailNow): its call would never end.
func (x *Index[K]) Close() error {
	core := x.core.Load()
	if core == nil {
		return nil
	}
	return core.close()
}

// ---- Change -------------------------------------------------------------------------------------

// Add inserts a vector of Dim floats. With a VectorStore it may be nil: then it is read from there.
// It fails with ErrExists or ErrDeleted if the key is known, ErrVector for NaN, infinity, or zeros
// under Cosine, ErrKey for an empty or too long string, and has then changed nothing.
func (x *Index[K]) Add(key K, vector []float32) error {
	return x.change("add", insertCall, 0, key, floats(vector))
}

// AddMany inserts vectors, one after another in `vectors`, in order up to the first that fails, and
// tells how many it inserted. It is one goroutine's work; several may do it at once, and Build is
// the way to insert many. With a VectorStore vectors may be nil.
func (x *Index[K]) AddMany(keys []K, vectors []float32) (int, error) {
	return x.changeMany("add", insertCall, 0, keys, floats(vectors))
}

// AddReplacing is Add, but in the place of the lowest removed key, if there is one; that key is
// forgotten.
func (x *Index[K]) AddReplacing(key K, vector []float32) error {
	return x.change("add", insertCall, replaceDeleted, key, floats(vector))
}

// Set inserts a vector, or gives a known key a new one; a removed key comes back.
func (x *Index[K]) Set(key K, vector []float32) error {
	return x.change("set", setCall, 0, key, floats(vector))
}

// SetMany is Set for vectors one after another, up to the first that fails.
func (x *Index[K]) SetMany(keys []K, vectors []float32) (int, error) {
	return x.changeMany("set", setCall, 0, keys, floats(vectors))
}

// SetExclusive is Set for vectors in a VectorStore: change the vector there first, and let no other
// call run from then on until this one returns.
func (x *Index[K]) SetExclusive(key K, vector []float32) error {
	return x.change("set", setCall, setExclusive, key, floats(vector))
}

// Remove marks keys removed, in order up to the first failure: they are no longer found, their
// nodes still lead searches on. See Vacuum. It fails with ErrNotFound or ErrDeleted.
func (x *Index[K]) Remove(keys ...K) error {
	_, err := x.changeMany("remove", removeCall, 0, keys, vectors{})
	return err
}

// Unremove takes Remove back. It fails with ErrNotFound, or ErrExists if the key is not removed.
func (x *Index[K]) Unremove(keys ...K) error {
	_, err := x.changeMany("unremove", unremoveCall, 0, keys, vectors{})
	return err
}

// Reserve makes room for so many vectors in total, and keyBytes bytes of string keys in total, so
// that no later Add up to there has to.
func (x *Index[K]) Reserve(count int, keyBytes int64) error {
	defer runtime.KeepAlive(x)
	core, err := x.open("reserve")
	if err != nil {
		return err
	}
	return core.reserve(count, keyBytes)
}

// open gives the core, which the collector may close once x is unreachable: what uses it keeps x
// alive until it holds a handle for the last time.
func (x *Index[K]) open(op string) (*core, error) {
	if core := x.core.Load(); core != nil {
		return core, nil
	}
	return nil, &Error{Op: op, Err: ErrClosed}
}

func (x *Index[K]) change(op string, kind changeKind, flags uint32, key K, rows vectors) error {
	defer runtime.KeepAlive(x)
	core, err := x.open(op)
	if err != nil {
		return err
	}
	one := [1]K{key}
	_, err = core.change(op, kind, flags, keysOf(one[:]), rows)
	return core.explained(err)
}

func (x *Index[K]) changeMany(op string, kind changeKind, flags uint32, keys []K,
	rows vectors) (int, error) {
	defer runtime.KeepAlive(x)
	core, err := x.open(op)
	if err != nil {
		return 0, err
	}
	done, err := core.change(op, kind, flags, keysOf(keys), rows)
	return done, core.explained(err)
}

// ---- Read ---------------------------------------------------------------------------------------

// Len is how many keys a search can return; 0 when closed.
func (x *Index[K]) Len() int {
	stats, err := x.Stats()
	if err != nil {
		return 0
	}
	return stats.Live
}

// Has tells whether a key is there and not removed; false when closed.
func (x *Index[K]) Has(key K) bool {
	_, err := x.Slot(key)
	return err == nil
}

// Slot is the dense number of a key's node.
func (x *Index[K]) Slot(key K) (uint32, error) {
	defer runtime.KeepAlive(x)
	core, err := x.open("slot")
	if err != nil {
		return 0, err
	}
	one := [1]K{key}
	return core.slot(keysOf(one[:]))
}

// Get is the vector of a key, as floats. Those of F32 are bit by bit what was stored. It fails with
// ErrNotFound or ErrDeleted.
func (x *Index[K]) Get(key K) ([]float32, error) {
	defer runtime.KeepAlive(x)
	core, err := x.open("get")
	if err != nil {
		return nil, err
	}
	vector := make([]float32, core.dim)
	one := [1]K{key}
	if err := core.get("get", keysOf(one[:]), floats(vector)); err != nil {
		return nil, err
	}
	return vector, nil
}

// GetInto is Get into memory of the caller's, Dim floats for each key.
func (x *Index[K]) GetInto(vectors []float32, keys ...K) error {
	defer runtime.KeepAlive(x)
	core, err := x.open("get")
	if err != nil {
		return err
	}
	return core.get("get", keysOf(keys), floats(vectors))
}

// Keys are the live keys in the order of their slots. Those that come or go meanwhile may be in it
// or not.
func (x *Index[K]) Keys() iter.Seq[K] {
	return func(yield func(K) bool) {
		defer runtime.KeepAlive(x)
		core, err := x.open("keys")
		if err != nil {
			return
		}
		for key := range core.keys() {
			if !yield(asKey[K](key)) {
				return
			}
		}
	}
}

// All are the live keys and their vectors in the order of slots. It panics with an *Error where a
// VectorStore fails; a key removed meanwhile is left out.
func (x *Index[K]) All() iter.Seq2[K, []float32] {
	return func(yield func(K, []float32) bool) {
		for key := range x.Keys() {
			vector, err := x.Get(key)
			if isGone(err) {
				continue
			}
			if err != nil {
				panic(err)
			}
			if !yield(key, vector) {
				return
			}
		}
	}
}

// Stats tells what the index holds now.
func (x *Index[K]) Stats() (Stats, error) {
	defer runtime.KeepAlive(x)
	core, err := x.open("stats")
	if err != nil {
		return Stats{}, err
	}
	return core.stats()
}

// Config tells what the index is, defaults filled in.
func (x *Index[K]) Config() (Config, error) {
	defer runtime.KeepAlive(x)
	core, err := x.open("config")
	if err != nil {
		return Config{}, err
	}
	return core.configNow()
}

// Node tells about the node of a slot and its neighbours in a layer. It fails with ErrNotFound if
// there is no such slot or layer.
func (x *Index[K]) Node(slot uint32, level int) (Node, error) {
	defer runtime.KeepAlive(x)
	core, err := x.open("node")
	if err != nil {
		return Node{}, err
	}
	return core.node(slot, level)
}

// Check proves the structure of the index in one pass. A broken index is a report, not an error. It
// waits for changes that are under way.
func (x *Index[K]) Check() (Report, error) {
	defer runtime.KeepAlive(x)
	core, err := x.open("check")
	if err != nil {
		return Report{}, err
	}
	return core.check()
}

// Tune finds out which memory hints and lanes are fastest on this machine, by some dozen searches
// in below 0.2 s. It changes no result and nothing that is stored. Call it while no other call
// runs.
func (x *Index[K]) Tune() error {
	defer runtime.KeepAlive(x)
	core, err := x.open("tune")
	if err != nil {
		return err
	}
	return core.tune()
}

// String says in short what the index is.
func (x *Index[K]) String() string {
	config, err := x.Config()
	if err != nil {
		return "nigh.Index(closed)"
	}
	return fmt.Sprintf("nigh.Index(%d keys, dim %d)", x.Len(), config.Dim)
}
