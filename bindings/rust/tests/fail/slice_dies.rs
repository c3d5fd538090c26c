// slice_dies.rs - rows that an index borrows are dropped before it
// SPDX-License-Identifier: MIT OR Apache-2.0
use nigh::Index;

fn main() {
    let rows = vec![0.0f32; 20];
    let index = Index::<u64>::builder(2).build_over(&rows[..]).unwrap();
    drop(rows);
    index.search(&[0.0, 0.0], 1).unwrap();
}
