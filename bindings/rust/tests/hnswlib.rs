// hnswlib.rs - files of hnswlib: written, read, searched as they are, rooted and changed
// SPDX-License-Identifier: MIT OR Apache-2.0
mod common;

use std::io;

use nigh::{Error, Hit, Index, Metric, SearchOptions, Slot, F16};

const DIM: usize = 8;

fn filled(metric: Metric) -> Index<u64> {
    let index = Index::builder(DIM).metric(metric).m(6).ef_build(60).seed(5).build().unwrap();
    let rows = common::Random(3).floats(DIM * 900);
    index.insert_batch((0..900).map(|at| 3 * at + 5), &rows).unwrap();
    for key in [5, 8, 302] {
        index.remove(key).unwrap();
    }
    index
}

fn answers<S: nigh::VectorStore<f32>>(index: &Index<u64, f32, S>) -> Vec<Vec<Hit<u64>>> {
    let options = SearchOptions::new().ef(40).expansions(1);
    let mut random = common::Random(4);
    let search = |_| index.search_with(&random.floats(DIM), 10, &options).unwrap();
    (0..50).map(search).collect()
}

#[test]
fn written_and_read() {
    for metric in [Metric::L2, Metric::InnerProduct] {
        let index = filled(metric);
        let file = index.to_hnswlib().unwrap();
        let mut streamed = Vec::new();
        assert_eq!(index.write_hnswlib(&mut streamed).unwrap(), file.len() as u64);
        assert_eq!(streamed, file);
        let again = Index::<u64>::from_hnswlib(&file, DIM, metric).unwrap();
        let (was, is) = (index.config(), again.config());
        assert_eq!((was.m, was.m0, was.ef_build), (is.m, is.m0, is.ef_build));
        assert!(is.unrooted && !was.unrooted);
        assert_eq!((again.stats().live, again.stats().removed), (897, 3));
        assert!(again.check().unwrap().sound);
        assert_eq!(answers(&again), answers(&index));
        assert_eq!(again.get(11).unwrap(), index.get(11).unwrap());
        assert_eq!(again.to_hnswlib().unwrap(), file);
    }
}

#[test]
fn of_32_bits() {
    let index = filled(Metric::L2);
    let (file, narrow) = (index.to_hnswlib().unwrap(), index.to_hnswlib_32().unwrap());
    let mut streamed = Vec::new();
    assert_eq!(index.write_hnswlib_32(&mut streamed).unwrap(), narrow.len() as u64);
    assert_eq!(streamed, narrow);
    assert_eq!(file.len() - narrow.len(), 900 * 4 + 40);
    let read = Index::<u64>::from_hnswlib(&narrow, DIM, Metric::L2).unwrap();
    assert_eq!(read.to_hnswlib().unwrap(), file);
    index.insert(1 << 32, &[0.5; DIM]).unwrap();
    assert!(matches!(index.to_hnswlib_32(), Err(Error::Key)));
}

/// A seed that draws fewer layers than the file has: there is room for them nevertheless.
#[test]
fn of_another_draw() {
    let file = filled(Metric::L2).to_hnswlib().unwrap();
    for seed in 0..10 {
        let builder = Index::<u64>::builder(DIM).seed(seed).block_bytes(256); // no slack
        assert_eq!(builder.from_hnswlib(&file).unwrap().to_hnswlib().unwrap(), file);
    }
}

