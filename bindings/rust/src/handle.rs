// handle.rs - an index of C with its memories, and how it grows; keys and elements do not matter here
// SPDX-License-Identifier: MIT OR Apache-2.0
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};

use nigh_sys as sys;

use crate::error::{check, from_status, Error, Result};
use crate::memory::Memory;
use crate::session::{Session, EF_MAX};
use crate::sync::{Lock, Pool};

const FIRST_SLOTS: u32 = 1024;
const FIRST_KEY_BYTES: u64 = 16 * 1024;

pub(crate) struct Core {
    raw: *mut sys::nigh_index,
    #[allow(dead_code)] // `raw` lies in it
    handle: Handle,
    writer: Option<Memory>,
    /// Blocks come from a pager, which wants one writer at a time: whose turn it is.
    #[cfg(feature = "lmdb")]
    turn: Option<Lock<()>>,
    #[cfg_attr(not(feature = "mmap"), allow(dead_code))] // `raw` may lie in it
    pub(crate) image: Option<Memory>,
    /// What C was donated: blocks, and codes.
    donated: Lock<Vec<Memory>>,
    readers: Pool<Session>,
    writers: Pool<Session>,
    /// Raised when sessions made before are too small.
    era: AtomicU32,
    pub(crate) config: sys::nigh_config,
    pub(crate) options: sys::nigh_options,
}

/// Where the handle of C lies.
#[allow(dead_code)]
enum Handle {
    Memory(Memory),
    #[cfg(feature = "lmdb")]
    Hosted(Hosted),
}

/// A handle that nigh_close gives back, with all that C keeps for it.
#[cfg(feature = "lmdb")]
struct Hosted(*mut sys::nigh_index);

#[cfg(feature = "lmdb")]
impl Drop for Hosted {
    fn drop(&mut self) {
        // SAFETY: handed out by nigh_lmdb_open, and closed once; sessions are only memory.
        let status = unsafe { sys::nigh_close(self.0.cast_const().cast()) };
        debug_assert_eq!(status, sys::NIGH_OK);
    }
}

// SAFETY: the functions of C that take `&Core` here are thread-safe, as nigh.h says; those that want
// to be alone are called with `&mut Core`.
unsafe impl Send for Core {}
unsafe impl Sync for Core {}

/// Room that an index has: what a failed insert saw, so that of many only one makes more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    slots: u32,
    key_bytes: u64,
    donations: usize,
}

impl Core {
    pub(crate) fn create(config: &sys::nigh_config, options: &sys::nigh_options) -> Result<Self> {
        let (mut bytes, mut raw) = (0, ptr::null_mut());
        // SAFETY: structures of this crate's; the memory stays with the index.
        let handle = unsafe {
            check(sys::nigh_index_bytes(config, options, &mut bytes))?;
            let handle = Memory::new(bytes)?;
            check(sys::nigh_index_init(config, options, handle.pointer(), bytes, &mut raw))?;
            handle
        };
        let mut made = Self::with(raw, Handle::Memory(handle), None, *options)?;
        made.make_writable()?;
        Ok(made)
    }

    /// An index that nigh_lmdb_open has handed out.
    ///
    /// # Safety
    /// `raw` is nobody else's, and what it lies in outlives this object.
    #[cfg(feature = "lmdb")]
    pub(crate) unsafe fn hosted(
        raw: *mut sys::nigh_index,
        writes: bool,
        options: sys::nigh_options,
    ) -> Result<Self> {
        let mut made = Self::with(raw, Handle::Hosted(Hosted(raw)), None, options)?;
        made.turn = writes.then(|| Lock::new(()));
        Ok(made)
    }

    /// Uses an image where it lies.
    ///
    /// # Safety
    /// `start` is `bytes` bytes that outlive this object, if they are not `image`'s; with
    /// `NIGH_OPEN_WRITABLE` nobody else reads or writes them.
    pub(crate) unsafe fn attach(
        start: *mut core::ffi::c_void,
        bytes: u64,
        image: Option<Memory>,
        options: &sys::nigh_options,
    ) -> Result<Self> {
        let (mut size, mut raw) = (0, ptr::null_mut());
        // SAFETY: the caller's promise.
        let handle = unsafe {
            check(sys::nigh_attach_bytes(start, bytes, options, &mut size)).map_err(unaligned)?;
            let handle = Memory::new(size)?;
            check(sys::nigh_attach(start, bytes, options, handle.pointer(), size, &mut raw))
                .map_err(unaligned)?;
            handle
        };
        let mut made = Self::with(raw, Handle::Memory(handle), image, *options)?;
        if options.flags & sys::NIGH_OPEN_WRITABLE != 0 {
            made.make_writable()?;
        }
        Ok(made)
    }

