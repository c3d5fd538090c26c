// lent_under_a_lock.rs - a store lends a row that a lock guards
// SPDX-License-Identifier: MIT OR Apache-2.0
use std::sync::RwLock;

use nigh::{FetchError, Request, Rows, VectorStore};

struct Store(RwLock<Vec<f32>>);

impl VectorStore<f32> for Store {
    fn fetch<'s>(
        &'s self,
        _: Request<'_>,
        rows: &mut Rows<'s, '_, f32>,
    ) -> Result<(), FetchError> {
        let all = self.0.read().unwrap();
        rows.lend(0, &all[..]);
        Ok(())
    }
}

fn main() {}
