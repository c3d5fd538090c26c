// bench.rs - what the safe interface costs: the same searches through it and through C's functions
// SPDX-License-Identifier: MIT OR Apache-2.0
//! usage: cargo run --release --example bench [ROWS [DIM [EF]]]
//!
//! 20,000 x 128, ef 20, k 10; single searches, and 1,000 queries in a batch. Both ways take turns
//! on one index. Printed are the median of all rounds' ratios, and the best times and their ratio:
//! what else the machine does makes single rounds slower, never faster.
use std::hint::black_box;
use std::ptr;
use std::time::Instant;

use nigh::{sys, Hit, Index, SearchOptions, Searcher};

const K: usize = 10;
const QUERIES: usize = 1000;
const ROUNDS: usize = 200;
const CENTRES: usize = 100;

/// Uniform numbers; of four of them the sum, which is normal enough.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (self.0 >> 40) as f32 / (1 << 24) as f32
    }

    fn normal(&mut self) -> f32 {
        (0..4).map(|_| self.uniform()).sum::<f32>() - 2.0
    }

    fn floats(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.normal()).collect()
    }

    /// Vectors round the centres.
    fn around(&mut self, centres: &[f32], dim: usize, count: usize) -> Vec<f32> {
        let mut vectors = self.floats(count * dim);
        for vector in vectors.chunks_exact_mut(dim) {
            let centre = (self.uniform() * CENTRES as f32) as usize % CENTRES * dim;
            for (x, middle) in vector.iter_mut().zip(&centres[centre..centre + dim]) {
                *x = *x / 2.0 + middle;
            }
        }
        vectors
    }
}

#[derive(Clone)]
#[repr(align(64))]
struct Line {
    _bytes: [u8; 64],
}

/// A session and a place for answers, as a program in C has them.
struct Plain<'i> {
    index: &'i Index<u64>,
    session: *mut sys::nigh_session,
    options: sys::nigh_search_options,
    _memory: Vec<Line>,
}

impl<'i> Plain<'i> {
    fn new(index: &'i Index<u64>, ef: usize) -> Self {
        let shape =
            sys::nigh_session_options { flags: sys::NIGH_SESSION_READ, ..Default::default() };
        let options = sys::nigh_search_options { ef: ef as u32, ..Default::default() };
        let (mut bytes, mut session, raw) = (0, ptr::null_mut(), index.as_raw());
        // SAFETY: as nigh.h says; the index lives, and so does the memory.
        unsafe {
            assert_eq!(sys::nigh_session_bytes(raw, &shape, &mut bytes), sys::NIGH_OK);
            let mut memory = vec![Line { _bytes: [0; 64] }; (bytes as usize).div_ceil(64)];
            let start = memory.as_mut_ptr().cast();
            let status = sys::nigh_session_init(raw, &shape, start, bytes, &mut session);
            assert_eq!(status, sys::NIGH_OK);
            Plain { index, session, options, _memory: memory }
        }
    }

    /// The sum of all keys, so that both ways can be seen to find the same.
    fn single(&self, queries: &[f32]) -> u64 {
        let (mut keys, mut distances, mut found, mut sum) = ([0u64; K], [0f32; K], 0, 0);
        for query in queries.chunks_exact(self.index.dim()) {
            // SAFETY: as above; there is room for K.
            let status = unsafe {
                sys::nigh_search(
                    self.index.as_raw(),
                    self.session,
                    black_box(query).as_ptr().cast(),
                    &self.options,
                    K as u32,
                    keys.as_mut_ptr().cast(),
                    ptr::null_mut(),
                    distances.as_mut_ptr(),
                    ptr::null_mut(),
                    &mut found,
                )
            };
            assert_eq!(status, sys::NIGH_OK);
            sum += keys[..found as usize].iter().sum::<u64>();
        }
        sum
    }

    fn batch(&self, queries: &[f32]) -> u64 {
        let count = queries.len() / self.index.dim();
        let (mut keys, mut distances) = (vec![0u64; count * K], vec![0f32; count * K]);
        let (mut found, mut done) = (vec![0u32; count], 0);
        // SAFETY: as above; there is room for K a query.
        let status = unsafe {
            sys::nigh_search_batch(
                self.index.as_raw(),
                self.session,
                black_box(queries).as_ptr().cast(),
                count as u32,
                &self.options,
                K as u32,
                keys.as_mut_ptr().cast(),
                ptr::null_mut(),
                distances.as_mut_ptr(),
                ptr::null_mut(),
                found.as_mut_ptr(),
                &mut done,
            )
        };
        assert_eq!((status, done as usize), (sys::NIGH_OK, count));
        let hits = keys.chunks_exact(K).zip(&found);
        hits.map(|(keys, &found)| keys[..found as usize].iter().sum::<u64>()).sum()
    }
}

fn single(searcher: &mut Searcher<'_, u64>, hits: &mut Vec<Hit<u64>>, queries: &[f32]) -> u64 {
    let mut sum = 0;
    for query in queries.chunks_exact(searcher.index().dim()) {
        searcher.search_into(black_box(query), K, hits).unwrap();
        sum += hits.iter().map(|hit| hit.key).sum::<u64>();
    }
    sum
}

fn batch(searcher: &mut Searcher<'_, u64>, queries: &[f32]) -> u64 {
    let answers = searcher.search_batch(black_box(queries), K).unwrap();
    answers.iter().flatten().map(|hit| hit.key).sum()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn compare(name: &str, mut of_crate: impl FnMut() -> u64, mut of_c: impl FnMut() -> u64) {
    let (mut times, mut sums) = ([vec![], vec![]], [0; 2]);
    for round in 0..ROUNDS {
        for way in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
            let start = Instant::now();
            sums[way] = if way == 0 { of_crate() } else { of_c() };
            times[way].push(start.elapsed().as_secs_f64());
        }
    }
    assert_eq!(sums[0], sums[1], "both ways find the same");
    let micros = [0, 1]
        .map(|way| 1e6 * times[way].iter().copied().fold(f64::MAX, f64::min) / QUERIES as f64);
    println!(
        "{name}: crate {:.2} us, C {:.2} us a search, ratio {:.3}, median of ratios {:.3}",
        micros[0],
        micros[1],
        micros[0] / micros[1],
        median(times[0].iter().zip(&times[1]).map(|(a, b)| a / b).collect())
    );
}

fn main() {
    let words: Vec<usize> = std::env::args().skip(1).map(|word| word.parse().unwrap()).collect();
    let word = |at: usize, or: usize| words.get(at).copied().unwrap_or(or);
    let (count, dim, ef) = (word(0, 20_000), word(1, 128), word(2, 20));
    let mut random = Random(1);
    let centres = random.floats(CENTRES * dim);
    let index = Index::<u64>::builder(dim).capacity(count).build().unwrap();
    index.build(0..count as u64, &random.around(&centres, dim, count)).run().unwrap();
    let queries = random.around(&centres, dim, QUERIES);
    println!("{count} x {dim}, ef {ef}, k {K}");
    let plain = Plain::new(&index, ef);
    let mut searcher = index.searcher().unwrap();
    searcher.set_options(SearchOptions::new().ef(ef)).unwrap();
    let mut hits = Vec::new();
    compare("search", || single(&mut searcher, &mut hits, &queries), || plain.single(&queries));
    compare("batch", || batch(&mut searcher, &queries), || plain.batch(&queries));
}
