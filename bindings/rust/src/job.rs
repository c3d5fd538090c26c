// job.rs - long work by several threads: build, codes, refine, vacuum, root
// SPDX-License-Identifier: MIT OR Apache-2.0
use alloc::boxed::Box;
use core::ffi::c_void;
use core::marker::PhantomData;
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};

use nigh_sys as sys;

use crate::config::Codes;
use crate::element::Element;
use crate::error::{check, BatchError, Error, Result};
use crate::handle::{full, Core};
use crate::index::Index;
use crate::key::{Key, KeyArray};
use crate::memory::Memory;
use crate::panic;
use crate::session::Session;
use crate::store::VectorStore;
use crate::sync::Lock;

/// How far a job is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Units done; never falls. Of a build: vectors inserted.
    pub done: u64,
    /// Units in all.
    pub total: u64,
}

type OnProgress<'a> = Box<dyn Fn(Progress) + Sync + 'a>;

/// Long work that is ready to [`run`](Self::run), made by `Index::build` and its like. Searches go
/// on meanwhile; what else changes the index gets `Error::Busy`. The result is the same, byte for
/// byte, however many threads run it.
#[must_use = "a job does nothing until it is run"]
pub struct Job<'a> {
    core: &'a Core,
    calls_back: bool,
    options: sys::nigh_job_options,
    keys: KeyArray,
    rows: *const c_void,
    count: usize,
    threads: usize,
    progress: Option<OnProgress<'a>>,
    cancel: Option<&'a AtomicBool>,
    drops: bool,
    lives: PhantomData<&'a [u8]>,
}

impl<K: Key, E: Element, S: VectorStore<E>> Index<K, E, S> {
    /// Inserts many vectors, one after another in `rows`, under `keys`: in batches that search a
    /// frozen graph, so that links differ from those of single inserts. On
    /// [`run`](BuildJob::run) it ends at the first vector or key that [`insert`](Self::insert) would
    /// refuse, after all before it. It takes new slots, none that a vacuum has freed.
    ///
    /// ```
    /// # use nigh::Index;
    /// let rows: Vec<f32> = (0..1000).map(|x| x as f32).collect();
    /// let index = Index::<u64>::new(1)?;
    /// index.build(0..1000, &rows).threads(4).run()?;
    /// assert_eq!(index.len(), 1000);
    /// # Ok::<(), nigh::Error>(())
    /// ```
    pub fn build<'a, 'k>(
        &'a self,
        keys: impl IntoIterator<Item = K::Ref<'k>>,
        rows: &'a [E::Unit],
    ) -> BuildJob<'a> {
        let keys = KeyArray::collect::<K>(keys);
        let fits = self.rows(rows, keys.len(), "rows").err();
        let mut job = self.job(sys::NIGH_JOB_BUILD);
        (job.count, job.keys, job.rows) = (keys.len(), keys, rows.as_ptr().cast());
        BuildJob { job, refused: fits }
    }

    /// The same for vectors that are in the store already.
    pub fn build_stored<'a, 'k>(
        &'a self,
        keys: impl IntoIterator<Item = K::Ref<'k>>,
    ) -> BuildJob<'a> {
        let keys = KeyArray::collect::<K>(keys);
        let mut job = self.job(sys::NIGH_JOB_BUILD);
        (job.count, job.keys) = (keys.len(), keys);
        BuildJob { job, refused: None }
    }

    /// Makes codes for an index that has none: searches use them from then on. `Codes::None` is
    /// refused: to drop them is for [`drop_codes`](Self::drop_codes), beside which nobody searches.
    pub fn make_codes(&self, codes: Codes) -> Job<'_> {
        let mut job = self.job(sys::NIGH_JOB_CODES);
        job.options.codes = codes.number();
        job
    }

    /// The same with the span of elements that `Codes::U7` tell apart.
    pub fn make_codes_within(&self, codes: Codes, min: f32, max: f32) -> Job<'_> {
        let mut job = self.make_codes(codes);
        (job.options.code_min, job.options.code_max) = (min, max);
        job
    }

    /// Drops the codes. Their memory comes back when the index is dropped or reserves more.
    ///
    /// # Errors
    /// Those of [`Job::run`].
    pub fn drop_codes(&mut self) -> Result<()> {
        let mut job = self.make_codes(Codes::None);
        job.drops = true;
        job.run().map(|_| ())
    }

    /// Chooses the links of layer 0 anew, knowing all nodes: searches gain up to a third. Takes as
    /// long as a build.
    pub fn refine(&self) -> Job<'_> {
        self.job(sys::NIGH_JOB_REFINE)
    }

    /// The same with `ef` candidates a node (default 100), and `alpha` (0: by how distances grow).
    pub fn refine_with(&self, ef: usize, alpha: f32) -> Job<'_> {
        let mut job = self.job(sys::NIGH_JOB_REFINE);
        job.options.ef = crate::session::number(ef);
        job.options.alpha = alpha;
        job
    }

    /// Takes removed keys out for good; the next inserts use their slots.
    pub fn vacuum(&self) -> Job<'_> {
        self.job(sys::NIGH_JOB_VACUUM)
    }

    /// Gives the nodes of a graph that `Builder::from_hnswlib` has read what changes of it want: a
    /// tree of parents, from the root to every node. Some links move, are added or dropped for it.
    /// A graph that has its tree already (`Config::unrooted` is false) stays as it is.
    pub fn root(&self) -> Job<'_> {
        self.job(sys::NIGH_JOB_ROOT)
    }

    fn job(&self, kind: u32) -> Job<'_> {
        Job {
            core: &self.core,
            calls_back: self.calls_back(),
            options: sys::nigh_job_options { kind, ..Default::default() },
            keys: KeyArray::default(),
            rows: ptr::null(),
            count: 0,
            threads: 0,
            progress: None,
            cancel: None,
            drops: false,
            lives: PhantomData,
        }
    }
}

