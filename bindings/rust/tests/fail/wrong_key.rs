// wrong_key.rs - a key of another type
// SPDX-License-Identifier: MIT OR Apache-2.0
use nigh::Index;

fn main() {
    let index = Index::<String>::new(2).unwrap();
    index.insert(7, &[0.0, 0.0]).unwrap();
}
