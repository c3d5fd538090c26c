// lent_row_dies.rs - a store lends a row that it made itself
// SPDX-License-Identifier: MIT OR Apache-2.0
use nigh::{FetchError, Request, Rows, VectorStore};

struct Store;

impl VectorStore<f32> for Store {
    fn fetch<'s>(
        &'s self,
        _: Request<'_>,
        rows: &mut Rows<'s, '_, f32>,
    ) -> Result<(), FetchError> {
        let row = vec![0.0f32; rows.row_len()];
        rows.lend(0, &row);
        Ok(())
    }
}

fn main() {}
