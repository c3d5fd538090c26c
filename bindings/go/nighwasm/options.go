// options.go - what an index is, how it is opened, searched and worked on
// SPDX-License-Identifier: MIT OR Apache-2.0
// Generated from bindings/go/options.go by bindings/go/nighwasm/share.py. Do not edit.

package nighwasm

// Key is what vectors are known by.
type Key interface {
	~uint64 | ~string
}

// Metric is how far two vectors are apart. Smaller is nearer for all of them.
type Metric uint32

// Metrics. The zero value of Options.Metric is not one: an index without a metric is refused.
const (
	L2           Metric = metricL2      // sum (a-b)^2
	InnerProduct Metric = metricIp      // 1 - sum a*b
	Cosine       Metric = metricCosine  // 1 - cos(a, b), in [0, 2]
	L1           Metric = metricL1      // sum |a-b|
	Hamming      Metric = metricHamming // bits that differ; B1 only
	Custom       Metric = metricCustom  // Options.Distance
)

// DType is the type that elements are kept in.
type DType uint32

// Element types. The zero value of Options.DType is F32.
const (
	F32  DType = dtypeF32
	F16  DType = dtypeF16  // IEEE binary16
	BF16 DType = dtypeBf16 // the upper half of an F32
	I8   DType = dtypeI8   // dim int8 padded to 4, float scale, int32 zero: scale * (x - zero)
	U8   DType = dtypeU8   // integers 0..255
	B1   DType = dtypeB1   // bits, lowest first; bits beyond dim are 0
)

// Codes are small copies of the vectors to search on; what is found is scored again on the vectors
// themselves.
type Codes uint32

// Kinds of codes.
const (
	NoCodes Codes = codesNone
	U7Codes Codes = codesU7 // a byte an element, one scale for the index; not B1, Hamming, Custom
	B1Codes Codes = codesB1 // a bit an element: for high dimensions, and with a deep rerank
)

// CPU is a set of instruction sets.
type CPU uint32

// Instruction sets; Scalar alone forces the portable kernels.
const (
	Scalar       CPU = cpuScalar
	SSE41        CPU = cpuSse41
	AVX2         CPU = cpuAvx2
	AVX512       CPU = cpuAvx512
	AVX512VNNI   CPU = cpuVnni
	AVX512POPCNT CPU = cpuVpopcnt
	NEON         CPU = cpuNeon
	DotProduct   CPU = cpuDotprod
	SIMD128      CPU = cpuSimd128
)

// Distance is the function of the Custom metric: a and b are rows of the index's type, borrowed for
// the call; symmetric, smaller is nearer, NaN counts as infinite. It runs on several goroutines at
// once, and a panic in it becomes the error of the call that asked for a distance.
type Distance func(a, b []byte) float32

// Options say what an index is. Zero means the default. All of it but Capacity, Vectors, Distance,
// Features, Lanes and Replicas is stored with the index and decides its bytes.
type Options struct {
	Dim    int    // elements of a vector, 1..65535; required
	Metric Metric // required
	DType  DType  // 0 = F32

	M           int     // links of a node above layer 0, 2..1024; 0 = 16
	M0          int     // links of a node in layer 0, M..2048, at least 4; 0 = 2 M
	EfBuild     int     // candidates kept while inserting, 1..65535; 0 = 200
	Expansions  int     // nodes under way at once while inserting, 1..8; 0 = 2
	Alpha       float32 // 1..2, more keeps longer links; 0 = 1, as hnswlib
	Seed        uint64  // draws the layers: the same seed and insertions give the same bytes
	KeepPruned  bool    // rows are filled up with neighbours that selection refused
	ExactBuild  bool    // links are chosen on the vectors, not on codes or a draft
	Codes       Codes   // small copies to search on; AddCodes makes them later too
	CodeMin     float32 // U7: span of elements; both 0: taken from a sample
	CodeMax     float32
	KeyBytesMax int  // string keys: longest key, 1..511; 0 = 511
	SlotKeys    bool // uint64 keys: the key is the slot, 0, 1, 2, ...; nothing is stored for keys
	BlockBytes  int  // target bytes of a block, a power of two 256..2^26; 0 = 65536

	Capacity int         // vectors to make room for at once; the index grows beyond it by itself
	Vectors  VectorStore // where vectors are, if the index is not to hold them itself
	Distance Distance    // with Custom
	Features CPU         // instruction sets that may be used; 0 = all that the machine has
	Lanes    int         // queries that SearchBatch has under way in a thread, 1..4; 0 = 1

	// Replicas is how many copies of the index there may be, so that several
	// goroutines search at once: each takes as much memory as the index. They are made
	// when searches wait for each other, and anew some time after a change. 0: none,
	// searches take turns.
	Replicas int
}

// Mode is how Open uses a file.
type Mode int

// Modes of Open.
const (
	// ReadOnly reads the file; changes are refused with ErrReadOnly.
	ReadOnly Mode = iota
	// Copy reads the file and takes changes, which stay in this process: save them, or lose them.
	Copy
	// InPlace is not to be had here: ErrUnsupported.
	InPlace
)

