# _handle.py - one handle of the library with its memory, and the sessions that threads borrow
# SPDX-License-Identifier: MIT OR Apache-2.0
import contextlib
from typing import Any, Dict, Iterator, List, Optional, Tuple

import numpy as np

from . import declarations as c
from ._library import (LONGS, NULL, Memory, callback, check, ffi, floats, lib, made, sized,
                       words)
from .errors import InvalidError

SESSIONS_KEPT = 16  # idle ones of a kind
ONES_KEPT = 8       # numbers of neighbours that a session has room made for
EF_MIN, EF_MAX = 64, 65535
SLOTS_MAX = 2**31 - 2


Idle = Dict[Tuple[int, int], "List[Session]"]


class Session:
    """Scratch of one thread at a time. home: while it is taken, the idle ones that it goes back
    to."""

    def __init__(self, handle: "Handle", kind: Tuple[int, int], home: Idle) -> None:
        self.kind = kind
        self.home: Optional[Idle] = home
        ef_max, flags = kind
        options = made("nigh_session_options", ef_max=ef_max, flags=flags)
        self.memory = Memory.new(sized(lib.nigh_session_bytes, handle.index, options))
        out = ffi.new("nigh_session **")
        check(lib.nigh_session_init(handle.index, options, self.memory.address, self.memory.size,
                                    out), "session")
        self.pointer = out[0]
        self.found = ffi.new("uint32_t *")
        self.ones: Dict[int, One] = {}

    def one(self, handle: "Handle", k: int, unit: Any, width: int) -> "One":
        """What a search for the k nearest to one row is called with."""
        if len(self.ones) >= ONES_KEPT:
            self.ones.clear()
        one = self.ones[k] = One(handle, self, k, unit, width)
        return one


class One:
    """A search for one vector: what the library reads and where it writes. Of each search only
    the query is copied in and the result out."""

    __slots__ = ("call", "query", "raw", "keys", "distances", "slots", "flat", "options", "asked")

    def __init__(self, handle: "Handle", session: Session, k: int, unit: Any, width: int) -> None:
        self.query = np.zeros(width, unit)
        self.raw = self.query.view(np.uint8)
        self.keys = np.zeros((1, k), np.uint64)
        self.distances = np.zeros((1, k), np.float32)
        self.slots = np.zeros((1, k), np.uint32)
        self.flat = (self.keys[0], self.distances[0], self.slots[0])
        self.options: Any = None
        self.asked: Any = None  # what the options were made of
        self.call = ffi.new("one_search *", {
            "index": handle.index, "session": session.pointer,
            "query": ffi.from_buffer(self.query), "keys": ffi.from_buffer(LONGS, self.keys),
            "distances": floats(self.distances), "slots": words(self.slots), "k": k})

    def ask(self, asked: Any, options: Any) -> None:
        self.asked, self.options, self.call.options = asked, options, options


def expect_slots(count: int) -> None:
    if not 0 <= count <= SLOTS_MAX:
        raise InvalidError(f"room for {count} keys, expected 0 to {SLOTS_MAX}", c.NIGH_E_INVALID)


