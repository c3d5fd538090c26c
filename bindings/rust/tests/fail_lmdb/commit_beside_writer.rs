// commit_beside_writer.rs - a transaction is committed while its index is still being changed
// SPDX-License-Identifier: MIT OR Apache-2.0
use nigh::lmdb::{Indexes, Writer};

fn change(env: &heed::Env, indexes: &Indexes) {
    let mut txn = env.write_txn().unwrap();
    let writer: Writer<u64> = indexes.writer(&mut txn, 0).unwrap();
    txn.commit().unwrap();
    writer.insert(1, &[0.0]).unwrap();
}

fn main() {}
