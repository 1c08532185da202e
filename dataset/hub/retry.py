"""Trying again, with patience that ends. The client retries some of its calls itself, not all."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from dataset.hub.errors import caught, is_transient, retry_after_s

Value = TypeVar("Value")


@dataclass(frozen=True)
class Patience:
    """How often a call is tried and how long is waited.

    Attributes:
        tries: calls in all.
        base_s: seconds before the second try; each later wait is twice as long.
        cap_s: seconds that a wait of our own never exceeds.
        longest_s: seconds that the Hub may ask for; if it asks for more, the call has failed.
        sleep: waits.
    """

    tries: int = 6
    base_s: float = 1.0
    cap_s: float = 16.0
    longest_s: float = 120.0
    sleep: Callable[[float], None] = time.sleep

    def wait(self, error: Exception, done: int) -> bool:
        """Wait before another try.

        Args:
            error: how the last try ended.
            done: tries so far.

        Returns:
            False if there should be none.
        """
        if done >= self.tries or not is_transient(error):
            return False
        asked = retry_after_s(error)
        if asked is not None and asked > self.longest_s:
            return False
        own = min(self.cap_s, self.base_s * 2 ** (done - 1))
        self.sleep(own if asked is None else max(asked, own))
        return True


def retry(
    call: Callable[[], Value],
    patience: Patience,
    settled: Callable[[], Value | None] = lambda: None,
) -> Value:
    """Call until it succeeds or patience ends; the last error is raised.

    Args:
        call: what to do.
        patience: how often and how long.
        settled: asked after every failure: if it gives a value, the call had done its work and only
            the answer was lost.
    """
    done = 0
    while True:
        done += 1
        try:
            return call()
        except caught() as error:
            found = settled()
            if found is not None:
                return found
            if not patience.wait(error, done):
                raise
