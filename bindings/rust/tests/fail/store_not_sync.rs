// store_not_sync.rs - a store that threads may not share
// SPDX-License-Identifier: MIT OR Apache-2.0
use std::cell::Cell;

use nigh::{FetchError, Request, Rows, VectorStore};

struct Store(Cell<u32>);

impl VectorStore<f32> for Store {
    fn fetch<'s>(
        &'s self,
        _: Request<'_>,
        _: &mut Rows<'s, '_, f32>,
    ) -> Result<(), FetchError> {
        self.0.set(1);
        Ok(())
    }
}

fn main() {}
