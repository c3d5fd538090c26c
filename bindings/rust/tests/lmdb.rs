// lmdb.rs - indexes in heed's environments: one transaction for rows and index, snapshots, the file
// SPDX-License-Identifier: MIT OR Apache-2.0
#![cfg(feature = "lmdb")]
mod common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use common::Random;
use heed::byteorder::BE;
use heed::types::{Bytes, Str, U64};
use heed::{CommitOrAbort, Env, EnvFlags, EnvOpenOptions, WithoutTls};
use nigh::lmdb::{Indexes, Reader, Writer};
use nigh::{Error, FetchError, Index, Metric, OpenOptions, Request, Slot, VectorStore, I8};

const DIM: usize = 8;
const MAP: usize = 1 << 30; // address space, not disk
type Rows = heed::Database<'static, U64<BE>, Str>;
type Values = heed::Database<'static, Bytes, Bytes>;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("nigh-lmdb-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Home {
    indexes: Indexes<WithoutTls>,
    values: Values,
    rows: Rows,
    env: Env<WithoutTls>,
    folder: Folder,
}

fn open(path: &Path, map: usize, flags: EnvFlags) -> (Env<WithoutTls>, Values, Rows) {
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.max_dbs(4).max_readers(60).map_size(map);
    // SAFETY: a folder of this test's.
    let env = unsafe { options.flags(flags | EnvFlags::NO_SYNC).open(path).unwrap() };
    let (values, rows) = env
        .create_databases_and_commit(env.write_txn().unwrap(), |opener, txn| {
            let values = opener.create_database(txn, Some("indexes"))?;
            let rows = opener.create_database(txn, Some("rows"))?;
            Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit((values, rows)))
        })
        .unwrap()
        .unwrap_commit();
    (env, values, rows)
}

impl Home {
    fn with(map: usize, flags: EnvFlags) -> Self {
        let folder = Folder::new();
        let (env, values, rows) = open(&folder.0, map, flags);
        Home { indexes: Indexes::new(&env, values), values, rows, env, folder }
    }

    fn new() -> Self {
        Self::with(MAP, EnvFlags::empty())
    }

    fn sound(&self) {
        let txn = self.env.read_txn().unwrap();
        let report = self.indexes.check(&txn).unwrap();
        assert!(report.sound && report.unfinished == 0, "{report:?}");
    }

    /// Rows and vectors from..to, in one transaction that is not committed.
    fn add(&self, txn: &mut heed::RwTxn<'_>, id: u16, from: u64, to: u64) {
        for key in from..to {
            self.rows.put(txn, &key, &format!("row {key}")).unwrap();
        }
        let writer: Writer<u64> = self.indexes.writer(txn, id).unwrap();
        for key in from..to {
            writer.insert(key, &row(key)).unwrap();
        }
        writer.finish().unwrap();
    }

    fn counts(&self, id: u16) -> (u64, usize) {
        let txn = self.env.read_txn().unwrap();
        let reader: Reader<u64> = self.indexes.reader(&txn, id).unwrap();
        assert!(reader.check().unwrap().sound);
        (self.rows.len(&txn).unwrap(), reader.len())
    }
}

fn row(key: u64) -> Vec<f32> {
    Random(key).floats(DIM)
}

fn builder() -> nigh::Builder<u64, f32> {
    Index::<u64>::builder(DIM).m(6).ef_build(40).block_bytes(4096)
}

fn create(home: &Home, id: u16) {
    let mut txn = home.env.write_txn().unwrap();
    home.indexes.create(&mut txn, id, builder()).unwrap();
    txn.commit().unwrap();
}

