// jobs.rs - builds, codes, refine and vacuum, by any number of threads
// SPDX-License-Identifier: MIT OR Apache-2.0
mod common;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use common::{nearest, shared, Random};
use nigh::{Codes, Error, Index};

const DIM: usize = 16;
const COUNT: usize = 4000;

fn rows() -> Vec<f32> {
    Random(6).floats(COUNT * DIM)
}

fn built(threads: usize, rows: &[f32]) -> Index<u64> {
    let index = Index::builder(DIM).m(8).ef_build(60).seed(42).build().unwrap();
    index.build(0..COUNT as u64, rows).threads(threads).run().unwrap();
    index
}

fn recall(index: &Index<u64>, rows: &[f32]) -> usize {
    let mut random = Random(8);
    (0..50)
        .map(|_| {
            let query = random.floats(DIM);
            let truth = nearest(rows, DIM, &query, 10, |_| true);
            let hits = index.search(&query, 10).unwrap();
            shared(&hits.iter().map(|hit| hit.key).collect::<Vec<_>>(), &truth)
        })
        .sum()
}

#[test]
fn the_same_bytes_with_any_threads() {
    let rows = rows();
    let one = built(1, &rows);
    assert!(one.check().unwrap().sound);
    assert!(recall(&one, &rows) >= 400, "{}", recall(&one, &rows));
    let image = one.to_bytes().unwrap();
    for threads in [2, 4, 7] {
        assert!(built(threads, &rows).to_bytes().unwrap() == image, "{threads} threads");
    }
    let refined = |threads| {
        let index = built(2, &rows);
        index.refine_with(60, 0.0).threads(threads).run().unwrap();
        index.to_bytes().unwrap()
    };
    assert!(refined(1) == refined(4));
}

#[test]
fn progress_rises_to_the_end() {
    let rows = rows();
    let index = Index::<u64>::builder(DIM).m(8).ef_build(40).build().unwrap();
    let (last, calls) = (AtomicU64::new(0), AtomicU64::new(0));
    let done = index
        .build(0..COUNT as u64, &rows)
        .threads(2)
        .progress(|now| {
            assert!(now.done <= now.total);
            last.fetch_max(now.done, Ordering::Relaxed);
            calls.fetch_add(1, Ordering::Relaxed);
        })
        .run()
        .unwrap();
    assert_eq!((done.done, done.total), (COUNT as u64, COUNT as u64));
    assert_eq!(last.into_inner(), COUNT as u64);
    assert!(calls.into_inner() > 1);
}

#[test]
fn cancelled_jobs_keep_what_they_did() {
    let rows = rows();
    let index = Index::<u64>::builder(DIM).m(8).ef_build(40).build().unwrap();
    let cancel = AtomicBool::new(false);
    let stopped = index
        .build(0..COUNT as u64, &rows)
        .threads(2)
        .cancel(&cancel)
        .progress(|now| cancel.store(now.done >= 500, Ordering::Relaxed))
        .run()
        .unwrap_err();
    assert!(matches!(stopped.error, Error::Cancelled { .. }));
    assert!((500..COUNT).contains(&stopped.done));
    assert_eq!(index.len(), stopped.done);
    assert!(index.check().unwrap().sound);
    // It goes on.
    let rest = stopped.done;
    index.build(rest as u64..COUNT as u64, &rows[rest * DIM..]).run().unwrap();
    assert_eq!(index.len(), COUNT);
    let none = index.refine().cancel(&cancel).run();
    assert!(matches!(none, Err(Error::Cancelled { .. })));
}

#[test]
fn a_refused_row_ends_a_build_after_all_before_it() {
    let mut rows = rows();
    rows[1000 * DIM] = f32::NAN;
    let index = Index::<u64>::builder(DIM).ef_build(40).build().unwrap();
    let stopped = index.build(0..COUNT as u64, &rows).threads(3).run().unwrap_err();
    assert!(matches!(stopped.error, Error::Vector), "{stopped}");
    assert_eq!((stopped.done, index.len()), (1000, 1000));
    let twice = index.build([5000, 999], &rows[..2 * DIM]).run().unwrap_err();
    assert!(matches!((twice.done, twice.error), (1, Error::Exists)));
    let short = index.build([1, 2], &rows[..DIM]).run().unwrap_err();
    assert_eq!(short.to_string(), "item 0: rows: 16 elements, expected 32");
    let full = Index::<u64>::builder(DIM).capacity(10).build().unwrap();
    let full = full.build(0..11, &rows[..11 * DIM]).run().unwrap_err();
    assert!(matches!((full.done, full.error), (0, Error::Full { capacity: 10 })));
}

