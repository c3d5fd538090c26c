// memory.rs - zeroed memory aligned to 64 bytes, big pieces of it in huge pages
// SPDX-License-Identifier: MIT OR Apache-2.0
use alloc::alloc::{alloc_zeroed, dealloc, Layout};
use core::ffi::c_void;
use core::ptr::NonNull;

use crate::error::{Error, Result};

pub(crate) const ALIGNMENT: usize = 64;
#[cfg(feature = "mmap")]
const HUGE_PAGE: usize = 2 << 20;

/// A piece of memory that stays where it is, whoever owns it.
pub(crate) struct Memory {
    start: NonNull<u8>,
    bytes: usize,
    from: From,
}

enum From {
    Nothing,
    Heap(Layout),
    #[cfg(feature = "mmap")]
    #[allow(dead_code)] // held to be unmapped with it
    Pages(memmap2::MmapMut),
    #[cfg(feature = "mmap")]
    #[allow(dead_code)]
    File(memmap2::Mmap),
    #[cfg(feature = "mmap")]
    FileMut(memmap2::MmapMut),
}

// SAFETY: memory is not tied to the thread that took it, and what is stored in it is C's business,
// which has rules of its own (Session is used by one thread at a time, see there).
unsafe impl Send for Memory {}
unsafe impl Sync for Memory {}

impl Memory {
    /// Zeroed. From 2 MiB on from the system (feature `mmap`), where untouched pages cost nothing
    /// and huge pages are worth 8 to 16 % of search time.
    pub(crate) fn new(bytes: u64) -> Result<Self> {
        let no_memory = || Error::NoMemory { bytes };
        let size = usize::try_from(bytes).map_err(|_| no_memory())?;
        if size == 0 {
            let start = NonNull::<Aligned>::dangling().cast();
            return Ok(Memory { start, bytes: 0, from: From::Nothing });
        }
        #[cfg(feature = "mmap")]
        if size >= HUGE_PAGE && !cfg!(miri) {
            return Self::pages(size).ok_or_else(no_memory);
        }
        let layout = Layout::from_size_align(size, ALIGNMENT).map_err(|_| no_memory())?;
        // SAFETY: the layout has a size.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or_else(no_memory)?;
        Ok(Memory { start, bytes: size, from: From::Heap(layout) })
    }

    #[cfg(feature = "mmap")]
    fn pages(size: usize) -> Option<Self> {
        let mut map = memmap2::MmapMut::map_anon(size.checked_add(HUGE_PAGE)?).ok()?;
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage); // a kernel without them is no failure
        let skip = map.as_ptr().align_offset(HUGE_PAGE);
        let start = NonNull::new(map[skip..].as_mut_ptr())?;
        Some(Memory { start, bytes: size, from: From::Pages(map) })
    }

    /// A copy of an image.
    pub(crate) fn copy_of(bytes: &[u8]) -> Result<Self> {
        let mut memory = Self::new(bytes.len() as u64)?;
        memory.as_mut_slice().copy_from_slice(bytes);
        Ok(memory)
    }

    #[cfg(feature = "mmap")]
    pub(crate) fn file(map: memmap2::Mmap) -> Self {
        let start = NonNull::new(map.as_ptr().cast_mut()).expect("a mapping is not at 0");
        Memory { start, bytes: map.len(), from: From::File(map) }
    }

    #[cfg(feature = "mmap")]
    pub(crate) fn file_mut(mut map: memmap2::MmapMut) -> Self {
        let start = NonNull::new(map.as_mut_ptr()).expect("a mapping is not at 0");
        Memory { start, bytes: map.len(), from: From::FileMut(map) }
    }

    /// Writes a changed file mapping to its disk; nothing else has one.
    #[cfg(feature = "mmap")]
    pub(crate) fn flush(&self) -> Result<()> {
        match &self.from {
            From::FileMut(map) => Ok(map.flush()?),
            _ => Ok(()),
        }
    }

    pub(crate) fn pointer(&self) -> *mut c_void {
        self.start.as_ptr().cast()
    }

    pub(crate) fn len(&self) -> u64 {
        self.bytes as u64
    }

    /// Only before C has been given the memory.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: `bytes` bytes of initialised memory, borrowed as this object is.
        unsafe { core::slice::from_raw_parts_mut(self.start.as_ptr(), self.bytes) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if let From::Heap(layout) = self.from {
            // SAFETY: allocated with this layout, in `new`.
            unsafe { dealloc(self.start.as_ptr(), layout) };
        }
    }
}

#[repr(align(64))]
struct Aligned;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligned_and_zeroed() {
        for bytes in [0, 1, 63, 64, 1000, 5 << 20] {
            if cfg!(miri) && bytes > 4096 {
                continue;
            }
            let mut memory = Memory::new(bytes).unwrap();
            assert_eq!(memory.pointer() as usize % ALIGNMENT, 0);
            assert_eq!(memory.len(), bytes);
            assert!(memory.as_mut_slice().iter().all(|byte| *byte == 0));
            memory.as_mut_slice().fill(1);
        }
    }

    #[test]
    fn copies() {
        let mut memory = Memory::copy_of(b"image").unwrap();
        assert_eq!(memory.as_mut_slice(), b"image");
    }

    #[test]
    fn too_much_is_an_error() {
        assert!(matches!(Memory::new(u64::MAX), Err(Error::NoMemory { bytes: u64::MAX })));
        if !cfg!(miri) {
            assert!(matches!(Memory::new(1 << 62), Err(Error::NoMemory { .. })));
        }
    }
}
