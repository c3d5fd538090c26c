// main.rs - hnsw_rs with its SIMD distances
// SPDX-License-Identifier: MIT OR Apache-2.0
// Unit rows are compared by l2, which orders them as the angle does: its DistDot ends the program
// where rounding leaves 1 - dot below zero.
use hnsw_rs::prelude::*;
use serve::{Job, Peer, Rows, K};

const LAYERS_MAX: usize = 16;

struct HnswRs {
    index: Hnsw<'static, f32, DistL2>,
    ef: usize,
}

impl Peer for HnswRs {
    fn build(job: &Job, rows: &Rows) -> Box<dyn FnOnce()> {
        let index = Hnsw::new(job.m, rows.count(), LAYERS_MAX, job.ef_build, DistL2 {});
        for (id, row) in rows.iter().enumerate() {
            index.insert((row, id));
        }
        let folder = job.folder.clone();
        Box::new(move || {
            index.file_dump(&folder, "index").unwrap();
        })
    }

    fn open(job: &Job) -> Self {
        let files: &'static mut HnswIo = Box::leak(Box::new(HnswIo::new(&job.folder, "index")));
        let mut index = files.load_hnsw::<f32, DistL2>().unwrap();
        index.set_searching_mode(true);
        HnswRs { index, ef: 0 }
    }

    fn set_ef(&mut self, ef: usize) {
        self.ef = ef;
    }

    fn search(&mut self, query: &[f32], ids: &mut Vec<i32>) {
        let found = self.index.search(query, K, self.ef);
        ids.extend(found.iter().map(|hit| hit.d_id as i32));
    }
}

fn main() {
    serve::run::<HnswRs>();
}
