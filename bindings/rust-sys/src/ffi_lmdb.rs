// nigh_lmdb.h for Rust: what C says, nothing more
// SPDX-License-Identifier: MIT OR Apache-2.0
// Generated from hosted/nigh_lmdb.h by abi/generate.py. Do not edit.

#![allow(non_camel_case_types)]

use core::ffi::{c_char, c_void};

use crate::ffi::*;

// Statuses beside those of nigh.h and nigh_hosted.h; functions of nigh.h that change an index of
// here give them too. So a callback of such an index (nigh_index_fetch) that fails leaves -1100 to
// -1199 alone: its number is returned unchanged, and would be taken for one of these.
/// as many blocks are changed as one transaction takes: nothing is lost; prepare, commit, and go on
/// in the next transaction
pub const NIGH_E_FULL_TXN: nigh_status = -1100;
/// MDB_MAP_FULL: the environment is full. What is committed stays; abort, mdb_env_set_mapsize, and
/// again
pub const NIGH_E_FULL_MAP: nigh_status = -1101;
/// no memory for a copy of a block that a change or nigh_grow wants: the index is as before.
/// NIGH_E_NO_MEMORY elsewhere
pub const NIGH_E_FULL_MEMORY: nigh_status = -1102;

// changed in a transaction
pub const NIGH_LMDB_ID_MAX: u32 = 65535;
pub const NIGH_LMDB_BLOCKS_MAX: u32 = 100000;

// for nigh_lmdb_check: every index; ids are smaller
pub const NIGH_LMDB_ALL: u32 = 65536;

// nigh_config.block_bytes of indexes that are built, loaded and then mostly read: at M 16 all
// pages but those of vectors come to 138.6 bytes a vector with identity keys, in blocks of 65536
// (the default, of which small transactions write a third) to 145.2.
pub const NIGH_LMDB_BULK_BLOCK_BYTES: u32 = 262144;

// flags of nigh_lmdb_dbi
pub const NIGH_LMDB_CREATE: u32 = 1;

// flags of nigh_lmdb_open
pub const NIGH_LMDB_WRITE: u32 = 1;

// flags of nigh_lmdb_load and nigh_lmdb_import
pub const NIGH_LMDB_REPLACE: u32 = 1;

/// What the catalogue says of an index. Of one whose entry is damaged, or of a later version, it is
/// only the id, and `status` tells that: nigh_lmdb_drop takes it out like any other.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct nigh_lmdb_entry {
    pub struct_size: u32,
    pub id: u32,
    /// values that hold it
    pub blocks: u64,
    /// of the pages of those
    pub bytes: u64,
    /// how often nigh_lmdb_prepare stored it
    pub changes: u64,
    pub config: nigh_config,
    /// NIGH_OK, or what is wrong with the entry
    pub status: i32,
    pub reserved: u32,
}

impl Default for nigh_lmdb_entry {
    /// Zeros, which mean the defaults, and the size of the structure.
    fn default() -> Self {
        Self {
            struct_size: core::mem::size_of::<Self>() as u32,
            id: 0,
            blocks: 0,
            bytes: 0,
            changes: 0,
            config: nigh_config::default(),
            status: 0,
            reserved: 0,
        }
    }
}

const _: () = {
    assert!(core::mem::size_of::<nigh_lmdb_entry>() == 120);
    assert!(core::mem::offset_of!(nigh_lmdb_entry, struct_size) == 0);
    assert!(core::mem::offset_of!(nigh_lmdb_entry, id) == 4);
    assert!(core::mem::offset_of!(nigh_lmdb_entry, blocks) == 8);
    assert!(core::mem::offset_of!(nigh_lmdb_entry, bytes) == 16);
    assert!(core::mem::offset_of!(nigh_lmdb_entry, changes) == 24);
    assert!(core::mem::offset_of!(nigh_lmdb_entry, config) == 32);
    assert!(core::mem::offset_of!(nigh_lmdb_entry, status) == 112);
    assert!(core::mem::offset_of!(nigh_lmdb_entry, reserved) == 116);
};

/// What nigh_lmdb_check found; `status` tells whether the values are sound.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct nigh_lmdb_report {
    pub struct_size: u32,
    /// NIGH_OK or NIGH_E_CORRUPT
    pub status: i32,
    /// number of the rule broken, docs/FORMAT.md lists them; 0 = none
    pub fault: u32,
    /// index of the first fault, 0xffffffff: none in particular
    pub id: u32,
    /// and its block, 0xffffffff likewise
    pub region: u32,
    pub block: u32,
    /// in the catalogue
    pub indexes: u32,
    /// loads under way, or that died: see nigh_lmdb_sweep
    pub unfinished: u32,
    /// whose checksum was verified
    pub blocks: u64,
    /// of the pages of all blocks
    pub bytes: u64,
    /// blocks whose values are whole pages of another size: sound, copied when they are opened, and
    /// as large as they should be once they change
    pub other_page: u64,
}

