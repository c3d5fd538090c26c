// nigh.h for Rust: what C says, nothing more
// SPDX-License-Identifier: MIT OR Apache-2.0
// Generated from abi/nigh.h by abi/generate.py. Do not edit.

#![allow(non_camel_case_types)]

use core::ffi::{c_char, c_void};

pub type nigh_status = i32;

pub const NIGH_OK: nigh_status = 0;
/// an argument or a configuration field is out of range
pub const NIGH_E_INVALID: nigh_status = -1;
/// the memory handed in is too small or not aligned to 64 bytes
pub const NIGH_E_MEMORY: nigh_status = -2;
/// no room left: grow the index, then go on
pub const NIGH_E_FULL: nigh_status = -3;
/// no such key
pub const NIGH_E_NOT_FOUND: nigh_status = -4;
/// the key is there already
pub const NIGH_E_EXISTS: nigh_status = -5;
/// NaN, infinity, or a zero vector under cosine
pub const NIGH_E_VECTOR: nigh_status = -6;
/// a callback failed or gave no address
pub const NIGH_E_FETCH: nigh_status = -7;
/// not a nigh image, or of an unknown version
pub const NIGH_E_FORMAT: nigh_status = -8;
/// an image whose checksum or structure does not hold
pub const NIGH_E_CORRUPT: nigh_status = -9;
/// dim, dtype, metric or count differ from what the image says
pub const NIGH_E_MISMATCH: nigh_status = -10;
/// the handle has no writer state, or the image is read-only
pub const NIGH_E_READ_ONLY: nigh_status = -11;
/// another thread is writing what this call needs to itself
pub const NIGH_E_BUSY: nigh_status = -12;
/// the image holds no vectors and no source is set
pub const NIGH_E_NO_VECTORS: nigh_status = -13;
/// compiled or running with float rules that change results
pub const NIGH_E_BUILD: nigh_status = -14;
/// this machine, build or metric cannot do that
pub const NIGH_E_UNSUPPORTED: nigh_status = -15;
/// the write callback failed
pub const NIGH_E_WRITE: nigh_status = -16;
/// the session is too small for this call
pub const NIGH_E_SESSION: nigh_status = -17;
/// an empty, too long or unrepresentable key
pub const NIGH_E_KEY: nigh_status = -18;
/// the image was left in the middle of changes: only check opens it
pub const NIGH_E_OPEN: nigh_status = -19;
/// the key is known but removed
pub const NIGH_E_DELETED: nigh_status = -20;
/// this and below: the caller's callbacks' own
pub const NIGH_E_USER: nigh_status = -1000;

// nigh_config.metric. Smaller is nearer for all of them.
/// sum (a-b)^2
pub const NIGH_METRIC_L2: u32 = 1;
/// 1 - sum a\*b
pub const NIGH_METRIC_IP: u32 = 2;
/// 1 - cos(a, b), in \[0, 2\]
pub const NIGH_METRIC_COSINE: u32 = 3;
/// sum |a-b|
pub const NIGH_METRIC_L1: u32 = 4;
/// bits that differ; NIGH_DTYPE_B1 only
pub const NIGH_METRIC_HAMMING: u32 = 5;
/// nigh_index_distance
pub const NIGH_METRIC_CUSTOM: u32 = 6;

// nigh_config.dtype.
pub const NIGH_DTYPE_F32: u32 = 1;
/// IEEE binary16
pub const NIGH_DTYPE_F16: u32 = 2;
/// the upper half of an f32
pub const NIGH_DTYPE_BF16: u32 = 3;
/// dim int8 padded to 4, float scale, int32 zero: scale \* (x - zero)
pub const NIGH_DTYPE_I8: u32 = 4;
/// integers 0..255
pub const NIGH_DTYPE_U8: u32 = 5;
/// dim bits, lowest first; bits beyond dim are 0
pub const NIGH_DTYPE_B1: u32 = 6;

// nigh_config.keys.
pub const NIGH_KEYS_U64: u32 = 0;
/// strings of 1..key_bytes_max bytes
pub const NIGH_KEYS_BYTES: u32 = 1;
/// the key is the slot, nothing is stored; insert: NULL or the next
pub const NIGH_KEYS_IDENTITY: u32 = 2;

// nigh_config.vectors.
/// kept in the image
pub const NIGH_VECTORS_OWNED: u32 = 0;
/// borrowed or fetched: nigh_index_borrow, nigh_index_fetch
pub const NIGH_VECTORS_EXTERNAL: u32 = 1;

// nigh_config.codes: small copies of the vectors to search on; what is found is scored again
// ("reranked") on the true vectors, which may stay in slow memory.
pub const NIGH_CODES_NONE: u32 = 0;
/// a byte an element, one scale for the index: not B1, HAMMING, CUSTOM
pub const NIGH_CODES_U7: u32 = 1;
/// a bit an element: for high dimensions, and with a deep rerank
pub const NIGH_CODES_B1: u32 = 2;

// nigh_config.build_flags.
/// rows are filled up with neighbours that selection refused
pub const NIGH_BUILD_KEEP_PRUNED: u32 = 1;
/// links are chosen on the true vectors, not on codes or a draft
pub const NIGH_BUILD_EXACT: u32 = 2;
/// the graph is as a file of hnswlib holds it: no node has a parent. Searches, remove and save do
/// not mind; insert, set, BUILD, REFINE and VACUUM want NIGH_JOB_ROOT before (NIGH_E_UNSUPPORTED)
pub const NIGH_BUILD_UNROOTED: u32 = 4;

// Bits of nigh_options.features and of nigh_features().
/// always; alone it forces the scalar kernels
pub const NIGH_CPU_SCALAR: u32 = 1;
pub const NIGH_CPU_SSE41: u32 = 2;
/// with F16C
pub const NIGH_CPU_AVX2: u32 = 4;
/// F, BW, VL, DQ
pub const NIGH_CPU_AVX512: u32 = 8;
/// AVX512-VNNI
pub const NIGH_CPU_VNNI: u32 = 16;
/// AVX512-VPOPCNTDQ
pub const NIGH_CPU_VPOPCNT: u32 = 32;
pub const NIGH_CPU_NEON: u32 = 64;
/// AArch64 dot product
pub const NIGH_CPU_DOTPROD: u32 = 128;
/// WebAssembly
pub const NIGH_CPU_SIMD128: u32 = 256;
/// 32-bit ARM: pairs of halfwords, Cortex-M4 and M7
pub const NIGH_CPU_DSP: u32 = 512;
/// Helium: Cortex-M55
pub const NIGH_CPU_MVE: u32 = 1024;

// nigh_options.flags.
/// nigh_attach: the image memory may be stored to, in place
pub const NIGH_OPEN_WRITABLE: u32 = 1;
/// nigh_attach: take an image left open, for nigh_check only
pub const NIGH_OPEN_UNSEALED: u32 = 2;
/// nigh_attach: verify every block's checksum, O(bytes)
pub const NIGH_OPEN_VERIFY: u32 = 4;

// flags of insert and set
pub const NIGH_REPLACE_DELETED: u32 = 1;
pub const NIGH_SET_EXCLUSIVE: u32 = 2;

// nigh_search_options.flags.
pub const NIGH_SEARCH_EXACT: u32 = 1;
pub const NIGH_SEARCH_RADIUS: u32 = 2;
pub const NIGH_SEARCH_NO_CODES: u32 = 4;
/// by codes alone: vectors may be absent, distances are those of codes
pub const NIGH_SEARCH_CODES: u32 = 8;

// nigh_session_options.flags
pub const NIGH_SESSION_READ: u32 = 1;
pub const NIGH_SESSION_SMALL: u32 = 2;

// nigh_job_options.kind.
/// inserts many vectors: the same bytes however many threads run it
pub const NIGH_JOB_BUILD: u32 = 1;
/// makes the codes of an index that has none, or drops them
pub const NIGH_JOB_CODES: u32 = 2;
/// chooses the links of layer 0 anew, knowing all nodes
pub const NIGH_JOB_REFINE: u32 = 3;
/// takes removed keys out for good; their slots are free for others
pub const NIGH_JOB_VACUUM: u32 = 4;
/// gives the nodes of an UNROOTED index their parents
pub const NIGH_JOB_ROOT: u32 = 5;

// nigh_progress.state.
/// call nigh_job_run again
pub const NIGH_JOB_MORE: u32 = 1;
/// others are at work and nothing is free: again after a moment
pub const NIGH_JOB_WAIT: u32 = 2;
pub const NIGH_JOB_DONE: u32 = 3;

// Flags of save.
/// without vectors: whoever attaches it brings them
pub const NIGH_SAVE_GRAPH_ONLY: u32 = 1;
/// read-only, links of as few bits as they need
pub const NIGH_SAVE_PACKED: u32 = 2;

// of nigh_header
pub const NIGH_HEADER_BYTES: u32 = 512;

// flags of hnswlib_write: 32-bit size_t
pub const NIGH_HNSWLIB_32: u32 = 1;

// nigh_store_options.flags: begin anew
pub const NIGH_STORE_FORMAT: u32 = 1;

// flags of nigh_node
pub const NIGH_NODE_DELETED: u32 = 1;
pub const NIGH_NODE_FREE: u32 = 2;