macro_rules! settings {
    ($($path:tt)*) => {
        /// How many threads work, this one among them; default one for each processor, without
        /// `std` always 1. With the feature `rayon` they are those of the pool that this is called
        /// in.
        pub fn threads(mut self, threads: usize) -> Self {
            self.$($path)*threads = threads;
            self
        }

        /// Is told now and then, by any of the threads, how far it is.
        pub fn progress(mut self, progress: impl Fn(Progress) + Sync + 'a) -> Self {
            self.$($path)*progress = Some(Box::new(progress));
            self
        }

        /// Ends the job soon (50 ms) after `cancel` is set: what is done stays done, and the index
        /// is whole.
        pub fn cancel(mut self, cancel: &'a AtomicBool) -> Self {
            self.$($path)*cancel = Some(cancel);
            self
        }
    };
}

/// A build that is ready to [`run`](Self::run): see [`Job`].
#[must_use = "a job does nothing until it is run"]
pub struct BuildJob<'a> {
    job: Job<'a>,
    refused: Option<Error>,
}

impl<'a> BuildJob<'a> {
    settings!(job.);

    /// Runs it to the end.
    ///
    /// # Errors
    /// Those of `Index::insert`, and how many vectors are in before the one that was refused;
    /// [`Error::Cancelled`], [`Error::Busy`] beside another job or a writer.
    pub fn run(self) -> Result<Progress, BatchError> {
        let at_first = |error| BatchError { done: 0, error };
        if let Some(error) = self.refused {
            return Err(at_first(error));
        }
        self.job.make_room().map_err(at_first)?;
        let codes = self.job.core.config.codes != sys::NIGH_CODES_NONE;
        let (progress, result) = self.job.go();
        if codes {
            self.job.core.next_era(); // codes that wanted a sample are there now
        }
        let done = usize::try_from(progress.done).unwrap_or(usize::MAX);
        result.map(|()| progress).map_err(|error| BatchError { done, error })
    }
}

impl<'a> Job<'a> {
    settings!();

