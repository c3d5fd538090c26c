// read.rs - what an index holds
// SPDX-License-Identifier: MIT OR Apache-2.0
use alloc::vec::Vec;
use core::ffi::c_void;
use core::ptr;

use nigh_sys as sys;

use crate::config::Codes;
use crate::element::Element;
use crate::error::{check, from_status, Error, Result};
use crate::filter::Bitmap;
use crate::index::Index;
use crate::key::{Key, KeyRoom};
use crate::store::VectorStore;

/// What an index holds now: `Index::stats`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Slots in use, removed keys and free ones included.
    pub slots: usize,
    /// Keys that a search can return.
    pub live: usize,
    /// Keys that are removed, whose nodes still lead searches on.
    pub removed: usize,
    /// Slots that hold no node: the next inserts take them.
    pub free: usize,
    /// Slots that there is memory for.
    pub slots_ready: usize,
    /// Most slots without `Index::reserve`.
    pub capacity: usize,
    /// Layer of the entry point.
    pub top_layer: usize,
    /// Slot of the entry point.
    pub entry: Option<u32>,
    /// Nodes in layers above 0, added up.
    pub upper: usize,
    /// Kernels chosen, `nigh_sys::NIGH_CPU_*`.
    pub features: u32,
    /// Lengths of all byte-string keys ever stored, added up.
    pub key_bytes: u64,
    /// Bytes of a saved image.
    pub image_bytes: u64,
    /// Codes that searches use.
    pub codes: Codes,
    /// Elements that did not fit the span of the codes.
    pub codes_clamped: u32,
}

/// A node of the graph: `Index::node`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Node {
    /// Its top layer.
    pub top: usize,
    /// Its key is removed.
    pub removed: bool,
    /// The slots it is linked to in the layer asked for.
    pub links: Vec<u32>,
}

/// What `Index::check` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The index is whole.
    pub sound: bool,
    /// Number of the rule broken first (docs/FORMAT.md); 0: none.
    pub fault: u32,
    /// The slot that breaks it.
    pub slot: Option<u32>,
    /// Its layer.
    pub level: u32,
    /// Nodes without a valid parent edge.
    pub unreachable: usize,
    /// Links in all layers.
    pub links: u64,
    /// Blocks whose checksum was verified.
    pub blocks_checked: u64,
}

const NO_SLOT: u32 = u32::MAX;
const CHUNK: usize = 256;

impl<K: Key, E: Element, S: VectorStore<E>> Index<K, E, S> {
    /// Live keys.
    pub fn len(&self) -> usize {
        self.core.stats().live_count as usize
    }

    /// No key can be found.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Slots that it can hold without [`reserve`](Self::reserve).
    pub fn capacity(&self) -> usize {
        self.core.stats().slot_max as usize
    }

    /// Counts and sizes.
    pub fn stats(&self) -> Stats {
        let raw = self.core.stats();
        Stats {
            slots: raw.slot_count as usize,
            live: raw.live_count as usize,
            removed: raw.deleted_count as usize,
            free: raw.free_count as usize,
            slots_ready: raw.slot_capacity as usize,
            capacity: raw.slot_max as usize,
            top_layer: raw.level_max as usize,
            entry: (raw.entry_slot != NO_SLOT).then_some(raw.entry_slot),
            upper: raw.upper_count as usize,
            features: raw.features,
            key_bytes: raw.key_bytes,
            image_bytes: raw.image_bytes,
            codes: Codes::from_number(raw.codes),
            codes_clamped: raw.code_clamped,
        }
    }

    /// A copy of the row of a key, bit for bit what was stored.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Removed`], [`Error::Store`], [`Error::NoVectors`], and
    /// [`Error::Busy`] while the row keeps changing.
    pub fn get(&self, key: K::Ref<'_>) -> Result<Vec<E::Unit>> {
        let mut row = alloc::vec![E::Unit::default(); self.row_len()];
        self.get_into(key, &mut row)?;
        Ok(row)
    }

    /// The same into `row`, of [`row_len`](Self::row_len) units. Returns the slot.
    ///
    /// # Errors
    /// As [`get`](Self::get), and [`Error::Length`].
    pub fn get_into(&self, key: K::Ref<'_>, row: &mut [E::Unit]) -> Result<u32> {
        self.row(row, "row")?;
        self.find_key(key, row.as_mut_ptr().cast())
    }

