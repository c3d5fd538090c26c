// bitmap_changes.rs - a bitmap changes while it filters
// SPDX-License-Identifier: MIT OR Apache-2.0
use nigh::{Bitmap, Index};

fn main() {
    let index = Index::<u64>::new(2).unwrap();
    let mut searcher = index.searcher().unwrap();
    let mut bitmap = Bitmap::new();
    let mut filtered = searcher.filter_bitmap(&bitmap);
    bitmap.insert(3);
    filtered.search(&[0.0, 0.0], 1).unwrap();
}
