"""How many bytes an upload really sends: request bodies, and what hf_xet puts on the wire."""

import contextlib
from collections.abc import Iterator
from typing import Any


class Sent:
    """A running count.

    Attributes:
        requests: bytes of request bodies by HTTP; a try that broke off counts whole.
        chunks: bytes of new chunks that hf_xet uploaded.
    """

    def __init__(self) -> None:
        self.requests = 0
        self.chunks = 0

    @property
    def total(self) -> int:
        """Bytes in all."""
        return self.requests + self.chunks


@contextlib.contextmanager
def counted() -> Iterator[Sent]:
    """Count what huggingface_hub sends while the block runs; one block at a time in a process."""
    import huggingface_hub
    from huggingface_hub.utils import _http

    sent = Sent()

    def note(request: Any) -> None:
        sent.requests += int(request.headers.get("content-length", 0))

    def counting() -> Any:
        client = _http.default_client_factory()
        client.event_hooks["request"].append(note)
        return client

    huggingface_hub.set_client_factory(counting)
    try:
        with _chunks(sent):
            yield sent
    finally:
        huggingface_hub.set_client_factory(_http.default_client_factory)


@contextlib.contextmanager
def _chunks(sent: Sent) -> Iterator[None]:
    """Stand in for the client's progress bars, the only place where hf_xet's figures come out."""
    from huggingface_hub import utils as hub_utils
    from huggingface_hub.utils import _xet_progress_reporting as reporting

    utils: Any = hub_utils  # it exports the function without saying so

    class Counter:
        def __init__(self, *_: Any, **__: Any) -> None:
            self._last = 0

        def update_progress(self, group: Any, _items: Any) -> None:
            now = int(group.total_transfer_bytes_completed)
            sent.chunks += max(0, now - self._last)
            self._last = max(now, self._last)

        def close(self) -> None: ...

    original = reporting.XetUploadProgressReporter
    disabled = utils.are_progress_bars_disabled
    reporting.XetUploadProgressReporter = Counter  # type: ignore[assignment,misc]
    # where somebody turned bars off, the client would not report at all
    utils.are_progress_bars_disabled = lambda _name=None: False
    try:
        yield
    finally:
        utils.are_progress_bars_disabled = disabled
        reporting.XetUploadProgressReporter = original  # type: ignore[misc]
