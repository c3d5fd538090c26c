// two_writers.rs - two indexes are open for changes in one transaction
// SPDX-License-Identifier: MIT OR Apache-2.0
use nigh::lmdb::{Indexes, Writer};

fn change(env: &heed::Env, indexes: &Indexes) {
    let mut txn = env.write_txn().unwrap();
    let one: Writer<u64> = indexes.writer(&mut txn, 0).unwrap();
    let two: Writer<u64> = indexes.writer(&mut txn, 1).unwrap();
    one.insert(1, &[0.0]).unwrap();
    two.insert(1, &[0.0]).unwrap();
}

fn main() {}
