"""Work in several processes: what comes out, and in which order, is as from one."""

import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from ingest.errors import UserError

Given = TypeVar("Given")
Made = TypeVar("Made")

# a process that starts anew: threads of polars, DuckDB and Arrow do not survive a fork
CONTEXT = multiprocessing.get_context("spawn")
_AHEAD = 2
"""Items in flight beyond one for each process; they bound the memory."""
_LOOK_S = 0.2
"""Seconds between looks at whether Ctrl-C was pressed."""


class WorkerError(UserError):
    """A worker process that was ended from outside."""


def in_order(
    work: Callable[[Given], Made], items: Iterable[Given], workers: int
) -> Generator[Made, None, None]:
    """``map(work, items)``, by several processes if ``workers`` is 2 or more.

    Args:
        work: pickles; what it holds is sent to each process once.
        items: pickle, and what is made of them does.
        workers: processes besides this one.

    Raises:
        WorkerError: a process was ended from outside.
    """
    if workers < 2:
        yield from map(work, items)
        return
    stop, until_stopped = CONTEXT.Pipe(duplex=False)[::-1]
    pool = ProcessPoolExecutor(
        workers, CONTEXT, initializer=_begin, initargs=(pickle.dumps(work), until_stopped)
    )
    pending: deque[Future[Any]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(_do, item))
            if len(pending) >= workers + _AHEAD:
                yield _result(pending.popleft())
        while pending:
            yield _result(pending.popleft())
    except BrokenProcessPool:
        raise WorkerError(
            "a worker process was ended from outside",
            "it may have run out of memory; try again with fewer --workers",
        ) from None
    except BaseException:
        stop.close()  # not when they are done: now
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        stop.close()
        until_stopped.close()


def _result(future: Future[Any]) -> Any:
    # polars has waits begun anew after a signal: one without an end would never see Ctrl-C
    while not wait([future], timeout=_LOOK_S).done:
        pass
    return future.result()


def follow_parent(until: Callable[[], object]) -> None:
    """Leave Ctrl-C to the parent, and end this process at once.

    Args:
        until: returns when it is to end.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def wait_and_end() -> None:
        until()
        os._exit(1)

    threading.Thread(target=wait_and_end, daemon=True).start()


class _Worker:
    """What one process of a pool keeps: its work, and whether it may be ended.

    A process that ends while it sends a result leaves half of it in the pipe, and whoever reads
    that waits for ever. So as long as somebody reads, it ends in the middle of its work only.
    """

    def __init__(self, work: Callable[[Any], Any]) -> None:
        self._work = work
        self._gate = threading.Lock()
        self._works = False

    def do(self, item: Any) -> Any:
        """Work on an item."""
        self._set(works=True)
        try:
            return self._work(item)
        finally:
            self._set(works=False)

    def wait_for_end(self, until_stopped: Connection) -> None:
        """Return, so that the process ends, in the middle of its work or without a parent."""
        until_stopped.poll(None)  # the other end is closed, by the parent or by its death
        parent = multiprocessing.parent_process()
        assert parent is not None
        while parent.is_alive():
            self._gate.acquire()  # and kept: the work must not end before the process does
            if self._works:
                return
            self._gate.release()
            time.sleep(_LOOK_S / 10)

    def _set(self, *, works: bool) -> None:
        with self._gate:
            self._works = works


_worker: _Worker


def _begin(work: bytes, until_stopped: Connection) -> None:
    """Make a fresh process a worker."""
    global _worker  # noqa: PLW0603 - a pool's process has no other place for what it keeps
    _worker = _Worker(pickle.loads(work))  # noqa: S301 - made by the parent
    follow_parent(partial(_worker.wait_for_end, until_stopped))


def _do(item: Any) -> Any:
    return _worker.do(item)