impl Default for nigh_lmdb_report {
    /// Zeros, which mean the defaults, and the size of the structure.
    fn default() -> Self {
        Self {
            struct_size: core::mem::size_of::<Self>() as u32,
            status: 0,
            fault: 0,
            id: 0,
            region: 0,
            block: 0,
            indexes: 0,
            unfinished: 0,
            blocks: 0,
            bytes: 0,
            other_page: 0,
        }
    }
}

const _: () = {
    assert!(core::mem::size_of::<nigh_lmdb_report>() == 56);
    assert!(core::mem::offset_of!(nigh_lmdb_report, struct_size) == 0);
    assert!(core::mem::offset_of!(nigh_lmdb_report, status) == 4);
    assert!(core::mem::offset_of!(nigh_lmdb_report, fault) == 8);
    assert!(core::mem::offset_of!(nigh_lmdb_report, id) == 12);
    assert!(core::mem::offset_of!(nigh_lmdb_report, region) == 16);
    assert!(core::mem::offset_of!(nigh_lmdb_report, block) == 20);
    assert!(core::mem::offset_of!(nigh_lmdb_report, indexes) == 24);
    assert!(core::mem::offset_of!(nigh_lmdb_report, unfinished) == 28);
    assert!(core::mem::offset_of!(nigh_lmdb_report, blocks) == 32);
    assert!(core::mem::offset_of!(nigh_lmdb_report, bytes) == 40);
    assert!(core::mem::offset_of!(nigh_lmdb_report, other_page) == 48);
};

/// How far a load is, in bytes.
pub type nigh_lmdb_progress_fn =
    unsafe extern "C" fn(user: *mut c_void, done: u64, total: u64) -> i32;