#[test]
fn rows_and_index_together_or_not_at_all() {
    let home = Home::new();
    create(&home, 3);
    let mut txn = home.env.write_txn().unwrap();
    home.add(&mut txn, 3, 0, 300);
    // A write transaction sees its own changes.
    let reader: Reader<u64> = home.indexes.reader(&txn, 3).unwrap();
    assert_eq!(reader.search(&row(7), 1).unwrap()[0].key, 7);
    drop(reader);
    txn.commit().unwrap();
    assert_eq!(home.counts(3), (300, 300));

    let mut txn = home.env.write_txn().unwrap();
    home.add(&mut txn, 3, 300, 400);
    txn.abort();
    assert_eq!(home.counts(3), (300, 300));

    // A writer that is dropped has changed nothing, though its transaction is committed.
    let mut txn = home.env.write_txn().unwrap();
    home.rows.put(&mut txn, &900, "alone").unwrap();
    let writer: Writer<u64> = home.indexes.writer(&mut txn, 3).unwrap();
    writer.insert(900, &row(900)).unwrap();
    assert_eq!(home.rows.get(writer.txn(), &900).unwrap(), Some("alone"));
    drop(writer);
    txn.commit().unwrap();
    assert_eq!(home.counts(3), (301, 300));

    // Changed in turn with what was prepared: dirty pages of this transaction are read again.
    let mut txn = home.env.write_txn().unwrap();
    let mut writer: Writer<u64> = home.indexes.writer(&mut txn, 3).unwrap();
    writer.set(5, &row(1005)).unwrap();
    writer.prepare().unwrap();
    writer.remove(6).unwrap();
    writer.finish().unwrap();
    home.add(&mut txn, 3, 300, 310);
    txn.commit().unwrap();
    let txn = home.env.read_txn().unwrap();
    let reader: Reader<u64> = home.indexes.reader(&txn, 3).unwrap();
    assert_eq!(reader.get(5).unwrap(), row(1005));
    assert!(reader.is_removed(6).unwrap());
    assert_eq!(reader.len(), 309);
    assert!(matches!(reader.insert(1, &row(1)), Err(Error::ReadOnly)));
    home.sound();
}

#[test]
fn the_same_bytes_as_in_memory() {
    let home = Home::new();
    create(&home, 0);
    let memory = builder().build().unwrap();
    for (from, to) in [(0, 40), (40, 45), (45, 200)] {
        let mut txn = home.env.write_txn().unwrap();
        home.add(&mut txn, 0, from, to);
        txn.commit().unwrap();
        (from..to).for_each(|key| memory.insert(key, &row(key)).unwrap());
    }
    let txn = home.env.read_txn().unwrap();
    let reader: Reader<u64> = home.indexes.reader(&txn, 0).unwrap();
    assert!(reader.to_bytes().unwrap() == memory.to_bytes().unwrap());
    for key in 0..50 {
        let query = row(5000 + key);
        assert_eq!(reader.search(&query, 9).unwrap(), memory.search(&query, 9).unwrap());
    }
}

#[test]
fn a_reader_keeps_its_snapshot() {
    let home = Home::new();
    create(&home, 0);
    let mut txn = home.env.write_txn().unwrap();
    home.add(&mut txn, 0, 0, 200);
    txn.commit().unwrap();

    let snapshot = home.env.read_txn().unwrap();
    let reader: Reader<u64> = home.indexes.reader(&snapshot, 0).unwrap();
    let before = reader.to_bytes().unwrap();
    let answers = |reader: &Index<u64>| {
        (0..30).map(|key| reader.search(&row(key + 100), 5).unwrap()).collect::<Vec<_>>()
    };
    let first = answers(&reader);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..10 {
                let mut txn = home.env.write_txn().unwrap();
                home.add(&mut txn, 0, 200 + 20 * round, 220 + 20 * round);
                txn.commit().unwrap();
            }
        });
        for _ in 0..3 {
            let reader = &*reader; // a transaction serves any number of threads
            scope.spawn(|| (0..10).for_each(|_| assert_eq!(answers(reader), first)));
        }
    });
    assert!(reader.to_bytes().unwrap() == before);
    assert_eq!(reader.len(), 200);
    assert_eq!(home.counts(0), (400, 400));
    home.sound();
}

