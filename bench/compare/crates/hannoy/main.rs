// main.rs - hannoy: HNSW in an LMDB file
// SPDX-License-Identifier: MIT OR Apache-2.0
// M is a constant of its builder. Items go in with one transaction, links with a second.
use hannoy::distances::{Cosine, Euclidean};
use hannoy::{Database, Distance, Reader, Writer};
use heed::{CommitOrAbort, Env, EnvOpenOptions, RoTxn, WithoutTls};
use rand::{rngs::StdRng, SeedableRng};
use serve::{Job, Peer, Rows, K};

const M: usize = 16;
const M0: usize = 32;
const SEED: u64 = 42;

struct Hannoy<D: Distance> {
    txn: &'static RoTxn<'static, WithoutTls>,
    reader: Reader<'static, D>,
    ef: usize,
}

fn env(job: &Job) -> &'static Env<WithoutTls> {
    let options = EnvOpenOptions::new().read_txn_without_tls().map_size(256 << 30).to_owned();
    Box::leak(Box::new(unsafe { options.open(&job.folder) }.expect("LMDB opens")))
}

impl<D: Distance> Peer for Hannoy<D> {
    fn build(job: &Job, rows: &Rows) -> Box<dyn FnOnce()> {
        assert_eq!(job.m, M);
        rayon::ThreadPoolBuilder::new().num_threads(1).build_global().unwrap();
        let env = env(job);
        let made: heed::Result<_> = env
            .create_databases_and_commit(env.write_txn().unwrap(), |to, txn| {
                to.create_database(txn, None).map(CommitOrAbort::<_, ()>::Commit)
            });
        let db: Database<D> = made.unwrap().unwrap_commit();
        let mut txn = env.write_txn().unwrap();
        let writer = Writer::new(db, 0, rows.dim);
        for (id, row) in rows.iter().enumerate() {
            writer.add_item(&mut txn, id as u32, row).unwrap();
        }
        txn.commit().unwrap();
        let mut txn = env.write_txn().unwrap();
        let mut random = StdRng::seed_from_u64(SEED);
        let mut builder = writer.builder(&mut random);
        builder.ef_construction(job.ef_build).build::<M, M0>(&mut txn).unwrap();
        txn.commit().unwrap();
        Box::new(|| {})
    }

    fn open(job: &Job) -> Self {
        let env = env(job);
        let opened: heed::Result<_> = env
            .open_databases_and_commit(env.read_txn().unwrap(), |from, txn| {
                from.open_database(txn, None).map(|db| CommitOrAbort::<_, ()>::Commit(db.unwrap()))
            });
        let db: Database<D> = opened.unwrap().unwrap_commit();
        let txn: &'static _ = Box::leak(Box::new(env.read_txn().unwrap()));
        Hannoy { txn, reader: Reader::open(txn, 0, db).unwrap(), ef: 0 }
    }

    fn set_ef(&mut self, ef: usize) {
        self.ef = ef;
    }

    fn search(&mut self, query: &[f32], ids: &mut Vec<i32>) {
        let found = self.reader.nns(K).ef_search(self.ef).by_vector(self.txn, query).unwrap();
        ids.extend(found.into_nns().iter().map(|hit| hit.0 as i32));
    }
}

fn main() {
    match std::env::args().nth(2).as_deref() {
        Some("l2") => serve::run::<Hannoy<Euclidean>>(),
        _ => serve::run::<Hannoy<Cosine>>(),
    }
}
