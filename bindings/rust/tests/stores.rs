// stores.rs - vectors that stay where they are
// SPDX-License-Identifier: MIT OR Apache-2.0
mod common;

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};

use common::Random;
use nigh::{
    Error, FetchError, Index, OpenOptions, Request, Rows, SearchOptions, Slot, VectorStore, I8,
};

const DIM: usize = 6;
const COUNT: usize = 600;

/// Rows in pieces that are not one after another, lent and copied in turns.
struct Scattered {
    rows: Vec<Box<[f32]>>,
    fetched: AtomicUsize,
    hinted: AtomicUsize,
    broken: Option<u32>,
}

impl Scattered {
    fn new(rows: &[f32]) -> Self {
        Scattered {
            rows: rows.chunks_exact(DIM).map(Box::from).collect(),
            fetched: AtomicUsize::new(0),
            hinted: AtomicUsize::new(0),
            broken: None,
        }
    }
}

impl VectorStore<f32> for Scattered {
    const PREFETCHES: bool = true;

    fn fetch<'s>(
        &'s self,
        request: Request<'_>,
        rows: &mut Rows<'s, '_, f32>,
    ) -> Result<(), FetchError> {
        self.fetched.fetch_add(request.slots.len(), Ordering::Relaxed);
        for (at, slot) in request.slots.iter().enumerate() {
            if self.broken == Some(*slot) {
                return Err(FetchError(77));
            }
            assert_eq!(request.keys.unwrap()[at], u64::from(*slot) + 5);
            let row = self.rows.get(*slot as usize).ok_or(FetchError(1))?;
            if slot % 2 == 0 {
                rows.lend(at, row);
            } else {
                rows.copy(at).copy_from_slice(row);
            }
        }
        Ok(())
    }

    fn prefetch(&self, request: Request<'_>) {
        self.hinted.fetch_add(request.slots.len(), Ordering::Relaxed);
    }
}

fn rows() -> Vec<f32> {
    Random(3).floats(COUNT * DIM)
}

/// The same index, with vectors of its own.
fn owned(rows: &[f32]) -> Index<u64> {
    let index = Index::new(DIM).unwrap();
    index.build(5..5 + COUNT as u64, rows).run().unwrap();
    index
}

fn same_answers<S: VectorStore<f32>, T: VectorStore<f32>>(
    a: &Index<u64, f32, S>,
    b: &Index<u64, f32, T>,
) {
    let mut random = Random(9);
    for _ in 0..30 {
        let query = random.floats(DIM);
        assert_eq!(a.search(&query, 7).unwrap(), b.search(&query, 7).unwrap());
    }
}

#[test]
fn slices_of_every_owner() {
    fn one<S: VectorStore<f32>>(store: S, rows: &[f32]) {
        let index = Index::<u64>::builder(DIM).build_over(store).unwrap();
        index.build_stored(5..5 + COUNT as u64).threads(2).run().unwrap();
        same_answers(&index, &owned(rows));
        assert_eq!(index.get(6).unwrap(), &rows[DIM..2 * DIM]);
        assert!(matches!(index.insert_stored(9999), Err(Error::Invalid(_))), "no such row");
        assert!(index.check().unwrap().sound);
    }
    let rows = rows();
    one(&rows[..], &rows);
    one(rows.clone(), &rows);
    one(rows.clone().into_boxed_slice(), &rows);
    one(Arc::<[f32]>::from(&rows[..]), &rows);
}

#[test]
fn rows_by_callback() {
    let rows = rows();
    let index = Index::<u64>::builder(DIM).build_over(Scattered::new(&rows)).unwrap();
    for key in 5..105 {
        index.insert_stored(key).unwrap();
    }
    index.build_stored(105..5 + COUNT as u64).threads(2).run().unwrap();
    let hits = index.search(&rows[..DIM], 3).unwrap();
    assert_eq!((hits[0].key, hits[0].distance), (5, 0.0));
    let store = index.store();
    assert!(store.fetched.load(Ordering::Relaxed) > COUNT);
    assert!(store.hinted.load(Ordering::Relaxed) > 0);
    assert!(matches!(index.insert_stored(5 + COUNT as u64), Err(Error::Store(1))));
    assert_eq!(index.len(), COUNT);
}

