// bench.rs - what the safe interface costs: the same searches through it and through C's functions
// SPDX-License-Identifier: MIT OR Apache-2.0
//! usage: cargo run --release --example bench [ROWS [DIM [EF]]]
//!
//! 20,000 x 128, ef 20, k 10. Both ways take turns, and the best of all rounds counts: what else
//! the machine does makes single rounds slower, never faster.
use std::hint::black_box;
use std::ptr;
use std::time::Instant;

use nigh::{sys, Hit, Index, SearchOptions};

const K: usize = 10;
const QUERIES: usize = 1000;
const ROUNDS: usize = 40;

fn floats(count: usize, mut state: u64) -> Vec<f32> {
    let next = |_| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (state >> 40) as f32 / (1 << 24) as f32
    };
    (0..count).map(next).collect()
}

/// Sum of all keys, so that both ways can be seen to find the same.
fn through_the_crate(index: &Index<u64>, queries: &[f32], ef: usize) -> (f64, u64) {
    let mut searcher = index.searcher().unwrap();
    searcher.set_options(SearchOptions::new().ef(ef)).unwrap();
    let mut hits: Vec<Hit<u64>> = Vec::new();
    let (start, mut sum) = (Instant::now(), 0);
    for query in queries.chunks_exact(index.dim()) {
        searcher.search_into(black_box(query), K, &mut hits).unwrap();
        sum += hits.iter().map(|hit| hit.key).sum::<u64>();
    }
    (start.elapsed().as_secs_f64(), sum)
}

fn through_c(index: &Index<u64>, queries: &[f32], ef: usize) -> (f64, u64) {
    #[derive(Clone)]
    #[repr(align(64))]
    struct Line([u8; 64]);
    let options = sys::nigh_search_options { ef: ef as u32, ..Default::default() };
    let shape = sys::nigh_session_options { flags: sys::NIGH_SESSION_READ, ..Default::default() };
    let raw = index.as_raw();
    let (mut bytes, mut session, mut found) = (0, ptr::null_mut(), 0);
    let (mut keys, mut distances) = ([0u64; K], [0f32; K]);
    // SAFETY: as nigh.h says; the index lives, and so does the memory.
    unsafe {
        assert_eq!(sys::nigh_session_bytes(raw, &shape, &mut bytes), sys::NIGH_OK);
        let mut memory = vec![Line([0; 64]); (bytes as usize).div_ceil(64)];
        let start = memory.as_mut_ptr().cast();
        assert_eq!(sys::nigh_session_init(raw, &shape, start, bytes, &mut session), sys::NIGH_OK);
        let (start, mut sum) = (Instant::now(), 0);
        for query in queries.chunks_exact(index.dim()) {
            let status = sys::nigh_search(
                raw,
                session,
                black_box(query).as_ptr().cast(),
                &options,
                K as u32,
                keys.as_mut_ptr().cast(),
                ptr::null_mut(),
                distances.as_mut_ptr(),
                ptr::null_mut(),
                &mut found,
            );
            assert_eq!(status, sys::NIGH_OK);
            sum += keys[..found as usize].iter().sum::<u64>();
        }
        let seconds = start.elapsed().as_secs_f64();
        black_box(&memory[0].0);
        (seconds, sum)
    }
}

fn main() {
    let words: Vec<usize> = std::env::args().skip(1).map(|word| word.parse().unwrap()).collect();
    let word = |at: usize, or: usize| words.get(at).copied().unwrap_or(or);
    let (count, dim, ef) = (word(0, 20_000), word(1, 128), word(2, 20));
    let index = Index::<u64>::builder(dim).capacity(count).build().unwrap();
    index.build(0..count as u64, &floats(count * dim, 1)).run().unwrap();
    let queries = floats(QUERIES * dim, 2);
    let (mut best, mut sums) = ([f64::MAX; 2], [0; 2]);
    for round in 0..ROUNDS {
        for way in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
            let run = if way == 0 { through_the_crate } else { through_c };
            let (seconds, sum) = run(&index, &queries, ef);
            best[way] = best[way].min(seconds);
            sums[way] = sum;
        }
    }
    assert_eq!(sums[0], sums[1], "both ways find the same");
    let micros = best.map(|seconds| 1e6 * seconds / QUERIES as f64);
    println!(
        "{count} x {dim}, ef {ef}, k {K}: crate {:.2} us, C {:.2} us a search, ratio {:.3}",
        micros[0],
        micros[1],
        best[0] / best[1]
    );
}