/// opaque, in the caller's store memory
#[repr(C)]
pub struct nigh_store {
    _private: [u8; 0],
}

/// opaque, in the caller's job memory
#[repr(C)]
pub struct nigh_job {
    _private: [u8; 0],
}

/// opaque, in the caller's handle memory
#[repr(C)]
pub struct nigh_index {
    _private: [u8; 0],
}

/// opaque, in the caller's session memory
#[repr(C)]
pub struct nigh_session {
    _private: [u8; 0],
}

/// What an index is. Every field is stored in the image and changes its bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct nigh_config {
    /// sizeof(nigh_config) as the caller was compiled
    pub struct_size: u32,
    /// elements per vector, 1..65535
    pub dim: u32,
    /// NIGH_METRIC_\*, required
    pub metric: u32,
    /// NIGH_DTYPE_\*, required
    pub dtype: u32,
    /// NIGH_KEYS_\*
    pub keys: u32,
    /// NIGH_VECTORS_\*
    pub vectors: u32,
    /// links per node above layer 0, 2..1024; 0 = 16
    pub m: u32,
    /// links per node in layer 0, m..2048, at least 4; 0 = 2 m
    pub m0: u32,
    /// candidates kept while inserting, 1..65535; 0 = 200
    pub ef_build: u32,
    /// as nigh_search_options.expansions, while inserting; 0 = 2
    pub expansions: u32,
    /// target bytes of a block, a power of two 256..2^26; 0 = 65536
    pub block_bytes: u32,
    /// longest byte-string key, 1..511; 0 = 511
    pub key_bytes_max: u32,
    /// draws the layers; the same seed and insertions give the same bytes
    pub seed: u64,
    /// NIGH_CODES_\*; they are searched once NIGH_JOB_CODES has made them
    pub codes: u32,
    /// NIGH_BUILD_\*
    pub build_flags: u32,
    /// a candidate is refused when a chosen neighbour is alpha times nearer to it than the node is,
    /// 1..2; 0 = 1 (hnswlib); ignored for IP
    pub alpha: f32,
    /// U7: span of elements (cosine: of unit vectors), beyond it they are
    pub code_min: f32,
    /// clamped. Both 0: taken from a sample when codes are made
    pub code_max: f32,
    /// 0
    pub reserved: u32,
}

impl Default for nigh_config {
    /// Zeros, which mean the defaults, and the size of the structure.
    fn default() -> Self {
        Self {
            struct_size: core::mem::size_of::<Self>() as u32,
            dim: 0,
            metric: 0,
            dtype: 0,
            keys: 0,
            vectors: 0,
            m: 0,
            m0: 0,
            ef_build: 0,
            expansions: 0,
            block_bytes: 0,
            key_bytes_max: 0,
            seed: 0,
            codes: 0,
            build_flags: 0,
            alpha: 0.0,
            code_min: 0.0,
            code_max: 0.0,
            reserved: 0,
        }
    }
}

const _: () = {
    assert!(core::mem::size_of::<nigh_config>() == 80);
    assert!(core::mem::offset_of!(nigh_config, struct_size) == 0);
    assert!(core::mem::offset_of!(nigh_config, dim) == 4);
    assert!(core::mem::offset_of!(nigh_config, metric) == 8);
    assert!(core::mem::offset_of!(nigh_config, dtype) == 12);
    assert!(core::mem::offset_of!(nigh_config, keys) == 16);
    assert!(core::mem::offset_of!(nigh_config, vectors) == 20);
    assert!(core::mem::offset_of!(nigh_config, m) == 24);
    assert!(core::mem::offset_of!(nigh_config, m0) == 28);
    assert!(core::mem::offset_of!(nigh_config, ef_build) == 32);
    assert!(core::mem::offset_of!(nigh_config, expansions) == 36);
    assert!(core::mem::offset_of!(nigh_config, block_bytes) == 40);
    assert!(core::mem::offset_of!(nigh_config, key_bytes_max) == 44);
    assert!(core::mem::offset_of!(nigh_config, seed) == 48);
    assert!(core::mem::offset_of!(nigh_config, codes) == 56);
    assert!(core::mem::offset_of!(nigh_config, build_flags) == 60);
    assert!(core::mem::offset_of!(nigh_config, alpha) == 64);
    assert!(core::mem::offset_of!(nigh_config, code_min) == 68);
    assert!(core::mem::offset_of!(nigh_config, code_max) == 72);
    assert!(core::mem::offset_of!(nigh_config, reserved) == 76);
};

/// How this process uses an image. Nothing here changes bytes or results.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct nigh_options {
    pub struct_size: u32,
    /// most slots that this handle can ever hold, at most 2^31 - 2; attach: 0 = as many as the
    /// image has
    pub slot_max: u32,
    /// NIGH_CPU_\* that may be used; 0 = all that the machine has
    pub features: u32,
    /// NIGH_OPEN_\*
    pub flags: u32,
    /// of an empty index: room for so many records above layer 0 beyond those that its slots will
    /// draw: nigh_hnswlib.upper_extra
    pub upper_extra: u32,
}

impl Default for nigh_options {
    /// Zeros, which mean the defaults, and the size of the structure.
    fn default() -> Self {
        Self {
            struct_size: core::mem::size_of::<Self>() as u32,
            slot_max: 0,
            features: 0,
            flags: 0,
            upper_extra: 0,
        }
    }
}

const _: () = {
    assert!(core::mem::size_of::<nigh_options>() == 20);
    assert!(core::mem::offset_of!(nigh_options, struct_size) == 0);
    assert!(core::mem::offset_of!(nigh_options, slot_max) == 4);
    assert!(core::mem::offset_of!(nigh_options, features) == 8);
    assert!(core::mem::offset_of!(nigh_options, flags) == 12);
    assert!(core::mem::offset_of!(nigh_options, upper_extra) == 16);
};

/// What a session can do.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct nigh_session_options {
    pub struct_size: u32,
    /// largest ef and k of its calls; 0 = 512; not READ: at least ef_build
    pub ef_max: u32,
    /// nodes that a filtered search or a cursor remembers, 16 bytes each; 0 = the smaller of
    /// slot_max and max(8 ef_max, 4096)
    pub frontier_max: u32,
    /// NIGH_SESSION_READ: cannot insert or set (smaller); NIGH_SESSION_SMALL: visited marks are a
    /// bit a slot, not a byte, or in a hash set of frontier_max where that is smaller
    pub flags: u32,
    /// queries that nigh_search_batch has under way at once, 1..4, each with scratch of its own; 0
    /// = 1
    pub lanes: u32,
}

impl Default for nigh_session_options {
    /// Zeros, which mean the defaults, and the size of the structure.
    fn default() -> Self {
        Self {
            struct_size: core::mem::size_of::<Self>() as u32,
            ef_max: 0,
            frontier_max: 0,
            flags: 0,
            lanes: 0,
        }
    }
}

const _: () = {
    assert!(core::mem::size_of::<nigh_session_options>() == 20);
    assert!(core::mem::offset_of!(nigh_session_options, struct_size) == 0);
    assert!(core::mem::offset_of!(nigh_session_options, ef_max) == 4);
    assert!(core::mem::offset_of!(nigh_session_options, frontier_max) == 8);
    assert!(core::mem::offset_of!(nigh_session_options, flags) == 12);
    assert!(core::mem::offset_of!(nigh_session_options, lanes) == 16);
};

/// How to search.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct nigh_search_options {
    pub struct_size: u32,
    /// candidates kept; raised to k; 0 = 64
    pub ef: u32,
    /// nodes under way at once, 1..8; 0 = 2. 1 is hnswlib's order; else half as many are expanded a
    /// round, and fetched while the round before them is scored
    pub expansions: u32,
    /// NIGH_SEARCH_EXACT: score every live vector; NIGH_SEARCH_RADIUS; NIGH_SEARCH_NO_CODES: true
    /// vectors only; NIGH_SEARCH_CODES: codes only, and the query is one: dim bytes 1..127, or dim
    /// bits. Distances are whole numbers: sum (a-b)^2, sum |a-b|, bits that differ, or for IP minus
    /// sum (a-64)(b-64)
    pub flags: u32,
    /// with NIGH_SEARCH_RADIUS: only hits at this distance or nearer
    pub radius: f32,
    /// stop with what is found after so many expansions; 0 = no limit
    pub expansions_max: u32,
    /// with codes: how many are scored again on true vectors, at least k; 0 = by k and ef
    pub rerank: u32,
    /// also stop when the next candidate is (1 + gamma) times as far as the k-th best (Al-Jazzazi
    /// et al. 2025); 0 = off. Farther ones are not kept either, so ef may be large and gamma alone
    /// decide the effort. Searches that sweep for a filter do not look at it
    pub gamma: f32,
}

impl Default for nigh_search_options {
    /// Zeros, which mean the defaults, and the size of the structure.
    fn default() -> Self {
        Self {
            struct_size: core::mem::size_of::<Self>() as u32,
            ef: 0,
            expansions: 0,
            flags: 0,
            radius: 0.0,
            expansions_max: 0,
            rerank: 0,
            gamma: 0.0,
        }
    }
}