#[test]
fn a_failing_store_fails_the_call_only() {
    let rows = rows();
    let mut index = Index::<u64>::builder(DIM).build_over(Scattered::new(&rows)).unwrap();
    index.build_stored(5..5 + COUNT as u64).run().unwrap();
    index.store_mut(|store| store.broken = Some(0)).unwrap();
    assert!(matches!(index.search(&rows[..DIM], 3), Err(Error::Store(77))));
    assert!(matches!(index.get(5), Err(Error::Store(77))));
    index.store_mut(|store| store.broken = None).unwrap();
    assert_eq!(index.search(&rows[..DIM], 1).unwrap()[0].key, 5);
}

#[test]
fn a_panicking_store_panics_where_it_was_called() {
    struct Panics(Scattered);
    impl VectorStore<f32> for Panics {
        fn fetch<'s>(
            &'s self,
            request: Request<'_>,
            rows: &mut Rows<'s, '_, f32>,
        ) -> Result<(), FetchError> {
            assert!(!request.slots.contains(&300), "slot 300 is cursed");
            self.0.fetch(request, rows)
        }
    }
    let rows = rows();
    let index = Index::<u64>::builder(DIM).build_over(Panics(Scattered::new(&rows))).unwrap();
    for key in 5..305 {
        index.insert_stored(key).unwrap();
    }
    for _ in 0..3 {
        let caught = catch_unwind(AssertUnwindSafe(|| index.insert_stored(305))).unwrap_err();
        assert!(caught.downcast_ref::<&str>().unwrap().contains("cursed"));
        assert_eq!(index.search(&rows[..DIM], 1).unwrap()[0].key, 5, "the index goes on");
    }
    // On a thread of a job too: it ends before the panic goes on.
    let building = || index.build_stored(305..400).threads(3).run();
    let caught = catch_unwind(AssertUnwindSafe(building)).unwrap_err();
    assert!(caught.downcast_ref::<&str>().unwrap().contains("cursed"));
    index.remove(6).unwrap();
    assert!(index.check().unwrap().sound);
}

#[test]
fn a_store_may_search_another_index_meanwhile() {
    struct Nested(Index<u64>, Vec<f32>);
    impl VectorStore<f32> for Nested {
        fn fetch<'s>(
            &'s self,
            request: Request<'_>,
            rows: &mut Rows<'s, '_, f32>,
        ) -> Result<(), FetchError> {
            for (at, slot) in request.slots.iter().enumerate() {
                let row = &self.1[*slot as usize * DIM..][..DIM];
                let hit = self.0.search(row, 1).map_err(|_| FetchError(2))?[0];
                rows.copy(at).copy_from_slice(&self.0.get(hit.key).map_err(|_| FetchError(3))?);
            }
            Ok(())
        }
    }
    let rows = rows();
    let store = Nested(owned(&rows), rows.clone());
    let index = Index::<u64>::builder(DIM).build_over(store).unwrap();
    index.build_stored(5..5 + COUNT as u64).run().unwrap();
    same_answers(&index, &owned(&rows));
}

#[test]
fn a_store_that_changes() {
    let mut all = rows();
    let mut index = Index::<u64>::builder(DIM).build_over(all[..60 * DIM].to_vec()).unwrap();
    index.build_stored(0..60).run().unwrap();
    // It grows.
    index.store_mut(|store| store.extend_from_slice(&all[60 * DIM..])).unwrap();
    index.build_stored(60..COUNT as u64).run().unwrap();
    // A row of it changes.
    all[..DIM].fill(0.5);
    index.store_mut(|store| store[..DIM].fill(0.5)).unwrap();
    assert!(matches!(index.set(0, &[0.5; DIM]), Err(Error::Invalid(_))), "not beside others");
    index.set_stored(0).unwrap();
    assert_eq!(index.search(&[0.5; DIM], 1).unwrap()[0].key, 0);
    // It becomes too short: nothing reads what is not there.
    let short = index.store_mut(|store| store.truncate(DIM)).unwrap_err();
    assert!(matches!(short, Error::Length { .. } | Error::Invalid(_)), "{short}");
    assert!(matches!(index.search(&[0.5; DIM], 1), Err(Error::NoRow)));
    index.store_mut(|store| *store = all.clone()).unwrap();
    assert_eq!(index.search(&[0.5; DIM], 1).unwrap()[0].key, 0);
    // Its change panics half way: the same.
    let panicking = || {
        index.store_mut(|store| {
            store.clear();
            panic!("half way");
        })
    };
    assert!(catch_unwind(AssertUnwindSafe(panicking)).is_err());
    assert!(matches!(index.search(&[0.5; DIM], 1), Err(Error::NoRow)));
}

