# _change.py - keys added, set, removed, read
# SPDX-License-Identifier: MIT OR Apache-2.0
from typing import Any, Callable, Optional

import numpy as np

from . import declarations as c
from ._arrays import NO_KEYS, KeyRows, Rows
from ._core import Core
from ._library import NULL, address_of, caught, check, fail, ffi, lib, words
from ._threads import share
from .errors import InvalidError, MismatchError, NighError

PIECE = 256  # keys a call: between two calls Python may be interrupted
NO_ROWS = Rows(NULL, 0, False, None, 0)


class Change(Core):
    """Every method takes one key or many, and any number of threads at once."""

    # ---- Add, set --------------------------------------------------------------------------------

    def add(self, keys: Any = None, vectors: Any = None, *, replace_removed: bool = False,
            threads: int = 1) -> None:
        """Inserts vectors in order, up to the first failure; for many at once see build(). A key
        that is there already is refused. keys None: identity keys. vectors None: they are in the
        array or behind the function that the index was given. replace_removed: takes the slots of
        removed keys first, which are forgotten. With more threads than one the graph depends on
        how they run."""
        flags = c.NIGH_REPLACE_DELETED if replace_removed else 0
        self._put(lib.nigh_insert, "add", flags, keys, vectors, threads)

    def set(self, keys: Any, vectors: Any = None, *, threads: int = 1) -> None:
        """Inserts, or gives known keys, removed ones too, new vectors. Where vectors are
        elsewhere: change them first, while no other call runs."""
        flags = c.NIGH_SET_EXCLUSIVE if self._external else 0
        self._put(lib.nigh_set, "set", flags, keys, vectors, threads)

    def _put(self, function: Callable[..., int], what: str, flags: int, keys: Any, vectors: Any,
             threads: int) -> None:
        key_rows, rows, count = self._input(keys, vectors)
        if function == lib.nigh_insert and not flags:
            self._room_for(count, key_rows.key_bytes)

        def piece(session: Any, first: int, last: int) -> None:
            self._put_piece(function, what, flags, key_rows, rows, first, last)
        if threads <= 1:
            for first in range(0, count, PIECE):
                piece(None, first, min(count, first + PIECE))
        else:
            share(piece, count, 32, threads, _Nothing)

    def _input(self, keys: Any, vectors: Any,
               strided: bool = False) -> "tuple[KeyRows, Rows, int]":
        if vectors is None and not self._external:
            raise InvalidError("vectors are missing", c.NIGH_E_INVALID)
        if keys is None and self._keys.kind != c.NIGH_KEYS_IDENTITY:
            raise InvalidError("keys are missing", c.NIGH_E_INVALID)
        rows = NO_ROWS if vectors is None else self._layout.rows(vectors, strided)
        key_rows = NO_KEYS if keys is None else self._keys.rows(keys)
        if keys is not None and vectors is not None and rows.count != key_rows.count:
            raise MismatchError(f"{key_rows.count} keys and {rows.count} vectors",
                                c.NIGH_E_MISMATCH)
        return key_rows, rows, rows.count if keys is None else key_rows.count

    def _put_piece(self, function: Callable[..., int], what: str, flags: int, keys: KeyRows,
                   rows: Rows, first: int, last: int) -> None:
        done = ffi.new("uint32_t *")
        while first < last:
            key, lengths = keys.at(first)
            row = rows.pointer
            if rows.keep is not None:
                row = ffi.cast("char *", rows.pointer) + first * self._layout.row_bytes
            with self._gate.shared():
                handle = self._held()
                with handle.session(self._config.ef_build, 0) as session:
                    status = function(handle.index, session.pointer, flags, key, lengths, row,
                                      last - first, done)
                capacity = handle.stats().slot_capacity if status == c.NIGH_E_FULL else 0
            first += done[0]
            if status == c.NIGH_E_FULL and self._grows and not caught():
                self._after_full(capacity, keys, first, last)
            else:
                self._check_put(status, what, keys, first)

    def _after_full(self, capacity: int, keys: KeyRows, first: int, last: int) -> None:
        with self._gate.alone():
            handle = self._held()
            stats = handle.stats()
            if stats.slot_capacity != capacity:
                return  # another thread was here
            key_bytes = 0
            if keys.offsets is not None:
                key_bytes = int(keys.offsets[last]) - int(keys.offsets[first])
            self._more(handle, stats, 1, key_bytes)

    def _check_put(self, status: int, what: str, keys: KeyRows, at: int) -> None:
        if status == c.NIGH_OK or caught():
            check(status, what)
            return
        raise self._failure(status, what, keys, at)

    def _failure(self, status: int, what: str, keys: KeyRows, at: int) -> NighError:
        """Names the key."""
        name = ""
        if isinstance(keys.keep, np.ndarray) and at < keys.count:
            name = f" key {int(keys.keep[at])}"
        elif keys.offsets is not None and at < keys.count:
            part = keys.keep[0][int(keys.offsets[at]):int(keys.offsets[at + 1])]
            name = f" key {part.decode(errors='replace') if self._keys.text else part!r}"
        elif at:
            name = f" vector {at}"
        return fail(status, what + name)

    # ---- Remove ----------------------------------------------------------------------------------

    def remove(self, keys: Any) -> None:
        """Keys are no longer found; vacuum() gives their space back."""
        self._mark(lib.nigh_remove, "remove", keys)

    def unremove(self, keys: Any) -> None:
        """Takes remove() back."""
        self._mark(lib.nigh_unremove, "unremove", keys)

    def _mark(self, function: Callable[..., int], what: str, keys: Any) -> None:
        key_rows = self._keys.rows(keys)
        if key_rows.count == 0:
            return
        done = ffi.new("uint32_t *")
        key, lengths = key_rows.at(0)
        with self._gate.shared():
            handle = self._held()
            with handle.session(self._config.ef_build, 0) as session:
                status = function(handle.index, session.pointer, key, lengths, key_rows.count,
                                  done)
        if status != c.NIGH_OK:
            raise self._failure(status, what, key_rows, done[0])

    # ---- Read ------------------------------------------------------------------------------------

    def get(self, keys: Any, *, raw: bool = False, out: Optional[Any] = None) -> Any:
        """The vectors of keys, as they were stored. raw: rows as they lie in memory."""
        key_rows = self._keys.rows(keys)
        rows = self._layout.empty(key_rows.count) if out is None else out
        if out is not None and (out.nbytes != key_rows.count * self._layout.row_bytes or
                                not out.flags.c_contiguous or not out.flags.writeable):
            raise MismatchError("out has another size", c.NIGH_E_MISMATCH)
        status, at = self._read(key_rows, address_of(rows), NULL)
        if status != c.NIGH_OK:
            if caught():
                check(status)
            raise self._failure(status, "get", key_rows, at)
        if out is not None:
            return out
        found = rows if raw else self._layout.decoded(rows)
        return found[0] if key_rows.single else found

    def _read(self, key_rows: KeyRows, vectors: Any, slots: Any) -> "tuple[int, int]":
        if key_rows.count == 0:
            return c.NIGH_OK, 0
        done = ffi.new("uint32_t *")
        key, lengths = key_rows.at(0)
        handle = self._held()
        with handle.session(64, c.NIGH_SESSION_READ) as session:
            status = lib.nigh_get(handle.index, session.pointer, key, lengths, key_rows.count,
                                  vectors, slots, done)
        return status, int(done[0])

    def __getitem__(self, key: Any) -> Any:
        return self.get(key)

    def __contains__(self, key: Any) -> bool:
        try:
            key_rows = self._keys.rows(key)
        except (NighError, TypeError):
            return False
        return key_rows.count == 1 and self._read(key_rows, NULL, NULL)[0] == c.NIGH_OK

    def contains(self, keys: Any) -> Any:
        """Which keys are there: a bool for one, an array for many."""
        key_rows = self._keys.rows(keys)
        found = np.zeros(key_rows.count, np.bool_)
        self._slots_of(key_rows, found)
        return bool(found[0]) if key_rows.single else found

    def _slots_of(self, key_rows: KeyRows, found: Any) -> Any:
        """Slots of those keys that are there; `found` tells which."""
        slots = np.empty(key_rows.count, np.uint32)
        done = ffi.new("uint32_t *")
        first, count = 0, key_rows.count
        handle = self._held()
        with handle.session(64, c.NIGH_SESSION_READ) as session:
            while first < count:
                key, lengths = key_rows.at(first)
                status = lib.nigh_get(handle.index, session.pointer, key, lengths, count - first,
                                      NULL, words(slots) + first,
                                      done)
                found[first:first + done[0]] = True
                first += done[0]
                if status in (c.NIGH_E_NOT_FOUND, c.NIGH_E_DELETED, c.NIGH_E_KEY):
                    first += 1
                else:
                    check(status, "contains")
        return slots

    def keys(self) -> Any:
        """All keys that a search can return, in the order of slots: an array, or a list of
        strings."""
        return self._keys_slots()[0]

    def _keys_slots(self) -> "tuple[Any, Any]":
        """Keys and slots."""
        handle = self._held()
        parts, slot_parts = [], []
        count = 1024 if self._keys.strings else max(1024, handle.stats().live_count)
        room = self._keys.room(count)
        slots = np.empty(count, np.uint32)
        found = ffi.new("uint32_t *")
        start = 0
        while True:
            key, lengths = room.at(0)
            check(lib.nigh_keys(handle.index, start, count, key, lengths,
                                words(slots), found), "keys")
            if found[0] == 0:
                break
            parts.append(room.read(0, found[0]))
            slot_parts.append(slots[:found[0]].copy())
            if not self._keys.strings:
                parts[-1] = parts[-1].copy()
            start = int(slots[found[0] - 1]) + 1
        all_slots = np.concatenate(slot_parts) if parts else np.empty(0, np.uint32)
        if self._keys.strings:
            return [key for part in parts for key in part], all_slots
        return (np.concatenate(parts) if parts else np.empty(0, np.uint64)), all_slots

    def node(self, slot: int, level: int = 0) -> "dict[str, Any]":
        """A node of the graph: its top layer, whether it is removed or free, its neighbours."""
        handle = self._held()
        out = ffi.new("uint32_t[3]")
        links = np.empty(max(self._config.m0, self._config.m), np.uint32)
        check(lib.nigh_node(handle.index, slot, level, out, out + 1,
                            words(links), out + 2), "node")
        return {"top": out[0], "removed": bool(out[1] & c.NIGH_NODE_DELETED),
                "free": bool(out[1] & c.NIGH_NODE_FREE), "links": links[:out[2]].copy()}


class _Nothing:
    """What each thread of share() enters when it needs nothing."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *error: Any) -> None:
        return None
