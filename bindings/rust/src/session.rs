// session.rs - one thread's scratch, and what C writes its answers to
// SPDX-License-Identifier: MIT OR Apache-2.0
use alloc::vec::Vec;
use core::ffi::c_void;
use core::ptr;

use nigh_sys as sys;

use crate::error::{check, Error, Result};
use crate::key::{Key, KeyRoom};
use crate::memory::Memory;

/// What a `Searcher` can do.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[must_use]
pub struct SearcherOptions(pub(crate) sys::nigh_session_options);

impl SearcherOptions {
    /// The defaults: `ef` up to 512.
    pub fn new() -> Self {
        Self::default()
    }

    /// Largest `ef` and `k` to expect; a search with more makes the searcher's memory anew.
    pub fn ef_max(mut self, ef: usize) -> Self {
        self.0.ef_max = number(ef);
        self
    }

    /// Nodes that a filtered search or a cursor remembers, 16 bytes each; default the smaller of
    /// the capacity and 8 `ef_max`, at least 4096.
    pub fn frontier_max(mut self, nodes: usize) -> Self {
        self.0.frontier_max = number(nodes);
        self
    }

    /// Remembers visited nodes in a hash set instead of a byte a slot: for small memories.
    pub fn small(mut self, small: bool) -> Self {
        self.0.flags = if small { sys::NIGH_SESSION_SMALL } else { 0 };
        self
    }

    /// Queries of a batch that are under way at once, 1 to 4; default 1.
    pub fn lanes(mut self, lanes: usize) -> Self {
        self.0.lanes = number(lanes);
        self
    }
}

/// Numbers that do not fit are refused by C like all that are too large.
pub(crate) fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

pub(crate) struct Session {
    raw: *mut sys::nigh_session,
    #[allow(dead_code)] // `raw` lies in it
    memory: Memory,
    pub(crate) options: sys::nigh_session_options,
    /// A filter is set: its address may be stale.
    pub(crate) filtered: bool,
    /// Of the index when this was made.
    pub(crate) era: u32,
    pub(crate) out: Out,
}

// SAFETY: one thread's at a time, whichever.
unsafe impl Send for Session {}

pub(crate) const EF_MAX: u32 = 512;

impl Session {
    /// # Safety
    /// `index` is an index of C that lives longer.
    pub(crate) unsafe fn new(
        index: *const sys::nigh_index,
        mut options: sys::nigh_session_options,
    ) -> Result<Self> {
        if options.ef_max == 0 {
            options.ef_max = EF_MAX;
        }
        let (mut bytes, mut raw) = (0, ptr::null_mut());
        let memory = loop {
            // SAFETY: the caller's promise; the memory stays with the session.
            let (memory, status) = unsafe {
                check(sys::nigh_session_bytes(index, &options, &mut bytes)).map_err(explain)?;
                let memory = Memory::new(bytes)?;
                let start = memory.pointer();
                let status = sys::nigh_session_init(index, &options, start, bytes, &mut raw);
                (memory, status)
            };
            if status != sys::NIGH_E_MEMORY {
                check(status).map_err(explain)?;
                break memory;
            } // codes appeared in between, which want more
        };
        Ok(Session { raw, memory, options, filtered: false, era: 0, out: Out::default() })
    }

    pub(crate) fn raw(&self) -> *mut sys::nigh_session {
        self.raw
    }
}

fn explain(error: Error) -> Error {
    match error {
        Error::Invalid(_) => Error::Invalid(
            "session: expected ef and k 1 to 65535, lanes 1 to 4, frontier_max at least ef_max",
        ),
        other => other,
    }
}

/// Answers of a search.
#[derive(Default)]
pub(crate) struct Out {
    pub(crate) keys: KeyRoom,
    pub(crate) distances: Vec<f32>,
    pub(crate) slots: Vec<u32>,
}

pub(crate) struct OutPointers {
    pub(crate) keys: *mut c_void,
    pub(crate) key_lengths: *mut u32,
    pub(crate) distances: *mut f32,
    pub(crate) slots: *mut u32,
}

impl Out {
    /// Room for `count` hits.
    pub(crate) fn fit<K: Key>(&mut self, count: usize, key_stride: usize) -> OutPointers {
        if self.distances.len() < count {
            self.distances.resize(count, 0.0);
            self.slots.resize(count, 0);
        }
        let (keys, key_lengths) = self.keys.fit::<K>(count, key_stride);
        OutPointers {
            keys,
            key_lengths,
            distances: self.distances.as_mut_ptr(),
            slots: self.slots.as_mut_ptr(),
        }
    }
}