#[test]
fn many_indexes_and_kinds_of_keys() {
    let home = Home::new();
    let mut txn = home.env.write_txn().unwrap();
    home.indexes.create(&mut txn, 65535, builder()).unwrap();
    let words = Index::<String>::builder(DIM).metric(Metric::Cosine).key_bytes_max(20);
    home.indexes.create(&mut txn, 2, words).unwrap();
    home.indexes.create(&mut txn, 9, Index::<Slot, I8>::builder(DIM)).unwrap();
    assert!(matches!(home.indexes.create(&mut txn, 2, builder()), Err(Error::Exists)));
    let writer: Writer<String> = home.indexes.writer(&mut txn, 2).unwrap();
    for key in 0..100 {
        writer.insert(&format!("word {key}"), &row(key)).unwrap();
    }
    writer.finish().unwrap();
    home.add(&mut txn, 65535, 0, 50);
    let writer: Writer<Slot, I8> = home.indexes.writer(&mut txn, 9).unwrap();
    let bytes = writer.encode(&row(1)).unwrap();
    writer.insert(Slot(0), &bytes).unwrap();
    writer.finish().unwrap();
    txn.commit().unwrap();

    let txn = home.env.read_txn().unwrap();
    let list = home.indexes.list(&txn).unwrap();
    let list: Vec<_> = list.into_iter().map(|(_, entry)| entry.unwrap()).collect();
    let told: Vec<_> = list.iter().map(|one| (one.id, one.keys, one.elements)).collect();
    assert_eq!(told, [(2, "byte strings", "f32"), (9, "slots", "i8"), (65535, "u64", "f32")]);
    assert_eq!(
        (list[0].config.metric, list[0].changes, list[0].owns_vectors),
        (Metric::Cosine, 2, true)
    );
    let reader: Reader<String> = home.indexes.reader(&txn, 2).unwrap();
    assert_eq!(reader.search(&row(42), 1).unwrap()[0].key, "word 42");
    assert!(matches!(home.indexes.reader::<u64, f32>(&txn, 2), Err(Error::Mismatch { .. })));
    assert!(matches!(home.indexes.reader::<u64, f32>(&txn, 1), Err(Error::NotFound)));
    drop(reader);
    drop(txn);

    let mut txn = home.env.write_txn().unwrap();
    home.indexes.remove(&mut txn, 2).unwrap();
    assert!(matches!(home.indexes.remove(&mut txn, 2), Err(Error::NotFound)));
    assert_eq!(home.indexes.sweep(&mut txn).unwrap(), 0);
    txn.commit().unwrap();
    let txn = home.env.read_txn().unwrap();
    assert_eq!(home.indexes.list(&txn).unwrap().len(), 2);
    assert_eq!(home.indexes.check(&txn).unwrap().indexes, 2);
    home.sound();
}

#[test]
fn vectors_outside() {
    let home = Home::new();
    let rows: Vec<f32> = (0..80).flat_map(row).collect();
    let mut txn = home.env.write_txn().unwrap();
    home.indexes.create_over(&mut txn, 0, Index::<Slot>::builder(DIM)).unwrap();
    let options = OpenOptions::new().store(&rows[..]).capacity(80);
    let writer: Writer<Slot, f32, _> = home.indexes.writer_with(&mut txn, 0, options).unwrap();
    (0..80).for_each(|slot| writer.insert_stored(Slot(slot)).unwrap());
    assert!(matches!(writer.insert_stored(Slot(80)), Err(Error::Full { capacity: 80 })));
    writer.finish().unwrap();
    txn.commit().unwrap();
    let txn = home.env.read_txn().unwrap();
    let options = OpenOptions::new().store(&rows[..]);
    let reader: Reader<Slot, f32, _> = home.indexes.reader_with(&txn, 0, options).unwrap();
    assert_eq!(reader.search(&row(33), 1).unwrap()[0].key, Slot(33));
}

