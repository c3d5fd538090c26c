// cursor_beside_search.rs - a search while a cursor is under way
// SPDX-License-Identifier: MIT OR Apache-2.0
use nigh::Index;

fn main() {
    let index = Index::<u64>::new(2).unwrap();
    let mut searcher = index.searcher().unwrap();
    let mut cursor = searcher.cursor(&[0.0, 0.0]).unwrap();
    searcher.search(&[0.0, 0.0], 1).unwrap();
    cursor.next();
}
