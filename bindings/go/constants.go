// constants.go - the constants of nigh.h
// SPDX-License-Identifier: MIT OR Apache-2.0
// Generated from abi/nigh.h by abi/generate.py. Do not edit.

//go:build cgo

package nigh

const (
	ok = 0
	// an argument or a configuration field is out of range
	eInvalid = -1
	// the memory handed in is too small or not aligned to 64 bytes
	eMemory = -2
	// no room left: grow the index, then go on
	eFull = -3
	// no such key
	eNotFound = -4
	// the key is there already
	eExists = -5
	// NaN, infinity, or a zero vector under cosine
	eVector = -6
	// a callback failed or gave no address
	eFetch = -7
	// not a nigh image, or of an unknown version
	eFormat = -8
	// an image whose checksum or structure does not hold
	eCorrupt = -9
	// dim, dtype, metric or count differ from what the image says
	eMismatch = -10
	// the handle has no writer state, or the image is read-only
	eReadOnly = -11
	// another thread is writing what this call needs to itself
	eBusy = -12
	// the image holds no vectors and no source is set
	eNoVectors = -13
	// compiled or running with float rules that change results
	eBuild = -14
	// this machine, build or metric cannot do that
	eUnsupported = -15
	// the write callback failed
	eWrite = -16
	// the session is too small for this call
	eSession = -17
	// an empty, too long or unrepresentable key
	eKey = -18
	// the image was left in the middle of changes: only check opens it
	eOpen = -19
	// the key is known but removed
	eDeleted = -20
	// this and below: the caller's callbacks' own
	eUser = -1000
)

// nigh_config.metric. Smaller is nearer for all of them.
const (
	// sum (a-b)^2
	metricL2 = 1
	// 1 - sum a*b
	metricIp = 2
	// 1 - cos(a, b), in [0, 2]
	metricCosine = 3
	// sum |a-b|
	metricL1 = 4
	// bits that differ; NIGH_DTYPE_B1 only
	metricHamming = 5
	// nigh_index_distance
	metricCustom = 6
)

// nigh_config.dtype.
const (
	dtypeF32 = 1
	// IEEE binary16
	dtypeF16 = 2
	// the upper half of an f32
	dtypeBf16 = 3
	// dim int8 padded to 4, float scale, int32 zero: scale * (x - zero)
	dtypeI8 = 4
	// integers 0..255
	dtypeU8 = 5
	// dim bits, lowest first; bits beyond dim are 0
	dtypeB1 = 6
)

// nigh_config.keys.
const (
	keysU64 = 0
	// strings of 1..key_bytes_max bytes
	keysBytes = 1
	// the key is the slot, nothing is stored; insert: NULL or the next
	keysIdentity = 2
)

// nigh_config.vectors.
const (
	// kept in the image
	vectorsOwned = 0
	// borrowed or fetched: nigh_index_borrow, nigh_index_fetch
	vectorsExternal = 1
)

// nigh_config.codes: small copies of the vectors to search on; what is found is scored again
// ("reranked") on the true vectors, which may stay in slow memory.
const (
	codesNone = 0
	// a byte an element, one scale for the index: not B1, HAMMING, CUSTOM
	codesU7 = 1
	// a bit an element: for high dimensions, and with a deep rerank
	codesB1 = 2
)

// nigh_config.build_flags.
const (
	// rows are filled up with neighbours that selection refused
	buildKeepPruned = 1
	// links are chosen on the true vectors, not on codes or a draft
	buildExact = 2
	// the graph is as a file of hnswlib holds it: no node has a parent. Searches, remove and save do
	// not mind; insert, set, BUILD, REFINE and VACUUM want NIGH_JOB_ROOT before (NIGH_E_UNSUPPORTED)
	buildUnrooted = 4
)

// Bits of nigh_options.features and of nigh_features().
const (
	// always; alone it forces the scalar kernels
	cpuScalar = 1
	cpuSse41  = 2
	// with F16C
	cpuAvx2 = 4
	// F, BW, VL, DQ
	cpuAvx512 = 8
	// AVX512-VNNI
	cpuVnni = 16
	// AVX512-VPOPCNTDQ
	cpuVpopcnt = 32
	cpuNeon    = 64
	// AArch64 dot product
	cpuDotprod = 128
	// WebAssembly
	cpuSimd128 = 256
	// 32-bit ARM: pairs of halfwords, Cortex-M4 and M7
	cpuDsp = 512
	// Helium: Cortex-M55
	cpuMve = 1024
)

