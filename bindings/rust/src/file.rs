// file.rs - saving an index, and opening one: from bytes, streams, files
// SPDX-License-Identifier: MIT OR Apache-2.0
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::ffi::c_void;
use core::marker::PhantomData;
use core::ops::Deref;

use nigh_sys as sys;

use crate::config::CAPACITY;
use crate::element::Element;
use crate::error::{check, Error, Result};
use crate::handle::Core;
use crate::index::Index;
use crate::key::Key;
use crate::memory::Memory;
use crate::metric::{Function, Metric};
use crate::panic;
use crate::store::{Owned, VectorStore};

impl<K: Key, E: Element, S: VectorStore<E>> Index<K, E, S> {
    /// The image: the same content gives the same bytes.
    ///
    /// # Errors
    /// [`Error::Busy`] beside writers, [`Error::NoMemory`].
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let size = self.save_bytes(0)?;
        bytes
            .try_reserve_exact(usize::try_from(size).unwrap_or(usize::MAX))
            .map_err(|_| Error::NoMemory { bytes: size })?;
        self.write_image(0, |part| {
            bytes.extend_from_slice(part);
            true
        })?;
        Ok(bytes)
    }

    pub(crate) fn image_copy(&self) -> Result<Memory> {
        let mut memory = Memory::new(self.save_bytes(0)?)?;
        let mut rest = memory.as_mut_slice();
        self.write_image(0, |part| {
            let (to, after) = core::mem::take(&mut rest).split_at_mut(part.len());
            to.copy_from_slice(part);
            rest = after;
            true
        })?;
        Ok(memory)
    }

    fn save_bytes(&self, flags: u32) -> Result<u64> {
        let mut bytes = 0;
        // SAFETY: any thread may ask.
        check(unsafe { sys::nigh_save_bytes(self.core.raw(), flags, &mut bytes) })?;
        Ok(bytes)
    }

    fn write_image(&self, flags: u32, take: impl FnMut(&[u8]) -> bool) -> Result<()> {
        // SAFETY: what `handed` gives is for this call.
        handed(take, |write, user| unsafe { sys::nigh_save(self.core.raw(), flags, write, user) })
    }

    /// Writes the image. Returns its bytes.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Busy`] beside writers.
    #[cfg(feature = "std")]
    pub fn save_to(&self, writer: impl std::io::Write) -> Result<u64> {
        self.save_flags_to(0, writer)
    }

    /// Writes the image without its vectors: who opens it brings a store.
    ///
    /// # Errors
    /// As [`save_to`](Self::save_to).
    #[cfg(feature = "std")]
    pub fn save_graph_to(&self, writer: impl std::io::Write) -> Result<u64> {
        self.save_flags_to(sys::NIGH_SAVE_GRAPH_ONLY, writer)
    }

    #[cfg(feature = "std")]
    fn save_flags_to(&self, flags: u32, writer: impl std::io::Write) -> Result<u64> {
        streamed(writer, |take| self.write_image(flags, take))
    }

    /// Saves to a file, whole or not at all: it is written beside it, flushed to the disk and then
    /// given its name. Returns its bytes.
    ///
    /// # Errors
    /// As [`save_to`](Self::save_to); an old file stays as it was.
    #[cfg(feature = "std")]
    pub fn save(&self, path: impl AsRef<std::path::Path>) -> Result<u64> {
        let path = path.as_ref();
        let beside = beside(path)?;
        let file = std::fs::OpenOptions::new().write(true).create_new(true).open(&beside)?;
        let save = || {
            let written = self.save_to(std::io::BufWriter::with_capacity(1 << 18, &file))?;
            file.sync_all()?;
            std::fs::rename(&beside, path)?;
            Ok(written)
        };
        let result = save();
        if result.is_err() {
            let _ = std::fs::remove_file(&beside); // the first error is the one to tell
        } else if let Ok(folder) = std::fs::File::open(beside.parent().unwrap_or(path)) {
            let _ = folder.sync_all(); // not every system flushes folders
        }
        result
    }

    /// Ends the changes to a file mapped by `OpenOptions::map_mut`, and flushes it to its disk:
    /// until then it says of itself that it is in the middle of changes.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for any other index, [`Error::Io`].
    #[cfg(feature = "mmap")]
    pub fn seal(&mut self) -> Result<()> {
        // SAFETY: alone.
        check(unsafe { sys::nigh_seal(self.core.raw()) })?;
        match &self.core.image {
            Some(image) => image.flush(),
            None => Ok(()),
        }
    }
}