#[test]
fn imported_and_loaded() {
    let home = Home::new();
    let memory = builder().build().unwrap();
    let rows: Vec<f32> = (0..500).flat_map(row).collect();
    memory.build(0..500, &rows).run().unwrap();
    let bytes = memory.to_bytes().unwrap();
    let mut txn = home.env.write_txn().unwrap();
    home.indexes.import(&mut txn, 1, &memory, false).unwrap();
    assert!(matches!(home.indexes.import(&mut txn, 1, &memory, false), Err(Error::Exists)));
    txn.commit().unwrap();
    let mut last = 0;
    let mut rises = |now: nigh::Progress| {
        assert!(now.done >= last && now.total == bytes.len() as u64);
        last = now.done;
        true
    };
    home.indexes.load(0, &memory, false, &mut rises).unwrap();
    home.indexes.load(1, &memory, true, |_| true).unwrap();
    assert_eq!(last, bytes.len() as u64);
    assert!(matches!(
        home.indexes.load(5, &memory, false, |now| now.done < 9000),
        Err(Error::Cancelled { done }) if done >= 9000
    ));
    let panics =
        std::panic::AssertUnwindSafe(|| home.indexes.load(5, &memory, false, |_| panic!("no")));
    assert!(std::panic::catch_unwind(panics).is_err());
    let txn = home.env.read_txn().unwrap();
    assert_eq!(home.indexes.list(&txn).unwrap().len(), 2);
    for id in 0..2 {
        let reader: Reader<u64> = home.indexes.reader(&txn, id).unwrap();
        assert!(reader.to_bytes().unwrap() == bytes);
    }
    home.sound();
}

#[test]
fn a_full_map_is_an_error_and_nothing_is_lost() {
    for flags in [EnvFlags::empty(), EnvFlags::WRITE_MAP] {
        let mut home = Home::with(1 << 19, flags);
        create(&home, 0);
        let mut txn = home.env.write_txn().unwrap();
        home.add(&mut txn, 0, 0, 100);
        txn.commit().unwrap();
        let mut txn = home.env.write_txn().unwrap();
        let mut writer: Writer<u64> = home.indexes.writer(&mut txn, 0).unwrap();
        (100..9000).for_each(|key| writer.insert(key, &row(key)).unwrap());
        assert!(matches!(writer.prepare(), Err(Error::MapFull)));
        drop(writer);
        txn.abort();
        assert_eq!(home.counts(0), (100, 100));
        // SAFETY: no transaction is open.
        unsafe { home.env.resize(MAP).unwrap() };
        let mut txn = home.env.write_txn().unwrap();
        home.add(&mut txn, 0, 100, 600);
        txn.commit().unwrap();
        assert_eq!(home.counts(0), (600, 600));
        home.sound();
        let Home { indexes, env, folder, .. } = home;
        drop((indexes, env)); // closed, it opens again
        let (env, values, rows) = open(&folder.0, MAP, flags);
        home = Home { indexes: Indexes::new(&env, values), values, rows, env, folder };
        assert_eq!(home.counts(0), (600, 600));
    }
}

#[test]
fn writers_take_turns() {
    let home = Home::new();
    let mut txn = home.env.write_txn().unwrap();
    home.indexes.create(&mut txn, 0, builder().distance(common::l2)).unwrap();
    let calls = AtomicU32::new(0);
    let yields = move |a: &[f32], b: &[f32]| {
        if calls.fetch_add(1, Ordering::Relaxed) % 256 == 0 {
            std::thread::yield_now(); // so that others come while this one is in an insert
        }
        common::l2(a, b)
    };
    let options = OpenOptions::new().distance(yields);
    let writer: Writer<u64> = home.indexes.writer_with(&mut txn, 0, options).unwrap();
    let index = &*writer;
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                for key in 0..40 {
                    index.insert(4 * key + thread, &row(4 * key + thread)).unwrap();
                    index.search(&row(key), 3).unwrap();
                }
            });
        }
    });
    (0..20).for_each(|key| writer.remove(key).unwrap());
    writer.vacuum().threads(4).run().unwrap();
    writer.finish().unwrap();
    txn.commit().unwrap();
    let txn = home.env.read_txn().unwrap();
    assert!(matches!(home.indexes.reader::<u64, f32>(&txn, 0), Err(Error::Mismatch { .. })));
    let options = OpenOptions::new().distance(common::l2);
    let reader: Reader<u64> = home.indexes.reader_with(&txn, 0, options).unwrap();
    assert!(reader.check().unwrap().sound);
    assert_eq!((reader.len(), reader.stats().free), (140, 20));
}