const _: () = {
    assert!(core::mem::size_of::<nigh_search_options>() == 32);
    assert!(core::mem::offset_of!(nigh_search_options, struct_size) == 0);
    assert!(core::mem::offset_of!(nigh_search_options, ef) == 4);
    assert!(core::mem::offset_of!(nigh_search_options, expansions) == 8);
    assert!(core::mem::offset_of!(nigh_search_options, flags) == 12);
    assert!(core::mem::offset_of!(nigh_search_options, radius) == 16);
    assert!(core::mem::offset_of!(nigh_search_options, expansions_max) == 20);
    assert!(core::mem::offset_of!(nigh_search_options, rerank) == 24);
    assert!(core::mem::offset_of!(nigh_search_options, gamma) == 28);
};

/// What the last call on a session cost.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct nigh_session_stats {
    pub struct_size: u32,
    /// vectors scored
    pub distances: u32,
    /// nodes whose links were read
    pub expansions: u32,
    /// calls of the fetch callback
    pub fetches: u32,
    /// 1: frontier_max was reached and far candidates were dropped
    pub truncated: u32,
    /// 1: answered by scanning, the graph gave too few matches
    pub scanned: u32,
    /// of `distances`, those of true vectors after a search on codes
    pub reranked: u32,
}

impl Default for nigh_session_stats {
    /// Zeros, which mean the defaults, and the size of the structure.
    fn default() -> Self {
        Self {
            struct_size: core::mem::size_of::<Self>() as u32,
            distances: 0,
            expansions: 0,
            fetches: 0,
            truncated: 0,
            scanned: 0,
            reranked: 0,
        }
    }
}

const _: () = {
    assert!(core::mem::size_of::<nigh_session_stats>() == 28);
    assert!(core::mem::offset_of!(nigh_session_stats, struct_size) == 0);
    assert!(core::mem::offset_of!(nigh_session_stats, distances) == 4);
    assert!(core::mem::offset_of!(nigh_session_stats, expansions) == 8);
    assert!(core::mem::offset_of!(nigh_session_stats, fetches) == 12);
    assert!(core::mem::offset_of!(nigh_session_stats, truncated) == 16);
    assert!(core::mem::offset_of!(nigh_session_stats, scanned) == 20);
    assert!(core::mem::offset_of!(nigh_session_stats, reranked) == 24);
};

/// What an index holds now.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct nigh_stats {
    pub struct_size: u32,
    /// slots in use, tombstones and free ones included
    pub slot_count: u32,
    /// keys that a search can return
    pub live_count: u32,
    /// tombstones
    pub deleted_count: u32,
    /// slots that hold no node
    pub free_count: u32,
    /// slots that the donated memory has room for
    pub slot_capacity: u32,
    /// of the handle
    pub slot_max: u32,
    /// layer of the entry point
    pub level_max: u32,
    /// 0xffffffff: none
    pub entry_slot: u32,
    /// records above layer 0
    pub upper_count: u32,
    /// kernels chosen, NIGH_CPU_\*
    pub features: u32,
    /// 1: has writer state
    pub writable: u32,
    /// lengths of all byte-string keys ever stored, added up
    pub key_bytes: u64,
    /// room for them and the gaps between them
    pub key_capacity: u64,
    /// of nigh_save with flags 0
    pub image_bytes: u64,
    /// NIGH_CODES_\* that searches use
    pub codes: u32,
    /// elements that did not fit the span of the codes, at most 2^32 - 1
    pub code_clamped: u32,
}

impl Default for nigh_stats {
    /// Zeros, which mean the defaults, and the size of the structure.
    fn default() -> Self {
        Self {
            struct_size: core::mem::size_of::<Self>() as u32,
            slot_count: 0,
            live_count: 0,
            deleted_count: 0,
            free_count: 0,
            slot_capacity: 0,
            slot_max: 0,
            level_max: 0,
            entry_slot: 0,
            upper_count: 0,
            features: 0,
            writable: 0,
            key_bytes: 0,
            key_capacity: 0,
            image_bytes: 0,
            codes: 0,
            code_clamped: 0,
        }
    }
}

const _: () = {
    assert!(core::mem::size_of::<nigh_stats>() == 80);
    assert!(core::mem::offset_of!(nigh_stats, struct_size) == 0);
    assert!(core::mem::offset_of!(nigh_stats, slot_count) == 4);
    assert!(core::mem::offset_of!(nigh_stats, live_count) == 8);
    assert!(core::mem::offset_of!(nigh_stats, deleted_count) == 12);
    assert!(core::mem::offset_of!(nigh_stats, free_count) == 16);
    assert!(core::mem::offset_of!(nigh_stats, slot_capacity) == 20);
    assert!(core::mem::offset_of!(nigh_stats, slot_max) == 24);
    assert!(core::mem::offset_of!(nigh_stats, level_max) == 28);
    assert!(core::mem::offset_of!(nigh_stats, entry_slot) == 32);
    assert!(core::mem::offset_of!(nigh_stats, upper_count) == 36);
    assert!(core::mem::offset_of!(nigh_stats, features) == 40);
    assert!(core::mem::offset_of!(nigh_stats, writable) == 44);
    assert!(core::mem::offset_of!(nigh_stats, key_bytes) == 48);
    assert!(core::mem::offset_of!(nigh_stats, key_capacity) == 56);
    assert!(core::mem::offset_of!(nigh_stats, image_bytes) == 64);
    assert!(core::mem::offset_of!(nigh_stats, codes) == 72);
    assert!(core::mem::offset_of!(nigh_stats, code_clamped) == 76);
};

/// What nigh_check found; `status` tells whether the index is sound.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct nigh_report {
    pub struct_size: u32,
    /// NIGH_OK or NIGH_E_CORRUPT
    pub status: i32,
    /// the first one that is wrong, 0xffffffff: none in particular
    pub slot: u32,
    /// its layer
    pub level: u32,
    /// number of the rule broken, docs/FORMAT.md lists them; 0 = none
    pub fault: u32,
    /// nodes without a valid parent edge
    pub unreachable: u32,
    /// links in all layers
    pub link_count: u64,
    /// blocks whose checksum was verified (attached, unchanged images)
    pub blocks_checked: u64,
}

impl Default for nigh_report {
    /// Zeros, which mean the defaults, and the size of the structure.
    fn default() -> Self {
        Self {
            struct_size: core::mem::size_of::<Self>() as u32,
            status: 0,
            slot: 0,
            level: 0,
            fault: 0,
            unreachable: 0,
            link_count: 0,
            blocks_checked: 0,
        }
    }
}

const _: () = {
    assert!(core::mem::size_of::<nigh_report>() == 40);
    assert!(core::mem::offset_of!(nigh_report, struct_size) == 0);
    assert!(core::mem::offset_of!(nigh_report, status) == 4);
    assert!(core::mem::offset_of!(nigh_report, slot) == 8);
    assert!(core::mem::offset_of!(nigh_report, level) == 12);
    assert!(core::mem::offset_of!(nigh_report, fault) == 16);
    assert!(core::mem::offset_of!(nigh_report, unreachable) == 20);
    assert!(core::mem::offset_of!(nigh_report, link_count) == 24);
    assert!(core::mem::offset_of!(nigh_report, blocks_checked) == 32);
};

/// What a job is to do.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct nigh_job_options {
    pub struct_size: u32,
    /// NIGH_JOB_\*
    pub kind: u32,
    /// CODES: NIGH_CODES_\*, NONE drops what is there
    pub codes: u32,
    /// CODES: as in nigh_config
    pub code_min: f32,
    pub code_max: f32,
    /// BUILD: bytes from a row to the next, a multiple of an element's; 0 = nigh_row_bytes
    pub vector_stride: u32,
    /// REFINE: candidates a node; 0 = 100
    pub ef: u32,
    /// REFINE: as in nigh_config; 0 = by how distances grow in a sample
    pub alpha: f32,
}

impl Default for nigh_job_options {
    /// Zeros, which mean the defaults, and the size of the structure.
    fn default() -> Self {
        Self {
            struct_size: core::mem::size_of::<Self>() as u32,
            kind: 0,
            codes: 0,
            code_min: 0.0,
            code_max: 0.0,
            vector_stride: 0,
            ef: 0,
            alpha: 0.0,
        }
    }
}

const _: () = {
    assert!(core::mem::size_of::<nigh_job_options>() == 32);
    assert!(core::mem::offset_of!(nigh_job_options, struct_size) == 0);
    assert!(core::mem::offset_of!(nigh_job_options, kind) == 4);
    assert!(core::mem::offset_of!(nigh_job_options, codes) == 8);
    assert!(core::mem::offset_of!(nigh_job_options, code_min) == 12);
    assert!(core::mem::offset_of!(nigh_job_options, code_max) == 16);
    assert!(core::mem::offset_of!(nigh_job_options, vector_stride) == 20);
    assert!(core::mem::offset_of!(nigh_job_options, ef) == 24);
    assert!(core::mem::offset_of!(nigh_job_options, alpha) == 28);
};

/// What a file of hnswlib holds.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct nigh_hnswlib {
    pub struct_size: u32,
    /// of a size_t where it was written: 64 or 32
    pub bits: u32,
    /// elements, deleted ones included; slot s is the one stored as s-th
    pub slot_count: u32,
    /// elements marked deleted
    pub deleted_count: u32,
    /// lists above layer 0
    pub upper_count: u32,
    /// for nigh_options
    pub upper_extra: u32,
    /// 1: every label is the element's slot
    pub identity: u32,
    /// bytes from a vector to the next,
    pub vector_stride: u32,
    /// and from the file's begin to the first: for nigh_index_borrow
    pub vector_offset: u64,
    /// 0 without elements
    pub label_max: u64,
    /// what the writer had room for
    pub max_elements: u64,
}