/// Lets C write, front to back: what it hands over goes to `take`, until that says false.
pub(crate) fn handed<F: FnMut(&[u8]) -> bool>(
    mut take: F,
    call: impl FnOnce(Option<sys::nigh_write_fn>, *mut c_void) -> sys::nigh_status,
) -> Result<()> {
    unsafe extern "C" fn write<F: FnMut(&[u8]) -> bool>(
        user: *mut c_void,
        bytes: *const c_void,
        count: u64,
    ) -> sys::nigh_status {
        panic::guarded(sys::NIGH_E_WRITE, || {
            // SAFETY: `take`, of below, and what C says.
            let (take, part) = unsafe {
                let part = core::slice::from_raw_parts(bytes.cast::<u8>(), count as usize);
                (&mut *user.cast::<F>(), part)
            };
            if take(part) {
                sys::NIGH_OK
            } else {
                sys::NIGH_E_WRITE
            }
        })
    }
    let status = call(Some(write::<F>), (&raw mut take).cast());
    panic::resume();
    check(status)
}

/// Writes what `write` hands over. Returns its bytes.
#[cfg(feature = "std")]
pub(crate) fn streamed(
    mut writer: impl std::io::Write,
    write: impl FnOnce(&mut dyn FnMut(&[u8]) -> bool) -> Result<()>,
) -> Result<u64> {
    let (mut failure, mut written) = (None, 0);
    let result = write(&mut |part| match writer.write_all(part) {
        Ok(()) => {
            written += part.len() as u64;
            true
        }
        Err(error) => {
            failure = Some(error);
            false
        }
    });
    match failure {
        Some(error) => Err(Error::Io(error)),
        None => {
            result?;
            writer.flush()?;
            Ok(written)
        }
    }
}

#[cfg(feature = "std")]
fn beside(path: &std::path::Path) -> Result<std::path::PathBuf> {
    use core::sync::atomic::{AtomicU32, Ordering};
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = path.file_name().ok_or(Error::Invalid("path: expected one that names a file"))?;
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let mut own = std::ffi::OsString::from(".");
    own.push(name);
    own.push(alloc::format!(".{}.{number}.tmp", std::process::id()));
    // A bare name has the empty path for its folder, which cannot be opened.
    let here = std::path::Path::new(".");
    let folder = path.parent().filter(|folder| *folder != std::path::Path::new(""));
    Ok(folder.unwrap_or(here).join(own))
}

impl<K: Key, E: Element> Index<K, E> {
    /// An index from an image in memory, which is copied. It can be changed.
    ///
    /// # Errors
    /// [`Error::Format`], [`Error::Corrupt`], [`Error::Unsealed`], [`Error::Mismatch`] when its keys
    /// or elements are others, [`Error::NoMemory`].
    pub fn from_bytes(image: &[u8]) -> Result<Self> {
        OpenOptions::new().from_bytes(image)
    }

    /// An index from what [`save_to`](Self::save_to) has written. It can be changed.
    ///
    /// # Errors
    /// As [`from_bytes`](Self::from_bytes), and [`Error::Io`].
    #[cfg(feature = "std")]
    pub fn load_from(reader: impl std::io::Read) -> Result<Self> {
        OpenOptions::new().load_from(reader)
    }

    /// An index from a file, read into memory. It can be changed.
    ///
    /// # Errors
    /// As [`from_bytes`](Self::from_bytes), and [`Error::Io`].
    #[cfg(feature = "std")]
    pub fn open(path: impl AsRef<std::path::Path>) -> Result<Self> {
        OpenOptions::new().open(path)
    }

    /// A file used where it lies, for reading: see [`OpenOptions::map`].
    ///
    /// # Safety
    /// That of [`OpenOptions::map`].
    ///
    /// # Errors
    /// As [`from_bytes`](Self::from_bytes), and [`Error::Io`].
    #[cfg(feature = "mmap")]
    pub unsafe fn map(path: impl AsRef<std::path::Path>) -> Result<Self> {
        // SAFETY: the caller's promise.
        unsafe { OpenOptions::new().map(path) }
    }
}

/// How to open an image.
///
/// ```
/// use nigh::{Index, OpenOptions};
/// let index = Index::<u64>::new(3)?;
/// index.insert(1, &[1.0, 2.0, 3.0])?;
/// let image = index.to_bytes()?;
/// let again: Index<u64> = OpenOptions::new().capacity(1_000_000).from_bytes(&image)?;
/// assert_eq!(again.get(1)?, [1.0, 2.0, 3.0]);
/// # Ok::<(), nigh::Error>(())
/// ```
#[must_use]
pub struct OpenOptions<E: Element = f32, S: VectorStore<E> = Owned> {
    pub(crate) store: S,
    pub(crate) distance: Option<Function<E::Unit>>,
    pub(crate) raw: sys::nigh_options,
    read_only: bool,
    kinds: PhantomData<E>,
}

impl<E: Element> OpenOptions<E> {
    /// The defaults: to be changed, with room for twice what is in, at least 65,536 slots.
    #[allow(clippy::new_without_default)] // E could not be told from K
    pub fn new() -> Self {
        OpenOptions {
            store: Owned,
            distance: None,
            raw: sys::nigh_options::default(),
            read_only: false,
            kinds: PhantomData,
        }
    }
}