#[test]
fn environments_are_told_apart() {
    let (one, other) = (Home::new(), Home::new());
    create(&one, 0);
    let mixed = || {
        let mut txn = other.env.write_txn().unwrap();
        one.indexes.create(&mut txn, 1, builder())
    };
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(mixed)).unwrap_err();
    let text = caught.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| caught.downcast_ref::<String>().cloned()).unwrap();
    assert!(text.contains("environment"), "{text}");
    one.sound();
    // A database that holds something else.
    let strange = Indexes::new(&one.env, one.rows);
    let mut txn = one.env.write_txn().unwrap();
    one.rows.put(&mut txn, &0, "row").unwrap();
    one.rows.remap_key_type::<Bytes>().put(&mut txn, &[0], "head").unwrap();
    assert!(matches!(strange.create(&mut txn, 1, builder()), Err(Error::Format)));
    assert!(matches!(strange.list(&txn), Err(Error::Format)));
}

/// The command, over Debian's liblmdb, and this library read and change each other's environments.
#[test]
#[ignore = "wants the folder and the command that tests/bindings/golden.py makes"]
fn the_command_and_this_are_one() {
    let golden = PathBuf::from(std::env::var_os("NIGH_GOLDEN").expect("NIGH_GOLDEN: a folder"));
    let command = std::env::var_os("NIGH_COMMAND").expect("NIGH_COMMAND: the nigh command");
    let folder = Folder::new();
    let env = folder.0.join("env");
    let nigh = |words: &[&str]| {
        let done = Command::new(&command).args(words).current_dir(&folder.0).output().unwrap();
        let told = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "nigh {words:?}: {told}");
    };
    let image = golden.join("u64.nigh");
    nigh(&["lmdb", "import", "env", image.to_str().unwrap(), "--db", "indexes", "--id", "4"]);

    let bytes = std::fs::read(&image).unwrap();
    let memory = Index::<u64>::from_bytes(&bytes).unwrap();
    let words = Index::<String>::builder(DIM).build().unwrap();
    (0..60).for_each(|key| words.insert(&format!("w{key}"), &row(key)).unwrap());
    let (keys, vector) = ([1 << 40, 1 << 41], memory.get(5).unwrap());
    {
        let (env, values, _) = open(&env, MAP, EnvFlags::empty());
        let indexes = Indexes::new(&env, values);
        let mut txn = env.write_txn().unwrap();
        let reader: Reader<u64> = indexes.reader(&txn, 4).unwrap();
        assert!(reader.to_bytes().unwrap() == bytes);
        drop(reader);
        let writer: Writer<u64> = indexes.writer(&mut txn, 4).unwrap();
        for index in [&*writer, &memory] {
            keys.iter().for_each(|key| index.insert(*key, &vector).unwrap());
            index.remove(5).unwrap();
        }
        writer.finish().unwrap();
        indexes.import(&mut txn, 7, &words, false).unwrap();
        txn.commit().unwrap();
    }
    nigh(&["lmdb", "check", "env", "--db", "indexes"]);
    for (id, want) in [("4", memory.to_bytes().unwrap()), ("7", words.to_bytes().unwrap())] {
        nigh(&["lmdb", "export", "env", "--db", "indexes", "--id", id, "-o", "back.nigh"]);
        assert!(std::fs::read(folder.0.join("back.nigh")).unwrap() == want, "index {id}");
    }
    // And back: what the command changes, this reads.
    nigh(&["lmdb", "remove", "env", "--db", "indexes", "--id", "4", "7", "8"]);
    [7, 8].iter().for_each(|key| memory.remove(*key).unwrap());
    let (env, values, _) = open(&env, MAP, EnvFlags::empty());
    let indexes = Indexes::new(&env, values);
    let txn = env.read_txn().unwrap();
    let reader: Reader<u64> = indexes.reader(&txn, 4).unwrap();
    assert!(reader.to_bytes().unwrap() == memory.to_bytes().unwrap());
    assert!(indexes.check(&txn).unwrap().sound);
}

