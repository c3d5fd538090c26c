// basics.rs - insert, change, search, read, with every kind of key and element
// SPDX-License-Identifier: MIT OR Apache-2.0
mod common;

use common::{nearest, shared, Random};
use nigh::{
    Bf16, Codes, Element, Error, Index, Key, Metric, SearchOptions, SearcherOptions, Slot, B1, F16,
    I8,
};

const DIM: usize = 8;

fn keys(hits: &[nigh::Hit<u64>]) -> Vec<u64> {
    hits.iter().map(|hit| hit.key).collect()
}

#[test]
fn finds_what_is_nearest() {
    let (count, mut random) = (2000, Random(1));
    let rows = random.floats(count * DIM);
    let index = Index::<u64>::new(DIM).unwrap();
    for (key, row) in rows.chunks_exact(DIM).enumerate() {
        index.insert(key as u64, row).unwrap();
    }
    assert_eq!(index.len(), count);
    let mut good = 0;
    for _ in 0..50 {
        let query = random.floats(DIM);
        let truth = nearest(&rows, DIM, &query, 10, |_| true);
        let hits = index.search(&query, 10).unwrap();
        assert!(hits.is_sorted_by(|a, b| a.distance <= b.distance));
        for hit in &hits {
            let row = &rows[hit.key as usize * DIM..][..DIM];
            assert!((hit.distance - common::l2(row, &query)).abs() < 1e-5);
            assert_eq!(u64::from(hit.slot), hit.key);
        }
        good += shared(&keys(&hits), &truth);
        let exact = index.search_with(&query, 10, &SearchOptions::new().exact(true)).unwrap();
        assert_eq!(keys(&exact), truth);
    }
    assert!(good >= 490, "recall {good} of 500");
}

#[test]
fn changes() {
    let index = Index::<u64>::builder(2).capacity(100).build().unwrap();
    assert!(index.is_empty() && index.search(&[0.0, 0.0], 3).unwrap().is_empty());
    index.insert_batch([10, 20, 30], &[0.0, 1.0, 1.0, 0.0, 4.0, 4.0]).unwrap();
    assert!(matches!(index.insert(10, &[0.0, 0.0]), Err(Error::Exists)));
    index.remove(20).unwrap();
    assert!(matches!(index.remove(20), Err(Error::Removed)));
    assert!(matches!(index.remove(99), Err(Error::NotFound)));
    assert!(matches!(index.insert(20, &[0.0, 0.0]), Err(Error::Removed)));
    assert!(index.is_removed(20).unwrap() && !index.is_removed(10).unwrap());
    assert!(!index.contains(20).unwrap() && index.contains(10).unwrap());
    assert_eq!(keys(&index.search(&[1.0, 0.0], 3).unwrap()), [10, 30]);
    index.unremove(20).unwrap();
    assert!(matches!(index.unremove(20), Err(Error::Exists)));
    assert_eq!(keys(&index.search(&[1.0, 0.0], 1).unwrap()), [20]);
    index.set(20, &[9.0, 9.0]).unwrap();
    index.set(40, &[1.0, 0.1]).unwrap();
    assert_eq!(keys(&index.search(&[1.0, 0.0], 4).unwrap()), [40, 10, 30, 20]);
    assert_eq!(index.get(20).unwrap(), [9.0, 9.0]);
    index.remove(10).unwrap();
    index.insert_replacing(50, &[0.0, 1.0]).unwrap();
    assert!(matches!(index.get(10), Err(Error::NotFound)), "a replaced key is forgotten");
    assert_eq!(index.node_id(50).unwrap(), 0, "it took the removed one's slot");
    assert!(index.check().unwrap().sound);
}

#[test]
fn a_batch_says_where_it_stopped() {
    let index = Index::<u64>::new(1).unwrap();
    let stopped = index.insert_batch([1, 2, 1, 3], &[1.0, 2.0, 3.0, 4.0]).unwrap_err();
    assert_eq!((stopped.done, index.len()), (2, 2));
    assert!(matches!(stopped.error, Error::Exists));
    assert_eq!(stopped.to_string(), "item 2: the key is there already");
    let nan = index.insert_batch([7, 8], &[1.0, f32::NAN]).unwrap_err();
    assert!(matches!((nan.done, nan.error), (1, Error::Vector)));
    index.insert_batch([], &[]).unwrap();
}

