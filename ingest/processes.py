"""Work in several processes: what comes out, and in which order, is as from one.

Each process has a pipe of its own, so one that is ended from outside, be it in the middle of a
message, ends its pipe and nothing else: whoever reads that sees the end and waits for nobody.
"""

import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, TypeVar

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
    pool = _Pool(work, workers)
    pending: deque[Future[bytes]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(item))
            if len(pending) >= workers + _AHEAD:
                yield _result(pending.popleft())
        while pending:
            yield _result(pending.popleft())
    finally:
        pool.close()


def start(target: Callable[..., None], *arguments: Any) -> "Worker":
    """Start a process; its target is called with its end of a pipe and the arguments.

    It should call :func:`follow_parent` first.
    """
    here, there = CONTEXT.Pipe()
    process = CONTEXT.Process(target=target, args=(there, *arguments), daemon=True)
    with _no_control_c():
        process.start()
    there.close()  # else the pipe would outlive the process
    return Worker(process, here)


class Worker(NamedTuple):
    """A process and this end of its pipe."""

    process: multiprocessing.process.BaseProcess
    pipe: Connection

    def recv_bytes(self) -> bytes:
        """The next message.

        Raises:
            EOFError: the process has ended, perhaps in the middle of it.
        """
        try:
            return self.pipe.recv_bytes()
        except OSError:
            raise EOFError from None

    def close(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


@contextlib.contextmanager
def _no_control_c() -> Iterator[None]:
    # a process inherits what its maker holds back, so no interrupt finds it half started; the
    # tracker that comes with the first process lets go of signals, so it is started before
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def follow_parent() -> None:
    """Leave Ctrl-C to the parent, and end this process at once when the parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait_and_end() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait_and_end, daemon=True).start()


class _Pool:
    """Processes that all do the same work, and a thread for each that talks to it.

    Args:
        work: pickles.
        workers: processes at most; each starts when it is needed.
    """

    def __init__(self, work: Callable[[Any], Any], workers: int) -> None:
        self._work = pickle.dumps(work)
        self._threads = ThreadPoolExecutor(workers)
        self._idle: deque[Worker] = deque()
        self._workers: list[Worker] = []
        self._lock = threading.Lock()
        self._closed = False

    def submit(self, item: Any) -> "Future[bytes]":
        """Have an item worked on; :func:`_result` reads what comes of it."""
        return self._threads.submit(self._ask, pickle.dumps(item, pickle.HIGHEST_PROTOCOL))

    def close(self) -> None:
        """End all processes now, whatever they do."""
        with self._lock:
            self._closed = True
            for worker in self._workers:
                worker.process.kill()  # its thread sees the end of its pipe
        self._threads.shutdown(wait=True, cancel_futures=True)
        for worker in self._workers:
            worker.close()

    def _ask(self, item: bytes) -> bytes:
        worker = self._free()
        try:
            worker.pipe.send_bytes(item)
            answer = worker.recv_bytes()
        except (EOFError, OSError):
            raise WorkerError(
                "a worker process was ended from outside",
                "it may have run out of memory; try again with fewer --workers",
            ) from None
        self._idle.append(worker)
        return answer

    def _free(self) -> Worker:
        try:
            return self._idle.pop()
        except IndexError:
            worker = start(_serve)
        with self._lock:
            self._workers.append(worker)
            if self._closed:
                worker.process.kill()
        with contextlib.suppress(OSError):  # ended already: then so does whoever asks it
            worker.pipe.send_bytes(self._work)
        return worker


def _serve(pipe: Connection) -> None:
    """What a process of a pool does until the parent ends it."""
    follow_parent()
    work = pickle.loads(pipe.recv_bytes())  # noqa: S301 - made by the parent
    while True:
        pipe.send_bytes(_answer(work, pipe.recv_bytes()))


class _Fault(NamedTuple):
    """An error on its way to the parent, and where it came from."""

    error: Exception
    trace: str


class _ElsewhereError(Exception):
    """Shows where in another process an error was raised."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def _answer(work: Callable[[Any], Any], item: bytes) -> bytes:
    try:
        made = work(pickle.loads(item))  # noqa: S301 - made by the parent
        return pickle.dumps(made, pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # whatever it is, the parent raises it
        return pickle.dumps(_Fault(error, traceback.format_exc()))


def _result(future: "Future[bytes]") -> Any:
    # polars has waits begun anew after a signal: one without an end would never see Ctrl-C
    while not wait([future], timeout=_LOOK_S).done:
        pass
    made = pickle.loads(future.result())  # noqa: S301 - made by a process of ours
    if isinstance(made, _Fault):
        raise made.error from _ElsewhereError(made.trace)
    return made
