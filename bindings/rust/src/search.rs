// search.rs - finding neighbours: at once, into what one has, in batches
// SPDX-License-Identifier: MIT OR Apache-2.0
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem::ManuallyDrop;

use nigh_sys as sys;

use crate::cursor::Cursor;
use crate::element::Element;
use crate::error::{check, BatchError, Error, Result};
use crate::filter::{Bitmap, Filter, Filtered};
use crate::index::Index;
use crate::key::Key;
use crate::panic;
use crate::session::{number, SearcherOptions, Session};
use crate::store::{Owned, VectorStore};

/// A neighbour that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit<K> {
    /// Its key.
    pub key: K,
    /// Its distance from the query.
    pub distance: f32,
    /// Its place in the index.
    pub slot: u32,
}

/// How to search.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[must_use]
pub struct SearchOptions(pub(crate) sys::nigh_search_options);

impl SearchOptions {
    /// The defaults: `ef` 64.
    pub fn new() -> Self {
        Self::default()
    }

    /// Candidates kept: more find more and take longer. Raised to `k`; default 64.
    pub fn ef(mut self, ef: usize) -> Self {
        self.0.ef = number(ef);
        self
    }

    /// Nodes under way at once, 1 to 8; default 2. 1 is hnswlib's order.
    pub fn expansions(mut self, expansions: usize) -> Self {
        self.0.expansions = number(expansions);
        self
    }

    /// Stops with what is found after so many expansions; default no limit.
    pub fn expansions_max(mut self, expansions: usize) -> Self {
        self.0.expansions_max = number(expansions);
        self
    }

    /// Scores every live vector: the exact answer.
    pub fn exact(mut self, exact: bool) -> Self {
        self.flag(sys::NIGH_SEARCH_EXACT, exact);
        self
    }

    /// Only hits at this distance or nearer.
    pub fn radius(mut self, radius: f32) -> Self {
        self.flag(sys::NIGH_SEARCH_RADIUS, true);
        self.0.radius = radius;
        self
    }

    /// Searches the true vectors, though there are codes.
    pub fn no_codes(mut self, no_codes: bool) -> Self {
        self.flag(sys::NIGH_SEARCH_NO_CODES, no_codes);
        self
    }

    /// With codes: how many are scored again on true vectors, at least `k`; default by `k` and `ef`.
    pub fn rerank(mut self, rerank: usize) -> Self {
        self.0.rerank = number(rerank);
        self
    }

    /// Also stops when the next candidate is (1 + gamma) times as far as the k-th best: with a large
    /// `ef`, gamma alone decides the effort. Default 0: off.
    pub fn gamma(mut self, gamma: f32) -> Self {
        self.0.gamma = gamma;
        self
    }

    fn flag(&mut self, flag: u32, on: bool) {
        self.0.flags = if on { self.0.flags | flag } else { self.0.flags & !flag };
    }

    fn check(&self, k: usize) -> Result<()> {
        let options = &self.0;
        let rules = [
            ((1..=1 << 30).contains(&k), "k: expected 1 to 2^30"),
            (options.ef <= 1 << 30, "ef: expected at most 2^30"),
            (options.expansions <= 8, "expansions: expected 1 to 8"),
            (!options.radius.is_nan(), "radius: expected a number"),
            (options.gamma >= 0.0, "gamma: expected 0 or more"),
        ];
        match rules.iter().find(|(holds, _)| !holds) {
            Some((_, rule)) => Err(Error::Invalid(rule)),
            None => Ok(()),
        }
    }
}

/// What a search cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SearchStats {
    /// Vectors scored.
    pub distances: u32,
    /// Nodes whose links were read.
    pub expansions: u32,
    /// Calls of `VectorStore::fetch`.
    pub fetches: u32,
    /// `SearcherOptions::frontier_max` was reached and far candidates were dropped.
    pub truncated: bool,
    /// Answered by scanning: the graph gave too few matches.
    pub scanned: bool,
    /// Of `distances`, those of true vectors after a search on codes.
    pub reranked: u32,
}

/// One thread's scratch for searching: no search through it takes memory, but for the keys of hits.
/// Searches by `&self` of the index take one from a pool each time.
pub struct Searcher<'i, K: Key, E: Element = f32, S: VectorStore<E> = Owned> {
    pub(crate) index: &'i Index<K, E, S>,
    pub(crate) session: ManuallyDrop<Box<Session>>,
    options: SearchOptions,
    pooled: bool,
}

/// Queries of a batch for which there is room at once.
const BATCH: usize = 256;