unsafe extern "C" {
    /// The database called `name` (NULL: the unnamed one), as mdb_dbi_open gives it. flags
    /// NIGH_LMDB_CREATE: makes it if it is not there.
    ///
    /// * `txn`: in, `any`
    /// * `name`: in, `cstring`, may be null
    /// * `dbi`: out, `1`
    /// * `message`: out, `message_bytes`, may be null
    ///
    /// Errors: NIGH_E_NOT_FOUND NIGH_E_FULL_MAP NIGH_E_INVALID (more than mdb_env_set_maxdbs)
    pub fn nigh_lmdb_dbi(
        txn: *mut c_void,
        name: *const c_char,
        flags: u32,
        dbi: *mut u32,
        message: *mut c_char,
        message_bytes: u32,
    ) -> nigh_status;
    /// An empty index `id` in the caller's write transaction.
    ///
    /// * `txn`: in, `any`
    /// * `config`: in, `1`
    /// * `message`: out, `message_bytes`, may be null
    ///
    /// Errors: NIGH_E_EXISTS NIGH_E_FULL_MAP NIGH_E_READ_ONLY, and nigh_index_init's
    pub fn nigh_lmdb_create(
        txn: *mut c_void,
        dbi: u32,
        id: u32,
        config: *const nigh_config,
        message: *mut c_char,
        message_bytes: u32,
    ) -> nigh_status;
    /// Opens index `id` in the caller's transaction, O(blocks), or O(bytes) with NIGH_OPEN_VERIFY,
    /// which looks at every checksum: to read, or with NIGH_LMDB_WRITE in a write transaction with
    /// writer state and room for `slots` slots and `key_bytes` bytes of byte-string keys in total
    /// (0: what it has; nigh_grow with memory NULL adds room, up to slot_max of the options).
    /// Changed blocks are copied to memory of the handle until nigh_lmdb_prepare; no call changes
    /// the index while that runs. One handle at a time may write an index. Vectors left outside:
    /// nigh_index_borrow or nigh_index_fetch. A writer also looks for readers that died
    /// (mdb_reader_check).
    ///
    /// * `txn`: in, `any`
    /// * `options`: in, `1`, may be null
    /// * `index`: out, `1`
    /// * `message`: out, `message_bytes`, may be null
    ///
    /// Errors: NIGH_E_NOT_FOUND NIGH_E_READ_ONLY and nigh_attach's
    pub fn nigh_lmdb_open(
        txn: *mut c_void,
        dbi: u32,
        id: u32,
        flags: u32,
        options: *const nigh_options,
        slots: u32,
        key_bytes: u64,
        index: *mut *mut nigh_index,
        message: *mut c_char,
        message_bytes: u32,
    ) -> nigh_status;
    /// Puts what has changed into the transaction, which the caller then commits or aborts. The
    /// handle may be changed and prepared again before that. What is not prepared is lost with the
    /// handle.
    ///
    /// * `message`: out, `message_bytes`, may be null
    ///
    /// Errors: NIGH_E_FULL_MAP NIGH_E_FULL_TXN NIGH_E_READ_ONLY (not opened to write) NIGH_E_BUSY
    /// (another handle has stored this index since, or it is being saved, loaded elsewhere or
    /// worked on by a job: then nothing is put) NIGH_E_NOT_FOUND (it was dropped)
    pub fn nigh_lmdb_prepare(
        index: *mut nigh_index,
        message: *mut c_char,
        message_bytes: u32,
    ) -> nigh_status;
    /// Stores a copy of an index as `id` in the caller's write transaction, by the same bytes: one
    /// that was built in memory or in a mapped file, is attached, or lies in LMDB itself. flags
    /// NIGH_LMDB_REPLACE: in place of what is there.
    ///
    /// * `txn`: in, `any`
    /// * `source`: in, `any`
    /// * `message`: out, `message_bytes`, may be null
    ///
    /// Errors: NIGH_E_EXISTS NIGH_E_FULL_MAP NIGH_E_FULL_TXN (use nigh_lmdb_load) NIGH_E_READ_ONLY
    /// NIGH_E_BUSY (the source is being written)
    pub fn nigh_lmdb_import(
        txn: *mut c_void,
        dbi: u32,
        id: u32,
        flags: u32,
        source: *const nigh_index,
        message: *mut c_char,
        message_bytes: u32,
    ) -> nigh_status;
    /// The same in transactions of its own, for indexes of any size: readers and other writers go
    /// on between them, and the new index takes its place, or another's, with the last one. When it
    /// fails, is given up or the process dies, the catalogue is as it was. The calling thread must
    /// have no write transaction open. While a load is under way, another of the same database may
    /// be too; one that died is known by a lock that its process held (Linux, macOS; elsewhere by
    /// its number).
    ///
    /// * `env`: in, `any`
    /// * `source`: in, `any`
    /// * `progress`: in, `function`, may be null
    /// * `user`: in, `any`
    /// * `message`: out, `message_bytes`, may be null
    ///
    /// Errors: NIGH_E_EXISTS NIGH_E_FULL_MAP NIGH_E_CANCELLED NIGH_E_BUSY (also: somebody swept it)
    pub fn nigh_lmdb_load(
        env: *mut c_void,
        dbi: u32,
        id: u32,
        flags: u32,
        source: *const nigh_index,
        progress: Option<nigh_lmdb_progress_fn>,
        user: *mut c_void,
        message: *mut c_char,
        message_bytes: u32,
    ) -> nigh_status;
    /// Indexes from number `from` on, ascending; \*found \< count means that there are no more. Set
    /// struct_size of the first entry: all have that size.
    ///
    /// * `txn`: in, `any`
    /// * `entries`: out, `count`
    /// * `found`: out, `1`
    /// * `message`: out, `message_bytes`, may be null
    pub fn nigh_lmdb_list(
        txn: *mut c_void,
        dbi: u32,
        from: u32,
        count: u32,
        entries: *mut nigh_lmdb_entry,
        found: *mut u32,
        message: *mut c_char,
        message_bytes: u32,
    ) -> nigh_status;
    /// Takes an index out, in the caller's write transaction. One whose entry is damaged does not
    /// say which blocks are its own: with the last such index those go that are nobody's.
    ///
    /// * `txn`: in, `any`
    /// * `message`: out, `message_bytes`, may be null
    ///
    /// Errors: NIGH_E_NOT_FOUND NIGH_E_READ_ONLY NIGH_E_FULL_MAP
    pub fn nigh_lmdb_drop(
        txn: *mut c_void,
        dbi: u32,
        id: u32,
        message: *mut c_char,
        message_bytes: u32,
    ) -> nigh_status;
    /// Takes out what loads of processes that are gone have left; every load begins with it. flags:
    /// 0. \*swept: how many there were.
    ///
    /// * `txn`: in, `any`
    /// * `swept`: out, `1`, may be null
    /// * `message`: out, `message_bytes`, may be null
    ///
    /// Errors: NIGH_E_READ_ONLY NIGH_E_FULL_MAP
    pub fn nigh_lmdb_sweep(
        txn: *mut c_void,
        dbi: u32,
        flags: u32,
        swept: *mut u32,
        message: *mut c_char,
        message_bytes: u32,
    ) -> nigh_status;
    /// Proves that index `id` has all its blocks, each with its checksum; NIGH_LMDB_ALL: every
    /// index, and that nothing else is there. What the blocks say is nigh_check's. A broken one is
    /// a report, not an error.
    ///
    /// * `txn`: in, `any`
    /// * `report`: out, `1`
    /// * `message`: out, `message_bytes`, may be null
    ///
    /// Errors: NIGH_E_NOT_FOUND (no index `id`)
    pub fn nigh_lmdb_check(
        txn: *mut c_void,
        dbi: u32,
        id: u32,
        report: *mut nigh_lmdb_report,
        message: *mut c_char,
        message_bytes: u32,
    ) -> nigh_status;
}
