"""The fingerprint of a version: a hash over its rows and their splits.

Defined in docs/design/fingerprint.md.
"""

import hashlib

import numpy as np

_BYTES = 32


class Fingerprint:
    """Takes rows in any order, 32 bytes each, and gives the hash over all of them."""

    def __init__(self) -> None:
        self._digests: dict[str, list[bytes]] = {}

    def add(self, split: str, digests: bytes) -> None:
        """Add rows of a split.

        Args:
            split: its name.
            digests: of one row or of several, each as :func:`dataset.rows.row_digest` gives it.
        """
        self._digests.setdefault(split, []).append(digests)

    def hexdigest(self) -> str:
        """sha256 over the lines ``<split> <hash>`` in order."""
        digest = hashlib.sha256()
        for split in sorted(self._digests):
            packed = np.frombuffer(b"".join(self._digests[split]), dtype=f"S{_BYTES}")
            lines = np.sort(packed).tobytes()
            for at in range(0, len(lines), _BYTES):
                digest.update(f"{split} {lines[at : at + _BYTES].hex()}\n".encode())
        return digest.hexdigest()
