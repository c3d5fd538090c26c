# _search.py - searches, one or many, with filters; neighbours one after another
# SPDX-License-Identifier: MIT OR Apache-2.0
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np

from . import declarations as c
from ._arrays import KeyRoom, bitmap_of
from ._change import Change
from ._library import NULL, callback, caught, check, floats, lib, made, words
from ._library import threads as threads_here
from ._threads import share
from .errors import InvalidError, MismatchError

BATCH = 64  # queries a call: between two calls Python may be interrupted, and threads share
THREAD_QUERIES = 8  # fewer are not worth a thread
PAGE = 32   # neighbours a call of a cursor
ONE_MAX = 1024  # neighbours that a session keeps room for


_options: Dict[Any, Any] = {}
OPTIONS_KEPT = 256


def _options_of(ef: int, gamma: float, radius: Optional[float], exact: bool, codes: bool,
                rerank: int, expansions: int, expansions_max: int) -> Any:
    flags = (c.NIGH_SEARCH_EXACT if exact else 0) | (
        0 if codes else c.NIGH_SEARCH_NO_CODES) | (
        0 if radius is None else c.NIGH_SEARCH_RADIUS)
    try:
        return made("nigh_search_options", ef=ef, expansions=expansions, flags=flags,
                    radius=0.0 if radius is None else radius, expansions_max=expansions_max,
                    rerank=rerank, gamma=gamma)
    except OverflowError as error:
        raise InvalidError(str(error), c.NIGH_E_INVALID) from None


def _of_bools(chosen: Any) -> bool:
    """A list, series or the like of truth values: a filter by slot, not keys 0 and 1."""
    return not isinstance(chosen, (str, bytes)) and bool(np.asarray(chosen).dtype == np.bool_)


class Hits:
    """What one search found, nearest first: pairs of key and distance, and arrays of each.
    dict(iter(hits)) makes a dict of it."""

    __slots__ = ("keys", "distances", "slots", "cost")

    def __init__(self, keys: Any, distances: Any, slots: Any,
                 cost: "Optional[dict[str, int]]" = None) -> None:
        self.keys, self.distances, self.slots, self.cost = keys, distances, slots, cost

    def __len__(self) -> int:
        return len(self.distances)

    def __getitem__(self, at: int) -> Tuple[Any, float]:
        key = self.keys[at]
        return (key if isinstance(key, (str, bytes)) else int(key)), float(self.distances[at])

    def __iter__(self) -> Iterator[Tuple[Any, float]]:
        keys = self.keys if isinstance(self.keys, list) else self.keys.tolist()
        return iter(zip(keys, self.distances.tolist()))

    def __repr__(self) -> str:
        return f"Hits({list(self)!r})"


class HitsBatch:
    """What many searches found: a Hits for each, and arrays of `count` rows of k. Row q has
    found[q] hits; behind them distances are infinite, slots 0xffffffff and keys 2**64 - 1 (of
    strings: missing)."""

    __slots__ = ("keys", "distances", "slots", "found")

    def __init__(self, keys: Any, distances: Any, slots: Any, found: Any) -> None:
        self.keys, self.distances, self.slots, self.found = keys, distances, slots, found

    def __len__(self) -> int:
        return len(self.found)

    def __getitem__(self, at: int) -> Hits:
        if not -len(self) <= at < len(self):
            raise IndexError(at)
        n = int(self.found[at])
        return Hits(self.keys[at][:n], self.distances[at][:n], self.slots[at][:n])

    def __iter__(self) -> Iterator[Hits]:
        return (self[at] for at in range(len(self)))

    def __repr__(self) -> str:
        return f"HitsBatch({len(self)} searches)"


class Allowed(NamedTuple):
    """Slots that searches may return. Made by index.allow(); valid until slots are given to other
    keys."""

    words: Any
    slot_count: int


_search_one = lib.nigh_python_search


def _cost(session: Any) -> "dict[str, int]":
    out = made("nigh_session_stats")
    check(lib.nigh_session_stats_get(session.pointer, out), "search")
    return {name: getattr(out, name) for name in c.SIZES["nigh_session_stats"][1]
            if name != "struct_size"}


def _hits(one: Any, session: Any) -> Hits:
    keys, distances, slots = one.flat
    n = one.call.found
    if n < len(keys):
        keys, distances, slots = keys[:n], distances[:n], slots[:n]
    return Hits(keys.copy(), distances.copy(), slots.copy())


def _hits_with_cost(one: Any, session: Any) -> Hits:
    hits = _hits(one, session)
    hits.cost = _cost(session)
    return hits