    fn with(
        raw: *mut sys::nigh_index,
        handle: Handle,
        image: Option<Memory>,
        options: sys::nigh_options,
    ) -> Result<Self> {
        Ok(Core {
            raw,
            handle,
            writer: None,
            #[cfg(feature = "lmdb")]
            turn: None,
            image,
            donated: Lock::new(Vec::new()),
            readers: Pool::new(),
            writers: Pool::new(),
            era: AtomicU32::new(0),
            config: config_of(raw),
            options,
        })
    }

    fn make_writable(&mut self) -> Result<()> {
        let mut bytes = 0;
        // SAFETY: the index is this object's, and so is the memory.
        unsafe {
            check(sys::nigh_writer_bytes(self.raw, &mut bytes))?;
            let memory = Memory::new(bytes)?;
            check(sys::nigh_writer_init(self.raw, memory.pointer(), bytes))?;
            self.writer = Some(memory);
        }
        Ok(())
    }

    pub(crate) fn raw(&self) -> *mut sys::nigh_index {
        self.raw
    }

    pub(crate) fn writable(&self) -> bool {
        self.writer.is_some() || self.takes_turns()
    }

    /// One writer at a time, and one thread for jobs.
    #[cfg(feature = "lmdb")]
    pub(crate) fn takes_turns(&self) -> bool {
        self.turn.is_some()
    }

    #[cfg(not(feature = "lmdb"))]
    pub(crate) fn takes_turns(&self) -> bool {
        false
    }

    #[cfg(feature = "lmdb")]
    fn in_turn<R>(&self, work: impl FnOnce() -> R) -> R {
        match &self.turn {
            Some(turn) => turn.with(|()| work()),
            None => work(),
        }
    }

    #[cfg(not(feature = "lmdb"))]
    fn in_turn<R>(&self, work: impl FnOnce() -> R) -> R {
        work()
    }

    /// The configuration with what changes of it: whether the graph is rooted.
    pub(crate) fn config_now(&self) -> sys::nigh_config {
        config_of(self.raw)
    }

    pub(crate) fn stats(&self) -> sys::nigh_stats {
        let mut stats = sys::nigh_stats::default();
        // SAFETY: any thread may ask.
        let status = unsafe { sys::nigh_stats_get(self.raw, &mut stats) };
        debug_assert_eq!(status, sys::NIGH_OK);
        stats
    }

    // ---- Room -----------------------------------------------------------------------------------

    pub(crate) fn room(&self) -> Room {
        self.donated.with(|donated| self.room_now(donated))
    }

    fn room_now(&self, donated: &[Memory]) -> Room {
        let stats = self.stats();
        Room { slots: stats.slot_capacity, key_bytes: stats.key_capacity, donations: donated.len() }
    }

    /// Room for `slots` slots and so many bytes of keys in total.
    pub(crate) fn grow_to(&self, slots: u32, key_bytes: u64) -> Result<()> {
        self.donated.with(|donated| self.donate(donated, slots, key_bytes)).map(|_| ())
    }

    /// False: there is that much already.
    fn donate(&self, donated: &mut Vec<Memory>, slots: u32, key_bytes: u64) -> Result<bool> {
        let mut bytes = 0;
        // SAFETY: growing is for any thread; the memory stays as long as the index.
        unsafe {
            check(sys::nigh_grow_bytes(self.raw, slots, key_bytes, &mut bytes))?;
            if bytes == 0 {
                return Ok(false);
            }
            if self.takes_turns() {
                let grow = || sys::nigh_grow(self.raw, slots, key_bytes, ptr::null_mut(), 0);
                return match self.in_turn(grow) {
                    sys::NIGH_OK => Ok(true),
                    status => Err(full(self, status)),
                };
            }
            donated.try_reserve(1).map_err(|_| Error::NoMemory { bytes })?;
            let memory = Memory::new(bytes)?;
            check(sys::nigh_grow(self.raw, slots, key_bytes, memory.pointer(), bytes))?;
            donated.push(memory);
        }
        Ok(true)
    }