impl<K: Key, E: Element, S: VectorStore<E>> Index<K, E, S> {
    /// The `k` nearest live keys, nearest first, equal distances by slot. Fewer is a result: there
    /// are no more.
    ///
    /// # Errors
    /// [`Error::Length`], [`Error::Vector`], [`Error::NoVectors`], [`Error::Store`],
    /// [`Error::KeyEncoding`], [`Error::NoMemory`].
    pub fn search(&self, query: &[E::Unit], k: usize) -> Result<Vec<Hit<K>>> {
        self.search_with(query, k, &SearchOptions::default())
    }

    /// The same with [`SearchOptions`].
    ///
    /// # Errors
    /// As [`search`](Self::search), and [`Error::Invalid`].
    pub fn search_with(
        &self,
        query: &[E::Unit],
        k: usize,
        options: &SearchOptions,
    ) -> Result<Vec<Hit<K>>> {
        options.check(k)?;
        let mut searcher = self.pooled(*options, k)?;
        let mut hits = Vec::new();
        searcher.search_into(query, k, &mut hits)?;
        Ok(hits)
    }

    /// The `k` nearest of those keys that `filter` lets through.
    ///
    /// # Errors
    /// As [`search_with`](Self::search_with).
    pub fn search_filtered(
        &self,
        query: &[E::Unit],
        k: usize,
        options: &SearchOptions,
        filter: impl FnMut(K::Ref<'_>, u32) -> bool,
    ) -> Result<Vec<Hit<K>>> {
        options.check(k)?;
        let mut searcher = self.pooled(*options, k)?;
        let mut filtered = searcher.filter(filter);
        filtered.search(query, k)
    }

    /// Searches for several queries, one after another in `queries`. One thread's work.
    ///
    /// # Errors
    /// As [`search_with`](Self::search_with), and how many are answered before that one.
    pub fn search_batch(
        &self,
        queries: &[E::Unit],
        k: usize,
        options: &SearchOptions,
    ) -> Result<Vec<Vec<Hit<K>>>, BatchError> {
        let at_first = |error| BatchError { done: 0, error };
        options.check(k).map_err(at_first)?;
        self.pooled(*options, k).map_err(at_first)?.search_batch(queries, k)
    }

    /// A searcher for one thread.
    ///
    /// # Errors
    /// [`Error::NoMemory`].
    pub fn searcher(&self) -> Result<Searcher<'_, K, E, S>> {
        self.pooled(SearchOptions::default(), 1)
    }

    /// A searcher with memory of its own kind.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::NoMemory`].
    pub fn searcher_with(&self, options: SearcherOptions) -> Result<Searcher<'_, K, E, S>> {
        let mut raw = options.0;
        raw.flags |= sys::NIGH_SESSION_READ;
        let session = ManuallyDrop::new(self.core.session(raw)?);
        Ok(Searcher { index: self, session, options: SearchOptions::default(), pooled: false })
    }

    fn pooled(&self, options: SearchOptions, k: usize) -> Result<Searcher<'_, K, E, S>> {
        let session = ManuallyDrop::new(self.core.reader(options.0.ef.max(number(k)))?);
        Ok(Searcher { index: self, session, options, pooled: true })
    }
}