#[test]
fn bad_input_says_what_was_expected() {
    let index = Index::<u64>::new(3).unwrap();
    index.insert(1, &[1.0, 2.0, 3.0]).unwrap();
    let text = |error: Error| error.to_string();
    assert_eq!(text(index.insert(2, &[1.0]).unwrap_err()), "row: 1 elements, expected 3");
    assert_eq!(text(index.search(&[1.0; 4], 1).unwrap_err()), "query: 4 elements, expected 3");
    assert_eq!(text(index.search(&[1.0; 3], 0).unwrap_err()), "k: expected 1 to 2^30");
    assert!(matches!(index.search(&[f32::INFINITY, 0.0, 0.0], 1), Err(Error::Vector)));
    let searching =
        |options: SearchOptions| text(index.search_with(&[0.0; 3], 1, &options).unwrap_err());
    assert_eq!(searching(SearchOptions::new().expansions(9)), "expansions: expected 1 to 8");
    assert_eq!(searching(SearchOptions::new().gamma(-1.0)), "gamma: expected 0 or more");
    assert_eq!(searching(SearchOptions::new().radius(f32::NAN)), "radius: expected a number");
    let made = |builder: nigh::Builder<u64, f32>| builder.build().err().map(text).unwrap();
    let builder = Index::<u64>::builder;
    assert_eq!(made(builder(0)), "dim: expected 1 to 65535");
    assert_eq!(made(builder(usize::MAX)), "dim: expected 1 to 65535");
    assert_eq!(made(builder(1).m(1)), "m: expected 2 to 1024");
    assert_eq!(made(builder(1).m(8).m0(7)), "m0: expected m to 2048, at least 4");
    assert_eq!(made(builder(1).ef_build(1 << 16)), "ef_build: expected 1 to 65535");
    assert_eq!(made(builder(1).alpha(3.0)), "alpha: expected 1 to 2");
    assert_eq!(made(builder(1).capacity(0)), "capacity: expected 1 to 2^31 - 2");
    assert_eq!(
        made(builder(1).metric(Metric::Hamming)),
        "metric: Hamming is for B1, and B1 has no other"
    );
    assert_eq!(made(builder(1).metric(Metric::Custom)), "metric: Custom wants Builder::distance");
    let lanes = index.searcher_with(SearcherOptions::new().lanes(9)).err().unwrap();
    assert!(text(lanes).starts_with("session: expected"));
}

#[test]
fn grows_to_its_capacity_and_beyond_it_by_reserve() {
    let mut index = Index::<u64>::builder(1).capacity(3000).build().unwrap();
    for key in 0..3000 {
        index.insert(key, &[key as f32]).unwrap();
    }
    let full = index.insert(3000, &[0.0]).unwrap_err();
    assert_eq!(full.to_string(), "the index is full at its capacity of 3000 slots");
    assert_eq!(keys(&index.search(&[2999.0], 1).unwrap()), [2999], "a full index is searched");
    let before = index.to_bytes().unwrap();
    index.reserve(10_000).unwrap();
    assert_eq!((index.capacity(), index.to_bytes().unwrap()), (10_000, before));
    for key in 3000..10_000 {
        index.insert(key, &[key as f32]).unwrap();
    }
    assert_eq!(keys(&index.search(&[9000.0], 1).unwrap()), [9000]);
    assert!(index.check().unwrap().sound);
    assert!(matches!(index.reserve(usize::MAX), Err(Error::Invalid(_))));
}

#[test]
fn string_keys() {
    let index = Index::<String>::builder(1).capacity(5000).build().unwrap();
    let name = |number: usize| format!("key {}", "x".repeat(number % 50)) + &number.to_string();
    for number in 0..3000 {
        index.insert(&name(number), &[number as f32]).unwrap();
    }
    let mut searcher = index.searcher().unwrap();
    let hits = searcher.search(&[1234.2], 2).unwrap();
    assert_eq!(hits.iter().map(|hit| &hit.key[..]).collect::<Vec<_>>(), [name(1234), name(1235)]);
    let mut seen = vec![];
    searcher.search_each(&[7.0], 1, |key, _, slot| seen.push((key.to_owned(), slot))).unwrap();
    assert_eq!(seen, [(name(7), 7)]);
    for bad in ["", &"y".repeat(512)] {
        assert!(matches!(index.insert(bad, &[0.0]), Err(Error::Key)));
        assert!(matches!(index.get(bad), Err(Error::Key)));
    }
    index.insert(&"y".repeat(511), &[-1.0]).unwrap();
    let all: Vec<(String, u32)> = index.keys().collect::<Result<_, _>>().unwrap();
    assert_eq!(all.len(), 3001);
    assert!(all.iter().take(3000).all(|(key, slot)| *key == name(*slot as usize)));
    assert_eq!(index.key_at(5).unwrap(), Some(name(5)));
    assert_eq!(index.key_at(4000).unwrap(), None);
}

