// bridge.rs - csrc/lmdb/lmdb.h for Rust: what the crate `nigh` fills with calls of heed's
// SPDX-License-Identifier: MIT OR Apache-2.0
use core::ffi::{c_char, c_void};

/// `MDB_val`: a key or a value.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Val {
    pub bytes: usize,
    pub data: *mut c_void,
}

/// `MDB_stat`, as far as it is used.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Stat {
    pub page_bytes: u32,
    pub entries: u64,
}

/// How an environment begins.
#[repr(C)]
pub struct Env {
    pub calls: *const Calls,
    pub last_txn: u64,
    pub flags: u32,
}

/// How a transaction begins.
#[repr(C)]
pub struct Txn {
    pub env: *mut Env,
    pub id: u64,
}

/// How a cursor begins.
#[repr(C)]
pub struct Cursor {
    pub txn: *mut Txn,
}

/// Operations of `cursor_get`.
pub const NEXT: u32 = 8;
pub const SET: u32 = 15;
pub const SET_RANGE: u32 = 17;

/// Functions that C calls; each gives 0 or what LMDB says.
#[repr(C)]
pub struct Calls {
    pub get: unsafe extern "C" fn(*mut Txn, *const Val, *mut Val) -> i32,
    pub put: unsafe extern "C" fn(*mut Txn, *const Val, *mut Val) -> i32,
    pub del: unsafe extern "C" fn(*mut Txn, *const Val) -> i32,
    pub stat: unsafe extern "C" fn(*mut Txn, *mut Stat) -> i32,
    pub begin: unsafe extern "C" fn(*mut Env, *mut Txn, *mut *mut Txn) -> i32,
    pub commit: unsafe extern "C" fn(*mut Txn) -> i32,
    pub abort: unsafe extern "C" fn(*mut Txn),
    pub cursor_open: unsafe extern "C" fn(*mut Txn, *mut *mut Cursor) -> i32,
    pub cursor_close: unsafe extern "C" fn(*mut Cursor),
    pub cursor_get: unsafe extern "C" fn(*mut Cursor, *mut Val, *mut Val, u32) -> i32,
    pub cursor_put: unsafe extern "C" fn(*mut Cursor, *const Val, *mut Val) -> i32,
    pub cursor_del: unsafe extern "C" fn(*mut Cursor) -> i32,
    pub reader_check: unsafe extern "C" fn(*mut Env, *mut i32) -> i32,
    pub file: unsafe extern "C" fn(*mut Env, *mut i32, *mut *const c_char) -> i32,
}