    /// Runs it to the end.
    ///
    /// # Errors
    /// [`Error::Busy`] beside another job or a writer, [`Error::Cancelled`], [`Error::ReadOnly`],
    /// [`Error::Unsupported`], [`Error::NoVectors`], [`Error::Store`], [`Error::NoMemory`],
    /// [`Error::Unrooted`], [`Error::Invalid`] when there are codes already. The index is whole, and what is done stays
    /// done.
    pub fn run(self) -> Result<Progress> {
        let codes = self.options.kind == sys::NIGH_JOB_CODES;
        // Others could be made while searches on these are under way, which C does not allow.
        if codes && self.options.codes == sys::NIGH_CODES_NONE && !self.drops {
            return Err(Error::Invalid("codes: expected U7 or B1, drop_codes drops them"));
        }
        let (progress, result) = self.go();
        if codes {
            self.core.next_era();
        }
        match result {
            Ok(()) => Ok(progress),
            Err(Error::Exists) => {
                Err(Error::Invalid("codes: there are some already, drop them first"))
            }
            Err(error) => Err(error),
        }
    }

    fn make_room(&self) -> Result<()> {
        if !self.core.writable() {
            return Err(Error::ReadOnly);
        }
        let stats = self.core.stats();
        let slots = u64::from(stats.slot_count) + self.count as u64;
        if slots > u64::from(stats.slot_max) {
            return Err(Error::Full { capacity: stats.slot_max as usize });
        }
        let slots = (slots as u32).max(stats.slot_capacity);
        self.core.grow_to(slots, stats.key_bytes + self.keys.byte_count())
    }

    fn go(&self) -> (Progress, Result<()>) {
        let run = match Run::begin(self) {
            Ok(run) => run,
            Err(error) => return (Progress::default(), Err(error)),
        };
        run.work_all(if self.core.takes_turns() { 1 } else { self.thread_count() });
        run.end()
    }

    #[cfg(feature = "rayon")]
    fn thread_count(&self) -> usize {
        if self.threads == 0 {
            rayon::current_num_threads()
        } else {
            self.threads
        }
    }

    #[cfg(all(feature = "std", not(feature = "rayon")))]
    fn thread_count(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, |count| count.get()),
            threads => threads,
        }
    }

    #[cfg(not(feature = "std"))]
    fn thread_count(&self) -> usize {
        1
    }
}

/// A job that C has begun.
struct Run<'j, 'a> {
    job: &'j Job<'a>,
    raw: *mut sys::nigh_job,
    memory: Option<Memory>,
    progress: Lock<Progress>,
    stop: AtomicBool,
    failure: Lock<Option<Failure>>,
}

/// Why a thread stopped the others.
enum Failure {
    Status(sys::nigh_status),
    Error(Error),
    Cancelled,
    #[cfg(feature = "std")]
    Panic(Box<dyn core::any::Any + Send>),
}

// SAFETY: nigh_job_run is for any number of threads, keys and rows are only read, and the rest is
// made for it.
unsafe impl Sync for Run<'_, '_> {}

impl<'j, 'a> Run<'j, 'a> {
    fn begin(job: &'j Job<'a>) -> Result<Self> {
        let index = job.core.raw();
        let (mut bytes, mut raw) = (0, ptr::null_mut());
        let count =
            u32::try_from(job.count).map_err(|_| Error::Invalid("keys: fewer than 2^32"))?;
        let (keys, lengths) =
            if count == 0 { (ptr::null(), ptr::null()) } else { job.keys.pointers(0) };
        // SAFETY: keys and rows are borrowed by the job, the memory stays until the end.
        let memory = unsafe {
            let told = |status| check(status).map_err(|_| full(job.core, status));
            told(sys::nigh_job_bytes(index, &job.options, count, &mut bytes))?;
            let memory = Memory::new(bytes)?;
            let start = memory.pointer();
            told(sys::nigh_job_begin(
                index,
                &job.options,
                keys,
                lengths,
                job.rows,
                count,
                start,
                bytes,
                &mut raw,
            ))?;
            memory
        };
        Ok(Run {
            job,
            raw,
            memory: Some(memory),
            progress: Lock::new(Progress::default()),
            stop: AtomicBool::new(false),
            failure: Lock::new(None),
        })
    }

