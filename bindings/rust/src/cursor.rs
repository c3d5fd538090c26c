// cursor.rs - neighbours nearest first, until the caller stops
// SPDX-License-Identifier: MIT OR Apache-2.0
use core::iter::FusedIterator;

use nigh_sys as sys;

use crate::element::Element;
use crate::error::{check, Result};
use crate::filter::Filter;
use crate::key::Key;
use crate::search::{Hit, Searcher};
use crate::store::{Owned, VectorStore};

/// Hits that C hands over at once.
const CHUNK: usize = 8;

/// An iterator over neighbours, nearest first: `Searcher::cursor`. Order is exact among what the
/// beam of `ef` has seen; a neighbour discovered late comes late. It ends when there are no more,
/// or after an error.
///
/// ```
/// # use nigh::Index;
/// # let index = Index::<u64>::new(1)?;
/// # (0..100).try_for_each(|key| index.insert(key, &[key as f32]))?;
/// let mut searcher = index.searcher()?;
/// let mut even = searcher.cursor(&[10.2])?.filter_map(Result::ok).filter(|hit| hit.key % 2 == 0);
/// assert_eq!(even.next().map(|hit| hit.key), Some(10));
/// assert_eq!(even.next().map(|hit| hit.key), Some(12));
/// # Ok::<(), nigh::Error>(())
/// ```
pub struct Cursor<'a, 'i, K: Key, E: Element = f32, S: VectorStore<E> = Owned> {
    searcher: &'a mut Searcher<'i, K, E, S>,
    filter: Option<&'a Filter<'a>>,
    ready: [Option<Hit<K>>; CHUNK],
    at: usize,
    ended: bool,
}

impl<'a, 'i, K: Key, E: Element, S: VectorStore<E>> Cursor<'a, 'i, K, E, S> {
    pub(crate) fn begin(
        searcher: &'a mut Searcher<'i, K, E, S>,
        filter: Option<&'a Filter<'a>>,
        query: &'a [E::Unit],
    ) -> Result<Self> {
        searcher.index.row(query, "query")?;
        searcher.prepare(CHUNK, filter)?;
        // SAFETY: the query is borrowed for as long as `next` may be called; a cursor that is
        // forgotten is never asked again, and the next search on the session ends it.
        let status = unsafe {
            sys::nigh_cursor_begin(
                searcher.index.core.raw(),
                searcher.session.raw(),
                query.as_ptr().cast(),
                &searcher.options().0,
            )
        };
        searcher.after_call(filter);
        check(status)?;
        let ready = [const { None }; CHUNK];
        Ok(Cursor { searcher, filter, ready, at: CHUNK, ended: false })
    }

    fn more(&mut self) -> Result<()> {
        let index = self.searcher.index;
        let out = self.searcher.session.out.fit::<K>(CHUNK, index.key_stride());
        let mut found = 0;
        // SAFETY: room for CHUNK hits, this thread's session.
        let status = unsafe {
            sys::nigh_cursor_next(
                index.core.raw(),
                self.searcher.session.raw(),
                CHUNK as u32,
                out.keys,
                out.key_lengths,
                out.distances,
                out.slots,
                &mut found,
            )
        };
        self.searcher.after_call(self.filter);
        self.ended = (found as usize) < CHUNK || status != sys::NIGH_OK;
        self.at = 0;
        let mut places = self.ready.iter_mut();
        self.searcher.read(0, found as usize, |key, distance, slot| {
            if let Some(place) = places.next() {
                *place = Some(Hit { key: K::to_key(key), distance, slot });
            }
        })?;
        check(status)
    }
}

impl<K: Key, E: Element, S: VectorStore<E>> Iterator for Cursor<'_, '_, K, E, S> {
    type Item = Result<Hit<K>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at == CHUNK && !self.ended {
            if let Err(error) = self.more() {
                self.ended = true;
                self.at = CHUNK;
                return Some(Err(error));
            }
        }
        let hit = self.ready.get_mut(self.at)?.take()?;
        self.at += 1;
        Some(Ok(hit))
    }
}

impl<K: Key, E: Element, S: VectorStore<E>> FusedIterator for Cursor<'_, '_, K, E, S> {}
