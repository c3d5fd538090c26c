// golden.rs - what the nigh command built and answered, here: the same keys, distance bits, bytes
// SPDX-License-Identifier: MIT OR Apache-2.0
//! NIGH_GOLDEN is the folder that tests/bindings/golden.py made.
use std::path::PathBuf;

use nigh::{
    Codes, FetchError, Index, Key, Metric, OpenOptions, Request, Rows, SearchOptions, Slot,
    VectorStore,
};

const DIM: usize = 24;
const K: usize = 10;

fn path(name: &str) -> PathBuf {
    PathBuf::from(std::env::var_os("NIGH_GOLDEN").expect("NIGH_GOLDEN: a folder")).join(name)
}

fn floats(name: &str) -> Vec<f32> {
    let bytes = std::fs::read(path(name)).unwrap();
    bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect()
}

fn image(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap()
}

/// Lines of golden.tsv that an index must give: ef, query, rank, key, distance bits, slot.
fn expected(case: &str) -> Vec<String> {
    let text = std::fs::read_to_string(path("golden.tsv")).unwrap();
    let of = |line: &str| {
        line.strip_prefix(case).and_then(|rest| rest.strip_prefix('\t')).map(Into::into)
    };
    let lines: Vec<String> = text.lines().filter_map(of).collect();
    assert!(lines.len() > 900, "{case}: {} lines", lines.len());
    lines
}

fn answers<K: Key + std::fmt::Display, S: VectorStore<f32>>(
    index: &Index<K, f32, S>,
) -> Vec<String> {
    let queries = floats("queries.f32");
    let mut lines = vec![];
    for ef in [10, 64] {
        let mut searcher = index.searcher().unwrap();
        searcher.set_options(SearchOptions::new().ef(ef)).unwrap();
        let batch = searcher.search_batch(&queries, K).unwrap();
        for (number, query) in queries.chunks_exact(DIM).enumerate() {
            let hits = searcher.search(query, K).unwrap();
            assert_eq!(hits, batch[number]);
            for (rank, hit) in hits.iter().enumerate() {
                let (key, bits, slot) = (&hit.key, hit.distance.to_bits(), hit.slot);
                lines.push(format!("{ef}\t{number}\t{rank}\t{key}\t{bits:08x}\t{slot}"));
            }
        }
    }
    lines
}

/// Slots are no numbers that can be printed.
fn external<S: VectorStore<f32>>(store: S) {
    let index: Index<Slot, f32, S> =
        OpenOptions::new().store(store).from_bytes(&image("external.nigh")).unwrap();
    let lines = expected("external");
    let queries = floats("queries.f32");
    let mut found = vec![];
    for ef in [10, 64] {
        for (number, query) in queries.chunks_exact(DIM).enumerate() {
            let hits = index.search_with(query, K, &SearchOptions::new().ef(ef)).unwrap();
            for (rank, hit) in hits.iter().enumerate() {
                let (key, bits, slot) = (hit.key.0, hit.distance.to_bits(), hit.slot);
                found.push(format!("{ef}\t{number}\t{rank}\t{key}\t{bits:08x}\t{slot}"));
            }
        }
    }
    assert_eq!(found, lines);
}

#[test]
#[ignore = "wants NIGH_GOLDEN"]
fn numbers() {
    for case in ["u64", "u7"] {
        let file = path(&format!("{case}.nigh"));
        assert_eq!(answers(&Index::<u64>::open(&file).unwrap()), expected(case));
        #[cfg(feature = "mmap")]
        // SAFETY: nobody changes the file.
        assert_eq!(answers(&unsafe { Index::<u64>::map(&file).unwrap() }), expected(case));
        let scalar: Index<u64> =
            OpenOptions::new().features(nigh::sys::NIGH_CPU_SCALAR).open(&file).unwrap();
        assert_eq!(answers(&scalar), expected(case));
    }
}

#[test]
#[ignore = "wants NIGH_GOLDEN"]
fn strings() {
    let index = Index::<String>::open(path("strings.nigh")).unwrap();
    assert_eq!(answers(&index), expected("strings"));
    assert!(index.check().unwrap().sound);
}

#[test]
#[ignore = "wants NIGH_GOLDEN"]
fn vectors_elsewhere() {
    struct Fetched(Vec<f32>);
    impl VectorStore<f32> for Fetched {
        fn fetch<'s>(
            &'s self,
            request: Request<'_>,
            rows: &mut Rows<'s, '_, f32>,
        ) -> Result<(), FetchError> {
            for (at, slot) in request.slots.iter().enumerate() {
                rows.lend(at, &self.0[*slot as usize * DIM..][..DIM]);
            }
            Ok(())
        }
    }
    let rows = floats("rows.f32");
    external(&rows[..]);
    external(Fetched(rows));
}

/// What the command did, done here, gives its file byte for byte.
#[test]
#[ignore = "wants NIGH_GOLDEN"]
fn the_same_bytes() {
    let names = std::fs::read_to_string(path("names.txt")).unwrap();
    let (rows, first, late) = (floats("rows.f32"), floats("first.f32"), floats("late.f32"));
    let late_keys: Vec<u64> = std::fs::read_to_string(path("late.txt"))
        .unwrap()
        .lines()
        .map(|line| line.parse().unwrap())
        .collect();
    for threads in [1, 4] {
        let strings: Index<String> =
            Index::builder(DIM).m(8).ef_build(60).seed(42).codes(Codes::U7).build().unwrap();
        strings.build(names.lines(), &rows).threads(threads).run().unwrap();
        assert!(strings.to_bytes().unwrap() == image("strings.nigh"), "{threads} threads");

        let outside = Index::<Slot>::builder(DIM)
            .m(8)
            .ef_build(60)
            .seed(42)
            .metric(Metric::Cosine)
            .build_over(&rows[..])
            .unwrap();
        let slots = (0..(rows.len() / DIM) as u32).map(Slot);
        outside.build_stored(slots).threads(threads).run().unwrap();
        assert!(outside.to_bytes().unwrap() == image("external.nigh"), "{threads} threads");

        let changed: Index<u64> = Index::builder(DIM).m(8).ef_build(60).seed(42).build().unwrap();
        changed.build(0..(first.len() / DIM) as u64, &first).threads(threads).run().unwrap();
        for key in [0, 3, 77, 1024, 1899] {
            changed.remove(key).unwrap();
        }
        changed.insert_batch(late_keys.iter().copied(), &late).unwrap();
        assert!(changed.to_bytes().unwrap() == image("u64.nigh"), "{threads} threads");
    }
}
