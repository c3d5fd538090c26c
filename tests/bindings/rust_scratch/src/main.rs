// main.rs - an index file of any keys searched with the floats of another file
// SPDX-License-Identifier: MIT OR Apache-2.0
//! usage: scratch INDEX QUERIES.f32 EF [VECTORS.f32]
//!        scratch digest
//!
//! Prints a line for each neighbour: query, rank, key, bits of the distance, slot; or what lib.rs
//! computes. VECTORS: for an index without any.
use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use nigh::{Error, Index, Key, OpenOptions, SearchOptions, Slot, VectorStore};

const NEIGHBOURS: usize = 10;

fn floats(path: &str) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect()
}

fn search<K: Key, S: VectorStore<f32>, D: Display>(
    index: &Index<K, f32, S>,
    queries: &[f32],
    ef: usize,
    name: impl Fn(&K) -> D,
) -> Result<(), Error> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut searcher = index.searcher()?;
    searcher.set_options(SearchOptions::new().ef(ef))?;
    for (number, query) in queries.chunks_exact(index.dim()).enumerate() {
        for (rank, hit) in searcher.search(query, NEIGHBOURS)?.iter().enumerate() {
            let (key, bits, slot) = (name(&hit.key), hit.distance.to_bits(), hit.slot);
            writeln!(out, "{number}\t{rank}\t{key}\t{bits:08x}\t{slot}")?;
        }
    }
    Ok(out.flush()?)
}

fn any(path: &str, queries: &[f32], ef: usize, vectors: Option<&str>) -> Result<(), Error> {
    if let Some(vectors) = vectors {
        let rows = floats(vectors);
        let index: Index<Slot, f32, _> = OpenOptions::new().store(&rows[..]).open(path)?;
        return search(&index, queries, ef, |key| key.0);
    }
    match Index::<u64>::open(path) {
        Err(Error::Mismatch { .. }) => {
            search(&Index::<String>::open(path)?, queries, ef, String::clone)
        }
        index => search(&index?, queries, ef, |key| *key),
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let told: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match told[..] {
        ["digest"] => {
            println!("digest {}", scratch::digest());
            Ok(())
        }
        [index, queries, ef] => any(index, &floats(queries), ef.parse().unwrap(), None),
        [index, queries, ef, rows] => any(index, &floats(queries), ef.parse().unwrap(), Some(rows)),
        _ => {
            eprintln!("usage: scratch INDEX QUERIES.f32 EF [VECTORS.f32] | scratch digest");
            return ExitCode::from(2);
        }
    };
    if let Err(error) = done {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
