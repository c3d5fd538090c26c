// put_beside_reader.rs - a write transaction changes rows while an index of it is read
// SPDX-License-Identifier: MIT OR Apache-2.0
use heed::types::{Str, U64};
use nigh::lmdb::{Indexes, Reader};

type Rows = heed::Database<'static, U64<heed::byteorder::BE>, Str>;

fn change(env: &heed::Env, indexes: &Indexes, rows: Rows) {
    let mut txn = env.write_txn().unwrap();
    let reader: Reader<u64> = indexes.reader(&txn, 0).unwrap();
    rows.put(&mut txn, &1, "one").unwrap();
    reader.search(&[0.0], 1).unwrap();
}

fn main() {}