    /// A key is live.
    ///
    /// # Errors
    /// [`Error::Key`], [`Error::NoMemory`].
    pub fn contains(&self, key: K::Ref<'_>) -> Result<bool> {
        match self.find_key(key, ptr::null_mut()) {
            Ok(_) => Ok(true),
            Err(Error::NotFound | Error::Removed) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A key is known, but removed.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Key`], [`Error::NoMemory`].
    pub fn is_removed(&self, key: K::Ref<'_>) -> Result<bool> {
        match self.find_key(key, ptr::null_mut()) {
            Ok(_) => Ok(false),
            Err(Error::Removed) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// The slot of a live key: its bit in a [`Bitmap`], its row in a store of slices.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Removed`], [`Error::Key`].
    pub fn node_id(&self, key: K::Ref<'_>) -> Result<u32> {
        self.find_key(key, ptr::null_mut())
    }

    fn find_key(&self, key: K::Ref<'_>, row: *mut c_void) -> Result<u32> {
        let session = self.core.reader(1)?;
        let (mut slot, mut done) = (0, 0);
        let status = K::raw(key).with(|keys, lengths| {
            // SAFETY: one key; a row's room or none; a session that is nobody else's.
            unsafe {
                sys::nigh_get(
                    self.core.raw(),
                    session.raw(),
                    keys,
                    lengths,
                    1,
                    row,
                    &mut slot,
                    &mut done,
                )
            }
        });
        self.core.give_reader(session);
        self.after_call();
        check(status).map(|()| slot)
    }

    /// The live keys among `keys`, as a filter for searches.
    ///
    /// # Errors
    /// [`Error::Key`], [`Error::NoMemory`]. Keys that are not known or removed are left out.
    pub fn bitmap_of<'k>(&self, keys: impl IntoIterator<Item = K::Ref<'k>>) -> Result<Bitmap> {
        let mut bitmap = Bitmap::new();
        for key in keys {
            match self.node_id(key) {
                Ok(slot) => {
                    bitmap.insert(slot);
                }
                Err(Error::NotFound | Error::Removed) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(bitmap)
    }

    /// The key of a slot, if it is live.
    ///
    /// # Errors
    /// [`Error::KeyEncoding`].
    pub fn key_at(&self, slot: u32) -> Result<Option<K>> {
        let mut room = KeyRoom::default();
        let mut slots = [0];
        let found = self.read_keys(slot, &mut room, &mut slots)?;
        if found == 0 || slots[0] != slot {
            return Ok(None);
        }
        room.get::<K>(0, &mut 0).map(|key| Some(K::to_key(key)))
    }

    fn read_keys(&self, from: u32, room: &mut KeyRoom, slots: &mut [u32]) -> Result<usize> {
        let (keys, lengths) = room.fit::<K>(slots.len(), self.key_stride());
        let (count, mut found) = (slots.len() as u32, 0);
        // SAFETY: room for `count` keys; any thread may ask.
        check(unsafe {
            let slots = slots.as_mut_ptr();
            sys::nigh_keys(self.core.raw(), from, count, keys, lengths, slots, &mut found)
        })?;
        Ok(found as usize)
    }

    /// All live keys in slot order, with their slots. What others insert meanwhile may be among them
    /// or not.
    pub fn keys(&self) -> Keys<'_, K, E, S> {
        Keys {
            index: self,
            room: KeyRoom::default(),
            slots: [0; CHUNK],
            offset: 0,
            at: 0,
            found: 0,
            from: Some(0),
        }
    }

    /// A node and its links in layer `level`.
    ///
    /// # Errors
    /// [`Error::NotFound`]: no such slot or layer.
    pub fn node(&self, slot: u32, level: usize) -> Result<Node> {
        let level = u32::try_from(level).map_err(|_| Error::NotFound)?;
        let (mut top, mut flags, mut count) = (0, 0, 0);
        let mut links = alloc::vec![0u32; self.core.config.m0 as usize];
        // SAFETY: room for m0 links; any thread may ask.
        check(unsafe {
            let raw = self.core.raw();
            let links = links.as_mut_ptr();
            sys::nigh_node(raw, slot, level, &mut top, &mut flags, links, &mut count)
        })?;
        if flags & sys::NIGH_NODE_FREE != 0 {
            return Err(Error::NotFound);
        }
        links.truncate(count as usize);
        Ok(Node { top: top as usize, removed: flags & sys::NIGH_NODE_DELETED != 0, links })
    }

    /// Top layer of a live key.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Removed`].
    pub fn level(&self, key: K::Ref<'_>) -> Result<usize> {
        Ok(self.node(self.node_id(key)?, 0)?.top)
    }

    /// The live keys that a live key is linked to in layer `level`.
    ///
    /// # Errors
    /// [`Error::NotFound`]: no such key, or it is not in that layer; [`Error::Removed`].
    pub fn neighbours(&self, key: K::Ref<'_>, level: usize) -> Result<Vec<K>> {
        let node = self.node(self.node_id(key)?, level)?;
        node.links.iter().filter_map(|slot| self.key_at(*slot).transpose()).collect()
    }

    /// Proves in one pass that the index is whole: bounds, degrees, keys, checksums, codes, and that
    /// every node is reachable. A broken index is a report, not an error.
    ///
    /// # Errors
    /// [`Error::Busy`] beside writers, [`Error::NoMemory`].
    pub fn check(&self) -> Result<Report> {
        let mut raw = sys::nigh_report::default();
        let session = self.core.reader(1)?;
        // SAFETY: a session that is nobody else's.
        let status = unsafe { sys::nigh_check(self.core.raw(), session.raw(), &mut raw) };
        self.core.give_reader(session);
        self.after_call();
        check(status)?;
        Ok(Report {
            sound: raw.status == sys::NIGH_OK,
            fault: raw.fault,
            slot: (raw.slot != NO_SLOT).then_some(raw.slot),
            level: raw.level,
            unreachable: raw.unreachable as usize,
            links: raw.link_count,
            blocks_checked: raw.blocks_checked,
        })
    }

    /// Finds out in some 0.2 s what is fastest on this machine for this index. Changes no result and
    /// nothing that is stored.
    ///
    /// # Errors
    /// [`Error::NoVectors`], [`Error::Store`].
    #[cfg(feature = "std")]
    pub fn tune(&mut self) -> Result<()> {
        let start = std::time::Instant::now();
        self.tune_with(move || start.elapsed().as_nanos() as u64)
    }

    /// The same with a clock of the caller's: nanoseconds that only rise.
    ///
    /// # Errors
    /// [`Error::NoVectors`], [`Error::Store`].
    pub fn tune_with<F: FnMut() -> u64>(&mut self, mut clock: F) -> Result<()> {
        unsafe extern "C" fn now<F: FnMut() -> u64>(user: *mut c_void) -> u64 {
            // SAFETY: `clock`, of below. After a panic time flies, so that it ends.
            crate::panic::guarded(u64::MAX, || unsafe { (*user.cast::<F>())() })
        }
        let options = sys::nigh_session_options {
            lanes: 4,
            flags: sys::NIGH_SESSION_READ,
            ..Default::default()
        };
        let session = self.core.session(options)?;
        // SAFETY: alone, as `&mut self` says; the clock is called before this returns.
        let status = unsafe {
            let user = (&raw mut clock).cast();
            sys::nigh_tune(self.core.raw(), session.raw(), Some(now::<F>), user)
        };
        crate::panic::resume();
        match status {
            sys::NIGH_OK => Ok(()),
            other => Err(from_status(other)),
        }
    }
}

/// The live keys of an index: `Index::keys`.
pub struct Keys<'i, K: Key, E: Element, S: VectorStore<E>> {
    index: &'i Index<K, E, S>,
    room: KeyRoom,
    slots: [u32; CHUNK],
    offset: usize,
    at: usize,
    found: usize,
    from: Option<u32>,
}

impl<K: Key, E: Element, S: VectorStore<E>> Iterator for Keys<'_, K, E, S> {
    type Item = Result<(K, u32)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at == self.found {
            let from = self.from?;
            (self.at, self.offset) = (0, 0);
            self.found = match self.index.read_keys(from, &mut self.room, &mut self.slots) {
                Ok(found) => found,
                Err(error) => {
                    (self.found, self.from) = (0, None);
                    return Some(Err(error));
                }
            };
            self.from = self.slots[..self.found].last().map(|last| last + 1);
            if self.found == 0 {
                return None;
            }
        }
        let slot = self.slots[self.at];
        let key = self.room.get::<K>(self.at, &mut self.offset).map(|key| (K::to_key(key), slot));
        self.at += 1;
        Some(key)
    }
}