    #[cfg(feature = "rayon")]
    fn work_all(&self, threads: usize) {
        rayon::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(|_| self.work());
            }
            self.work();
        });
    }

    #[cfg(all(feature = "std", not(feature = "rayon")))]
    fn work_all(&self, threads: usize) {
        std::thread::scope(|scope| {
            for _ in 1..threads {
                let worker = std::thread::Builder::new().name("nigh".into());
                if worker.spawn_scoped(scope, || self.work()).is_err() {
                    break; // the system has no more; those that are there do it
                }
            }
            self.work();
        });
    }

    #[cfg(not(feature = "std"))]
    fn work_all(&self, _threads: usize) {
        self.work();
    }

    /// One thread: tasks until there are no more.
    #[cfg(feature = "std")]
    fn work(&self) {
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.tasks()));
        if let Some(failure) = caught.unwrap_or_else(|payload| Some(Failure::Panic(payload))) {
            self.fail(failure);
        }
    }

    #[cfg(not(feature = "std"))]
    fn work(&self) {
        if let Some(failure) = self.tasks() {
            self.fail(failure);
        }
    }

    fn fail(&self, failure: Failure) {
        self.stop.store(true, Ordering::Relaxed);
        self.failure.with(|first| {
            if first.is_none() {
                *first = Some(failure);
            }
        });
    }

    fn tasks(&self) -> Option<Failure> {
        // A session for each thread: not from the pool, since a draft or codes want more room.
        let session = match self.job.core.session(self.session_options()) {
            Ok(session) => session,
            Err(error) => return Some(Failure::Error(error)),
        };
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            if self.job.cancel.is_some_and(|cancel| cancel.load(Ordering::Relaxed)) {
                return Some(Failure::Cancelled);
            }
            match self.task(&session) {
                Err(status) => return Some(Failure::Status(status)),
                Ok(sys::NIGH_JOB_DONE) => return None,
                Ok(sys::NIGH_JOB_WAIT) => pause(),
                Ok(_) => {}
            }
        }
    }

    fn task(&self, session: &Session) -> Result<u32, sys::nigh_status> {
        let mut progress = sys::nigh_progress::default();
        // SAFETY: a session of this thread's, before the end of the job.
        let status = unsafe { sys::nigh_job_run(self.raw, session.raw(), &mut progress) };
        if self.job.calls_back {
            panic::resume();
        }
        if status == sys::NIGH_OK || progress.state == sys::NIGH_JOB_DONE {
            let now = Progress { done: progress.done, total: progress.total };
            let further = self.progress.with(|last| {
                let further = now.done > last.done;
                last.total = now.total;
                last.done = last.done.max(now.done);
                further
            });
            if let (Some(tell), true) = (&self.job.progress, further) {
                tell(now);
            }
        }
        if status == sys::NIGH_OK {
            Ok(progress.state)
        } else {
            Err(status)
        }
    }

    fn session_options(&self) -> sys::nigh_session_options {
        let mut options = self.job.core.writer_options();
        options.ef_max = options.ef_max.max(self.job.options.ef);
        options
    }

    fn end(mut self) -> (Progress, Result<()>) {
        self.finish();
        let progress = self.progress.with(|last| *last);
        let result = match self.failure.with(Option::take) {
            None => Ok(()),
            Some(Failure::Status(status)) => Err(full(self.job.core, status)),
            Some(Failure::Error(error)) => Err(error),
            Some(Failure::Cancelled) => Err(Error::Cancelled { done: progress.done }),
            #[cfg(feature = "std")]
            Some(Failure::Panic(payload)) => std::panic::resume_unwind(payload),
        };
        (progress, result)
    }

    fn finish(&mut self) {
        if let Some(memory) = self.memory.take() {
            // SAFETY: all threads have stopped. The memory of codes stays with the index.
            let status = unsafe { sys::nigh_job_end(self.raw) };
            debug_assert_eq!(status, sys::NIGH_OK);
            if self.job.options.kind == sys::NIGH_JOB_CODES || status != sys::NIGH_OK {
                self.job.core.keep(memory);
            }
        }
    }
}

impl Drop for Run<'_, '_> {
    fn drop(&mut self) {
        self.finish();
    }
}

#[cfg(feature = "rayon")]
fn pause() {
    if rayon::yield_now() != Some(rayon::Yield::Executed) {
        std::thread::sleep(core::time::Duration::from_micros(50));
    }
}

#[cfg(all(feature = "std", not(feature = "rayon")))]
fn pause() {
    std::thread::sleep(core::time::Duration::from_micros(50));
}

#[cfg(not(feature = "std"))]
fn pause() {
    core::hint::spin_loop();
}
