// bridge.rs - what nigh_lmdb calls of LMDB, done by heed
// SPDX-License-Identifier: MIT OR Apache-2.0
//! heed hands out no `MDB_txn`, so the C side gets objects of this file for its environment,
//! transaction and cursors, and calls back for each step (nigh-sys, csrc/lmdb/lmdb.h). C keeps
//! LMDB's order: a cursor is closed before its transaction changes or ends, a nested transaction
//! ends before its parent is touched again. So the lifetimes that are erased here hold.
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ffi::{c_char, c_void};
use core::ops::Bound;
use core::ptr;

use alloc::ffi::CString;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;

use heed::types::Bytes;
use heed::{MdbError, RoTxn, RwTxn};
use nigh_sys as sys;
use sys::bridge;

use crate::panic;

pub(super) type Database = heed::Database<'static, Bytes, Bytes>;
type Range = heed::RoRange<'static, Bytes, Bytes>;

const SUCCESS: i32 = 0;
const EINVAL: i32 = 22;
const EIO: i32 = 5;
const EACCES: i32 = 13;

/// An environment with the one database of it that C works on.
#[repr(C)]
pub(super) struct Env<T> {
    head: bridge::Env,
    env: heed::Env<T>,
    database: Database,
    /// The data file and its folder, once somebody asks.
    file: Option<(std::fs::File, CString)>,
}

impl<T: 'static> Env<T> {
    const CALLS: bridge::Calls = bridge::Calls {
        get: get::<T>,
        put: put::<T>,
        del: del::<T>,
        stat: stat::<T>,
        begin: begin::<T>,
        commit: commit::<T>,
        abort: abort::<T>,
        cursor_open: cursor_open::<T>,
        cursor_close: cursor_close::<T>,
        cursor_get: cursor_get::<T>,
        cursor_put: cursor_put::<T>,
        cursor_del: cursor_del::<T>,
        reader_check: reader_check::<T>,
        file: file::<T>,
    };

    pub(super) fn new(env: &heed::Env<T>, database: Database) -> heed::Result<Self> {
        let flags = env.get_flags()?;
        let head = bridge::Env { calls: &Self::CALLS, last_txn: 0, flags };
        Ok(Env { head, env: env.clone(), database, file: None })
    }

    pub(super) fn as_raw(&mut self) -> *mut c_void {
        ptr::from_mut(self).cast()
    }
}

/// Whose transaction it is.
enum Held {
    /// The caller's, borrowed to read.
    Read(*const RoTxn<'static>),
    /// The caller's, borrowed to write.
    Write(*mut RwTxn<'static>),
    /// One that C began.
    Own(RwTxn<'static>),
}

#[repr(C)]
pub(super) struct Txn<T> {
    head: bridge::Txn,
    env: *mut Env<T>,
    held: Held,
}

impl<T: 'static> Txn<T> {
    /// # Safety
    /// `env` and `txn` outlive this object; nothing else uses `txn` while C is called with it.
    pub(super) unsafe fn read(env: *mut Env<T>, txn: &RoTxn<'_>) -> Self {
        // C calls a transaction a writer whose number is beyond the last committed one. What one
        // that writes has changed stays too, while this borrow keeps it from changing more.
        Self::new(env, Held::Read(ptr::from_ref(txn).cast()), txn.id() as u64, 0)
    }

    /// # Safety
    /// As `read`.
    pub(super) unsafe fn write(env: *mut Env<T>, txn: *mut RwTxn<'_>) -> Self {
        // SAFETY: the caller's promise.
        let id = unsafe { (*txn).id() };
        Self::new(env, Held::Write(txn.cast()), id as u64, 1)
    }

    fn new(env: *mut Env<T>, held: Held, id: u64, ahead: u64) -> Self {
        // SAFETY: `env` lives.
        unsafe { (*env).head.last_txn = id - ahead };
        Txn { head: bridge::Txn { env: env.cast(), id }, env, held }
    }

    fn database(&self) -> Database {
        // SAFETY: `env` lives.
        unsafe { (*self.env).database }
    }

    fn reading(&self) -> &RoTxn<'static> {
        // SAFETY: borrowed as long as this object is used.
        match &self.held {
            Held::Read(txn) => unsafe { &**txn },
            Held::Write(txn) => unsafe { &**txn },
            Held::Own(txn) => txn,
        }
    }

    fn writing(&mut self) -> Result<&mut RwTxn<'static>, i32> {
        // SAFETY: as above.
        match &mut self.held {
            Held::Read(_) => Err(EACCES),
            Held::Write(txn) => Ok(unsafe { &mut **txn }),
            Held::Own(txn) => Ok(txn),
        }
    }
}

/// A place among the keys.
#[repr(C)]
struct Cursor<T> {
    head: bridge::Cursor,
    txn: *mut Txn<T>,
    range: Option<Range>,
    /// The key that it stands on: LMDB's, while there is `range`.
    at: Option<*const [u8]>,
    /// The key that it stood on before the database was changed.
    left: Option<Vec<u8>>,
}