impl<E: Element, S: VectorStore<E>> OpenOptions<E, S> {
    /// Most slots that the index can hold without `Index::reserve`; no fewer than it has.
    pub fn capacity(mut self, slots: usize) -> Self {
        self.raw.slot_max = crate::session::number(slots);
        self
    }

    /// Instruction sets that may be used, `nigh_sys::NIGH_CPU_*`; default all that the machine has.
    pub fn features(mut self, features: u32) -> Self {
        self.raw.features = features;
        self
    }

    /// Verifies every block's checksum while opening; else `Index::check` does.
    pub fn verify(mut self, verify: bool) -> Self {
        self.flag(sys::NIGH_OPEN_VERIFY, verify);
        self
    }

    /// Takes an image that was left in the middle of changes, for `Index::check` only.
    pub fn unsealed(mut self, unsealed: bool) -> Self {
        self.flag(sys::NIGH_OPEN_UNSEALED, unsealed);
        self.read_only(unsealed)
    }

    /// It is not to be changed: saves the memory that changes want.
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// The distance of an image that was made with `Builder::distance`.
    pub fn distance<F>(mut self, distance: F) -> Self
    where
        F: Fn(&[E::Unit], &[E::Unit]) -> f32 + Send + Sync + 'static,
    {
        self.distance = Some(Box::new(distance));
        self
    }

    /// Where the vectors of an image without them are.
    pub fn store<T: VectorStore<E>>(self, store: T) -> OpenOptions<E, T> {
        let OpenOptions { distance, raw, read_only, kinds, .. } = self;
        OpenOptions { store, distance, raw, read_only, kinds }
    }

    fn flag(&mut self, flag: u32, on: bool) {
        self.raw.flags = if on { self.raw.flags | flag } else { self.raw.flags & !flag };
    }

    /// See [`Index::from_bytes`].
    ///
    /// # Errors
    /// As [`Index::from_bytes`].
    #[allow(clippy::wrong_self_convention)] // named like the function of Index
    pub fn from_bytes<K: Key>(self, image: &[u8]) -> Result<Index<K, E, S>> {
        self.take(Memory::copy_of(image)?)
    }

