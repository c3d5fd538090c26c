// lib.rs - what the Rust peers share: the rows, the clock, and the words they trade with compare.py
// SPDX-License-Identifier: MIT OR Apache-2.0
//! A peer is run as `peer build JOB...` or `peer serve JOB... QUERIES IDS`, JOB being METRIC FOLDER
//! M EF_BUILD OPTION ROWS. `build` leaves the index in FOLDER and prints its processor time.
//! `serve` opens it, prints how much memory that took, and then answers each line `EF PASSES` with
//! the processor times of that many passes over all queries; the ids go to the file IDS. What the
//! lines hold is in bench/compare/worker.py, which is the same for Python peers.
use std::io::{BufRead, Write};
use std::path::PathBuf;

pub const K: usize = 10;
const SLOW_SECONDS: f64 = 1.0;

pub struct Job {
    pub l2: bool, // else rows are of unit length, to be compared by their angle
    pub folder: PathBuf,
    pub m: usize,
    pub ef_build: usize,
    pub option: String,
}

impl Job {
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

pub struct Rows {
    pub data: Vec<f32>,
    pub dim: usize,
}

impl Rows {
    pub fn count(&self) -> usize {
        self.data.len() / self.dim
    }
    pub fn iter(&self) -> impl Iterator<Item = &[f32]> {
        self.data.chunks_exact(self.dim)
    }
}

pub trait Peer: Sized {
    /// Builds with one thread; what is returned is timed no more and writes the files.
    fn build(job: &Job, rows: &Rows) -> Box<dyn FnOnce()>;
    fn open(job: &Job) -> Self;
    fn set_ef(&mut self, ef: usize);
    /// Appends the ids of up to K rows, nearest first.
    fn search(&mut self, query: &[f32], ids: &mut Vec<i32>);
}

/// A .npy of little-endian f32 in C order.
fn read_npy(path: &str) -> Rows {
    let bytes = std::fs::read(path).expect(path);
    let start = 10 + u16::from_le_bytes([bytes[8], bytes[9]]) as usize;
    let head = std::str::from_utf8(&bytes[10..start]).expect("npy head");
    assert!(head.contains("'<f4'") && head.contains("'fortran_order': False"), "{path}: {head}");
    let shape = head.split('(').nth(1).and_then(|rest| rest.split(')').next()).expect("shape");
    let dim = shape.split(',').nth(1).expect("two dimensions").trim().parse().expect("a number");
    let data = bytes[start..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    Rows { data: data.collect(), dim }
}

fn seconds(clock: libc::clockid_t) -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(clock, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

fn status_kb(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or("");
    line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or(0)
}

fn pass<P: Peer>(peer: &mut P, queries: &Rows, ids: &mut Vec<i32>) -> f64 {
    ids.clear();
    let start = seconds(libc::CLOCK_THREAD_CPUTIME_ID);
    for (number, query) in queries.iter().enumerate() {
        peer.search(query, ids);
        ids.resize((number + 1) * K, -1);
    }
    seconds(libc::CLOCK_THREAD_CPUTIME_ID) - start
}

fn serve<P: Peer>(job: &Job, queries: &Rows, ids_path: &str) {
    let before = status_kb("VmRSS:");
    let mut peer = P::open(job);
    println!("{{\"before_kb\": {before}, \"resident_kb\": {}}}", status_kb("VmRSS:"));
    let mut ids = Vec::with_capacity(queries.count() * K);
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line");
        let words: Vec<usize> = line.split_whitespace().map(|word| word.parse().unwrap()).collect();
        let (ef, passes) = (words[0], words[1]);
        peer.set_ef(ef);
        let warm = pass(&mut peer, queries, &mut ids);
        let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
        std::fs::write(ids_path, bytes).expect(ids_path);
        let passes = if warm > SLOW_SECONDS { 1 } else { passes };
        let times: Vec<String> = (0..passes)
            .map(|_| format!("{:.9}", pass(&mut peer, queries, &mut ids)))
            .collect();
        println!(
            "{{\"ef\": {ef}, \"cpu_s\": [{}], \"resident_kb\": {}}}",
            times.join(", "),
            status_kb("VmRSS:")
        );
        std::io::stdout().flush().unwrap();
    }
}

pub fn run<P: Peer>() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let job = Job {
        l2: words[1] == "l2",
        folder: PathBuf::from(&words[2]),
        m: words[3].parse().unwrap(),
        ef_build: words[4].parse().unwrap(),
        option: words[5].clone(),
    };
    if words[0] == "build" {
        let rows = read_npy(&words[6]);
        let start = seconds(libc::CLOCK_PROCESS_CPUTIME_ID);
        let save = P::build(&job, &rows);
        let cpu = seconds(libc::CLOCK_PROCESS_CPUTIME_ID) - start;
        println!("{{\"cpu_s\": {cpu:.6}, \"peak_kb\": {}}}", status_kb("VmHWM:"));
        save();
    } else {
        serve::<P>(&job, &read_npy(&words[6]), &words[7]);
    }
}
