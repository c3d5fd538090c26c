// filters.rs - searches among some
// SPDX-License-Identifier: MIT OR Apache-2.0
mod common;

use std::panic::{catch_unwind, AssertUnwindSafe};

use common::{nearest, shared, Random};
use nigh::{Bitmap, Hit, Index, SearchOptions};

const DIM: usize = 5;
const COUNT: usize = 3000;

fn index() -> (Vec<f32>, Index<u64>) {
    let rows = Random(4).floats(COUNT * DIM);
    let index = Index::new(DIM).unwrap();
    index.build(0..COUNT as u64, &rows).run().unwrap();
    (rows, index)
}

fn keys(hits: &[Hit<u64>]) -> Vec<u64> {
    hits.iter().map(|hit| hit.key).collect()
}

#[test]
fn by_function_and_by_bitmap() {
    let (rows, index) = index();
    let mut searcher = index.searcher().unwrap();
    let mut random = Random(5);
    for every in [2usize, 10, 100, 1000] {
        let bitmap = index.bitmap_of((0..COUNT as u64).step_by(every)).unwrap();
        assert_eq!(bitmap.len(), COUNT / every);
        let (mut by_bitmap, mut by_function) = (0, 0);
        for _ in 0..20 {
            let query = random.floats(DIM);
            let truth = nearest(&rows, DIM, &query, 5, |at| at % every == 0);
            let hits = searcher.filter_bitmap(&bitmap).search(&query, 5).unwrap();
            assert!(hits.iter().all(|hit| hit.key % every as u64 == 0));
            by_bitmap += shared(&keys(&hits), &truth);
            let mut filtered = searcher.filter(|key, slot| {
                assert_eq!(key, u64::from(slot));
                key % every as u64 == 0
            });
            let hits = filtered.search(&query, 5).unwrap();
            by_function += shared(&keys(&hits), &truth);
        }
        let most = 20 * 5.min(COUNT / every);
        assert!(by_bitmap * 100 >= most * 95, "1 in {every}, bitmap: {by_bitmap} of {most}");
        assert!(by_function * 100 >= most * 95, "1 in {every}, function: {by_function} of {most}");
    }
}

#[test]
fn a_filter_ends_with_its_guard() {
    let (rows, index) = index();
    let mut searcher = index.searcher().unwrap();
    let query = &rows[..DIM];
    let odd = index.bitmap_of((1..COUNT as u64).step_by(2)).unwrap();
    assert_eq!(searcher.filter_bitmap(&odd).search(query, 1).unwrap()[0].key % 2, 1);
    assert_eq!(searcher.search(query, 1).unwrap()[0].key, 0);
    // One that is forgotten is not used either, though its bitmap is gone.
    let gone = odd.clone();
    let mut forgotten = searcher.filter_bitmap(&gone);
    forgotten.search(query, 1).unwrap();
    std::mem::forget(forgotten);
    drop(gone);
    assert_eq!(searcher.search(query, 1).unwrap()[0].key, 0);
    let other = searcher.filter_bitmap(&odd);
    std::mem::forget(other);
    assert_eq!(searcher.filter(|key, _| key == 7).search(query, 1).unwrap()[0].key, 7);
    drop(searcher);
    assert_eq!(index.search(query, 1).unwrap()[0].key, 0, "the pool's session is as new");
}

#[test]
fn nothing_and_too_much() {
    let (rows, index) = index();
    let mut searcher = index.searcher().unwrap();
    let query = &rows[..DIM];
    assert_eq!(searcher.filter_bitmap(&Bitmap::new()).search(query, 3).unwrap(), []);
    assert_eq!(searcher.filter(|_, _| false).search(query, 3).unwrap(), []);
    let unknown: Bitmap = [0, COUNT as u32 + 1000].into_iter().collect();
    assert_eq!(keys(&searcher.filter_bitmap(&unknown).search(query, 3).unwrap()), [0]);
    let beyond: Bitmap = [1, 10_000_000].into_iter().collect();
    assert_eq!(keys(&searcher.filter_bitmap(&beyond).search(query, 3).unwrap()), [1]);
    let none = index.search_filtered(query, 3, &SearchOptions::new(), |_, _| false).unwrap();
    assert!(none.is_empty());
}

#[test]
fn batches_cursors_and_strings() {
    let index = Index::<String>::new(1).unwrap();
    for number in 0..500 {
        index.insert(&format!("n{number}"), &[number as f32]).unwrap();
    }
    let mut searcher = index.searcher().unwrap();
    let mut filtered = searcher.filter(|key, slot| {
        assert_eq!(key, format!("n{slot}"));
        key.ends_with('7')
    });
    let hits = filtered.search(&[100.0], 3).unwrap();
    assert_eq!(hits.iter().map(|hit| &hit.key[..]).collect::<Vec<_>>(), ["n97", "n107", "n87"]);
    let batch = filtered.search_batch(&[0.0, 400.0], 1).unwrap();
    assert_eq!(batch.iter().map(|hits| &hits[0].key[..]).collect::<Vec<_>>(), ["n7", "n397"]);
    let all = filtered.cursor(&[0.0]).unwrap().map(|hit| hit.unwrap().key);
    assert_eq!(all.count(), 50);
    let mut each = vec![];
    filtered.search_each(&[0.0], 1, |key, _, _| each.push(key.to_owned())).unwrap();
    assert_eq!(each, ["n7"]);
}

#[test]
fn a_panic_in_a_filter_goes_on() {
    let (rows, index) = index();
    let mut searcher = index.searcher().unwrap();
    let query = &rows[..DIM];
    let mut calls = 0;
    let mut filtered = searcher.filter(|_, _| {
        calls += 1;
        assert!(calls < 10, "ten");
        true
    });
    let caught = catch_unwind(AssertUnwindSafe(|| filtered.search(query, 3))).unwrap_err();
    assert_eq!(caught.downcast_ref::<&str>(), Some(&"ten"));
    drop(filtered);
    assert_eq!(calls, 10, "it was called on after the panic");
    assert_eq!(searcher.search(query, 1).unwrap()[0].key, 0);
    let panicking = || index.search_filtered(query, 3, &SearchOptions::new(), |_, _| panic!("one"));
    assert!(catch_unwind(AssertUnwindSafe(panicking)).is_err());
    assert_eq!(index.search(query, 1).unwrap()[0].key, 0);
}