    /// See [`Index::load_from`].
    ///
    /// # Errors
    /// As [`Index::load_from`].
    #[cfg(feature = "std")]
    pub fn load_from<K: Key>(self, mut reader: impl std::io::Read) -> Result<Index<K, E, S>> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        self.from_bytes(&bytes)
    }

    /// See [`Index::open`].
    ///
    /// # Errors
    /// As [`Index::open`].
    #[cfg(feature = "std")]
    pub fn open<K: Key>(self, path: impl AsRef<std::path::Path>) -> Result<Index<K, E, S>> {
        use std::io::Read;
        let mut file = std::fs::File::open(path)?;
        let mut memory = Memory::new(file.metadata()?.len())?;
        file.read_exact(memory.as_mut_slice())?;
        self.take(memory)
    }

    /// A file used where it lies, for reading: open at once however large it is, read as it is
    /// searched, shared with other processes.
    ///
    /// # Safety
    /// Nobody may change the file or cut it short while the index lives; what `save` replaces is
    /// another file. (A damaged file is an error, or gives wrong answers, and nothing worse.)
    ///
    /// # Errors
    /// As [`Index::open`].
    #[cfg(feature = "mmap")]
    pub unsafe fn map<K: Key>(
        mut self,
        path: impl AsRef<std::path::Path>,
    ) -> Result<Index<K, E, S>> {
        let file = std::fs::File::open(path)?;
        // SAFETY: the caller's promise.
        let map = unsafe { memmap2::Mmap::map(&file)? };
        self.read_only = true;
        self.take(Memory::file(map))
    }

    /// A file changed where it lies. It cannot hold more than it has; `Index::seal` ends changes,
    /// and a file that was not sealed is refused the next time.
    ///
    /// # Safety
    /// Nobody else may use the file while the index lives.
    ///
    /// # Errors
    /// As [`Index::open`].
    #[cfg(feature = "mmap")]
    pub unsafe fn map_mut<K: Key>(
        mut self,
        path: impl AsRef<std::path::Path>,
    ) -> Result<Index<K, E, S>> {
        let file = std::fs::OpenOptions::new().read(true).write(true).open(path)?;
        // SAFETY: the caller's promise.
        let map = unsafe { memmap2::MmapMut::map_mut(&file)? };
        self.flag(sys::NIGH_OPEN_WRITABLE, true);
        self.raw.slot_max = 0;
        let memory = Memory::file_mut(map);
        let (start, bytes) = (memory.pointer(), memory.len());
        // SAFETY: the mapping is the index's own.
        unsafe { self.attach_at(start, bytes, Some(memory)) }
    }

    /// An image used where it lies, for reading: in flash, or part of the program. It must be
    /// aligned to 64 bytes.
    ///
    /// # Errors
    /// As [`Index::from_bytes`], and [`Error::Invalid`] when it is not aligned.
    pub fn attach<K: Key>(mut self, image: &[u8]) -> Result<View<'_, K, E, S>> {
        self.raw.slot_max = 0;
        let start = image.as_ptr().cast_mut().cast();
        // SAFETY: an index that is read-only does not store to its image, and View keeps the borrow.
        let index = unsafe { self.attach_at(start, image.len() as u64, None)? };
        Ok(View { index, image: PhantomData })
    }

    /// An index over memory of its own.
    fn take<K: Key>(mut self, image: Memory) -> Result<Index<K, E, S>> {
        let (start, bytes) = (image.pointer(), image.len());
        if self.read_only {
            self.raw.slot_max = 0;
            // SAFETY: the image is the index's own.
            return unsafe { self.attach_at(start, bytes, Some(image)) };
        }
        // SAFETY: only looked at.
        let held = unsafe { Core::attach(start, bytes, None, &sys::nigh_options::default())? };
        let count = held.stats().slot_count;
        drop(held);
        self.raw.slot_max = self.slot_max_for(count);
        self.flag(sys::NIGH_OPEN_WRITABLE, true);
        // SAFETY: the image is the index's own.
        let index = unsafe { self.attach_at(start, bytes, Some(image))? };
        index.first_growth()?;
        Ok(index)
    }

    /// Slots for an index that has `count` and is to be changed.
    pub(crate) fn slot_max_for(&self, count: u32) -> u32 {
        let wanted = match self.raw.slot_max {
            0 => count.saturating_mul(2).max(CAPACITY),
            slots => slots.max(count),
        };
        wanted.min((1 << 31) - 2)
    }

    /// # Safety
    /// As `Core::attach`.
    unsafe fn attach_at<K: Key>(
        self,
        start: *mut c_void,
        bytes: u64,
        image: Option<Memory>,
    ) -> Result<Index<K, E, S>> {
        // SAFETY: the caller's promise.
        let core = unsafe { Core::attach(start, bytes, image, &self.raw)? };
        self.compare::<K>(&core.config)?;
        Index::over(core, self.store, self.distance)
    }

    /// The types say what the image must hold.
    pub(crate) fn compare<K: Key>(&self, config: &sys::nigh_config) -> Result<()> {
        let mismatch = |what, expected: &str, found: &str| {
            Err(Error::Mismatch {
                what,
                expected: String::from(expected),
                found: String::from(found),
            })
        };
        if config.dtype != E::DTYPE {
            return mismatch("elements", dtype_name(E::DTYPE), dtype_name(config.dtype));
        }
        if config.keys != K::KIND {
            return mismatch("keys", keys_name(K::KIND), keys_name(config.keys));
        }
        let custom = config.metric == Metric::Custom.number();
        if custom && self.distance.is_none() {
            return mismatch("distance", "one of this library", "one of its own (distance())");
        }
        if !custom && self.distance.is_some() {
            return mismatch("distance", "one of its own", "one of this library");
        }
        if config.vectors == sys::NIGH_VECTORS_OWNED && !S::OWNED {
            return mismatch("vectors", "none, there is a store", "vectors");
        }
        Ok(())
    }
}

pub(crate) fn dtype_name(dtype: u32) -> &'static str {
    match dtype {
        sys::NIGH_DTYPE_F32 => "f32",
        sys::NIGH_DTYPE_F16 => "f16",
        sys::NIGH_DTYPE_BF16 => "bf16",
        sys::NIGH_DTYPE_I8 => "i8",
        sys::NIGH_DTYPE_U8 => "u8",
        sys::NIGH_DTYPE_B1 => "b1",
        _ => "an unknown type",
    }
}

pub(crate) fn keys_name(keys: u32) -> &'static str {
    match keys {
        sys::NIGH_KEYS_U64 => "u64",
        sys::NIGH_KEYS_BYTES => "byte strings",
        sys::NIGH_KEYS_IDENTITY => "slots",
        _ => "an unknown kind",
    }
}

/// An index over an image that is borrowed: `OpenOptions::attach`. All of [`Index`] that wants `&`.
pub struct View<'a, K: Key, E: Element = f32, S: VectorStore<E> = Owned> {
    index: Index<K, E, S>,
    image: PhantomData<&'a [u8]>,
}

impl<K: Key, E: Element, S: VectorStore<E>> Deref for View<'_, K, E, S> {
    type Target = Index<K, E, S>;

    fn deref(&self) -> &Self::Target {
        &self.index
    }
}
