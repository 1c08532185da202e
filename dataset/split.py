"""Which split a conversation belongs to: decided by its id alone, so it never moves later."""

import hashlib

from dataset.manifest import SplitSpec


def split_of(key: str, spec: SplitSpec, seed: int) -> str:
    """``train``, ``validation`` or ``test`` for a key.

    The key's sha256 (salted with ``seed``) is read as a number in [0, 1): the first ``test`` share
    of that interval is the test split, the next ``validation`` share the validation split.
    """
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    position = int.from_bytes(digest[:8], "big") / 2**64
    if position < spec.test:
        return "test"
    if position < spec.test + spec.validation:
        return "validation"
    return "train"