// OpenOptions say how an index file is opened. nil and the zero value: read-only.
type OpenOptions struct {
	Mode     Mode
	Verify   bool        // checks the checksum of every block, which reads the whole file
	Unsealed bool        // opens a file that was left in the middle of changes, for Check only
	Capacity int         // Copy: vectors in total to make room for
	Vectors  VectorStore // of a file without vectors
	Distance Distance    // of a file with the Custom metric
	Features CPU         // instruction sets that may be used; 0 = all that the machine has
	Lanes    int         // as Options.Lanes
	Replicas int         // as Options.Replicas
}

// SearchOptions say how to search. nil and the zero value: the defaults.
type SearchOptions struct {
	Ef            int     // candidates kept; raised to k; 0 = 64
	Expansions    int     // nodes under way at once, 1..8; 0 = 2; 1 is hnswlib's order
	Exact         bool    // scores every vector
	NoCodes       bool    // searches on the vectors even if there are codes
	Radius        float32 // with HasRadius: only hits at this distance or nearer
	HasRadius     bool
	ExpansionsMax int     // stops with what is found after so many expansions; 0 = no limit
	Rerank        int     // with codes: how many are scored again on vectors; 0 = by k and Ef
	Gamma         float32 // also stops when what comes is (1 + Gamma) times as far; 0 = off
	FrontierMax   int     // nodes that a cursor or a filtered search remembers; 0 = by Ef
	Filter        *Filter // which keys may be returned; nil: all
	Stats         *SearchStats
}

// SearchStats is what a search cost; point SearchOptions.Stats at one to be told.
type SearchStats struct {
	Distances  int  // vectors scored
	Expansions int  // nodes whose links were read
	Fetches    int  // calls of VectorStore.Fetch
	Truncated  bool // FrontierMax was reached and far candidates were dropped
	Scanned    bool // answered by scanning: the graph gave too few
	Reranked   int  // of Distances, those of vectors after a search on codes
}

// Hit is a key and how far it is from the query.
type Hit[K Key] struct {
	Key      K
	Distance float32
}

// JobOptions say how long work runs. nil: on GOMAXPROCS goroutines, silently.
type JobOptions struct {
	Threads  int                      // not looked at: an instance is one thread
	Progress func(done, total uint64) // called now and then from one goroutine
}

// RefineOptions say how Refine chooses links.
type RefineOptions struct {
	JobOptions
	Ef    int     // candidates a node; 0 = 100
	Alpha float32 // 1..2; 0 = by how distances grow in a sample
}

// CodesOptions say which codes AddCodes makes.
type CodesOptions struct {
	JobOptions
	Codes   Codes   // U7Codes or B1Codes
	CodeMin float32 // U7: span of elements; both 0: taken from a sample
	CodeMax float32
}

// Config is every stored value of an index, defaults filled in.
type Config struct {
	Dim, M, M0, EfBuild, Expansions int
	BlockBytes, KeyBytesMax         int
	Metric                          Metric
	DType                           DType
	Codes                           Codes
	Alpha, CodeMin, CodeMax         float32
	Seed                            uint64
	StringKeys, SlotKeys            bool
	KeepPruned, ExactBuild          bool
	Unrooted                        bool // a graph of hnswlib's: Root comes before changes
	External                        bool // vectors are outside: Options.Vectors
}

// Stats is what an index holds now.
type Stats struct {
	Slots        int    // in use, removed and free ones included
	Live         int    // keys that a search can return
	Removed      int    // removed keys, whose nodes still lead searches on
	Free         int    // slots without a node
	SlotCapacity int    // slots that there is memory for
	SlotMax      int    // slots until the index moves to a larger table
	LevelMax     int    // top layer
	EntrySlot    uint32 // 0xffffffff: none
	UpperRecords int    // records above layer 0
	Features     CPU    // kernels in use
	Writable     bool
	KeyBytes     uint64 // lengths of all string keys ever stored
	KeyCapacity  uint64 // room for them
	ImageBytes   uint64 // what Save writes
	Codes        Codes  // that searches use
	CodeClamped  int    // elements beyond the span of the codes
}

// Report is what Check found.
type Report struct {
	Err           error  // nil: the index is sound; else ErrCorrupt
	Slot          uint32 // the first one that is wrong; 0xffffffff: none in particular
	Level         int    // its layer
	Fault         int    // number of the rule broken, see the project's docs/FORMAT.md; 0 = none
	Unreachable   int    // nodes without a valid parent edge
	Links         uint64 // in all layers
	BlocksChecked uint64 // blocks whose checksum was verified
}

// Node is a node of the graph.
type Node struct {
	Top     int      // its top layer
	Removed bool     // its key was removed
	Free    bool     // it holds no key
	Links   []uint32 // slots of its neighbours in the layer asked for
}

// VectorStore holds vectors outside of an index: in a database, in files, computed. It is asked
// from several goroutines at once. See Borrow for vectors that lie in memory.
type VectorStore interface {
	// Fetch gives the rows of a batch: for each i either fills Batch.Row(i) or calls Batch.Copy.
	// An error, or a panic, ends the call that wanted them and is what it returns. It
	// may read the index, not change it. Batch is of no use after it returns.
	Fetch(batch Batch) error
}

// Prefetcher is a VectorStore that likes to hear early which vectors will probably be wanted.
type Prefetcher interface {
	VectorStore
	// Prefetch must return soon; keys is empty for string keys. Both slices end with the call.
	Prefetch(slots []uint32, keys []uint64)
}
