# _work.py - long work on several threads: build, refine, codes, vacuum; check and tune
# SPDX-License-Identifier: MIT OR Apache-2.0
import threading
import time
from typing import Any, Callable, NamedTuple, Optional

from . import declarations as c
from ._arrays import CODES, NO_KEYS, choice
from ._change import NO_ROWS
from ._handle import Handle
from ._library import NULL, Memory, callback, caught, check, ffi, lib, made, sized
from ._library import threads as threads_here
from ._search import Search
from ._threads import Gate, together
from .errors import CancelledError, NighError

WAIT_SECONDS = 50e-6
PROGRESS_SECONDS = 0.05
Progress = Callable[[int, int], Any]


class Report(NamedTuple):
    """What check() found."""

    sound: bool
    fault: int           # number of the rule broken, docs/FORMAT.md lists them; 0 = none
    slot: Optional[int]  # the first one that is wrong
    level: int
    unreachable: int     # nodes without a valid parent edge
    links: int
    blocks_checked: int


class _Job:
    """A nigh_job under way. Threads run its tasks, each with a session of its own."""

    def __init__(self, handle: Handle, gate: Gate, what: str, ef: int, flags: int,
                 progress: Optional[Progress], cancel: Any) -> None:
        self.gate = gate
        self.handle, self.what, self.ef, self.flags = handle, what, ef, flags
        self.progress, self.cancel = progress, cancel
        self.lock = threading.Lock()
        self.stopped = False
        self.status = c.NIGH_OK
        self.error: Optional[BaseException] = None
        self.done = self.total = 0
        self.told = 0.0

    def run(self, options: Any, keys: Any, rows: Any, count: int, threads: int) -> int:
        """From begin to end; how much was done. The caller is alone behind the gate."""
        size = sized(lib.nigh_job_bytes, self.handle.index, options, count)
        memory = Memory.new(size)
        out = ffi.new("nigh_job **")
        key, lengths = keys.at(0)
        check(lib.nigh_job_begin(self.handle.index, options, key, lengths, rows.pointer, count,
                                 memory.address, memory.size, out), self.what)
        self.pointer = out[0]
        try:
            together(self._work, threads or threads_here(), self._stop)
        finally:
            lib.nigh_job_end(self.pointer)
            if options.kind == c.NIGH_JOB_CODES:
                self.handle.parts.append(memory)  # it is the index's now
                self.handle.outdate_sessions()
        return self.done

    def _stop(self) -> None:
        self.stopped = True

    def _fail(self, status: int, error: Optional[BaseException]) -> None:
        with self.lock:
            self.stopped = True
            if self.error is None and self.status == c.NIGH_OK:
                self.status, self.error = status, error

    def _cancelled(self) -> bool:
        cancel = self.cancel
        if cancel is None:
            return False
        return bool(cancel.is_set() if hasattr(cancel, "is_set") else cancel())

    def _work(self, first: bool) -> None:
        if first:
            self._tasks(True)
            return
        with self.gate.helping():
            self._tasks(False)

    def _tasks(self, first: bool) -> None:
        now = made("nigh_progress")
        try:
            with self.handle.session(self.ef, self.flags) as session:
                while not self.stopped:
                    if first and self._cancelled():
                        self._fail(c.NIGH_OK, CancelledError(f"{self.what}: cancelled", -102))
                        return
                    status = lib.nigh_job_run(self.pointer, session.pointer, now)
                    if caught() or status != c.NIGH_OK:
                        self._reached(now, False)
                        check(status if caught() else c.NIGH_OK)
                        self._fail(status, None)
                        return
                    self._reached(now, first)
                    if now.state == c.NIGH_JOB_DONE:
                        return
                    if now.state == c.NIGH_JOB_WAIT:
                        time.sleep(WAIT_SECONDS)
        except BaseException as error:
            self._fail(c.NIGH_OK, error)

    def _reached(self, now: Any, tell: bool) -> None:
        with self.lock:
            self.done, self.total = max(self.done, now.done), now.total
        if tell and self.progress is not None:
            moment = time.monotonic()
            if now.state == c.NIGH_JOB_DONE or moment - self.told > PROGRESS_SECONDS:
                self.told = moment
                self.progress(self.done, self.total)