#[test]
fn graphs_without_vectors_meet_them_again() {
    let rows = rows();
    let own = owned(&rows);
    let mut graph = Vec::new();
    own.save_graph_to(&mut graph).unwrap();
    assert!(graph.len() < own.to_bytes().unwrap().len());
    let lent: Index<u64, f32, &[f32]> =
        OpenOptions::new().store(&rows[..]).from_bytes(&graph).unwrap();
    same_answers(&lent, &own);
    let fetched: Index<u64, f32, Scattered> =
        OpenOptions::new().store(Scattered::new(&rows)).from_bytes(&graph).unwrap();
    same_answers(&fetched, &own);
    let short: nigh::Result<Index<u64, f32, &[f32]>> =
        OpenOptions::new().store(&rows[DIM..]).from_bytes(&graph);
    assert!(short.is_err());
    let ragged: nigh::Result<Index<u64, f32, &[f32]>> =
        OpenOptions::new().store(&rows[1..]).from_bytes(&graph);
    let text = ragged.err().unwrap().to_string();
    assert_eq!(text, "rows of the store: 3599 elements, expected 3600");
    let bare = Index::<u64>::from_bytes(&graph).unwrap();
    assert!(matches!(bare.search(&rows[..DIM], 1), Err(Error::NoVectors)));
    assert!(bare.check().unwrap().sound);
}

#[test]
fn quantised_rows_in_a_slice() {
    let floats = rows();
    let rows = nigh::encode::<I8>(DIM, &floats).unwrap();
    let own = Index::<Slot, I8>::builder(DIM).build().unwrap();
    own.build((0..COUNT as u32).map(Slot), &rows).run().unwrap();
    let lent = Index::<Slot, I8>::builder(DIM).build_over(&rows[..]).unwrap();
    lent.build_stored((0..COUNT as u32).map(Slot)).run().unwrap();
    let options = SearchOptions::new().ef(100);
    for query in rows.chunks_exact(own.row_len()).take(30) {
        let hits = own.search_with(query, 5, &options).unwrap();
        assert_eq!(lent.search_with(query, 5, &options).unwrap(), hits);
    }
}

#[test]
fn a_store_with_a_lock_inside() {
    struct Locked(RwLock<Vec<f32>>);
    impl VectorStore<f32> for Locked {
        fn fetch<'s>(
            &'s self,
            request: Request<'_>,
            rows: &mut Rows<'s, '_, f32>,
        ) -> Result<(), FetchError> {
            let all = self.0.read().unwrap(); // its rows cannot be lent: they would outlive it
            for (at, slot) in request.slots.iter().enumerate() {
                let row = all.get(*slot as usize * DIM..(*slot as usize + 1) * DIM);
                rows.copy(at).copy_from_slice(row.ok_or(FetchError(4))?);
            }
            Ok(())
        }
    }
    let rows = rows();
    let index = Index::<u64>::builder(DIM).build_over(Locked(RwLock::new(Vec::new()))).unwrap();
    for (key, row) in rows.chunks_exact(DIM).enumerate() {
        index.store().0.write().unwrap().extend_from_slice(row);
        index.insert_stored(key as u64 + 5).unwrap();
    }
    assert_eq!(index.search(&rows[DIM * 9..DIM * 10], 1).unwrap()[0].key, 14);
}
