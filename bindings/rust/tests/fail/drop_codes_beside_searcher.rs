// drop_codes_beside_searcher.rs - codes are dropped beside a searcher
// SPDX-License-Identifier: MIT OR Apache-2.0
use nigh::Index;

fn main() {
    let mut index = Index::<u64>::new(2).unwrap();
    let mut searcher = index.searcher().unwrap();
    index.drop_codes().unwrap();
    searcher.search(&[0.0, 0.0], 1).unwrap();
}