#[test]
fn a_full_transaction_is_an_error_of_its_own() {
    let home = Home::new();
    let mut txn = home.env.write_txn().unwrap();
    let small = Index::<Slot>::builder(64).m(2).m0(4).ef_build(1).block_bytes(256);
    home.indexes.create(&mut txn, 0, small).unwrap();
    let options = OpenOptions::new().capacity(200_000);
    let writer: Writer<Slot> = home.indexes.writer_with(&mut txn, 0, options).unwrap();
    // A block for each vector, and others: that is more than 100,000 before there are so many.
    let refused = (0..100_001).find_map(|slot| {
        let row = [(slot % 1000) as f32; 64];
        writer.insert(Slot(slot), &row).err().map(|error| (slot, error))
    });
    let (slot, error) = refused.unwrap();
    assert!(matches!(error, Error::TransactionFull), "{error}");
    assert!(writer.len() == slot as usize && writer.check().unwrap().sound);
}

/// A store that fails with a code of its own, once it is told to.
struct Failing(Vec<f32>, AtomicU32);

impl VectorStore<f32> for &Failing {
    fn fetch<'s>(
        &'s self,
        request: Request<'_>,
        rows: &mut nigh::Rows<'s, '_, f32>,
    ) -> Result<(), FetchError> {
        match self.1.load(Ordering::Relaxed) {
            u32::MAX => {}
            code => return Err(FetchError(code)),
        }
        for (at, slot) in request.slots.iter().enumerate() {
            rows.lend(at, &self.0[*slot as usize * DIM..][..DIM]);
        }
        Ok(())
    }
}

#[test]
fn what_a_store_says_is_not_what_lmdb_says() {
    let home = Home::new();
    let store = Failing((0..20).flat_map(row).collect(), AtomicU32::new(u32::MAX));
    let mut txn = home.env.write_txn().unwrap();
    home.indexes.create_over(&mut txn, 0, Index::<Slot>::builder(DIM)).unwrap();
    let options = OpenOptions::new().store(&store).capacity(20);
    let mut writer: Writer<Slot, f32, _> = home.indexes.writer_with(&mut txn, 0, options).unwrap();
    (0..10).for_each(|slot| writer.insert_stored(Slot(slot)).unwrap());
    for code in (0..300).chain([1_000_000]) {
        store.1.store(code, Ordering::Relaxed);
        let error = writer.insert_stored(Slot(10)).unwrap_err();
        assert!(matches!(error, Error::Store(got) if got == code), "{code}: {error:?}");
        let error = writer.search(&row(3), 1).unwrap_err();
        assert!(matches!(error, Error::Store(got) if got == code), "{code}: {error:?}");
    }
    store.1.store(u32::MAX, Ordering::Relaxed);
    writer.insert_stored(Slot(10)).unwrap();
    writer.prepare().unwrap();
    assert_eq!(writer.len(), 11);
}

#[test]
fn a_damaged_entry_hides_no_other() {
    let home = Home::new();
    let mut txn = home.env.write_txn().unwrap();
    (0..70).for_each(|id| home.indexes.create(&mut txn, id, builder()).unwrap());
    let damaged = [0, 63, 64]; // list asks for 64 at a time
    for id in damaged {
        home.values.put(&mut txn, &[1, 0, id], b"not an entry").unwrap();
    }
    let list = home.indexes.list(&txn).unwrap();
    assert!(list.iter().map(|(id, _)| *id).eq(0..70));
    for (id, entry) in &list {
        match entry {
            Ok(entry) => assert!(entry.id == *id && entry.changes == 1),
            Err(error) => assert!(matches!(error, Error::Corrupt), "{error:?}"),
        }
        assert_eq!(entry.is_err(), damaged.contains(&(*id as u8)));
    }
    damaged.iter().for_each(|id| home.indexes.remove(&mut txn, (*id).into()).unwrap());
    assert_eq!(home.indexes.list(&txn).unwrap().len(), 67);
    txn.commit().unwrap();
    home.sound();
}

