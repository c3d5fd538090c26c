// searcher_outlives_reader.rs - a searcher is used after the index that it searches in
// SPDX-License-Identifier: MIT OR Apache-2.0
use nigh::lmdb::{Indexes, Reader};

fn search(txn: &heed::RoTxn, indexes: &Indexes) {
    let reader: Reader<u64> = indexes.reader(txn, 0).unwrap();
    let mut searcher = reader.searcher().unwrap();
    drop(reader);
    searcher.search(&[0.0], 1).unwrap();
}

fn main() {}