    /// More room, after an insert of `extra` bytes of keys found none and `seen` before it.
    #[cold]
    pub(crate) fn grow_after(&self, seen: Room, extra: u64) -> Result<()> {
        self.donated.with(|donated| {
            if self.room_now(donated) != seen {
                return Ok(()); // another thread was faster
            }
            let stats = self.stats();
            let same = stats.slot_capacity;
            // What lies in LMDB wants room only for what one transaction brings.
            let more = if self.takes_turns() { (same / 8).max(FIRST_SLOTS) } else { same };
            let further = same.saturating_add(more).max(FIRST_SLOTS).min(stats.slot_max);
            let keys = (stats.key_bytes + extra).max(2 * stats.key_bytes).max(FIRST_KEY_BYTES);
            let keys = if self.config.keys == sys::NIGH_KEYS_BYTES { keys } else { 0 };
            let used = stats.slot_count - stats.free_count;
            let grown = (used < same && self.donate(donated, same, keys)?)
                || self.donate(donated, further, keys)?;
            if grown {
                Ok(())
            } else {
                Err(Error::Full { capacity: stats.slot_max as usize })
            }
        })
    }

    /// Keeps memory that C goes on using.
    pub(crate) fn keep(&self, memory: Memory) {
        self.donated.with(|donated| donated.push(memory));
    }

    // ---- Sessions -------------------------------------------------------------------------------

    pub(crate) fn session(&self, options: sys::nigh_session_options) -> Result<Box<Session>> {
        let era = self.era.load(Ordering::Acquire);
        // SAFETY: a session ends before its index: a pool is part of it, others borrow it.
        let mut session = Box::new(unsafe { Session::new(self.raw, options)? });
        session.era = era;
        Ok(session)
    }

    pub(crate) fn is_current(&self, session: &Session) -> bool {
        session.era == self.era.load(Ordering::Acquire)
    }

    /// Sessions made until now have no room for the codes that there will be.
    pub(crate) fn next_era(&self) {
        self.era.fetch_add(1, Ordering::AcqRel);
        self.readers.clear();
        self.writers.clear();
    }

    /// For searches with `ef` and `k` up to `wide`.
    pub(crate) fn reader(&self, wide: u32) -> Result<Box<Session>> {
        while let Some(session) = self.readers.take() {
            if self.is_current(&session) && session.options.ef_max >= wide {
                return Ok(session);
            }
        }
        self.session(sys::nigh_session_options {
            ef_max: wide.checked_next_power_of_two().unwrap_or(wide).max(EF_MAX),
            flags: sys::NIGH_SESSION_READ,
            ..Default::default()
        })
    }

    pub(crate) fn give_reader(&self, session: Box<Session>) {
        self.readers.give(session);
    }

    /// One that can insert.
    pub(crate) fn writer(&self) -> Result<Box<Session>> {
        while let Some(session) = self.writers.take() {
            if self.is_current(&session) {
                return Ok(session);
            }
        }
        self.session(self.writer_options())
    }

    pub(crate) fn writer_options(&self) -> sys::nigh_session_options {
        sys::nigh_session_options { ef_max: self.config.ef_build.max(EF_MAX), ..Default::default() }
    }

    pub(crate) fn give_writer(&self, session: Box<Session>) {
        self.writers.give(session);
    }

    /// Calls C with a session that can insert, again when codes were made meanwhile.
    pub(crate) fn with_writer(
        &self,
        mut call: impl FnMut(*mut sys::nigh_session) -> sys::nigh_status,
    ) -> Result<sys::nigh_status> {
        let session = self.writer()?;
        let mut status = self.in_turn(|| call(session.raw()));
        if status == sys::NIGH_E_SESSION {
            drop(session);
            let session = self.writer()?;
            status = self.in_turn(|| call(session.raw()));
            self.give_writer(session);
        } else {
            self.give_writer(session);
        }
        Ok(status)
    }
}

fn unaligned(error: Error) -> Error {
    match error {
        Error::Invalid(_) => Error::Invalid(
            "image: expected memory aligned to 64 bytes, and a capacity of no less than it holds",
        ),
        other => other,
    }
}

fn config_of(raw: *const sys::nigh_index) -> sys::nigh_config {
    let mut config = sys::nigh_config::default();
    // SAFETY: an index of C that lives; any thread may ask.
    let status = unsafe { sys::nigh_config_get(raw, &mut config) };
    debug_assert_eq!(status, sys::NIGH_OK);
    config
}

/// An error of C that names the capacity, or what an imported graph wants first.
pub(crate) fn full(core: &Core, status: sys::nigh_status) -> Error {
    let unrooted = || core.config_now().build_flags & sys::NIGH_BUILD_UNROOTED != 0;
    match from_status(status) {
        Error::Full { .. } => Error::Full { capacity: core.stats().slot_max as usize },
        Error::Unsupported if unrooted() => Error::Unrooted,
        other => other,
    }
}
