"""Which texts of a batch no detector can find anything in, told for all of them at once.

Most messages of a chat bear no sign that a detector asks for. One regular expression that polars
runs over the whole column tells them apart in a fraction of the time that a ``Scan`` of each takes.
It says "quiet" of fewer texts than ``Scan`` would, never of more.
"""

import re

import polars as pl

from dataset.redact.either import either
from dataset.redact.scan import LONG_WORD, SAID
from dataset.redact.secret_words import OTHER_GATES, PASSWORD_GATES

# Python takes these for white space, Unicode does not
_SPACE = r"[\s\x1c-\x1f]"
_SIGNS = "|".join(
    (
        r"[\d:=@：]|-----| --|%40",
        rf"\S{{{LONG_WORD}}}",
        *map(re.escape, PASSWORD_GATES + OTHER_GATES),
        rf"(?:^|{_SPACE})(?:{either(SAID)})(?:{_SPACE}|$)",
        r"[(\[{<] ?(?:at|ät|a|arroba|chez|klammeraffe) ?[)\]}>]",
    )
)


def quiet(texts: pl.Series) -> pl.Series:
    """Whether a text bears no sign of anything that the detectors look for.

    Args:
        texts: (n,) text or null.

    Returns:
        (n,) false where a detector must look; false for null.
    """
    return (~texts.str.contains(f"(?i){_SIGNS}")).fill_null(value=False)