impl Default for nigh_hnswlib {
    /// Zeros, which mean the defaults, and the size of the structure.
    fn default() -> Self {
        Self {
            struct_size: core::mem::size_of::<Self>() as u32,
            bits: 0,
            slot_count: 0,
            deleted_count: 0,
            upper_count: 0,
            upper_extra: 0,
            identity: 0,
            vector_stride: 0,
            vector_offset: 0,
            label_max: 0,
            max_elements: 0,
        }
    }
}

const _: () = {
    assert!(core::mem::size_of::<nigh_hnswlib>() == 56);
    assert!(core::mem::offset_of!(nigh_hnswlib, struct_size) == 0);
    assert!(core::mem::offset_of!(nigh_hnswlib, bits) == 4);
    assert!(core::mem::offset_of!(nigh_hnswlib, slot_count) == 8);
    assert!(core::mem::offset_of!(nigh_hnswlib, deleted_count) == 12);
    assert!(core::mem::offset_of!(nigh_hnswlib, upper_count) == 16);
    assert!(core::mem::offset_of!(nigh_hnswlib, upper_extra) == 20);
    assert!(core::mem::offset_of!(nigh_hnswlib, identity) == 24);
    assert!(core::mem::offset_of!(nigh_hnswlib, vector_stride) == 28);
    assert!(core::mem::offset_of!(nigh_hnswlib, vector_offset) == 32);
    assert!(core::mem::offset_of!(nigh_hnswlib, label_max) == 40);
    assert!(core::mem::offset_of!(nigh_hnswlib, max_elements) == 48);
};

/// How far a job is.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct nigh_progress {
    pub struct_size: u32,
    /// NIGH_JOB_MORE, WAIT, DONE
    pub state: u32,
    /// never falls; BUILD: vectors inserted
    pub done: u64,
    pub total: u64,
}

impl Default for nigh_progress {
    /// Zeros, which mean the defaults, and the size of the structure.
    fn default() -> Self {
        Self { struct_size: core::mem::size_of::<Self>() as u32, state: 0, done: 0, total: 0 }
    }
}

const _: () = {
    assert!(core::mem::size_of::<nigh_progress>() == 24);
    assert!(core::mem::offset_of!(nigh_progress, struct_size) == 0);
    assert!(core::mem::offset_of!(nigh_progress, state) == 4);
    assert!(core::mem::offset_of!(nigh_progress, done) == 8);
    assert!(core::mem::offset_of!(nigh_progress, total) == 16);
};

/// What a store lies on.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct nigh_store_options {
    pub struct_size: u32,
    /// NIGH_STORE_\*
    pub flags: u32,
    /// what is written anew as a whole: a power of two 1024..2^20 and a multiple of the unit that
    /// the device erases; 0 = 4096
    pub page_bytes: u32,
    /// pages of the device, at most 2^31
    pub page_count: u32,
    /// writes end at multiples of it: a power of two up to page_bytes; 0 = 1
    pub program_bytes: u32,
    /// FORMAT: pages that take turns as superblock, 2..64; 0 = 2. Each commit writes one: on flash
    /// more of them wear less
    pub super_count: u32,
}

impl Default for nigh_store_options {
    /// Zeros, which mean the defaults, and the size of the structure.
    fn default() -> Self {
        Self {
            struct_size: core::mem::size_of::<Self>() as u32,
            flags: 0,
            page_bytes: 0,
            page_count: 0,
            program_bytes: 0,
            super_count: 0,
        }
    }
}

const _: () = {
    assert!(core::mem::size_of::<nigh_store_options>() == 24);
    assert!(core::mem::offset_of!(nigh_store_options, struct_size) == 0);
    assert!(core::mem::offset_of!(nigh_store_options, flags) == 4);
    assert!(core::mem::offset_of!(nigh_store_options, page_bytes) == 8);
    assert!(core::mem::offset_of!(nigh_store_options, page_count) == 12);
    assert!(core::mem::offset_of!(nigh_store_options, program_bytes) == 16);
    assert!(core::mem::offset_of!(nigh_store_options, super_count) == 20);
};

/// How a store is, and what it cost since it was opened.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct nigh_store_stats {
    pub struct_size: u32,
    pub page_bytes: u32,
    pub page_count: u32,
    /// what the last commit holds, superblocks and tables counted
    pub page_used: u32,
    /// room of the next one: what changes is written before the old goes
    pub page_free: u32,
    /// 1: there is an index
    pub filled: u32,
    /// rises with every commit
    pub generation: u64,
    /// to the device, as are the next three
    pub written_bytes: u64,
    pub write_count: u64,
    pub erase_count: u64,
    pub sync_count: u64,
    /// after NIGH_E_CORRUPT: region, block and page, 0xffffffff: none
    pub bad_region: u32,
    pub bad_block: u32,
    pub bad_page: u32,
    pub reserved: u32,
}

impl Default for nigh_store_stats {
    /// Zeros, which mean the defaults, and the size of the structure.
    fn default() -> Self {
        Self {
            struct_size: core::mem::size_of::<Self>() as u32,
            page_bytes: 0,
            page_count: 0,
            page_used: 0,
            page_free: 0,
            filled: 0,
            generation: 0,
            written_bytes: 0,
            write_count: 0,
            erase_count: 0,
            sync_count: 0,
            bad_region: 0,
            bad_block: 0,
            bad_page: 0,
            reserved: 0,
        }
    }
}

const _: () = {
    assert!(core::mem::size_of::<nigh_store_stats>() == 80);
    assert!(core::mem::offset_of!(nigh_store_stats, struct_size) == 0);
    assert!(core::mem::offset_of!(nigh_store_stats, page_bytes) == 4);
    assert!(core::mem::offset_of!(nigh_store_stats, page_count) == 8);
    assert!(core::mem::offset_of!(nigh_store_stats, page_used) == 12);
    assert!(core::mem::offset_of!(nigh_store_stats, page_free) == 16);
    assert!(core::mem::offset_of!(nigh_store_stats, filled) == 20);
    assert!(core::mem::offset_of!(nigh_store_stats, generation) == 24);
    assert!(core::mem::offset_of!(nigh_store_stats, written_bytes) == 32);
    assert!(core::mem::offset_of!(nigh_store_stats, write_count) == 40);
    assert!(core::mem::offset_of!(nigh_store_stats, erase_count) == 48);
    assert!(core::mem::offset_of!(nigh_store_stats, sync_count) == 56);
    assert!(core::mem::offset_of!(nigh_store_stats, bad_region) == 64);
    assert!(core::mem::offset_of!(nigh_store_stats, bad_block) == 68);
    assert!(core::mem::offset_of!(nigh_store_stats, bad_page) == 72);
    assert!(core::mem::offset_of!(nigh_store_stats, reserved) == 76);
};

/// Vectors of `count` slots: stores into vectors\[i\] an address that stays valid until the next
/// call on the same session, or fills scratch (count rows) and points there. keys is
/// uint64_t\[count\], or NULL for byte-string keys. vectors\[\] is zeroed before. Runs on the
/// calling thread, never under a lock, and may call read functions with another session.
///
/// * `slots`: in, `count`
/// * `keys`: in, `count`
/// * `scratch`: inout, `count*row_bytes`
/// * `vectors`: out, `count`
pub type nigh_fetch_fn = unsafe extern "C" fn(
    user: *mut c_void,
    slots: *const u32,
    keys: *const u64,
    count: u32,
    scratch: *mut c_void,
    vectors: *mut *const c_void,
) -> nigh_status;

/// Hint that these slots are likely to be fetched soon.
///
/// * `slots`: in, `count`
/// * `keys`: in, `count`
pub type nigh_prefetch_fn =
    unsafe extern "C" fn(user: *mut c_void, slots: *const u32, keys: *const u64, count: u32);

/// Distance of two rows, symmetric, smaller is nearer; NaN counts as infinite.
///
/// * `a`: in, `row_bytes`
/// * `b`: in, `row_bytes`
pub type nigh_distance_fn =
    unsafe extern "C" fn(user: *mut c_void, a: *const c_void, b: *const c_void, dim: u32) -> f32;

/// Non-zero: this slot may be returned. key as in nigh_fetch_fn (NULL: byte strings).
///
/// * `key`: in, `1`
pub type nigh_filter_fn =
    unsafe extern "C" fn(user: *mut c_void, slot: u32, key: *const u64) -> i32;

/// Takes the next `count` bytes of an image, in order.
///
/// * `bytes`: in, `count`
pub type nigh_write_fn =
    unsafe extern "C" fn(user: *mut c_void, bytes: *const c_void, count: u64) -> nigh_status;

/// Pager: the address (64-byte aligned) of block `block` of region `region`, `bytes` long, zeroed
/// when it is new.
///
/// * `address`: out, `1`
pub type nigh_map_fn = unsafe extern "C" fn(
    user: *mut c_void,
    region: u32,
    block: u32,
    bytes: u64,
    address: *mut *mut c_void,
) -> nigh_status;

