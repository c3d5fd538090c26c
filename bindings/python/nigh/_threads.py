# _threads.py - a few threads that share work in C, where the interpreter's lock is released
# SPDX-License-Identifier: MIT OR Apache-2.0
import concurrent.futures
import contextlib
import os
import threading
from typing import Any, Callable, Iterator, List, Optional

from .errors import BusyError

_lock = threading.Lock()
_pool: Optional[concurrent.futures.ThreadPoolExecutor] = None
_pool_size = 0


def _after_fork() -> None:
    """The threads are the parent's: the child makes its own."""
    global _lock, _pool, _pool_size
    _lock, _pool, _pool_size = threading.Lock(), None, 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _executor(helpers: int) -> concurrent.futures.ThreadPoolExecutor:
    """A pool of at least so many threads, kept for the next call."""
    global _pool, _pool_size
    with _lock:
        if _pool is None or _pool_size < helpers:
            # An older pool ends by itself when the work it was given is done.
            if _pool is not None:
                _pool.shutdown(wait=False)
            _pool = concurrent.futures.ThreadPoolExecutor(helpers, "nigh")
            _pool_size = helpers
        return _pool


def together(work: Callable[[bool], Any], count: int, stop: Callable[[], None]) -> None:
    """Runs work(True) here and work(False) on count - 1 other threads. All have ended when it
    returns or raises; `stop` tells them to. The first exception is raised."""
    futures: List[Any] = []
    first: Optional[BaseException] = None
    if count > 1:
        while True:
            try:
                pool = _executor(count - 1)
                while len(futures) < count - 1:
                    futures.append(pool.submit(work, False))
                break
            except RuntimeError:  # another thread has put a larger pool in its place meanwhile
                if pool is _pool:
                    break  # the interpreter is ending: this thread does all of it
    try:
        work(True)
    except BaseException as error:
        first = error
        stop()
    for future in futures:
        future.cancel()  # what has not begun is not needed: this thread has found nothing to do
    for future in futures:
        failed = _result_of(future, stop)
        first = first or failed
    if first is not None:
        raise first


def _result_of(future: Any, stop: Callable[[], None]) -> Optional[BaseException]:
    """Waits in any case: what the threads use is the caller's."""
    interrupt: Optional[BaseException] = None
    while True:
        try:
            error = future.exception()
            return interrupt or error
        except concurrent.futures.CancelledError:
            return interrupt
        except BaseException as raised:  # KeyboardInterrupt while it waits
            interrupt = raised
            stop()


def share(task: Callable[[Any, int, int], None], total: int, step: int, count: int,
          resource: Callable[[], Any]) -> None:
    """task(resource, from, to) for pieces of 0..total, on up to `count` threads. `resource` is a
    context manager that each thread enters once. The exception of the lowest piece is raised."""
    pieces = -(-total // step)
    count = max(1, min(count, pieces))
    lock = threading.Lock()
    state = {"next": 0, "stopped": False}
    failed: List[Any] = []

    def take() -> int:
        with lock:
            piece = state["next"]
            if state["stopped"] or piece >= pieces:
                return -1
            state["next"] = piece + 1
            return piece

    def stop() -> None:
        with lock:
            state["stopped"] = True

    def work(first: bool) -> None:
        with resource() as held:
            piece = take()
            while piece >= 0:
                try:
                    task(held, piece * step, min(total, (piece + 1) * step))
                except BaseException as error:
                    stop()
                    with lock:
                        failed.append((piece, error))
                    return
                piece = take()

    together(work, count, stop)
    if failed:
        raise min(failed, key=lambda pair: pair[0])[1]


class Gate:
    """Many may be inside, or one alone. Who waits to be alone goes before who comes later. A
    callback that changes its own index is refused where it would wait for itself."""

    def __init__(self) -> None:
        self._mine = threading.local()
        self._changed = threading.Condition()
        self._inside = 0
        self._waiting = 0
        self._alone = False
        self._process: Optional[int] = None

    def only_here(self, here: bool = True) -> None:
        """From now on only this process may pass: what is behind the gate lies in memory that it
        shares with its forked children, who know nothing of its locks."""
        self._process = os.getpid() if here else None

    def foreign(self) -> bool:
        """Is this a child of the process whose memory it is?"""
        return self._process is not None and self._process != os.getpid()

    @contextlib.contextmanager
    def helping(self) -> Iterator[None]:
        """A thread that works for the one that is alone: it is inside as well."""
        self._mine.inside = True
        try:
            yield
        finally:
            self._mine.inside = False

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        self._enter()
        with self._changed:
            while self._alone or self._waiting:
                self._changed.wait()
            self._inside += 1
        self._mine.inside = True
        try:
            yield
        finally:
            self._mine.inside = False
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        self._enter()
        with self._changed:
            self._waiting += 1
            try:
                while self._alone or self._inside:
                    self._changed.wait()
                self._alone = True
            finally:
                self._waiting -= 1
                self._changed.notify_all()
        self._mine.inside = True
        try:
            yield
        finally:
            self._mine.inside = False
            with self._changed:
                self._alone = False
                self._changed.notify_all()

    def _enter(self) -> None:
        if getattr(self._mine, "inside", False):
            raise BusyError("a callback changes the index that called it")
        if self.foreign():
            raise BusyError("the file is changed in place by the process that forked this one")
