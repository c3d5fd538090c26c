// main.rs - hnswlib-rs with its own store of vectors, f32 or bf16 (the option of the job)
// SPDX-License-Identifier: MIT OR Apache-2.0
// Unit rows are compared by inner product, which saves its cosine both norms.
use std::fs::File;
use std::io::{BufReader, BufWriter};

use half::bf16;
use hnswlib_rs::{
    Dense, Hnsw, HnswConfig, InMemoryVectorStore, InnerProduct, Metric, Scalar, VectorFamily, L2,
};
use serve::{Job, Peer, Rows, K};

trait Element: Scalar {
    fn from(x: f32) -> Self;
}

impl Element for f32 {
    fn from(x: f32) -> f32 {
        x
    }
}

impl Element for bf16 {
    fn from(x: f32) -> bf16 {
        bf16::from_f32(x)
    }
}

struct HnswlibRs<S: Element, M: Metric<Family = Dense<S>>> {
    index: Hnsw<u32, M>,
    store: InMemoryVectorStore<S>,
    query: Vec<S>,
}

impl<S, M> Peer for HnswlibRs<S, M>
where
    S: Element,
    M: Metric<Family = Dense<S>> + Default,
    Dense<S>: for<'a> VectorFamily<Ref<'a> = &'a [S]>,
{
    fn build(job: &Job, rows: &Rows) -> Box<dyn FnOnce()> {
        let config = HnswConfig::new(rows.dim, rows.count()).m(job.m).ef_construction(job.ef_build);
        let index: Hnsw<u32, M> = Hnsw::new(M::default(), config);
        let store = InMemoryVectorStore::<S>::new(rows.dim, rows.count());
        let mut own = Vec::with_capacity(rows.dim);
        for (id, row) in rows.iter().enumerate() {
            own.clear();
            own.extend(row.iter().map(|x| S::from(*x)));
            index.insert(&store, id as u32, &own[..]).unwrap();
        }
        let (graph, vectors, count) = (job.file("graph"), job.file("vectors"), rows.count());
        Box::new(move || {
            index.save_to(&mut BufWriter::new(File::create(graph).unwrap())).unwrap();
            store.save_to(&mut BufWriter::new(File::create(vectors).unwrap()), count).unwrap();
        })
    }

    fn open(job: &Job) -> Self {
        let read = |name| BufReader::new(File::open(job.file(name)).unwrap());
        let (store, _) = InMemoryVectorStore::load_from(&mut read("vectors")).unwrap();
        let index = Hnsw::load_from(M::default(), &mut read("graph")).unwrap();
        HnswlibRs { index, store, query: Vec::new() }
    }

    fn set_ef(&mut self, ef: usize) {
        self.index.set_ef_search(ef);
    }

    fn search(&mut self, query: &[f32], ids: &mut Vec<i32>) {
        self.query.clear();
        self.query.extend(query.iter().map(|x| S::from(*x)));
        let hits = self.index.search(&self.store, &self.query[..], K, None).unwrap();
        ids.extend(hits.iter().map(|hit| hit.key as i32));
    }
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    match (words[2] == "l2", words[6] == "bf16") {
        (true, false) => serve::run::<HnswlibRs<f32, L2<f32>>>(),
        (true, true) => serve::run::<HnswlibRs<bf16, L2<bf16>>>(),
        (false, false) => serve::run::<HnswlibRs<f32, InnerProduct<f32>>>(),
        (false, true) => serve::run::<HnswlibRs<bf16, InnerProduct<bf16>>>(),
    }
}
