// threads.rs - one index, many threads: what is promised of it holds meanwhile
// SPDX-License-Identifier: MIT OR Apache-2.0
mod common;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::thread;

use common::{scaled, Random};
use nigh::{Cursor, Error, Filtered, Index, Owned, SearchOptions, Searcher};

const DIM: usize = 8;

fn sent<T: Send>() {}
fn shared<T: Sync>() {}

#[test]
fn types_go_between_threads() {
    sent::<Index<u64>>();
    shared::<Index<u64>>();
    sent::<Index<String, nigh::I8, Arc<[i8]>>>();
    shared::<Index<String, nigh::I8, Arc<[i8]>>>();
    sent::<Searcher<'_, u64, f32, Owned>>();
    sent::<nigh::View<'_, u64>>();
    shared::<nigh::View<'_, u64>>();
    sent::<Error>();
    shared::<Error>();
    let index = Index::<u64>::new(1).unwrap();
    index.insert(1, &[1.0]).unwrap();
    let mut searcher = index.searcher().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || assert_eq!(searcher.search(&[0.0], 1).unwrap().len(), 1));
    });
    fn _names<'a, 'i>(_: Cursor<'a, 'i, u64>, _: Filtered<'a, 'i, 'a, u64>) {}
}

/// Keys that nobody touches are always found by their own vector; a key that is found is one that
/// was inserted.
#[test]
fn searches_beside_every_change() {
    let (steady, rounds) = (500u64, scaled(6000) as u64);
    let index = Arc::new(Index::<u64>::builder(DIM).capacity(40_000).ef_build(40).build().unwrap());
    let row = |key: u64| Random(key).floats(DIM);
    for key in 0..steady {
        index.insert(key, &row(key)).unwrap();
    }
    let writing = AtomicU64::new(3);
    thread::scope(|scope| {
        for writer in 0..3u64 {
            let (index, writing) = (&index, &writing);
            scope.spawn(move || {
                for round in 0..rounds {
                    let key = 1000 + 3 * round + writer;
                    index.insert(key, &row(key)).unwrap();
                    match round % 4 {
                        0 => index.remove(key).unwrap(),
                        1 => index.set(key, &row(key + 1)).unwrap(),
                        2 => {
                            index.remove(key).unwrap();
                            index.unremove(key).unwrap();
                        }
                        _ => assert_eq!(index.get(key).unwrap(), row(key)),
                    }
                }
                writing.fetch_sub(1, Ordering::Relaxed);
            });
        }
        for reader in 0..3u64 {
            let (index, writing) = (&index, &writing);
            scope.spawn(move || {
                let mut searcher = index.searcher().unwrap();
                let mut random = Random(reader);
                let mut hits = vec![];
                while writing.load(Ordering::Relaxed) > 0 {
                    let key = random.below(steady);
                    searcher.search_into(&row(key), 3, &mut hits).unwrap();
                    assert!(hits.iter().any(|hit| hit.key == key), "{key} is gone");
                    assert!(hits.iter().all(|hit| hit.key < 1000 + 3 * rounds));
                    assert!(index.contains(key).unwrap());
                }
            });
        }
    });
    let report = index.check().unwrap();
    assert!(report.sound && report.unreachable == 0, "{report:?}");
    assert_eq!(index.stats().removed, 3 * rounds.div_ceil(4) as usize);
    assert_eq!(index.len() as u64, steady + 3 * rounds - 3 * rounds.div_ceil(4));
}

#[test]
fn many_threads_grow_it_once() {
    let index = Index::<String>::builder(1).capacity(20_000).ef_build(10).build().unwrap();
    thread::scope(|scope| {
        for thread in 0..8 {
            let index = &index;
            scope.spawn(move || {
                for number in 0..scaled(2400) {
                    index.insert(&format!("{thread}/{number}"), &[number as f32]).unwrap();
                }
            });
        }
    });
    assert_eq!(index.len(), 8 * scaled(2400));
    let ready = index.stats().slots_ready;
    assert!(ready <= 2 * index.len().max(1024), "{ready} slots for {}", index.len());
    assert!(index.check().unwrap().sound);
}

#[test]
fn a_job_beside_searches_and_codes_that_appear() {
    let count = scaled(6000).max(600) as u64;
    let index = Index::<u64>::builder(DIM).m(8).ef_build(30).build().unwrap();
    let rows: Vec<f32> = (0..count).flat_map(|key| Random(key).floats(DIM)).collect();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for reader in 0..2u64 {
            let (index, stop, rows) = (&index, &stop, &rows);
            scope.spawn(move || {
                let mut random = Random(reader);
                let options = SearchOptions::new().ef(20);
                while !stop.load(Ordering::Relaxed) {
                    let at = random.below(count) as usize;
                    let query = &rows[at * DIM..][..DIM];
                    assert!(index.search_with(query, 5, &options).unwrap().len() <= 5);
                }
            });
        }
        index.build(0..count, &rows).threads(2).run().unwrap();
        index.make_codes(nigh::Codes::U7).threads(2).run().unwrap();
        index.refine_with(50, 0.0).threads(2).run().unwrap();
        (0..count).step_by(3).try_for_each(|key| index.remove(key)).unwrap();
        index.vacuum().threads(2).run().unwrap();
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(index.len() as u64, count - count.div_ceil(3));
    assert!(index.check().unwrap().sound);
}
