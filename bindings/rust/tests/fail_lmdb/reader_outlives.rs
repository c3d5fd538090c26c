// reader_outlives.rs - an index is searched after its read transaction has ended
// SPDX-License-Identifier: MIT OR Apache-2.0
use nigh::lmdb::{Indexes, Reader};

fn search(env: &heed::Env, indexes: &Indexes) {
    let txn = env.read_txn().unwrap();
    let reader: Reader<u64> = indexes.reader(&txn, 0).unwrap();
    drop(txn);
    reader.search(&[0.0], 1).unwrap();
}

fn main() {}
