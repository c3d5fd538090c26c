// query_dies.rs - a query is dropped before its cursor
// SPDX-License-Identifier: MIT OR Apache-2.0
use nigh::Index;

fn main() {
    let index = Index::<u64>::new(2).unwrap();
    let mut searcher = index.searcher().unwrap();
    let query = vec![0.0, 0.0];
    let mut cursor = searcher.cursor(&query).unwrap();
    drop(query);
    cursor.next();
}
