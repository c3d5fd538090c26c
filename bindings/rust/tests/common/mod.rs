// mod.rs - what the tests share: rows that are the same everywhere, and the true neighbours
// SPDX-License-Identifier: MIT OR Apache-2.0
#![allow(dead_code)]

/// splitmix64, as floats and numbers.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// -1 to 1.
    pub fn float(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    pub fn floats(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.float()).collect()
    }
}

pub fn l2(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// Numbers of the k rows nearest to a query, among those that `live` lets through.
pub fn nearest(
    rows: &[f32],
    dim: usize,
    query: &[f32],
    k: usize,
    live: impl Fn(usize) -> bool,
) -> Vec<u64> {
    let mut all: Vec<(f32, usize)> = rows
        .chunks_exact(dim)
        .enumerate()
        .filter(|(at, _)| live(*at))
        .map(|(at, row)| (l2(row, query), at))
        .collect();
    all.sort_by(|a, b| a.partial_cmp(b).unwrap());
    all.iter().take(k).map(|(_, at)| *at as u64).collect()
}

/// How many of `found` are among `truth`.
pub fn shared(found: &[u64], truth: &[u64]) -> usize {
    found.iter().filter(|key| truth.contains(key)).count()
}

/// 1, or the part of the long tests that NIGH_TEST_SCALE=small asks for.
pub fn scaled(count: usize) -> usize {
    match std::env::var("NIGH_TEST_SCALE").as_deref() {
        Ok("small") => count / 20,
        _ => count,
    }
}