#[test]
fn keys_that_are_no_text() {
    let bytes = Index::<Vec<u8>>::new(1).unwrap();
    bytes.insert(b"\xff\0\x01", &[1.0]).unwrap();
    assert_eq!(bytes.search(&[1.0], 1).unwrap()[0].key, b"\xff\0\x01");
    let text = Index::<String>::from_bytes(&bytes.to_bytes().unwrap()).unwrap();
    assert!(matches!(text.search(&[1.0], 1), Err(Error::KeyEncoding)));
    assert!(matches!(text.keys().next(), Some(Err(Error::KeyEncoding))));
}

#[test]
fn slots_as_keys() {
    let index = Index::<Slot>::new(1).unwrap();
    for slot in 0..10 {
        index.insert(Slot(slot), &[slot as f32]).unwrap();
    }
    assert!(matches!(index.insert(Slot(20), &[0.0]), Err(Error::Key)));
    assert_eq!(index.search(&[3.1], 1).unwrap()[0].key, Slot(3));
}

fn one_element<E: Element>(metric: Metric, error: f32) {
    let (count, mut random) = (500, Random(7));
    let floats: Vec<f32> = random.floats(count * DIM).iter().map(|x| x * 100.0 + 120.0).collect();
    let index = Index::<u64, E>::builder(DIM).metric(metric).build().unwrap();
    let rows = index.encode(&floats).unwrap();
    assert_eq!(rows.len(), count * index.row_len());
    index.insert_batch(0..count as u64, &rows).unwrap();
    let back = index.decode(&rows).unwrap();
    for (float, back) in floats.iter().zip(&back) {
        assert!((float - back).abs() <= error, "{float} came back as {back}");
    }
    for key in [0, 7, count - 1] {
        let row = &rows[key * index.row_len()..][..index.row_len()];
        let exact = index.search_with(row, 1, &SearchOptions::new().exact(true)).unwrap()[0];
        assert!(exact.distance.abs() < 1e-2, "{key} is {} from itself", exact.distance);
        assert_eq!(index.search(row, 1).unwrap()[0], exact);
        assert_eq!(
            decoded(&index.decode(&index.get(key as u64).unwrap())),
            decoded(&index.decode(row))
        );
    }
    assert!(index.check().unwrap().sound);
}

fn decoded(floats: &nigh::Result<Vec<f32>>) -> Vec<u32> {
    floats.as_ref().unwrap().iter().map(|float| float.to_bits()).collect()
}

#[test]
fn every_element() {
    for metric in [Metric::L2, Metric::Cosine, Metric::L1] {
        one_element::<f32>(metric, 0.0);
        one_element::<F16>(metric, 0.1);
        one_element::<Bf16>(metric, 1.0);
        one_element::<I8>(metric, 1.0);
        one_element::<u8>(metric, 0.5);
    }
    #[cfg(feature = "half")]
    {
        one_element::<half::f16>(Metric::L2, 0.1);
        one_element::<half::bf16>(Metric::Cosine, 1.0);
    }
}

#[test]
fn bits() {
    let index = Index::<u64, B1>::new(12).unwrap();
    assert_eq!((index.row_len(), index.config().metric), (2, Metric::Hamming));
    index.insert(1, &[0b1111_0000, 0b0001]).unwrap();
    index.insert(2, &[0b0000_0000, 0b1000]).unwrap();
    let hits = index.search(&[0b1111_0001, 0b0001], 2).unwrap();
    assert_eq!(
        hits.iter().map(|hit| (hit.key, hit.distance)).collect::<Vec<_>>(),
        [(1, 1.0), (2, 7.0)]
    );
    assert!(matches!(index.insert(3, &[0, 0b1_0000]), Err(Error::Vector)), "a bit beyond dim");
}

#[test]
fn a_distance_of_ones_own() {
    let farthest =
        |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let index = Index::<u64>::builder(2).distance(farthest).build().unwrap();
    index.insert_batch([1, 2], &[0.0, 3.0, 2.0, 2.0]).unwrap();
    let hits = index.search(&[0.0, 0.0], 2).unwrap();
    assert_eq!(
        hits.iter().map(|hit| (hit.key, hit.distance)).collect::<Vec<_>>(),
        [(2, 2.0), (1, 3.0)]
    );
    let image = index.to_bytes().unwrap();
    let wanted = Index::<u64>::from_bytes(&image).err().unwrap();
    assert_eq!(
        wanted.to_string(),
        "distance: the image has one of its own (distance()), expected one of this library"
    );
    let again: Index<u64> = nigh::OpenOptions::new().distance(farthest).from_bytes(&image).unwrap();
    assert_eq!(again.search(&[0.0, 0.0], 2).unwrap(), hits);
}

