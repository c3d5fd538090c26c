// slice_changes.rs - rows that an index borrows are changed
// SPDX-License-Identifier: MIT OR Apache-2.0
use nigh::Index;

fn main() {
    let mut rows = vec![0.0f32; 20];
    let index = Index::<u64>::builder(2).build_over(&rows[..]).unwrap();
    rows[0] = 1.0;
    index.search(&[0.0, 0.0], 1).unwrap();
}