#[test]
fn others_wait_outside_but_search() {
    let rows = rows();
    let index = built(2, &rows);
    index.insert(1 << 40, &rows[..DIM]).unwrap();
    let (busy, searched) = (AtomicBool::new(false), AtomicBool::new(false));
    index
        .refine()
        .threads(2)
        .progress(|_| {
            let beside = index.insert(1 << 41, &rows[..DIM]);
            busy.fetch_or(matches!(beside, Err(Error::Busy)), Ordering::Relaxed);
            let hit = index.search(&rows[..DIM], 1).unwrap()[0].key;
            searched.fetch_or(hit == 0, Ordering::Relaxed);
        })
        .run()
        .unwrap();
    assert!(busy.into_inner() && searched.into_inner());
    index.insert(1 << 41, &rows[..DIM]).unwrap();
}

#[test]
fn a_panic_in_progress_ends_the_job() {
    let rows = rows();
    let index = Index::<u64>::builder(DIM).ef_build(40).build().unwrap();
    let building = || {
        let all = index.build(0..COUNT as u64, &rows).threads(3);
        all.progress(|now| assert!(now.done < 300, "far enough")).run()
    };
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(building)).unwrap_err();
    assert!(caught.downcast_ref::<&str>().unwrap().contains("far enough"));
    index.insert(1 << 40, &rows[..DIM]).unwrap();
    assert!(index.check().unwrap().sound);
}

#[test]
fn codes_come_and_go() {
    let rows = rows();
    let mut index = built(2, &rows);
    let plain = recall(&index, &rows);
    let mut searcher_before = index.searcher().unwrap();
    index.make_codes(Codes::U7).threads(3).run().unwrap();
    assert_eq!(index.stats().codes, Codes::U7);
    searcher_before.search(&rows[..DIM], 5).unwrap();
    assert!(searcher_before.stats().reranked > 0, "codes are searched by searchers made before");
    drop(searcher_before);
    assert!(recall(&index, &rows) + 25 >= plain);
    index.insert(1 << 40, &[0.01; DIM]).unwrap();
    assert_eq!(index.search(&[0.01; DIM], 1).unwrap()[0].key, 1 << 40);
    let others = index.make_codes(Codes::B1).run().unwrap_err();
    assert_eq!(others.to_string(), "codes: there are some already, drop them first");
    let none = index.make_codes(Codes::None).run().unwrap_err(); // it takes &self
    assert_eq!(none.to_string(), "codes: expected U7 or B1, drop_codes drops them");
    assert_eq!(index.stats().codes, Codes::U7);
    index.drop_codes().unwrap();
    assert_eq!(index.stats().codes, Codes::None);
    index.make_codes_within(Codes::U7, -1.0, 1.0).run().unwrap();
    assert_eq!(index.search(&rows[..DIM], 1).unwrap()[0].key, 0);
    assert!(index.check().unwrap().sound);
}

#[test]
fn vacuum_frees_slots() {
    let rows = rows();
    let index = built(2, &rows);
    for key in (0..COUNT as u64).step_by(2) {
        index.remove(key).unwrap();
    }
    index.vacuum().threads(2).run().unwrap();
    let stats = index.stats();
    assert_eq!((stats.live, stats.removed, stats.free), (COUNT / 2, 0, COUNT / 2));
    assert!(index.check().unwrap().sound);
    assert!(matches!(index.unremove(0), Err(Error::NotFound)));
    let half = COUNT / 4 * DIM;
    for key in (0..COUNT as u64 / 2).step_by(2) {
        index.insert(key, &rows[key as usize * DIM..][..DIM]).unwrap();
    }
    assert_eq!(
        (index.stats().slots, index.stats().free),
        (COUNT, COUNT / 4),
        "freed slots are used"
    );
    index.build(10_000..10_000 + COUNT as u64 / 4, &rows[..half]).threads(2).run().unwrap();
    assert_eq!((index.stats().slots, index.len()), (COUNT + COUNT / 4, COUNT));
    assert!(index.check().unwrap().sound);
}

#[cfg(feature = "rayon")]
#[test]
fn in_a_rayon_pool() {
    let rows = rows();
    let image = built(1, &rows).to_bytes().unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let inside = pool.install(|| built(0, &rows).to_bytes().unwrap());
    assert!(inside == image);
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert!(alone.install(|| built(4, &rows).to_bytes().unwrap()) == image);
}