impl<T: 'static> Cursor<T> {
    /// Before a change: a range that is open would not see it.
    fn leave(&mut self) {
        if let Some(at) = self.at.take() {
            // SAFETY: nothing was changed since.
            self.left = Some(unsafe { (*at).to_vec() });
        }
        self.range = None;
    }

    fn begin(&mut self, from: Bound<&[u8]>) -> Result<(), i32> {
        // SAFETY: the transaction lives and does not change while the range is open.
        let txn = unsafe { &*self.txn };
        let range: (Bound<&[u8]>, Bound<&[u8]>) = (from, Bound::Unbounded);
        // SAFETY: as above; erases the lifetime.
        let reading = unsafe { &*ptr::from_ref(txn.reading()) };
        self.range = Some(txn.database().range(reading, &range).map_err(code)?);
        Ok(())
    }

    fn next(&mut self) -> Result<(&'static [u8], &'static [u8]), i32> {
        match self.range.as_mut().and_then(Iterator::next) {
            Some(Ok((key, value))) => {
                (self.at, self.left) = (Some(ptr::from_ref(key)), None);
                Ok((key, value))
            }
            Some(Err(error)) => Err(code(error)),
            None => Err(MdbError::NotFound.to_err_code()),
        }
    }
}

/// What LMDB said.
fn code(error: heed::Error) -> i32 {
    match error {
        heed::Error::Mdb(error) => error.to_err_code(),
        heed::Error::Io(error) => error.raw_os_error().unwrap_or(EIO),
        _ => EINVAL,
    }
}

/// Runs a step; heed panics when transaction and database are of different environments.
fn step(work: impl FnOnce() -> Result<(), i32>) -> i32 {
    panic::guarded_too(MdbError::Panic.to_err_code(), || work().err().unwrap_or(SUCCESS))
}

fn val(bytes: &[u8]) -> bridge::Val {
    bridge::Val { bytes: bytes.len(), data: bytes.as_ptr().cast_mut().cast() }
}

/// # Safety
/// `val` says where bytes are that stay for as long as the result is used.
unsafe fn slice<'a>(val: *const bridge::Val) -> &'a [u8] {
    // SAFETY: the caller's promise.
    unsafe { core::slice::from_raw_parts((*val).data.cast::<u8>(), (*val).bytes) }
}

// SAFETY of all that follows: C calls them with objects of this file that live, of the same T, and
// with values of its own.

unsafe extern "C" fn get<T: 'static>(
    txn: *mut bridge::Txn,
    key: *const bridge::Val,
    value: *mut bridge::Val,
) -> i32 {
    step(|| {
        let txn = unsafe { &*txn.cast::<Txn<T>>() };
        let found = txn.database().get(txn.reading(), unsafe { slice(key) }).map_err(code)?;
        unsafe { *value = val(found.ok_or(MdbError::NotFound.to_err_code())?) };
        Ok(())
    })
}

unsafe extern "C" fn put<T: 'static>(
    txn: *mut bridge::Txn,
    key: *const bridge::Val,
    value: *mut bridge::Val,
) -> i32 {
    step(|| unsafe { put_value(&mut *txn.cast::<Txn<T>>(), slice(key), value) })
}

/// # Safety
/// As for the functions that C calls.
unsafe fn put_value<T: 'static>(
    txn: &mut Txn<T>,
    key: &[u8],
    value: *mut bridge::Val,
) -> Result<(), i32> {
    let database = txn.database();
    let writing = txn.writing()?;
    if unsafe { !(*value).data.is_null() } {
        return database.put(writing, key, unsafe { slice(value) }).map_err(code);
    }
    let mut room = ptr::null_mut();
    let bytes = unsafe { (*value).bytes };
    database
        .put_reserved(writing, key, bytes, |space| {
            room = space.as_uninit_mut().as_mut_ptr();
            space.fill_zeroes();
            Ok(())
        })
        .map_err(code)?;
    // The page stays where it is until LMDB's next call.
    unsafe { (*value).data = room.cast() };
    Ok(())
}

unsafe extern "C" fn del<T: 'static>(txn: *mut bridge::Txn, key: *const bridge::Val) -> i32 {
    step(|| unsafe { delete(&mut *txn.cast::<Txn<T>>(), slice(key)) })
}

fn delete<T: 'static>(txn: &mut Txn<T>, key: &[u8]) -> Result<(), i32> {
    let database = txn.database();
    match database.delete(txn.writing()?, key).map_err(code)? {
        true => Ok(()),
        false => Err(MdbError::NotFound.to_err_code()),
    }
}

unsafe extern "C" fn stat<T: 'static>(txn: *mut bridge::Txn, stat: *mut bridge::Stat) -> i32 {
    step(|| {
        let txn = unsafe { &*txn.cast::<Txn<T>>() };
        let found = txn.database().stat(txn.reading()).map_err(code)?;
        let stat = unsafe { &mut *stat };
        (stat.page_bytes, stat.entries) = (found.page_size, found.entries as u64);
        Ok(())
    })
}

