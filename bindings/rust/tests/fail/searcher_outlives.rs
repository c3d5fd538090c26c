// searcher_outlives.rs - a searcher is used after its index
// SPDX-License-Identifier: MIT OR Apache-2.0
use nigh::Index;

fn main() {
    let index = Index::<u64>::new(2).unwrap();
    let mut searcher = index.searcher().unwrap();
    drop(index);
    searcher.search(&[0.0, 0.0], 1).unwrap();
}