/// Pager: called before the first store to a block since the last nigh_seal; may move it (copy the
/// bytes, store the new address).
///
/// * `address`: inout, `1`
pub type nigh_dirty_fn = unsafe extern "C" fn(
    user: *mut c_void,
    region: u32,
    block: u32,
    bytes: u64,
    address: *mut *mut c_void,
) -> nigh_status;

/// Store: reads. Answers NIGH_E_CORRUPT where the device knows that the bytes are not what was
/// written (a write cut short under ECC).
///
/// * `bytes`: out, `count`
pub type nigh_store_read_fn = unsafe extern "C" fn(
    user: *mut c_void,
    offset: u64,
    bytes: *mut c_void,
    count: u64,
) -> nigh_status;

/// Store: writes to a page that was erased, if there is an erase; offset is a page's, count a
/// multiple of program_bytes and at most a page.
///
/// * `bytes`: in, `count`
pub type nigh_store_write_fn = unsafe extern "C" fn(
    user: *mut c_void,
    offset: u64,
    bytes: *const c_void,
    count: u64,
) -> nigh_status;

/// Store: erases a page.
pub type nigh_store_erase_fn =
    unsafe extern "C" fn(user: *mut c_void, offset: u64, count: u64) -> nigh_status;

/// Store: all that was written before stays before anything written later does.
pub type nigh_store_sync_fn = unsafe extern "C" fn(user: *mut c_void) -> nigh_status;

/// A clock that only rises, in nanoseconds.
pub type nigh_clock_fn = unsafe extern "C" fn(user: *mut c_void) -> u64;