class Work(Search):
    """A job stops other changes until it has ended; searches go on. `cancel` is an event, or a
    function that says whether to stop: it ends within some milliseconds, the index is whole, and
    what is in stays in."""

    def build(self, keys: Any = None, vectors: Any = None, *, threads: int = 0,
              progress: Optional[Progress] = None, cancel: Any = None) -> int:
        """Inserts many vectors on several threads: the same index, byte for byte, whatever their
        number. Ends at the first key or vector that add() would refuse, after all before it.
        Returns how many are in."""
        key_rows, rows, count = self._input(keys, vectors, strided=True)
        if count == 0:
            return 0
        with self._gate.alone():
            handle = self._held()
            stats = handle.stats()
            if self._grows and stats.writable:
                self._more_for_build(handle, stats, count, key_rows.key_bytes)
            job = self._job("build", self._config.ef_build, 0, progress, cancel)
            options = made("nigh_job_options", kind=c.NIGH_JOB_BUILD,
                           vector_stride=rows.stride)
            done = job.run(options, key_rows, rows, count, threads)
        if job.error is None and job.status != c.NIGH_OK:
            job.error = self._failure(job.status, "build", key_rows, done)
        if job.error is not None:
            if isinstance(job.error, NighError):
                job.error.done = done
            raise job.error
        return done

    def _more_for_build(self, handle: Handle, stats: Any, count: int, key_bytes: int) -> None:
        """A build leaves free slots to add()."""
        need = stats.slot_count + count
        fits = not self._keys.strings or self._key_room(stats) >= key_bytes
        if need > stats.slot_capacity or not fits:
            total = stats.key_bytes + key_bytes if self._keys.strings else 0
            self._grow(handle, max(need, stats.slot_capacity), total)

    def _job(self, what: str, ef: int, flags: int, progress: Optional[Progress],
             cancel: Any) -> _Job:
        return _Job(self._held(), self._gate, what, ef, flags, progress, cancel)

    def _plain_job(self, job: _Job, threads: int, **options: Any) -> None:
        done = job.run(made("nigh_job_options", **options), NO_KEYS, NO_ROWS, 0, threads)
        if job.error is not None:
            if isinstance(job.error, CancelledError):
                job.error.done = done
            raise job.error
        check(job.status, job.what)

    def refine(self, *, ef: int = 0, alpha: float = 0.0, threads: int = 0,
               progress: Optional[Progress] = None, cancel: Any = None) -> None:
        """Chooses the links of the lowest layer anew, knowing all nodes: the same recall for up
        to a third less work. A pass that finds less than before is put back."""
        with self._gate.alone():
            job = self._job("refine", max(512, ef), 0, progress, cancel)
            self._plain_job(job, threads, kind=c.NIGH_JOB_REFINE, ef=ef, alpha=alpha)

    def vacuum(self, *, threads: int = 0, progress: Optional[Progress] = None,
               cancel: Any = None) -> None:
        """Takes removed keys out for good; their slots are free for others."""
        with self._gate.alone():
            job = self._job("vacuum", self._config.ef_build, 0, progress, cancel)
            self._plain_job(job, threads, kind=c.NIGH_JOB_VACUUM)

    def make_codes(self, codes: Optional[str] = "u7", *,
                   span: "Optional[tuple[float, float]]" = None, threads: int = 0,
                   progress: Optional[Progress] = None, cancel: Any = None) -> None:
        """Makes small copies of the vectors to search on, 'u7' or 'b1'; what is found is scored
        again on the true vectors. None drops them. Between dropping and making let the searches
        under way end."""
        low, high = span or (0.0, 0.0)
        with self._gate.alone():
            job = self._job("codes", 64, c.NIGH_SESSION_READ, progress, cancel)
            self._plain_job(job, threads, kind=c.NIGH_JOB_CODES,
                            codes=choice(CODES, codes, "codes"), code_min=low, code_max=high)

    def check(self) -> Report:
        """Proves that the index is whole, in one pass over it. A broken one is a report, not an
        error."""
        out = made("nigh_report")
        with self._gate.alone():
            handle = self._held()
            with handle.session(64, c.NIGH_SESSION_READ) as session:
                check(lib.nigh_check(handle.index, session.pointer, out), "check")
        return Report(out.status == c.NIGH_OK, out.fault,
                      None if out.slot == 0xffffffff else out.slot, out.level, out.unreachable,
                      out.link_count, out.blocks_checked)

    def tune(self) -> None:
        """Finds out what is fastest on this machine; below 0.2 s, while no other call runs.
        Changes no result."""
        clock = callback("nigh_clock_fn", lambda user: time.perf_counter_ns(), 0)
        with self._gate.alone():
            handle = self._held()
            with handle.session(64, c.NIGH_SESSION_READ) as session:
                check(lib.nigh_tune(handle.index, session.pointer, clock, NULL), "tune")