class Handle:
    """A nigh_index. Calls that are under way keep it, and with it all that it uses, even when the
    index has moved on to another one or was closed."""

    def __init__(self) -> None:
        self.index: Any = NULL
        self.parts: List[Any] = []  # memory, arrays and callbacks that C refers to
        self.slot_max = 0
        self.key_mode = 0
        self._idle: Idle = {}

    # ---- Made, attached --------------------------------------------------------------------------

    @classmethod
    def new(cls, config: Any, slot_max: int, **more: int) -> "Handle":
        """An empty index without room."""
        expect_slots(slot_max)
        self = cls()
        options = made("nigh_options", slot_max=slot_max, features=lib.nigh_features_hosted(),
                       **more)
        memory = self.part(sized(lib.nigh_index_bytes, config, options))
        out = ffi.new("nigh_index **")
        check(lib.nigh_index_init(config, options, memory.address, memory.size, out), "index")
        self.index, self.slot_max = out[0], slot_max
        self.make_writable()
        return self

    @classmethod
    def attached(cls, image: Memory, slot_max: int, flags: int) -> "Handle":
        """An index where its image lies. slot_max 0: as many as it has."""
        expect_slots(slot_max)
        self = cls()
        self.parts.append(image)
        options = made("nigh_options", slot_max=slot_max, flags=flags,
                       features=lib.nigh_features_hosted())
        memory = self.part(sized(lib.nigh_attach_bytes, image.address, image.size, options))
        out = ffi.new("nigh_index **")
        check(lib.nigh_attach(image.address, image.size, options, memory.address, memory.size,
                              out), "image")
        self.index = out[0]
        self.slot_max = self.stats().slot_max
        if flags & c.NIGH_OPEN_WRITABLE:
            self.make_writable()
        return self

    def make_writable(self) -> None:
        memory = self.part(sized(lib.nigh_writer_bytes, self.index))
        check(lib.nigh_writer_init(self.index, memory.address, memory.size), "index")

    def part(self, size: int) -> Memory:
        memory = Memory.new(size)
        self.parts.append(memory)
        return memory

    def grow(self, slots: int, key_bytes: int, memory: Optional[Memory] = None) -> None:
        size = self.grow_bytes(slots, key_bytes)
        if size == 0:
            return
        given = Memory.new(size) if memory is None else memory
        check(lib.nigh_grow(self.index, slots, key_bytes, given.address, given.size), "room")
        self.parts.append(given)

    def grow_bytes(self, slots: int, key_bytes: int) -> int:
        return sized(lib.nigh_grow_bytes, self.index, slots, key_bytes)

    # ---- Read ------------------------------------------------------------------------------------

    def stats(self) -> Any:
        out = made("nigh_stats")
        check(lib.nigh_stats_get(self.index, out), "stats")
        return out

    def config(self) -> Any:
        out = made("nigh_config")
        check(lib.nigh_config_get(self.index, out), "config")
        return out

    def image(self, flags: int = 0) -> Memory:
        """The image in memory of its own. Nobody writes meanwhile."""
        memory = Memory.new(sized(lib.nigh_save_bytes, self.index, flags))
        at = [0]

        def write(user: Any, data: Any, count: int) -> int:
            if at[0] + count > memory.size:
                return c.NIGH_E_WRITE
            ffi.memmove(ffi.cast("char *", memory.address) + at[0], data, count)
            at[0] += count
            return c.NIGH_OK
        check(lib.nigh_save(self.index, flags, callback("nigh_write_fn", write, c.NIGH_E_WRITE),
                            NULL), "save")
        return memory

    # ---- Sessions --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def session(self, ef: int, flags: int) -> Iterator[Session]:
        """A session for this thread until the block ends."""
        taken = self.take(ef, flags)
        try:
            yield taken
        finally:
            self.give_back(taken)

    def take(self, ef: int, flags: int) -> Session:
        if ef <= EF_MIN:
            ef = EF_MIN
        elif ef < EF_MAX:
            ef = min(1 << (ef - 1).bit_length(), EF_MAX)
        kind, home = (ef, flags), self._idle
        try:
            session = home[kind].pop()  # one step for other threads
            session.home = home
            return session
        except (KeyError, IndexError):
            return Session(self, kind, home)

    def give_back(self, session: Session) -> None:
        """An outdated one goes to idle ones that nobody takes from any more."""
        home, session.home = session.home, None
        assert home is not None
        idle = home.get(session.kind)
        if idle is None:
            idle = home.setdefault(session.kind, [])
        if len(idle) < SESSIONS_KEPT:
            idle.append(session)

    def outdate_sessions(self) -> None:
        """Codes were made or dropped: from now on sessions must have room for what there is. A
        search with one from before does without codes."""
        self._idle = {}

    def drop_sessions(self) -> None:
        self._idle = {}
