// store_mut_beside_searcher.rs - a store is changed beside a searcher
// SPDX-License-Identifier: MIT OR Apache-2.0
use nigh::Index;

fn main() {
    let mut index = Index::<u64>::builder(2).build_over(vec![0.0f32; 20]).unwrap();
    let mut searcher = index.searcher().unwrap();
    index.store_mut(|store| store.clear()).unwrap();
    searcher.search(&[0.0, 0.0], 1).unwrap();
}
