// lib.rs - answers from the command's index, in a form that can be compared: natively and in wasm
// SPDX-License-Identifier: MIT OR Apache-2.0
use nigh::{Index, SearchOptions};

const DIM: usize = 24;
static IMAGE: &[u8] = include_bytes!(concat!(env!("NIGH_GOLDEN"), "/u64.nigh"));
static QUERIES: &[u8] = include_bytes!(concat!(env!("NIGH_GOLDEN"), "/queries.f32"));

/// Hands out every answer: ef, query, rank, key, distance, slot.
pub fn answers(index: &Index<u64>, mut each: impl FnMut(usize, usize, usize, u64, f32, u32)) {
    let queries: Vec<f32> =
        QUERIES.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
    for ef in [10, 64] {
        for (number, query) in queries.chunks_exact(DIM).enumerate() {
            let hits = index.search_with(query, 10, &SearchOptions::new().ef(ef)).unwrap();
            for (rank, hit) in hits.iter().enumerate() {
                each(ef, number, rank, hit.key, hit.distance, hit.slot);
            }
        }
    }
}

/// FNV-1a over all answers, and over a small index that is built here.
#[no_mangle]
pub extern "C" fn digest() -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325u64;
    let mut add = |word: u64| {
        for byte in word.to_le_bytes() {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    let index = Index::<u64>::from_bytes(IMAGE).unwrap();
    answers(&index, |_, _, _, key, distance, slot| {
        add(key);
        add(distance.to_bits().into());
        add(slot.into());
    });
    let built = Index::<u64>::builder(3).m(4).ef_build(20).build().unwrap();
    let rows: Vec<f32> = (0..900).map(|x| ((x * 7919) % 1013) as f32 / 64.0).collect();
    built.build(0..300, &rows).threads(2).run().unwrap();
    built.to_bytes().unwrap().iter().for_each(|byte| add(u64::from(*byte)));
    state
}
