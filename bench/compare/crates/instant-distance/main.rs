// main.rs - instant-distance: its M is 32 and fixed, the distance is its user's
// SPDX-License-Identifier: MIT OR Apache-2.0
// ef is set when an index is built and is the first number of its file, so another ef is a patched
// file that is read again. The distance is l2 in sixteen sums, which the compiler vectorises.
use std::fs::File;
use std::io::{BufReader, BufWriter, Read};
use std::path::PathBuf;

use instant_distance::{Builder, HnswMap, Search};
use serde::{Deserialize, Serialize};
use serve::{Job, Peer, Rows, K};

const LANES: usize = 16;
const SEED: u64 = 42;

#[derive(Clone, Serialize, Deserialize)]
struct Point(Box<[f32]>);

impl instant_distance::Point for Point {
    fn distance(&self, other: &Self) -> f32 {
        let (a, b) = (self.0.chunks_exact(LANES), other.0.chunks_exact(LANES));
        let (rest_a, rest_b) = (a.remainder(), b.remainder());
        let mut sums = [0f32; LANES];
        for (x, y) in a.zip(b) {
            for lane in 0..LANES {
                let d = x[lane] - y[lane];
                sums[lane] += d * d;
            }
        }
        let rest: f32 = rest_a.iter().zip(rest_b).map(|(x, y)| (x - y) * (x - y)).sum();
        sums.iter().sum::<f32>() + rest
    }
}

struct InstantDistance {
    index: Option<HnswMap<Point, u32>>,
    path: PathBuf,
    state: Search,
}

impl Peer for InstantDistance {
    fn build(job: &Job, rows: &Rows) -> Box<dyn FnOnce()> {
        rayon::ThreadPoolBuilder::new().num_threads(1).build_global().unwrap();
        let points = rows.iter().map(|row| Point(row.into())).collect();
        let ids = (0..rows.count() as u32).collect();
        let index = Builder::default()
            .ef_construction(job.ef_build)
            .ef_search(job.ef_build)
            .seed(SEED)
            .build(points, ids);
        let path = job.file("index");
        Box::new(move || {
            bincode::serialize_into(BufWriter::new(File::create(path).unwrap()), &index).unwrap();
        })
    }

    fn open(job: &Job) -> Self {
        let path = job.file("index");
        let file = BufReader::new(File::open(&path).unwrap());
        let index = Some(bincode::deserialize_from(file).unwrap());
        InstantDistance { index, path, state: Search::default() }
    }

    fn set_ef(&mut self, ef: usize) {
        self.index = None;
        let mut file = BufReader::new(File::open(&self.path).unwrap());
        file.read_exact(&mut [0; 8]).unwrap();
        let patched = (ef as u64).to_le_bytes();
        self.index = Some(bincode::deserialize_from(patched.as_slice().chain(file)).unwrap());
    }

    fn search(&mut self, query: &[f32], ids: &mut Vec<i32>) {
        let point = Point(query.into());
        let index = self.index.as_ref().unwrap();
        ids.extend(index.search(&point, &mut self.state).take(K).map(|hit| *hit.value as i32));
    }
}

fn main() {
    serve::run::<InstantDistance>();
}
