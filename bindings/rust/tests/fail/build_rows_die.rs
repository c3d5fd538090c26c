// build_rows_die.rs - rows of a build are dropped before it is run
// SPDX-License-Identifier: MIT OR Apache-2.0
use nigh::Index;

fn main() {
    let index = Index::<u64>::new(2).unwrap();
    let rows = vec![0.0, 0.0];
    let job = index.build([1], &rows);
    drop(rows);
    job.run().unwrap();
}