unsafe extern "C" {
    /// major \<\< 16 | minor \<\< 8 | patch.
    pub fn nigh_version() -> u32;
    /// One English sentence for a status, static; never NULL.
    pub fn nigh_status_text(status: nigh_status) -> *const c_char;
    /// NIGH_CPU_\* that this machine has, as far as can be known without an operating system.
    pub fn nigh_features() -> u32;
    /// Bytes of one row.
    ///
    /// * `dim`: in, `dtype`
    /// * `bytes`: out, `1`
    ///
    /// Errors: NIGH_E_INVALID
    pub fn nigh_row_bytes(dim: u32, dtype: u32, bytes: *mut u64) -> nigh_status;
    /// Converts between f32 and rows of `dtype`: to it (I8 with the scale and zero point that span
    /// each vector, U8 rounded and clamped, B1 x \> 0) when `rows_in` is NULL, else from it.
    ///
    /// * `floats_in`: in, `count*dim`, may be null
    /// * `rows_out`: out, `count*row_bytes`, may be null
    /// * `rows_in`: in, `count*row_bytes`, may be null
    /// * `floats_out`: out, `count*dim`, may be null
    ///
    /// Errors: NIGH_E_INVALID NIGH_E_VECTOR (NaN, infinity, beyond the type's range; nothing
    /// written)
    pub fn nigh_convert(
        dim: u32,
        dtype: u32,
        count: u32,
        floats_in: *const f32,
        rows_out: *mut c_void,
        rows_in: *const c_void,
        floats_out: *mut f32,
    ) -> nigh_status;
    /// Bytes of a handle for options-\>slot_max slots (1 or more).
    ///
    /// * `config`: in, `1`
    /// * `options`: in, `1`
    /// * `bytes`: out, `1`
    ///
    /// Errors: NIGH_E_UNSUPPORTED (the library was built without what config wants)
    pub fn nigh_index_bytes(
        config: *const nigh_config,
        options: *const nigh_options,
        bytes: *mut u64,
    ) -> nigh_status;
    /// An empty index. It has no room yet: see nigh_grow. No destroy: drop the memory.
    ///
    /// * `config`: in, `1`
    /// * `options`: in, `1`
    /// * `memory`: inout, `memory_bytes`, kept after the call
    /// * `index`: out, `1`
    ///
    /// Errors: NIGH_E_MEMORY NIGH_E_BUILD NIGH_E_UNSUPPORTED
    pub fn nigh_index_init(
        config: *const nigh_config,
        options: *const nigh_options,
        memory: *mut c_void,
        memory_bytes: u64,
        index: *mut *mut nigh_index,
    ) -> nigh_status;
    /// Bytes of a handle for an image.
    ///
    /// * `image`: in, `image_bytes`
    /// * `options`: in, `1`, may be null
    /// * `bytes`: out, `1`
    pub fn nigh_attach_bytes(
        image: *const c_void,
        image_bytes: u64,
        options: *const nigh_options,
        bytes: *mut u64,
    ) -> nigh_status;
    /// Uses an image where it lies (64-byte aligned: memory, a mapped file, flash). Header, sizes
    /// and directory are verified in O(blocks); whatever the rest holds, searches stay inside the
    /// image. The image must outlive the handle.
    ///
    /// * `image`: inout, `image_bytes`, kept after the call
    /// * `options`: in, `1`, may be null
    /// * `memory`: inout, `memory_bytes`, kept after the call
    /// * `index`: out, `1`
    ///
    /// Errors: NIGH_E_FORMAT NIGH_E_CORRUPT NIGH_E_OPEN NIGH_E_MEMORY NIGH_E_BUILD
    /// NIGH_E_UNSUPPORTED NIGH_E_INVALID (slot_max below what the image holds)
    pub fn nigh_attach(
        image: *mut c_void,
        image_bytes: u64,
        options: *const nigh_options,
        memory: *mut c_void,
        memory_bytes: u64,
        index: *mut *mut nigh_index,
    ) -> nigh_status;
    /// Uses an index whose blocks a pager holds, one by one, instead of an image that lies in a
    /// row: `header` is what nigh_header once gave (nigh_attach_bytes takes it too). map is called
    /// for every block in use, in order, each whole; what it gives must be what the index stored
    /// there, and is believed as that of an image is. A failed call leaves nothing behind.
    /// nigh_grow with memory NULL asks for new ones. With NIGH_OPEN_WRITABLE and a writer state the
    /// index may be changed. A header says how many blocks there are, and a handle wants 8 bytes
    /// and more for each: one from a stranger may say millions (nigh_attach_bytes: gigabytes) where
    /// there are none. Look whether the blocks are there, or at that size, before memory is
    /// allocated.
    ///
    /// * `header`: in, `header_bytes`
    /// * `options`: in, `1`, may be null
    /// * `map`: in, `function`, kept after the call
    /// * `dirty`: in, `function`, kept after the call, may be null
    /// * `user`: in, `any`, kept after the call
    /// * `memory`: inout, `memory_bytes`, kept after the call
    /// * `index`: out, `1`
    ///
    /// Errors: as nigh_attach, and NIGH_E_FULL (map failed) or what it gave from NIGH_E_USER on
    pub fn nigh_attach_blocks(
        header: *const c_void,
        header_bytes: u64,
        options: *const nigh_options,
        map: Option<nigh_map_fn>,
        dirty: Option<nigh_dirty_fn>,
        user: *mut c_void,
        memory: *mut c_void,
        memory_bytes: u64,
        index: *mut *mut nigh_index,
    ) -> nigh_status;
    /// Block memory that nigh_grow needs to hold `slots` slots in total, and key_bytes bytes of
    /// byte-string keys: the lengths of all ever stored (nigh_stats.key_bytes) and of those to
    /// come. Rounded up to whole blocks, but for slots == slot_max.
    ///
    /// * `bytes`: out, `1`
    pub fn nigh_grow_bytes(
        index: *const nigh_index,
        slots: u32,
        key_bytes: u64,
        bytes: *mut u64,
    ) -> nigh_status;
    /// Donates block memory, kept until the index is dropped; searches and writers go on meanwhile.
    /// Huge pages (2 MiB aligned, advised) are worth 8-16 % of search time. memory NULL: the
    /// pager's; that, and the first growth of an attached image, want no writer beside them.
    ///
    /// * `memory`: inout, `memory_bytes`, kept after the call, may be null
    ///
    /// Errors: NIGH_E_MEMORY NIGH_E_INVALID (beyond slot_max; memory beside a pager's) NIGH_E_BUSY
    /// NIGH_E_FULL (the pager's)
    pub fn nigh_grow(
        index: *mut nigh_index,
        slots: u32,
        key_bytes: u64,
        memory: *mut c_void,
        memory_bytes: u64,
    ) -> nigh_status;
    /// Bytes of the writer state.
    ///
    /// * `bytes`: out, `1`
    pub fn nigh_writer_bytes(index: *const nigh_index, bytes: *mut u64) -> nigh_status;
    /// Makes the handle writable; the memory stays with it.
    ///
    /// * `memory`: inout, `memory_bytes`, kept after the call
    ///
    /// Errors: NIGH_E_MEMORY NIGH_E_READ_ONLY (attached without NIGH_OPEN_WRITABLE, or packed)
    /// NIGH_E_BUSY (a job is under way)
    pub fn nigh_writer_init(
        index: *mut nigh_index,
        memory: *mut c_void,
        memory_bytes: u64,
    ) -> nigh_status;
    /// Bytes of a session.
    ///
    /// * `options`: in, `1`, may be null
    /// * `bytes`: out, `1`
    pub fn nigh_session_bytes(
        index: *const nigh_index,
        options: *const nigh_session_options,
        bytes: *mut u64,
    ) -> nigh_status;
    /// A session for one thread at a time; it serves only this index and lives at most as long.
    ///
    /// * `options`: in, `1`, may be null
    /// * `memory`: inout, `memory_bytes`, kept after the call
    /// * `session`: out, `1`
    ///
    /// Errors: NIGH_E_MEMORY
    pub fn nigh_session_init(
        index: *const nigh_index,
        options: *const nigh_session_options,
        memory: *mut c_void,
        memory_bytes: u64,
        session: *mut *mut nigh_session,
    ) -> nigh_status;
    /// Vectors in the caller's array: slot s at base + s \* stride, never copied. `count` rows are
    /// there; searching needs at least slot_count of them. Slots count in the order of insertion,
    /// keys play no part: where rows are in another order, say that of keys, it takes
    /// nigh_index_fetch, which is told both. Call before searching, or when no call runs.
    /// trailer_offset: I8 only, where a row's scale and zero lie; 0 = scale 1, zero 0.
    ///
    /// * `base`: in, `count*stride`, kept after the call
    ///
    /// Errors: NIGH_E_MISMATCH NIGH_E_INVALID
    pub fn nigh_index_borrow(
        index: *mut nigh_index,
        base: *const c_void,
        stride: u64,
        count: u32,
        trailer_offset: u32,
    ) -> nigh_status;
    /// Vectors by callback.
    ///
    /// * `fetch`: in, `function`, kept after the call
    /// * `prefetch`: in, `function`, kept after the call, may be null
    /// * `user`: in, `any`, kept after the call
    pub fn nigh_index_fetch(
        index: *mut nigh_index,
        fetch: Option<nigh_fetch_fn>,
        prefetch: Option<nigh_prefetch_fn>,
        user: *mut c_void,
    ) -> nigh_status;
    /// The function of NIGH_METRIC_CUSTOM; not stored in the image.
    ///
    /// * `distance`: in, `function`, kept after the call
    /// * `user`: in, `any`, kept after the call
    pub fn nigh_index_distance(
        index: *mut nigh_index,
        distance: Option<nigh_distance_fn>,
        user: *mut c_void,
    ) -> nigh_status;
    /// Where blocks come from (nigh_grow with memory NULL) and who hears of the first store to
    /// each. Either may be NULL. With `dirty` one call writes at a time: others beside it get
    /// NIGH_E_BUSY. Call before the first nigh_grow.
    ///
    /// * `map`: in, `function`, kept after the call, may be null
    /// * `dirty`: in, `function`, kept after the call, may be null
    /// * `user`: in, `any`, kept after the call
    pub fn nigh_index_pager(
        index: *mut nigh_index,
        map: Option<nigh_map_fn>,
        dirty: Option<nigh_dirty_fn>,
        user: *mut c_void,
    ) -> nigh_status;
    /// Inserts `count` vectors in order, up to the first failure, which changes nothing of its own.
    /// vectors NULL: each is read from the source, which has it already (external vectors; those of
    /// a borrowed array are always read there). keys NULL: identity keys, the next slots. flags
    /// NIGH_REPLACE_DELETED: takes the lowest removed slot, if any; its key is forgotten.
    ///
    /// * `keys`: in, `count`, may be null
    /// * `key_lengths`: in, `count`, may be null
    /// * `vectors`: in, `count*row_bytes`, may be null
    /// * `done`: out, `1`
    ///
    /// Errors: NIGH_E_EXISTS NIGH_E_DELETED (set or unremove it) NIGH_E_FULL NIGH_E_VECTOR
    /// NIGH_E_KEY NIGH_E_FETCH NIGH_E_BUSY NIGH_E_READ_ONLY NIGH_E_SESSION NIGH_E_NO_VECTORS
    /// NIGH_E_MISMATCH (a borrowed array is too short) NIGH_E_INVALID (external vectors change
    /// without SET_EXCLUSIVE)
    pub fn nigh_insert(
        index: *mut nigh_index,
        session: *mut nigh_session,
        flags: u32,
        keys: *const c_void,
        key_lengths: *const u32,
        vectors: *const c_void,
        count: u32,
        done: *mut u32,
    ) -> nigh_status;
    /// Inserts, or gives a known key (removed ones too: they come back) a new vector and new links.
    /// For external vectors of a known key: change the vector first, while no other call runs, and
    /// pass NIGH_SET_EXCLUSIVE. Arguments and errors as nigh_insert.
    ///
    /// * `keys`: in, `count`, may be null
    /// * `key_lengths`: in, `count`, may be null
    /// * `vectors`: in, `count*row_bytes`, may be null
    /// * `done`: out, `1`
    pub fn nigh_set(
        index: *mut nigh_index,
        session: *mut nigh_session,
        flags: u32,
        keys: *const c_void,
        key_lengths: *const u32,
        vectors: *const c_void,
        count: u32,
        done: *mut u32,
    ) -> nigh_status;
    /// Marks keys removed: they are no longer found, their nodes still lead searches on.
    ///
    /// * `keys`: in, `count`
    /// * `key_lengths`: in, `count`, may be null
    /// * `done`: out, `1`
    ///
    /// Errors: NIGH_E_NOT_FOUND NIGH_E_DELETED NIGH_E_BUSY NIGH_E_READ_ONLY
    pub fn nigh_remove(
        index: *mut nigh_index,
        session: *mut nigh_session,
        keys: *const c_void,
        key_lengths: *const u32,
        count: u32,
        done: *mut u32,
    ) -> nigh_status;
    /// Takes remove back.  Arguments as nigh_remove.
    ///
    /// * `keys`: in, `count`
    /// * `key_lengths`: in, `count`, may be null
    /// * `done`: out, `1`
    ///
    /// Errors: NIGH_E_NOT_FOUND NIGH_E_EXISTS (it is not removed)
    pub fn nigh_unremove(
        index: *mut nigh_index,
        session: *mut nigh_session,
        keys: *const c_void,
        key_lengths: *const u32,
        count: u32,
        done: *mut u32,
    ) -> nigh_status;
    /// Slots that this session's searches may return: bit s of `bits` for slot s \< slot_count
    /// (others are refused), or `filter`, or with both NULL all again. Kept by reference until
    /// changed; call again when bits change, since how many are set decides how to search.
    ///
    /// * `bits`: in, `ceil(slot_count/32)`, kept after the call, may be null
    /// * `filter`: in, `function`, kept after the call, may be null
    /// * `user`: in, `any`, kept after the call
    pub fn nigh_session_filter(
        session: *mut nigh_session,
        bits: *const u32,
        slot_count: u32,
        filter: Option<nigh_filter_fn>,
        user: *mut c_void,
    ) -> nigh_status;
    /// The k (1..ef_max) nearest live keys, nearest first, equal distances by slot. Fewer than k is
    /// a result, and means that there are no more: where a filter or removed nodes leave the graph
    /// search short, the rest is found by scanning. An ef below k counts as k.
    ///
    /// * `query`: in, `row_bytes`
    /// * `options`: in, `1`, may be null
    /// * `keys`: out, `k`, may be null
    /// * `key_lengths`: out, `k`, may be null
    /// * `distances`: out, `k`, may be null
    /// * `slots`: out, `k`, may be null
    /// * `found`: out, `1`
    ///
    /// Errors: NIGH_E_VECTOR NIGH_E_SESSION (ef or k over ef_max) NIGH_E_NO_VECTORS NIGH_E_FETCH
    pub fn nigh_search(
        index: *const nigh_index,
        session: *mut nigh_session,
        query: *const c_void,
        options: *const nigh_search_options,
        k: u32,
        keys: *mut c_void,
        key_lengths: *mut u32,
        distances: *mut f32,
        slots: *mut u32,
        found: *mut u32,
    ) -> nigh_status;
    /// The same for `count` queries, one after another in `queries`. Those under way take turns
    /// (see nigh_session_options.lanes): while one waits for memory another one computes. Answers
    /// are those of single searches. Query q has its hits from place q \* k on in each array
    /// (byte-string keys from q \* k \* key_bytes_max on) and found\[q\] of them. Ends at the first
    /// failure: \*done are answered.
    ///
    /// * `queries`: in, `count*row_bytes`
    /// * `options`: in, `1`, may be null
    /// * `keys`: out, `count*k`, may be null
    /// * `key_lengths`: out, `count*k`, may be null
    /// * `distances`: out, `count*k`, may be null
    /// * `slots`: out, `count*k`, may be null
    /// * `found`: out, `count`
    /// * `done`: out, `1`
    pub fn nigh_search_batch(
        index: *const nigh_index,
        session: *mut nigh_session,
        queries: *const c_void,
        count: u32,
        options: *const nigh_search_options,
        k: u32,
        keys: *mut c_void,
        key_lengths: *mut u32,
        distances: *mut f32,
        slots: *mut u32,
        found: *mut u32,
        done: *mut u32,
    ) -> nigh_status;
    /// Begins to hand out neighbours nearest first; `query` must stay until the cursor is done. Any
    /// other search or change with the session ends it.
    ///
    /// * `query`: in, `row_bytes`, kept after the call
    /// * `options`: in, `1`, may be null
    pub fn nigh_cursor_begin(
        index: *const nigh_index,
        session: *mut nigh_session,
        query: *const c_void,
        options: *const nigh_search_options,
    ) -> nigh_status;
    /// The next `k` neighbours; \*found \< k means that there are no more. Order is exact among
    /// what the beam of `ef` has seen: a neighbour discovered late comes late. Outputs as
    /// nigh_search.
    ///
    /// * `keys`: out, `k`, may be null
    /// * `key_lengths`: out, `k`, may be null
    /// * `distances`: out, `k`, may be null
    /// * `slots`: out, `k`, may be null
    /// * `found`: out, `1`
    ///
    /// Errors: NIGH_E_INVALID (no cursor, or codes were made anew since) NIGH_E_SESSION
    /// (frontier_max reached: what is left is lost)
    pub fn nigh_cursor_next(
        index: *const nigh_index,
        session: *mut nigh_session,
        k: u32,
        keys: *mut c_void,
        key_lengths: *mut u32,
        distances: *mut f32,
        slots: *mut u32,
        found: *mut u32,
    ) -> nigh_status;
    /// Finds out what is fastest on this machine for this index: which cache level rows are fetched
    /// into and how much of each ahead, and how many lanes nigh_search_batch uses. Some dozen
    /// stored vectors are searched in each way, in turns; below 0.2 s. Changes no result and
    /// nothing that is stored. Call it while no other call runs.
    ///
    /// * `clock`: in, `function`
    /// * `user`: in, `any`
    ///
    /// Errors: NIGH_E_NO_VECTORS NIGH_E_FETCH NIGH_E_SESSION (ef_max below 64)
    pub fn nigh_tune(
        index: *mut nigh_index,
        session: *mut nigh_session,
        clock: Option<nigh_clock_fn>,
        user: *mut c_void,
    ) -> nigh_status;
    /// What the session's last call cost.
    ///
    /// * `stats`: out, `1`
    pub fn nigh_session_stats_get(
        session: *const nigh_session,
        stats: *mut nigh_session_stats,
    ) -> nigh_status;
    /// Bytes of a job's memory. Arguments as nigh_job_begin.
    ///
    /// * `options`: in, `1`
    /// * `bytes`: out, `1`
    pub fn nigh_job_bytes(
        index: *mut nigh_index,
        options: *const nigh_job_options,
        count: u32,
        bytes: *mut u64,
    ) -> nigh_status;
    /// Begins long work, which any number of threads then do with nigh_job_run. Searches go on;
    /// writers get NIGH_E_BUSY until nigh_job_end. `memory` stays with the job, that of a CODES job
    /// with the index for good. BUILD: inserts keys and vectors as nigh_insert does, but in batches
    /// that search a frozen graph, so the links differ from those of single inserts; keys and
    /// vectors must stay until the end. It ends at the first vector or key that nigh_insert would
    /// refuse, after all before it. BUILD of an empty index and REFINE: floats without codes have a
    /// draft of them in the job's memory (a byte an element), which is two to three times as fast.
    /// Others: count 0. CODES: an index without vectors gets codes that want a sample by its first
    /// BUILD, or by CODES again when there are some; what nigh_grow adds room for meanwhile has
    /// none for codes (grow again); a handle without writer state will do; after codes were
    /// dropped, let the searches under way end before others are made.
    ///
    /// * `options`: in, `1`
    /// * `keys`: in, `count`, kept after the call, may be null
    /// * `key_lengths`: in, `count`, kept after the call, may be null
    /// * `vectors`: in, `count*row_bytes`, kept after the call, may be null
    /// * `memory`: inout, `memory_bytes`, kept after the call
    /// * `job`: out, `1`
    ///
    /// Errors: NIGH_E_BUSY NIGH_E_MEMORY NIGH_E_READ_ONLY NIGH_E_UNSUPPORTED NIGH_E_NO_VECTORS
    pub fn nigh_job_begin(
        index: *mut nigh_index,
        options: *const nigh_job_options,
        keys: *const c_void,
        key_lengths: *const u32,
        vectors: *const c_void,
        count: u32,
        memory: *mut c_void,
        memory_bytes: u64,
        job: *mut *mut nigh_job,
    ) -> nigh_status;
    /// Runs one task, at most some milliseconds. Each thread brings its own session, one that can
    /// insert and has room for the codes that there are, or a draft (CODES: any; REFINE, VACUUM:
    /// not SMALL; REFINE: ef_max at least 512 and ef). A failed call may be repeated; between calls
    /// the index is whole, so a job may also be ended before it is done: what is in stays in.
    ///
    /// * `progress`: out, `1`
    ///
    /// Errors: NIGH_E_FETCH NIGH_E_SESSION NIGH_E_USER and below; BUILD: nigh_insert's, with
    /// NIGH_JOB_DONE
    pub fn nigh_job_run(
        job: *mut nigh_job,
        session: *mut nigh_session,
        progress: *mut nigh_progress,
    ) -> nigh_status;
    /// Lets writers in again. The job's memory may be reused, but for CODES.
    ///
    /// Errors: NIGH_E_BUSY (a task is running)
    pub fn nigh_job_end(job: *mut nigh_job) -> nigh_status;
    /// Every configuration value, defaults filled in.
    ///
    /// * `config`: out, `1`
    pub fn nigh_config_get(index: *const nigh_index, config: *mut nigh_config) -> nigh_status;
    ///
    /// * `stats`: out, `1`
    pub fn nigh_stats_get(index: *const nigh_index, stats: *mut nigh_stats) -> nigh_status;
    /// The rows of keys, bit-identical to what was stored, and their slots. vectors NULL: only asks
    /// whether they are there.
    ///
    /// * `keys`: in, `count`
    /// * `key_lengths`: in, `count`, may be null
    /// * `vectors`: out, `count*row_bytes`, may be null
    /// * `slots`: out, `count`, may be null
    /// * `done`: out, `1`
    ///
    /// Errors: NIGH_E_NOT_FOUND NIGH_E_DELETED NIGH_E_FETCH NIGH_E_BUSY (it keeps changing: again)
    pub fn nigh_get(
        index: *const nigh_index,
        session: *mut nigh_session,
        keys: *const c_void,
        key_lengths: *const u32,
        count: u32,
        vectors: *mut c_void,
        slots: *mut u32,
        done: *mut u32,
    ) -> nigh_status;
    /// Live keys in slot order, from slot `from` on; go on from slots\[found - 1\] + 1 until found
    /// is 0.
    ///
    /// * `keys`: out, `count`, may be null
    /// * `key_lengths`: out, `count`, may be null
    /// * `slots`: out, `count`
    /// * `found`: out, `1`
    pub fn nigh_keys(
        index: *const nigh_index,
        from: u32,
        count: u32,
        keys: *mut c_void,
        key_lengths: *mut u32,
        slots: *mut u32,
        found: *mut u32,
    ) -> nigh_status;
    /// A node: its top layer, NIGH_NODE_\* flags, and its neighbours in `level`.
    ///
    /// * `top`: out, `1`, may be null
    /// * `flags`: out, `1`, may be null
    /// * `links`: out, `m0`, may be null
    /// * `link_count`: out, `1`, may be null
    ///
    /// Errors: NIGH_E_NOT_FOUND (no such slot or layer)
    pub fn nigh_node(
        index: *const nigh_index,
        slot: u32,
        level: u32,
        top: *mut u32,
        flags: *mut u32,
        links: *mut u32,
        link_count: *mut u32,
    ) -> nigh_status;
    /// Proves bounds, degrees, key uniqueness, checksums (of an image attached and not changed
    /// since), that codes are those of owned vectors, and that every node is reachable, in one pass
    /// over the index. Never prints. A broken index is a report, not an error.
    ///
    /// * `report`: out, `1`
    ///
    /// Errors: NIGH_E_BUSY NIGH_E_SESSION (made before there were such codes)
    pub fn nigh_check(
        index: *const nigh_index,
        session: *mut nigh_session,
        report: *mut nigh_report,
    ) -> nigh_status;
    /// Exact size of what nigh_save writes with the same flags.
    ///
    /// * `bytes`: out, `1`
    pub fn nigh_save_bytes(index: *const nigh_index, flags: u32, bytes: *mut u64) -> nigh_status;
    /// Writes the canonical image through `write`, front to back. The same content gives the same
    /// bytes. PACKED: an image that is attached like any other and answers the same, but never
    /// changes (writer state and growth: NIGH_E_READ_ONLY). Saved without the flag it is the image
    /// that was packed.
    ///
    /// * `write`: in, `function`
    /// * `user`: in, `any`
    ///
    /// Errors: NIGH_E_WRITE NIGH_E_BUSY NIGH_E_OPEN (opened UNSEALED) NIGH_E_USER and below
    /// NIGH_E_CORRUPT (a damaged index is not packed or unpacked)
    pub fn nigh_save(
        index: *const nigh_index,
        flags: u32,
        write: Option<nigh_write_fn>,
        user: *mut c_void,
    ) -> nigh_status;
    /// The header of the index as it is now, for nigh_attach_blocks: what a pager stores besides
    /// the blocks. One that writes changed blocks back asks for it, writes both, then calls
    /// nigh_seal.
    ///
    /// * `header`: out, `NIGH_HEADER_BYTES`
    ///
    /// Errors: NIGH_E_BUSY NIGH_E_OPEN (attached UNSEALED) NIGH_E_READ_ONLY (packed)
    pub fn nigh_header(index: *const nigh_index, header: *mut c_void) -> nigh_status;
    /// Ends the changes to an image attached in place: checksums and state word hold again.
    /// Flushing it to a disk is the caller's. With a pager: every block counts as clean again.
    ///
    /// Errors: NIGH_E_BUSY NIGH_E_READ_ONLY NIGH_E_UNSUPPORTED (not attached, or outgrown: save)
    pub fn nigh_seal(index: *mut nigh_index) -> nigh_status;
    /// Looks at a file of hnswlib (0.6 to 0.8, written where size_t has 64 or 32 bits; `file` needs
    /// no alignment). It does not say what it holds, so config-\>dim, metric and dtype do: F32 with
    /// L2, IP or COSINE, U8 with L2. Completes \*config for an index that nigh_hnswlib_read can
    /// fill: m, m0 and ef_build are the file's, other fields of the caller stay. Such an index
    /// wants room for at least hnswlib-\>slot_count slots, and hnswlib-\>upper_extra among its
    /// options. O(elements).
    ///
    /// * `file`: in, `file_bytes`
    /// * `config`: inout, `1`
    /// * `hnswlib`: out, `1`, may be null
    ///
    /// Errors: NIGH_E_FORMAT (no such file) NIGH_E_CORRUPT NIGH_E_MISMATCH (vectors of other sizes)
    /// NIGH_E_UNSUPPORTED (metric or dtype; M below 2 or beyond 1024, more than 15 layers above 0)
    /// NIGH_E_INVALID
    pub fn nigh_hnswlib_config(
        file: *const c_void,
        file_bytes: u64,
        config: *mut nigh_config,
        hnswlib: *mut nigh_hnswlib,
    ) -> nigh_status;
    /// Fills an empty, writable index without codes and with u64 or identity keys: the same links
    /// in the same order, the same layers, labels as keys, deleted elements removed. With external
    /// vectors the file's are not looked at, and it may have none (labels are where vectors would
    /// be). Everything is verified; a file that is refused leaves the index empty. From the second
    /// element on it is NIGH_BUILD_UNROOTED. The file is not needed any more, unless its vectors
    /// are borrowed. Searches with expansions 1 answer as hnswlib does at the same ef. COSINE:
    /// vectors are as hnswlib normalised them.
    ///
    /// * `file`: in, `file_bytes`
    ///
    /// Errors: nigh_hnswlib_config's; NIGH_E_MISMATCH (the configuration is not such) NIGH_E_FULL
    /// NIGH_E_VECTOR (NaN, infinity; COSINE: zero) NIGH_E_KEY (labels that identity keys are not)
    /// NIGH_E_INVALID (not empty) NIGH_E_READ_ONLY NIGH_E_BUSY
    pub fn nigh_hnswlib_read(
        index: *mut nigh_index,
        file: *const c_void,
        file_bytes: u64,
    ) -> nigh_status;
    /// Writes the index as a file of hnswlib, front to back: keys are labels (identity: slots),
    /// removed nodes are deleted elements, and so are free slots, under labels from the highest
    /// down that no key has. COSINE: each row is normalised, but those whose norm is 1.
    /// max_elements: what the file says, raised to the number of slots. flags: NIGH_HNSWLIB_32 or
    /// 0. Reading what was written and NIGH_JOB_ROOT give the same graph again.
    ///
    /// * `write`: in, `function`
    /// * `user`: in, `any`
    ///
    /// Errors: NIGH_E_UNSUPPORTED (byte-string keys; metric or dtype) NIGH_E_KEY (HNSWLIB_32: of
    /// more bits) NIGH_E_NO_VECTORS NIGH_E_FETCH NIGH_E_SESSION NIGH_E_WRITE NIGH_E_BUSY
    /// NIGH_E_USER and below
    pub fn nigh_hnswlib_write(
        index: *const nigh_index,
        session: *mut nigh_session,
        flags: u32,
        max_elements: u64,
        write: Option<nigh_write_fn>,
        user: *mut c_void,
    ) -> nigh_status;
    /// Bytes of a store's memory: about 8.3 a page, and two pages.
    ///
    /// * `options`: in, `1`
    /// * `bytes`: out, `1`
    pub fn nigh_store_bytes(options: *const nigh_store_options, bytes: *mut u64) -> nigh_status;
    /// Page bytes, count and superblocks of the store on a device of so many bytes, into \*options.
    ///
    /// * `read`: in, `function`
    /// * `user`: in, `any`
    /// * `options`: inout, `1`
    ///
    /// Errors: NIGH_E_FORMAT (no store, or of another version) NIGH_E_CORRUPT NIGH_E_FETCH (reading
    /// failed) NIGH_E_USER and below
    pub fn nigh_store_find(
        read: Option<nigh_store_read_fn>,
        user: *mut c_void,
        device_bytes: u64,
        options: *mut nigh_store_options,
    ) -> nigh_status;
    /// Finds the newest state on the device, or with NIGH_STORE_FORMAT begins an empty store,
    /// whatever was there. write and sync NULL: read-only. erase NULL: pages may be overwritten as
    /// they are, and the lowest free ones are taken; else they are taken in turns, so that all wear
    /// alike.
    ///
    /// * `options`: in, `1`
    /// * `read`: in, `function`, kept after the call
    /// * `write`: in, `function`, kept after the call, may be null
    /// * `erase`: in, `function`, kept after the call, may be null
    /// * `sync`: in, `function`, kept after the call, may be null
    /// * `user`: in, `any`, kept after the call
    /// * `memory`: inout, `memory_bytes`, kept after the call
    /// * `store`: out, `1`
    ///
    /// Errors: NIGH_E_FORMAT (no store) NIGH_E_CORRUPT NIGH_E_MISMATCH (fewer pages than are in
    /// use, or others) NIGH_E_MEMORY NIGH_E_FETCH (reading failed) NIGH_E_WRITE
    pub fn nigh_store_open(
        options: *const nigh_store_options,
        read: Option<nigh_store_read_fn>,
        write: Option<nigh_store_write_fn>,
        erase: Option<nigh_store_erase_fn>,
        sync: Option<nigh_store_sync_fn>,
        user: *mut c_void,
        memory: *mut c_void,
        memory_bytes: u64,
        store: *mut *mut nigh_store,
    ) -> nigh_status;
    /// The same store on a device that has become larger, in other memory of the size that
    /// nigh_store_bytes says; what it was in is free. Indexes know no difference.
    ///
    /// * `store`: in, `1`
    /// * `memory`: inout, `memory_bytes`, kept after the call
    /// * `grown`: out, `1`
    ///
    /// Errors: NIGH_E_MEMORY
    pub fn nigh_store_grow(
        store: *mut nigh_store,
        page_count: u32,
        memory: *mut c_void,
        memory_bytes: u64,
        grown: *mut *mut nigh_store,
    ) -> nigh_status;
    ///
    /// * `stats`: out, `1`
    pub fn nigh_store_stats_get(
        store: *const nigh_store,
        stats: *mut nigh_store_stats,
    ) -> nigh_status;
    /// Bytes of a handle and of the blocks of the index in the store.
    ///
    /// * `options`: in, `1`, may be null
    /// * `bytes`: out, `1`
    /// * `block_bytes`: out, `1`
    ///
    /// Errors: NIGH_E_NOT_FOUND (there is none yet) and nigh_attach's
    pub fn nigh_store_attach_bytes(
        store: *mut nigh_store,
        options: *const nigh_options,
        bytes: *mut u64,
        block_bytes: *mut u64,
    ) -> nigh_status;
    /// Reads the index of the last commit into `blocks`, verifies every page, and follows it: the
    /// next commit looks only at what changed since. To change it: NIGH_OPEN_WRITABLE, a writer
    /// state, and nigh_grow, which has memory donated; then one call writes at a time, others get
    /// NIGH_E_BUSY.
    ///
    /// * `options`: in, `1`, may be null
    /// * `memory`: inout, `memory_bytes`, kept after the call
    /// * `blocks`: inout, `block_bytes`, kept after the call, may be null
    /// * `index`: out, `1`
    ///
    /// Errors: NIGH_E_NOT_FOUND NIGH_E_CORRUPT (nigh_store_stats names the block) NIGH_E_FETCH
    /// NIGH_E_MEMORY and nigh_attach's
    pub fn nigh_store_attach(
        store: *mut nigh_store,
        options: *const nigh_options,
        memory: *mut c_void,
        memory_bytes: u64,
        blocks: *mut c_void,
        block_bytes: u64,
        index: *mut *mut nigh_index,
    ) -> nigh_status;
    /// Makes the store hold the index as it is now. Any index will do: one that this store does not
    /// follow is compared page by page, and followed from then on if it has a writer state and no
    /// pager (a store, too, wants one writing call at a time). Searches go on meanwhile. After a
    /// failure the index in memory is as it was, the device holds the state before or after, and
    /// the call may be repeated.
    ///
    /// Errors: NIGH_E_FULL (too few free pages: grow the store) NIGH_E_WRITE NIGH_E_BUSY
    /// NIGH_E_READ_ONLY (the store; a packed index) NIGH_E_OPEN (attached UNSEALED)
    pub fn nigh_store_commit(store: *mut nigh_store, index: *mut nigh_index) -> nigh_status;
}