unsafe extern "C" fn begin<T: 'static>(
    env: *mut bridge::Env,
    parent: *mut bridge::Txn,
    made: *mut *mut bridge::Txn,
) -> i32 {
    step(|| {
        let env = env.cast::<Env<T>>();
        let of = unsafe { &(*env).env };
        let own = if parent.is_null() {
            of.write_txn()
        } else {
            let parent = unsafe { &mut *parent.cast::<Txn<T>>() };
            of.nested_write_txn(parent.writing()?)
        };
        let own = own.map_err(code)?;
        let id = own.id() as u64;
        let txn = Box::new(Txn::new(env, Held::Own(own), id, 1));
        unsafe { *made = Box::into_raw(txn).cast() };
        Ok(())
    })
}

unsafe extern "C" fn commit<T: 'static>(txn: *mut bridge::Txn) -> i32 {
    step(|| match unsafe { *Box::from_raw(txn.cast::<Txn<T>>()) }.held {
        Held::Own(own) => own.commit().map_err(code),
        _ => Err(EINVAL),
    })
}

unsafe extern "C" fn abort<T: 'static>(txn: *mut bridge::Txn) {
    step(|| {
        drop(unsafe { Box::from_raw(txn.cast::<Txn<T>>()) });
        Ok(())
    });
}

unsafe extern "C" fn cursor_open<T: 'static>(
    txn: *mut bridge::Txn,
    made: *mut *mut bridge::Cursor,
) -> i32 {
    step(|| {
        let head = bridge::Cursor { txn };
        let txn = txn.cast::<Txn<T>>();
        let cursor = Box::new(Cursor { head, txn, range: None, at: None, left: None });
        unsafe { *made = Box::into_raw(cursor).cast() };
        Ok(())
    })
}

unsafe extern "C" fn cursor_close<T: 'static>(cursor: *mut bridge::Cursor) {
    step(|| {
        drop(unsafe { Box::from_raw(cursor.cast::<Cursor<T>>()) });
        Ok(())
    });
}

unsafe extern "C" fn cursor_get<T: 'static>(
    cursor: *mut bridge::Cursor,
    key: *mut bridge::Val,
    value: *mut bridge::Val,
    op: u32,
) -> i32 {
    step(|| {
        let cursor = unsafe { &mut *cursor.cast::<Cursor<T>>() };
        let wanted = if op == bridge::NEXT { None } else { Some(unsafe { slice(key) }) };
        match wanted {
            Some(wanted) => cursor.begin(Bound::Included(wanted))?,
            None if cursor.range.is_some() => {}
            None => {
                let left = cursor.left.take();
                cursor.begin(left.as_deref().map_or(Bound::Unbounded, Bound::Excluded))?;
            }
        }
        let (found, held) = cursor.next()?;
        if op == bridge::SET && wanted != Some(found) {
            return Err(MdbError::NotFound.to_err_code());
        }
        unsafe { (*key, *value) = (val(found), val(held)) };
        Ok(())
    })
}

unsafe extern "C" fn cursor_put<T: 'static>(
    cursor: *mut bridge::Cursor,
    key: *const bridge::Val,
    value: *mut bridge::Val,
) -> i32 {
    step(|| {
        let cursor = unsafe { &mut *cursor.cast::<Cursor<T>>() };
        cursor.leave();
        unsafe { put_value(&mut *cursor.txn, slice(key), value) }
    })
}

unsafe extern "C" fn cursor_del<T: 'static>(cursor: *mut bridge::Cursor) -> i32 {
    step(|| {
        let cursor = unsafe { &mut *cursor.cast::<Cursor<T>>() };
        cursor.leave();
        let key = cursor.left.clone().ok_or(EINVAL)?;
        unsafe { delete(&mut *cursor.txn, &key) }
    })
}

unsafe extern "C" fn reader_check<T: 'static>(env: *mut bridge::Env, dead: *mut i32) -> i32 {
    step(|| {
        let env = unsafe { &*env.cast::<Env<T>>() };
        let found = env.env.clear_stale_readers().map_err(code)?;
        unsafe { *dead = i32::try_from(found).unwrap_or(i32::MAX) };
        Ok(())
    })
}

unsafe extern "C" fn file<T: 'static>(
    env: *mut bridge::Env,
    descriptor: *mut i32,
    path: *mut *const c_char,
) -> i32 {
    step(|| {
        let env = unsafe { &mut *env.cast::<Env<T>>() };
        if env.file.is_none() {
            let folder = CString::new(env.env.path().as_os_str().as_bytes()).map_err(|_| EINVAL)?;
            env.file = Some((env.env.try_clone_inner_file().map_err(code)?, folder));
        }
        let (file, folder) = env.file.as_ref().ok_or(EINVAL)?;
        unsafe { (*descriptor, *path) = (file.as_raw_fd(), folder.as_ptr()) };
        Ok(())
    })
}