impl<'i, K: Key, E: Element, S: VectorStore<E>> Searcher<'i, K, E, S> {
    /// The index that is searched.
    pub fn index(&self) -> &'i Index<K, E, S> {
        self.index
    }

    /// How the next searches search.
    ///
    /// # Errors
    /// [`Error::Invalid`]; the options stay as they were.
    pub fn set_options(&mut self, options: SearchOptions) -> Result<()> {
        options.check(1)?;
        self.options = options;
        Ok(())
    }

    /// How searches search.
    pub fn options(&self) -> &SearchOptions {
        &self.options
    }

    /// The `k` nearest live keys: see [`Index::search`].
    ///
    /// # Errors
    /// As [`Index::search`].
    pub fn search(&mut self, query: &[E::Unit], k: usize) -> Result<Vec<Hit<K>>> {
        let mut hits = Vec::new();
        self.search_into(query, k, &mut hits)?;
        Ok(hits)
    }

    /// The same into `hits`, whose room is used again; what was in it is dropped.
    ///
    /// # Errors
    /// As [`Index::search`]; `hits` is empty then.
    pub fn search_into(
        &mut self,
        query: &[E::Unit],
        k: usize,
        hits: &mut Vec<Hit<K>>,
    ) -> Result<()> {
        self.find_into(None, query, k, hits)
    }

    /// The same, handing each hit to `each` (key, distance, slot): no memory is taken at all.
    ///
    /// # Errors
    /// As [`Index::search`].
    pub fn search_each(
        &mut self,
        query: &[E::Unit],
        k: usize,
        each: impl FnMut(K::Ref<'_>, f32, u32),
    ) -> Result<()> {
        self.find_each(None, query, k, each)
    }

    /// Searches for several queries, one after another in `queries`; see [`SearcherOptions::lanes`].
    ///
    /// # Errors
    /// As [`Index::search_batch`].
    pub fn search_batch(
        &mut self,
        queries: &[E::Unit],
        k: usize,
    ) -> Result<Vec<Vec<Hit<K>>>, BatchError> {
        self.find_batch(None, queries, k)
    }

    /// Neighbours nearest first, for as long as the caller wants more.
    ///
    /// # Errors
    /// As [`Index::search`].
    pub fn cursor<'a>(&'a mut self, query: &'a [E::Unit]) -> Result<Cursor<'a, 'i, K, E, S>> {
        Cursor::begin(self, None, query)
    }

    /// Searches among keys that `filter` lets through.
    pub fn filter<'a, F>(&'a mut self, filter: F) -> Filtered<'a, 'i, 'a, K, E, S>
    where
        F: FnMut(K::Ref<'_>, u32) -> bool + 'a,
    {
        Filtered::by_function(self, filter)
    }

    /// Searches among the slots of a bitmap: faster than a function, since it is known how many
    /// there are.
    pub fn filter_bitmap<'a, 'f>(
        &'a mut self,
        bitmap: &'f Bitmap,
    ) -> Filtered<'a, 'i, 'f, K, E, S> {
        Filtered::by_bitmap(self, bitmap)
    }

    /// What the last search cost.
    pub fn stats(&self) -> SearchStats {
        let mut raw = sys::nigh_session_stats::default();
        // SAFETY: this thread's session.
        let status = unsafe { sys::nigh_session_stats_get(self.session.raw(), &mut raw) };
        debug_assert_eq!(status, sys::NIGH_OK);
        SearchStats {
            distances: raw.distances,
            expansions: raw.expansions,
            fetches: raw.fetches,
            truncated: raw.truncated != 0,
            scanned: raw.scanned != 0,
            reranked: raw.reranked,
        }
    }

    // ---- With a filter or without ---------------------------------------------------------------

    /// A session that is large enough, current, and filtered as it should be.
    pub(crate) fn prepare(&mut self, k: usize, filter: Option<&Filter<'_>>) -> Result<()> {
        let wide = self.options.0.ef.max(number(k));
        if wide > self.session.options.ef_max || !self.index.core.is_current(&self.session) {
            self.renew(wide)?;
        }
        if self.session.filtered != filter.is_some() {
            let off = Filter::NONE;
            let filter = filter.unwrap_or(&off);
            // SAFETY: `filter` lives while it is set: whoever set it unsets it, or is caught here
            // before the next search.
            check(unsafe { filter.set(self.session.raw()) })
                .map_err(|_| Error::Invalid("bitmap: expected slots below 2^31"))?;
            self.session.filtered = !self.session.filtered;
        }
        Ok(())
    }

    #[cold]
    fn renew(&mut self, wide: u32) -> Result<()> {
        let mut options = self.session.options;
        options.ef_max = options.ef_max.max(wide);
        *self.session = self.index.core.session(options)?;
        Ok(())
    }

    /// One search; its answers are in the session.
    fn find(&mut self, filter: Option<&Filter<'_>>, query: &[E::Unit], k: usize) -> Result<usize> {
        self.index.row(query, "query")?;
        if !(1..=1 << 30).contains(&k) {
            return Err(Error::Invalid("k: expected 1 to 2^30"));
        }
        for again in [true, false] {
            self.prepare(k, filter)?;
            let out = self.session.out.fit::<K>(k, self.index.key_stride());
            let mut found = 0;
            // SAFETY: a row, room for k hits, and this thread's session.
            let status = unsafe {
                sys::nigh_search(
                    self.index.core.raw(),
                    self.session.raw(),
                    query.as_ptr().cast(),
                    &self.options.0,
                    k as u32,
                    out.keys,
                    out.key_lengths,
                    out.distances,
                    out.slots,
                    &mut found,
                )
            };
            self.after_call(filter);
            if status == sys::NIGH_E_SESSION && again {
                self.renew(0)?; // codes were made a moment ago
                continue;
            }
            return check(status).map(|()| found as usize);
        }
        Err(Error::Session)
    }

    pub(crate) fn after_call(&self, filter: Option<&Filter<'_>>) {
        if filter.is_some_and(|filter| filter.calls_back()) || self.index.calls_back() {
            panic::resume();
        }
    }

    pub(crate) fn find_into(
        &mut self,
        filter: Option<&Filter<'_>>,
        query: &[E::Unit],
        k: usize,
        hits: &mut Vec<Hit<K>>,
    ) -> Result<()> {
        hits.clear();
        let found = self.find(filter, query, k)?;
        hits.reserve(found);
        let result = self.read(0, found, |key, distance, slot| {
            hits.push(Hit { key: K::to_key(key), distance, slot });
        });
        if result.is_err() {
            hits.clear();
        }
        result
    }

    pub(crate) fn find_each(
        &mut self,
        filter: Option<&Filter<'_>>,
        query: &[E::Unit],
        k: usize,
        each: impl FnMut(K::Ref<'_>, f32, u32),
    ) -> Result<()> {
        let found = self.find(filter, query, k)?;
        self.read(0, found, each)
    }

    /// Hits that C has written from place `first` on.
    pub(crate) fn read(
        &self,
        first: usize,
        found: usize,
        mut each: impl FnMut(K::Ref<'_>, f32, u32),
    ) -> Result<()> {
        let out = &self.session.out;
        let mut offset = out.keys.start(first);
        for at in first..first + found {
            each(out.keys.get::<K>(at, &mut offset)?, out.distances[at], out.slots[at]);
        }
        Ok(())
    }

    pub(crate) fn find_batch(
        &mut self,
        filter: Option<&Filter<'_>>,
        queries: &[E::Unit],
        k: usize,
    ) -> Result<Vec<Vec<Hit<K>>>, BatchError> {
        let row_len = self.index.row_len();
        let mut all = Vec::with_capacity(queries.len() / row_len);
        if queries.len() % row_len != 0 {
            let expected = queries.len().div_ceil(row_len) * row_len;
            let error = Error::Length { what: "queries", expected, found: queries.len() };
            return Err(BatchError { done: 0, error });
        }
        for some in queries.chunks(BATCH * row_len) {
            self.find_some(filter, some, k, &mut all)
                .map_err(|error| BatchError { done: all.len(), error })?;
        }
        Ok(all)
    }

    /// A batch for which there is room at once.
    fn find_some(
        &mut self,
        filter: Option<&Filter<'_>>,
        queries: &[E::Unit],
        k: usize,
        all: &mut Vec<Vec<Hit<K>>>,
    ) -> Result<()> {
        if !(1..=1 << 30).contains(&k) {
            return Err(Error::Invalid("k: expected 1 to 2^30"));
        }
        self.prepare(k, filter)?;
        let count = queries.len() / self.index.row_len();
        let room = count.checked_mul(k).ok_or(Error::Invalid("k: too large"))?;
        let out = self.session.out.fit::<K>(room, self.index.key_stride());
        let (mut found, mut done) = ([0u32; BATCH], 0);
        // SAFETY: `count` rows and room for k hits of each.
        let status = unsafe {
            sys::nigh_search_batch(
                self.index.core.raw(),
                self.session.raw(),
                queries.as_ptr().cast(),
                count as u32,
                &self.options.0,
                k as u32,
                out.keys,
                out.key_lengths,
                out.distances,
                out.slots,
                found.as_mut_ptr(),
                &mut done,
            )
        };
        self.after_call(filter);
        for (query, found) in found[..done as usize].iter().enumerate() {
            let mut hits = Vec::with_capacity(*found as usize);
            self.read(query * k, *found as usize, |key, distance, slot| {
                hits.push(Hit { key: K::to_key(key), distance, slot });
            })?;
            all.push(hits);
        }
        check(status)
    }
}

impl<K: Key, E: Element, S: VectorStore<E>> Index<K, E, S> {
    pub(crate) fn key_stride(&self) -> usize {
        self.core.config.key_bytes_max as usize
    }
}

impl<K: Key, E: Element, S: VectorStore<E>> Drop for Searcher<'_, K, E, S> {
    /// Back to the pool, if it came from there. A filter that is still set is caught by the next
    /// search, as `filtered` stays with the session.
    fn drop(&mut self) {
        // SAFETY: taken once, here, and never used after drop.
        let session = unsafe { ManuallyDrop::take(&mut self.session) };
        if self.pooled {
            self.index.core.give_reader(session);
        }
    }
}