/// A file with one element, byte by byte as hnswlib writes it where a `size_t` has 32 bits.
#[test]
fn by_hand() {
    let mut file = Vec::new();
    let (count, element) = (1, 4 + 4 * 4 + 4 * 2 + 4);
    for number in [0, 10, count, element, element - 4, 20] {
        file.extend_from_slice(&u32::to_le_bytes(number)); // offset, room, count, sizes
    }
    for number in [0, 0, 2, 4, 2] {
        file.extend_from_slice(&u32::to_le_bytes(number)); // top, entry, M above, in layer 0, M
    }
    file.extend_from_slice(&(1.0 / 2f64.ln()).to_le_bytes());
    file.extend_from_slice(&u32::to_le_bytes(77)); // ef_construction
    file.extend_from_slice(&[0; 4 + 4 * 4]); // no links
    for element in [0.5f32, -2.0] {
        file.extend_from_slice(&element.to_le_bytes());
    }
    file.extend_from_slice(&u32::to_le_bytes(4711)); // label
    file.extend_from_slice(&[0; 4]); // no lists above
    let index = Index::<u64>::from_hnswlib(&file, 2, Metric::L2).unwrap();
    assert_eq!((index.config().m, index.config().m0, index.config().ef_build), (2, 4, 77));
    assert_eq!(index.get(4711).unwrap(), [0.5, -2.0]);
    index.insert(4712, &[1.0, 1.0]).unwrap(); // one node is a tree
    assert!(index.check().unwrap().sound);
}

#[test]
fn rooted_then_changed() {
    let file = filled(Metric::Cosine).to_hnswlib().unwrap();
    let builder = Index::<u64>::builder(DIM).metric(Metric::Cosine).capacity(100_000).seed(9);
    let mut index = builder.from_hnswlib(&file).unwrap();
    assert_eq!(index.stats().capacity, 100_000);
    let row = [0.25; DIM];
    assert!(matches!(index.insert(1, &row), Err(Error::Unrooted)));
    assert!(matches!(index.set(11, &row), Err(Error::Unrooted)));
    assert!(matches!(index.build([1], &row).run().unwrap_err().error, Error::Unrooted));
    assert!(matches!(index.refine().run(), Err(Error::Unrooted)));
    assert!(matches!(index.vacuum().run(), Err(Error::Unrooted)));
    assert!(Error::Unrooted.to_string().contains("root"));
    index.remove(11).unwrap();
    index.reserve(200_000).unwrap(); // copied as it is
    let saved = Index::<u64>::from_bytes(&index.to_bytes().unwrap()).unwrap();
    assert!(saved.config().unrooted && index.config().unrooted);

    let done = index.root().threads(2).run().unwrap();
    assert_eq!(done.done, done.total);
    assert!(!index.config().unrooted);
    assert!(index.check().unwrap().sound);
    let image = index.to_bytes().unwrap();
    index.root().run().unwrap(); // nothing is left to do
    assert_eq!(index.to_bytes().unwrap(), image);
    index.insert(1, &row).unwrap();
    assert_eq!(index.search(&row, 1).unwrap()[0].key, 1);
    index.vacuum().run().unwrap();
    assert_eq!((index.stats().removed, index.len()), (0, 897));
    let more = common::Random(8).floats(DIM * 2000);
    index.build(10_000..12_000, &more).run().unwrap();
    assert!(index.check().unwrap().sound);
    assert_eq!(index.search(&more[..DIM], 1).unwrap()[0].key, 10_000);
}

#[test]
fn slots_and_bytes() {
    let index = Index::<Slot, u8>::builder(4).build().unwrap();
    for slot in 0..100 {
        index.insert(Slot(slot), &[slot as u8, 7, 200, 255 - slot as u8]).unwrap();
    }
    let file = index.to_hnswlib().unwrap();
    let again = Index::<Slot, u8>::from_hnswlib(&file, 4, Metric::L2).unwrap();
    assert_eq!(again.search(&[42, 7, 200, 213], 1).unwrap()[0].key, Slot(42));
    let labelled = filled(Metric::L2).to_hnswlib().unwrap();
    let wrong = Index::<Slot>::from_hnswlib(&labelled, DIM, Metric::L2);
    assert!(matches!(wrong, Err(Error::Key)));
}