// nigh_options.flags.
const (
	// nigh_attach: the image memory may be stored to, in place
	openWritable = 1
	// nigh_attach: take an image left open, for nigh_check only
	openUnsealed = 2
	// nigh_attach: verify every block's checksum, O(bytes)
	openVerify = 4
)

// flags of insert and set
const (
	replaceDeleted = 1
	setExclusive   = 2
)

// nigh_search_options.flags.
const (
	searchExact   = 1
	searchRadius  = 2
	searchNoCodes = 4
	// by codes alone: vectors may be absent, distances are those of codes
	searchCodes = 8
)

// nigh_session_options.flags
const (
	sessionRead  = 1
	sessionSmall = 2
)

// nigh_job_options.kind.
const (
	// inserts many vectors: the same bytes however many threads run it
	jobBuild = 1
	// makes the codes of an index that has none, or drops them
	jobCodes = 2
	// chooses the links of layer 0 anew, knowing all nodes
	jobRefine = 3
	// takes removed keys out for good; their slots are free for others
	jobVacuum = 4
	// gives the nodes of an UNROOTED index their parents
	jobRoot = 5
)

// nigh_progress.state.
const (
	// call nigh_job_run again
	jobMore = 1
	// others are at work and nothing is free: again after a moment
	jobWait = 2
	jobDone = 3
)

// Flags of save.
const (
	// without vectors: whoever attaches it brings them
	saveGraphOnly = 1
	// read-only, links of as few bits as they need
	savePacked = 2
)

// of nigh_header
const (
	headerBytes = 512
)

// flags of hnswlib_write: 32-bit size_t
const (
	hnswlib32 = 1
)

// nigh_store_options.flags: begin anew
const (
	storeFormat = 1
)

// flags of nigh_node
const (
	nodeDeleted = 1
	nodeFree    = 2
)

// What errors.Is finds in the errors of this package.
const (
	// ErrInvalid: an argument or a configuration field is out of range
	ErrInvalid Status = eInvalid
	// ErrMemory: the memory handed in is too small or not aligned to 64 bytes
	ErrMemory Status = eMemory
	// ErrFull: no room left: grow the index, then go on
	ErrFull Status = eFull
	// ErrNotFound: no such key
	ErrNotFound Status = eNotFound
	// ErrExists: the key is there already
	ErrExists Status = eExists
	// ErrVector: NaN, infinity, or a zero vector under cosine
	ErrVector Status = eVector
	// ErrFetch: a callback failed or gave no address
	ErrFetch Status = eFetch
	// ErrFormat: not a nigh image, or of an unknown version
	ErrFormat Status = eFormat
	// ErrCorrupt: an image whose checksum or structure does not hold
	ErrCorrupt Status = eCorrupt
	// ErrMismatch: dim, dtype, metric or count differ from what the image says
	ErrMismatch Status = eMismatch
	// ErrReadOnly: the handle has no writer state, or the image is read-only
	ErrReadOnly Status = eReadOnly
	// ErrBusy: another thread is writing what this call needs to itself
	ErrBusy Status = eBusy
	// ErrNoVectors: the image holds no vectors and no source is set
	ErrNoVectors Status = eNoVectors
	// ErrBuild: compiled or running with float rules that change results
	ErrBuild Status = eBuild
	// ErrUnsupported: this machine, build or metric cannot do that
	ErrUnsupported Status = eUnsupported
	// ErrWrite: the write callback failed
	ErrWrite Status = eWrite
	// ErrSession: the session is too small for this call
	ErrSession Status = eSession
	// ErrKey: an empty, too long or unrepresentable key
	ErrKey Status = eKey
	// ErrOpen: the image was left in the middle of changes: only check opens it
	ErrOpen Status = eOpen
	// ErrDeleted: the key is known but removed
	ErrDeleted Status = eDeleted
)
