// main.rs - nigh through its Rust crate, f32 or with 8-bit codes (the option of the job)
// SPDX-License-Identifier: MIT OR Apache-2.0
use nigh::{Codes, Hit, Index, Metric, OpenOptions, SearchOptions, Searcher};
use serve::{Job, Peer, Rows, K};

struct Nigh {
    searcher: Searcher<'static, u64>,
    hits: Vec<Hit<u64>>,
}

impl Peer for Nigh {
    fn build(job: &Job, rows: &Rows) -> Box<dyn FnOnce()> {
        let index = Index::<u64>::builder(rows.dim)
            .metric(if job.l2 { Metric::L2 } else { Metric::Cosine })
            .codes(if job.option == "u7" { Codes::U7 } else { Codes::None })
            .m(job.m)
            .ef_build(job.ef_build)
            .seed(42)
            .capacity(rows.count())
            .build()
            .unwrap();
        index.build(0..rows.count() as u64, &rows.data).threads(1).run().unwrap();
        let path = job.file("index.nigh");
        Box::new(move || {
            index.save(path).unwrap();
        })
    }

    fn open(job: &Job) -> Self {
        let index = OpenOptions::new().read_only(true).open(job.file("index.nigh")).unwrap();
        let index: &'static Index<u64> = Box::leak(Box::new(index)); // until the process ends
        Nigh { searcher: index.searcher().unwrap(), hits: Vec::new() }
    }

    fn set_ef(&mut self, ef: usize) {
        self.searcher.set_options(SearchOptions::new().ef(ef)).unwrap();
    }

    fn search(&mut self, query: &[f32], ids: &mut Vec<i32>) {
        self.searcher.search_into(query, K, &mut self.hits).unwrap();
        ids.extend(self.hits.iter().map(|hit| hit.key as i32));
    }
}

fn main() {
    serve::run::<Nigh>();
}