class Search(Change):
    """Any number of threads search at once, beside others that change the index."""

    def search(self, query: Any, k: int = 10, *, ef: int = 0, gamma: float = 0.0,
               filter: Any = None, radius: Optional[float] = None, exact: bool = False,
               codes: bool = True, rerank: int = 0, expansions: int = 0,
               expansions_max: int = 0, threads: int = 0, cost: bool = False) -> Any:
        """The k nearest keys, nearest first: Hits for one query (1-D), HitsBatch for many (2-D).
        Fewer than k are a result and mean that there are no more.

        ef: candidates kept, 0 = 64. gamma: stop when the next candidate is (1 + gamma) times as
        far as the k-th best. filter: a function of the key, keys, a bool for each slot, or what
        allow() returned. radius: only hits at this distance or nearer. exact: score every vector.
        codes False: true vectors only. threads: of a batch, 0 = as many as there are processors.
        cost: Hits.cost tells what one search cost."""
        asked = (ef, gamma, radius, exact, codes, rerank, expansions, expansions_max)
        if filter is None and 0 < k <= ONE_MAX and not self._keys.strings:
            query = np.asarray(query)
            if query.ndim == 1:
                return self._single(query, k, asked, _hits_with_cost if cost else _hits)
        options = self._options(*asked)
        if k < 0:
            raise InvalidError(f"k {k}", c.NIGH_E_INVALID)
        rows = self._layout.rows(query)
        handle = self._held()
        chosen = self._filter(filter)
        wide = max(k, options.ef or 64)
        if rows.single:
            with _FilteredSession(handle, wide, chosen) as session:
                return self._one(handle, session, rows.pointer, options, k, cost)
        return self._many(handle, rows, options, k, wide, chosen, threads)

    def _options(self, *values: Any) -> Any:
        """Structures are only read, and most searches want one that another wanted."""
        options = _options.get(values)
        if options is None:
            options = _options_of(*values)
            if len(_options) < OPTIONS_KEPT:
                _options[values] = options
        return options

    def _single(self, vector: Any, k: int, asked: Any, result: Callable[[Any, Any], Any]) -> Any:
        """A search without filter for one vector, of an index whose keys are numbers. result(one,
        session) takes what was found."""
        handle = self._held()
        ef = asked[0] or 64
        session = handle.take(ef if ef > k else k, c.NIGH_SESSION_READ)
        try:
            one = session.ones.get(k)
            if one is None:
                layout = self._layout
                one = session.one(handle, k, layout.unit or np.dtype("u1"),
                                  layout.row_bytes if layout.unit is None else layout.dim)
            if one.asked != asked:
                one.ask(asked, self._options(*asked))
            query = one.query
            if vector.dtype == query.dtype and vector.shape == query.shape:
                query[:] = vector
            else:
                one.raw[:] = self._layout.rows(vector).keep.view(np.uint8)[0]
            status = _search_one(one.call)
            if status != c.NIGH_OK or caught():
                check(status, "search")
            return result(one, session)
        finally:
            handle.give_back(session)

    def _one(self, handle: Any, session: Any, query: Any, options: Any, k: int,
             cost: bool) -> Hits:
        room = self._keys.room(k)
        distances, slots = np.empty(k, np.float32), np.empty(k, np.uint32)
        key, lengths = room.at(0)
        status = lib.nigh_search(handle.index, session.pointer, query, options, k, key, lengths,
                                 floats(distances), words(slots), session.found)
        if status != c.NIGH_OK or caught():
            check(status, "search")
        n = session.found[0]
        return Hits(room.read(0, n), distances[:n], slots[:n], _cost(session) if cost else None)

    def _many(self, handle: Any, rows: Any, options: Any, k: int, wide: int, chosen: Any,
              threads: int) -> HitsBatch:
        count = rows.count
        room = KeyRoom(self._keys, count * k)
        distances = np.empty((count, k), np.float32)
        slots = np.empty((count, k), np.uint32)
        found = np.zeros(count, np.uint32)
        if count and k:
            self._run(handle, rows, options, k, wide, chosen, threads, room, distances, slots,
                      found)
        missing = np.arange(k) >= found[:, None]
        if missing.any():
            distances[missing], slots[missing] = np.inf, 0xffffffff
            if not self._keys.strings:
                room.array.reshape(count, k)[missing] = 2**64 - 1
        return HitsBatch(self._rows_of(room, count, k, found), distances, slots, found)

    def _run(self, handle: Any, rows: Any, options: Any, k: int, wide: int, chosen: Any,
             threads: int, room: KeyRoom, distances: Any, slots: Any, found: Any) -> None:
        """Searches for rows, on threads when there are many. slots None: nobody wants them."""
        count, size = rows.count, self._layout.row_bytes
        distance_at, found_at = floats(distances), words(found)
        slot_at = NULL if slots is None else words(slots)

        def piece(session: Any, first: int, last: int) -> None:
            key, lengths = room.at(first * k)
            status = lib.nigh_search_batch(
                handle.index, session.pointer, rows.pointer + first * size, last - first, options,
                k, key, lengths, distance_at + first * k,
                NULL if slots is None else slot_at + first * k, found_at + first, session.found)
            if status != c.NIGH_OK or caught():
                check(status, "search")
        threads = min(threads or threads_here(), count // THREAD_QUERIES)
        if threads > 1:
            step = min(BATCH, max(1, count // (4 * threads)))
            share(piece, count, step, threads, lambda: _FilteredSession(handle, wide, chosen))
            return
        with _FilteredSession(handle, wide, chosen) as session:
            for first in range(0, count, BATCH):
                piece(session, first, min(count, first + BATCH))

    def _rows_of(self, room: KeyRoom, count: int, k: int, found: Any) -> Any:
        if not self._keys.strings:
            return room.array.reshape(count, k)
        return [room.read(q * k, int(found[q])) for q in range(count)]

    # ---- Filters ---------------------------------------------------------------------------------

    def allow(self, keys: Any) -> Allowed:
        """A filter that lets these keys through; those that are not there do not matter. Cheaper
        to use again than the keys themselves."""
        key_rows = self._keys.rows(list(keys) if isinstance(keys, (set, frozenset)) else keys)
        found = np.zeros(key_rows.count, np.bool_)
        slots = self._slots_of(key_rows, found)[found]
        mask = np.zeros(self._held().stats().slot_count, np.bool_)
        mask[slots[slots < len(mask)]] = True
        return Allowed(bitmap_of(mask), len(mask))

    def _filter(self, chosen: Any) -> Any:
        """None, Allowed, or a callback."""
        if chosen is None or isinstance(chosen, Allowed):
            return chosen
        if callable(chosen):
            return self._filter_callback(chosen)
        if not isinstance(chosen, (set, frozenset, np.ndarray)) and _of_bools(chosen):
            chosen = np.asarray(chosen)
        if isinstance(chosen, np.ndarray) and chosen.dtype == np.bool_:
            count = self._held().stats().slot_count
            if chosen.ndim != 1 or len(chosen) > 2**31:
                raise MismatchError("a filter by slot wants one dimension", c.NIGH_E_MISMATCH)
            return Allowed(bitmap_of(chosen), min(len(chosen), count) or 1)
        return self.allow(chosen)

    def _filter_callback(self, function: Any) -> Any:
        if not self._keys.strings:
            return callback("nigh_filter_fn",
                            lambda user, slot, key: 1 if function(int(key[0])) else 0, 0)
        # The library has no key to hand out: names by slot, read once.
        keys, slots = self._keys_slots()
        names = dict(zip(slots.tolist(), keys))
        return callback("nigh_filter_fn",
                        lambda user, slot, key: 1 if slot in names and function(names[slot])
                        else 0, 0)

    # ---- One after another -----------------------------------------------------------------------

    def nearest(self, query: Any, *, ef: int = 0, filter: Any = None,
                radius: Optional[float] = None, codes: bool = True,
                frontier: int = 0) -> Iterator[Tuple[Any, float]]:
        """Keys and distances, nearest first, until the caller has enough. Order is exact among
        what the beam of `ef` has seen: a neighbour discovered late comes late."""
        options = self._options(ef, 0.0, radius, False, codes, 0, 0, 0)
        rows = self._layout.rows(query)
        if not rows.single:
            raise MismatchError("one query, please", c.NIGH_E_MISMATCH)
        return self._pages(self._held(), rows, options, self._filter(filter))

    def _pages(self, handle: Any, rows: Any, options: Any,
               chosen: Any) -> Iterator[Tuple[Any, float]]:
        with _FilteredSession(handle, max(512, options.ef), chosen) as session:
            check(lib.nigh_cursor_begin(handle.index, session.pointer, rows.pointer, options),
                  "nearest")
            more = True
            while more:
                page: List[Tuple[Any, float]] = []
                more = self._page(handle, session, page)
                yield from page

    def _page(self, handle: Any, session: Any, page: List[Tuple[Any, float]]) -> bool:
        room = self._keys.room(PAGE)
        distances = np.empty(PAGE, np.float32)
        key, lengths = room.at(0)
        status = lib.nigh_cursor_next(handle.index, session.pointer, PAGE, key, lengths,
                                      floats(distances), NULL,
                                      session.found)
        check(status, "nearest")
        n = session.found[0]
        page.extend(Hits(room.read(0, n), distances[:n], None))
        return bool(n == PAGE)


class _FilteredSession:
    """A session with a filter for a while."""

    __slots__ = ("handle", "wide", "chosen", "session")

    def __init__(self, handle: Any, wide: int, chosen: Any) -> None:
        self.handle, self.wide, self.chosen = handle, wide, chosen

    def __enter__(self) -> Any:
        self.session = self.handle.take(self.wide, c.NIGH_SESSION_READ)
        if self.chosen is not None:
            status = self._set()
            if status != c.NIGH_OK:
                self.handle.give_back(self.session)
                check(status, "filter")
        return self.session

    def _set(self) -> int:
        if isinstance(self.chosen, Allowed):
            return int(lib.nigh_session_filter(self.session.pointer, words(self.chosen.words),
                                               self.chosen.slot_count, NULL, NULL))
        return int(lib.nigh_session_filter(self.session.pointer, NULL, 0, self.chosen, NULL))

    def __exit__(self, *error: Any) -> None:
        if self.chosen is not None:
            lib.nigh_session_filter(self.session.pointer, NULL, 0, NULL, NULL)
        self.handle.give_back(self.session)