#[test]
fn forgotten_and_nested() {
    let home = Home::new();
    create(&home, 0);
    let mut txn = home.env.write_txn().unwrap();
    home.add(&mut txn, 0, 0, 50);
    // A writer that is forgotten is as one that is dropped.
    let writer: Writer<u64> = home.indexes.writer(&mut txn, 0).unwrap();
    writer.insert(900, &row(900)).unwrap();
    std::mem::forget(writer);
    // What a nested transaction stored goes and comes with it.
    let mut nested = home.env.nested_write_txn(&mut txn).unwrap();
    home.add(&mut nested, 0, 50, 80);
    nested.abort();
    let mut nested = home.env.nested_write_txn(&mut txn).unwrap();
    home.add(&mut nested, 0, 50, 60);
    nested.commit().unwrap();
    home.add(&mut txn, 0, 60, 70);
    txn.commit().unwrap();
    assert_eq!(home.counts(0), (70, 70));
    home.sound();
}

#[test]
fn a_full_map_leaves_the_transaction() {
    let home = Home::with(1 << 19, EnvFlags::empty());
    create(&home, 0);
    let mut txn = home.env.write_txn().unwrap();
    home.add(&mut txn, 0, 0, 100);
    let mut writer: Writer<u64> = home.indexes.writer(&mut txn, 0).unwrap();
    (100..9000).for_each(|key| writer.insert(key, &row(key)).unwrap());
    for _ in 0..3 {
        assert!(matches!(writer.prepare(), Err(Error::MapFull)));
        assert_eq!(home.rows.len(writer.txn()).unwrap(), 100);
        assert_eq!(writer.search(&row(8000), 1).unwrap()[0].key, 8000);
    }
    drop(writer);
    home.add(&mut txn, 0, 100, 120);
    txn.commit().unwrap();
    assert_eq!(home.counts(0), (120, 120));
    home.sound();
}

#[test]
fn panics_of_callbacks_leave_the_writer() {
    let home = Home::new();
    let mut txn = home.env.write_txn().unwrap();
    home.indexes.create(&mut txn, 0, builder().distance(common::l2)).unwrap();
    let options = OpenOptions::new().distance(|a: &[f32], b: &[f32]| {
        assert!(a[0] < 70.0 && b[0] < 70.0, "a row that is not liked");
        common::l2(a, b)
    });
    let mut writer: Writer<u64> = home.indexes.writer_with(&mut txn, 0, options).unwrap();
    (0..50).for_each(|key| writer.insert(key, &row(key)).unwrap());
    let disliked = || writer.insert(50, &[77.0; DIM]);
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(disliked)).is_err());
    writer.prepare().unwrap();
    assert!(writer.check().unwrap().sound);
    writer.finish().unwrap();
    txn.commit().unwrap();
    let txn = home.env.read_txn().unwrap();
    let options = OpenOptions::new().distance(common::l2);
    let reader: Reader<u64> = home.indexes.reader_with(&txn, 0, options).unwrap();
    assert!(reader.check().unwrap().sound);
    // Searched and closed by another thread: nothing of a transaction's is asked for any more.
    std::thread::scope(|scope| {
        scope.spawn(move || assert_eq!(reader.search(&row(7), 1).unwrap()[0].key, 7));
    });
}

#[test]
fn a_database_of_another_environment() {
    let (one, other) = (Home::new(), Home::new());
    let mixed = Indexes::new(&one.env, other.values);
    let panics = |work: &dyn Fn() -> Result<(), Error>| {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_err();
    };
    for home in [&one, &other] {
        panics(&|| mixed.create(&mut home.env.write_txn().unwrap(), 1, builder()));
    }
    let memory = builder().build().unwrap();
    panics(&|| mixed.load(3, &memory, false, |_| true));
    for home in [&one, &other] {
        create(home, 1);
        home.sound();
    }
}