#[test]
fn the_graph_can_be_looked_at() {
    let index = Index::<u64>::builder(1).m(4).build().unwrap();
    index.build(100..400, &(0..300).map(|x| x as f32).collect::<Vec<_>>()).run().unwrap();
    let entry = index.stats().entry.unwrap();
    let node = index.node(entry, 0).unwrap();
    assert_eq!(node.top, index.stats().top_layer);
    assert!(!node.links.is_empty() && node.links.len() <= index.config().m0 && !node.removed);
    let key = index.key_at(entry).unwrap().unwrap();
    assert_eq!((key, index.level(key).unwrap()), (u64::from(entry) + 100, node.top));
    let near = index.neighbours(key, 0).unwrap();
    assert_eq!(near.len(), node.links.len());
    assert!(near.contains(&(key + 1)) || near.contains(&(key - 1)));
    assert!(matches!(index.node(9999, 0), Err(Error::NotFound)));
    assert!(matches!(index.node(entry, node.top + 1), Err(Error::NotFound)));
    index.remove(key).unwrap();
    assert!(index.node(entry, 0).unwrap().removed);
}

#[test]
fn searches_of_many_kinds() {
    let rows: Vec<f32> = (0..1000).map(|x| x as f32).collect();
    let mut index = Index::<u64>::builder(1).codes(Codes::U7).build().unwrap();
    index.build(0..1000, &rows).run().unwrap();
    assert_eq!(index.stats().codes, Codes::U7);
    index.tune().unwrap();
    let options = SearchOptions::new().radius(4.0).ef(100);
    let near = index.search_with(&[500.0], 10, &options).unwrap();
    assert_eq!(near.iter().map(|hit| hit.key).collect::<Vec<_>>(), [500, 499, 501, 498, 502]);
    let batch = index.search_batch(&[3.0, 900.0], 1, &SearchOptions::new()).unwrap();
    assert_eq!(batch.iter().map(|hits| hits[0].key).collect::<Vec<_>>(), [3, 900]);
    let many: Vec<f32> = (0..1000).map(|x| x as f32).collect();
    let mut searcher = index.searcher_with(SearcherOptions::new().lanes(4).ef_max(100)).unwrap();
    for (key, hits) in searcher.search_batch(&many, 3).unwrap().iter().enumerate() {
        assert_eq!((hits.len(), hits[0].key), (3, key as u64));
    }
    assert!(searcher.stats().distances > 0);
    searcher.set_options(SearchOptions::new().ef(900)).unwrap();
    let wide = searcher.search(&[10.0], 800).unwrap();
    assert_eq!(wide.len(), 800, "a searcher grows with what is asked");
    let stopped = searcher.search_batch(&[1.0, f32::NAN, 2.0], 1).unwrap_err();
    assert!(matches!((stopped.done, stopped.error), (1, Error::Vector)));
    let gamma = SearchOptions::new().ef(300).gamma(0.1).expansions(4).rerank(50);
    assert_eq!(index.search_with(&[77.0], 1, &gamma).unwrap()[0].key, 77);
}

#[test]
fn a_cursor_goes_on_to_the_end() {
    let index = Index::<u64>::new(1).unwrap();
    index.insert_batch(0..500, &(0..500).map(|x| x as f32).collect::<Vec<_>>()).unwrap();
    let mut searcher = index.searcher().unwrap();
    let all: Vec<u64> = searcher.cursor(&[0.0]).unwrap().map(|hit| hit.unwrap().key).collect();
    assert_eq!(all, (0..500).collect::<Vec<_>>());
    let query = [250.1];
    let mut cursor = searcher.cursor(&query).unwrap();
    assert_eq!(cursor.next().unwrap().unwrap().key, 250);
    assert_eq!(searcher.search(&[3.0], 1).unwrap()[0].key, 3);
}

#[test]
fn defaults_are_filled_in() {
    let config = Index::<u64>::new(5).unwrap().config();
    assert_eq!((config.dim, config.m, config.m0, config.ef_build), (5, 16, 32, 200));
    assert_eq!((config.metric, config.codes, config.alpha), (Metric::L2, Codes::None, 1.0));
    assert_eq!(<String as Key>::to_key("a"), "a");
    let (major, minor, patch) = nigh::version();
    assert_eq!(format!("{major}.{minor}.{patch}"), env!("CARGO_PKG_VERSION"));
    assert_eq!(nigh::cpu_features() & nigh::sys::NIGH_CPU_SCALAR, nigh::sys::NIGH_CPU_SCALAR);
    let unknown = Error::Status(nigh::sys::NIGH_E_BUSY).to_string();
    assert!(unknown.contains("another thread is writing") && unknown.contains("-12"), "{unknown}");
}
