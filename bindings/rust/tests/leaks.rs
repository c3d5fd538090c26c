// leaks.rs - a million mixed calls from 8 threads give back all memory
// SPDX-License-Identifier: MIT OR Apache-2.0
mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};
use std::thread;

use common::{scaled, Random};
use nigh::{Error, Index, SearchOptions};

struct Counted;

static LIVE: AtomicIsize = AtomicIsize::new(0);

// SAFETY: the system's, counted.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as isize, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as isize, Ordering::Relaxed);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counted = Counted;

const DIM: usize = 4;
const KEYS: u64 = 3000;
static CALLS: AtomicUsize = AtomicUsize::new(0);

/// Failures are part of it: what a call that failed took is given back too.
fn one_call(index: &Index<String>, random: &mut Random) -> Result<(), Error> {
    let key = format!("key {}", random.below(KEYS));
    let row = random.floats(DIM);
    let options = SearchOptions::new().ef(10);
    CALLS.fetch_add(1, Ordering::Relaxed);
    match random.below(16) {
        0 => index.insert(&key, &row),
        1 => index.set(&key, &row),
        2 => index.remove(&key),
        3 => index.unremove(&key),
        4 => index.get(&key).map(|row| assert_eq!(row.len(), DIM)),
        5 => index.contains(&key).map(|_| ()),
        6 => index.search_filtered(&row, 3, &options, |key, _| key.ends_with('7')).map(|_| ()),
        7 => index.searcher()?.cursor(&row)?.take(3).try_for_each(|hit| hit.map(|_| ())),
        8 => index
            .search_batch(&[row.clone(), row].concat(), 2, &options)
            .map(|_| ())
            .map_err(Error::from),
        9 => index.insert("", &row),
        10 => index.search(&row[1..], 3).map(|_| ()),
        11 => index
            .insert_batch([&key[..], "one more"], &[row.clone(), row].concat())
            .map_err(Error::from),
        _ => index.search_with(&row, 3, &options).map(|_| ()),
    }
}

fn rounds(calls: usize) {
    let index = Index::<String>::builder(DIM).capacity(8000).m(6).ef_build(12).build().unwrap();
    thread::scope(|scope| {
        for number in 0..8 {
            let index = &index;
            scope.spawn(move || {
                let mut random = Random(number);
                for _ in 0..calls / 8 {
                    match one_call(index, &mut random) {
                        Ok(()) => {}
                        Err(
                            Error::Exists
                            | Error::Removed
                            | Error::NotFound
                            | Error::Key
                            | Error::Length { .. }
                            | Error::Busy,
                        ) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
            });
        }
    });
    assert!(index.check().unwrap().sound);
    let copy = Index::<String>::from_bytes(&index.to_bytes().unwrap()).unwrap();
    assert_eq!(copy.len(), index.len());
}

/// Bytes mapped by the process.
fn mapped() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0) * 4096
}

#[test]
fn nothing_is_left() {
    rounds(8000); // what the runtime and its threads keep for themselves
    let (live, pages) = (LIVE.load(Ordering::Relaxed), mapped());
    CALLS.store(0, Ordering::Relaxed);
    let calls = scaled(1_000_000);
    rounds(calls);
    assert!(CALLS.load(Ordering::Relaxed) >= calls / 8 * 8);
    let left = LIVE.load(Ordering::Relaxed) - live;
    assert!(left.abs() < 4096, "{left} bytes are left");
    // A new stack or arena of the system's is no leak; an index or its sessions would be.
    let more = mapped().saturating_sub(pages);
    assert!(more < 512 << 20, "{more} bytes are mapped");
}
