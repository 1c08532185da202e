"""What conversations say, laid out so that it can be compared: as one text, or as shingles."""

import functools
import hashlib

import numpy as np
import numpy.typing as npt
import polars as pl
import xxhash

SHINGLE_WORDS = 5
"""Words of a shingle."""

_SYSTEM = ("system", "developer")
# scripts that put no space between words: there, every letter is a word of its own
_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
_WORD = rf"{_UNSPACED}|[\w--{_UNSPACED}]+"
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def normalised(text: pl.Expr) -> pl.Expr:
    """Text without what a copy may change: Unicode forms (NFKC), case, runs of white space."""
    return (
        text.str.normalize("NFKC")
        .str.to_lowercase()
        .str.replace_all(r"\s+", " ")
        .str.strip_chars(" ")
    )


def digests(frame: pl.DataFrame, *, normalise: bool) -> list[bytes]:
    """(rows,) 16 bytes for what each conversation says: roles, contents, reasoning, tool calls.

    Names, ids and times do not count. Equal digests mean equal conversations, but for collisions
    of 128-bit BLAKE2b.

    Args:
        frame: schema ``dataset.rows.ROW_SCHEMA``.
        normalise: compare texts as :func:`normalised`.
    """
    change = normalised if normalise else _as_is
    call = pl.element().struct
    calls = pl.concat_str([_framed(call.field("name")), _framed(change(call.field("arguments")))])
    parts = [
        _framed(pl.col("role")),
        _framed(change(pl.col("content"))),
        _framed(change(pl.col("reasoning"))),
        _framed(pl.col("tool_calls").list.eval(calls).list.join("")),
    ]
    messages = _messages(frame).select("row", pl.concat_str(parts).alias("text"))
    texts = messages.group_by("row", maintain_order=True).agg(pl.col("text").str.join(""))
    found = dict(texts.iter_rows())
    return [
        hashlib.blake2b(found.get(row, "").encode(), digest_size=16).digest()
        for row in range(len(frame))
    ]


def shingles(
    frame: pl.DataFrame,
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Hashes of all runs of words in the turns of each conversation.

    A shingle is five words of one turn, or fewer at its end, and the turn's role. What system
    messages say is left out: talks that share nothing but a long prompt are not alike.

    Args:
        frame: schema ``dataset.rows.ROW_SCHEMA``.

    Returns:
        (shingles,) hashes, repeated ones too, and (rows + 1,) the places where each row's begin.
    """
    calls = pl.element().struct
    called = pl.concat_str([calls.field("name"), calls.field("arguments")], separator=" ")
    messages = (
        _messages(frame)
        .filter(~pl.col("role").is_in(_SYSTEM))
        .with_columns(
            pl.concat_str(
                [pl.col("content"), pl.col("tool_calls").list.eval(called).list.join(" ")],
                separator=" ",
                ignore_nulls=True,
            )
            .str.normalize("NFKC")
            .str.to_lowercase()
            .str.extract_all(_WORD)
            .alias("words")
        )
    )
    counts = messages["words"].list.len().to_numpy().astype(np.int64)
    words = _word_hashes(messages["words"].explode().drop_nulls())
    rows = messages["row"].to_numpy()
    sizes = np.bincount(rows, weights=counts, minlength=len(frame)).astype(np.int64)
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    salts = np.array([_salt(role) for role in messages["role"].to_list()], np.uint64)
    return _runs(words, counts, salts), starts


def _runs(
    words: npt.NDArray[np.uint64], counts: npt.NDArray[np.int64], salts: npt.NDArray[np.uint64]
) -> npt.NDArray[np.uint64]:
    """One hash for each word and those after it in its turn."""
    total = len(words)
    left = np.repeat(np.cumsum(counts), counts) - np.arange(total)  # words to the turn's end
    runs = np.repeat(salts, counts)
    for ahead in range(SHINGLE_WORDS):
        following = np.zeros(total, np.uint64)
        following[: max(0, total - ahead)] = words[ahead:]
        runs = runs * _MULTIPLIER + np.where(left > ahead, following, np.uint64(0))
    # the last word sits in the low bits alone until they are mixed
    runs ^= runs >> np.uint64(32)
    runs *= _MULTIPLIER
    return np.asarray(runs ^ (runs >> np.uint64(29)))


def _word_hashes(words: pl.Series) -> npt.NDArray[np.uint64]:
    """Stable on every machine and for every version of polars; each word is hashed once."""
    known = words.unique()
    table = pl.DataFrame(
        {"word": known, "hash": pl.Series(map(_word_hash, known.to_list()), dtype=pl.UInt64)}
    )
    joined = words.to_frame("word").join(table, on="word", how="left", maintain_order="left")
    return joined["hash"].to_numpy()


@functools.lru_cache(maxsize=1 << 18)
def _word_hash(word: str) -> int:
    return xxhash.xxh3_64_intdigest(word.encode())


@functools.cache
def _salt(role: str) -> int:
    return xxhash.xxh3_64_intdigest(role.encode())


def _messages(frame: pl.DataFrame) -> pl.DataFrame:
    """One row a message: ``row``, and the fields of ``dataset.rows.MESSAGE_TYPE``."""
    return (
        frame.select(pl.int_range(pl.len()).alias("row"), "messages")
        .filter(pl.col("messages").list.len() > 0)
        .explode("messages")
        .unnest("messages")
    )


def _as_is(text: pl.Expr) -> pl.Expr:
    return text


def _framed(text: pl.Expr) -> pl.Expr:
    """The text behind its length, so that no two lists of texts run together alike."""
    return pl.concat_str(
        [text.str.len_bytes().cast(pl.String), text], separator=":", ignore_nulls=False
    ).fill_null("-;")