#[test]
fn of_a_store() {
    let rows = common::Random(3).floats(DIM * 300);
    let index = Index::<u64>::builder(DIM).build_over(&rows[..]).unwrap();
    index.build_stored(0..300).run().unwrap();
    let file = index.to_hnswlib().unwrap();
    let again = Index::<u64>::from_hnswlib(&file, DIM, Metric::L2).unwrap();
    assert_eq!(answers(&again), answers(&index));
}

#[test]
fn empty() {
    let file = Index::<u64>::builder(3).build().unwrap().to_hnswlib().unwrap();
    let index = Index::<u64>::from_hnswlib(&file, 3, Metric::L2).unwrap();
    assert!(index.is_empty() && !index.config().unrooted);
    for key in 0..3000 {
        index.insert(key, &[key as f32, 0.0, 1.0]).unwrap();
    }
    assert!(index.check().unwrap().sound);
}

#[test]
fn damaged() {
    let file = filled(Metric::L2).to_hnswlib().unwrap();
    let read = |bytes: &[u8]| Index::<u64>::from_hnswlib(bytes, DIM, Metric::L2);
    for not in [&b""[..], b"not such a file", &filled(Metric::L2).to_bytes().unwrap()] {
        assert!(matches!(read(not), Err(Error::Format)));
    }
    for cut in [1, 4, 100, file.len() / 2] {
        assert!(matches!(read(&file[..file.len() - cut]), Err(Error::Corrupt)), "{cut} bytes less");
    }
    let mut bad = file.clone();
    bad[96 + 4..96 + 8].fill(0xff); // the first link
    assert!(matches!(read(&bad), Err(Error::Corrupt)));
    bad.copy_from_slice(&file);
    let vector = 96 + 4 + 4 * 12;
    bad[vector..vector + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(matches!(read(&bad), Err(Error::Vector)));
    let mut random = common::Random(1);
    for _ in 0..common::scaled(400) {
        let mut bad = file.clone();
        for _ in 0..4 {
            let at = random.below(bad.len() as u64) as usize;
            bad[at] ^= 1 << random.below(8);
        }
        if let Ok(index) = read(&bad) {
            assert!(index.search(&[0.0; DIM], 10).unwrap().len() == 10);
            assert!(index.check().unwrap().sound);
        }
    }
}

#[test]
fn what_does_not_fit_is_told() {
    let index = filled(Metric::L2);
    let file = index.to_hnswlib().unwrap();
    let wrong = Index::<u64>::from_hnswlib(&file, DIM + 1, Metric::L2).err().unwrap();
    assert_eq!(
        wrong.to_string(),
        "vectors: the image has rows of another size, expected 9 elements of f32"
    );
    let wrong = Index::<u64>::from_hnswlib(&file, DIM, Metric::L1).err();
    assert!(matches!(wrong, Some(Error::Unsupported)));
    let wrong = Index::<u64, F16>::from_hnswlib(&file, DIM, Metric::L2).err();
    assert!(matches!(wrong, Some(Error::Unsupported)));
    let wrong = Index::<String>::from_hnswlib(&file, DIM, Metric::L2).err();
    assert!(wrong.unwrap().to_string().contains("labels of hnswlib"));
    let wrong = Index::<u64>::builder(DIM).codes(nigh::Codes::U7).from_hnswlib(&file).err();
    assert!(wrong.unwrap().to_string().contains("make_codes"));
    let wrong = Index::<u64>::from_hnswlib(&file, 0, Metric::L2).err();
    assert_eq!(wrong.unwrap().to_string(), "dim: expected 1 to 65535");
    assert!(matches!(Index::<String>::new(2).unwrap().to_hnswlib(), Err(Error::Unsupported)));
    let l1 = Index::<u64>::builder(2).metric(Metric::L1).build().unwrap();
    assert!(matches!(l1.to_hnswlib(), Err(Error::Unsupported)));
    struct Full;
    impl io::Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is full"))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let error = index.write_hnswlib(Full).unwrap_err();
    assert_eq!(error.to_string(), "the disk is full");
}
