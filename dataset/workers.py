"""Work on frames in several processes: what comes out, and in which order, is as from one."""

import multiprocessing
import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from ingest.errors import UserError

Given = TypeVar("Given")
Made = TypeVar("Made")

# a process that starts anew: polars' and DuckDB's threads do not survive a fork
_CONTEXT = multiprocessing.get_context("spawn")
_AHEAD = 2
"""Items in flight beyond one for each process; they bound the memory."""
_LOOK_S = 0.2
"""Seconds between looks at whether Ctrl-C was pressed."""


class WorkerError(UserError):
    """A worker process that was ended from outside."""


def in_order(work: Callable[[Given], Made], items: Iterable[Given], workers: int) -> Iterator[Made]:
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
    stop, until_stopped = _CONTEXT.Pipe(duplex=False)[::-1]
    pool = ProcessPoolExecutor(
        workers, _CONTEXT, initializer=_begin, initargs=(pickle.dumps(work), until_stopped)
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


_work: Callable[[Any], Any]


def _begin(work: bytes, until_stopped: Connection) -> None:
    """Make a fresh process a worker: Ctrl-C is its parent's business, and it ends with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def end_when_told() -> None:
        until_stopped.poll(None)  # the other end is closed, by the parent or by its death
        os._exit(1)

    threading.Thread(target=end_when_told, daemon=True).start()
    global _work  # noqa: PLW0603 - a pool's process has no other place for what it keeps
    _work = pickle.loads(work)  # noqa: S301 - made by the parent


def _do(item: Any) -> Any:
    return _work(item)
