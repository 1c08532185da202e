"""Changes of bytes, of encodings and of packing, drawn from a seeded generator."""

import gzip
import io
import zipfile
from collections.abc import Callable
from random import Random

import pyarrow as pa
from fuzz_documents import RUN_LENGTH, RUNS

_JUNK = [
    b"\0", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b'"', b"'", b"{", b"}", b"[", b"]", b",", b":",
    b"\\", b"\n", b"\r", b"\r\n", b"\n\n", b"\t", b"\\u0000", b"\\ud800", b"\\udc00\\ud800",
    b"\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x80\xa8", b"\xe2\x80\xae", b"null",
    b"NaN", b"1e999", b"-", b"<!--", b"\x1a", b"]}", b"},{", b'"}', b'",', b"From ", b"--",
    b"\x1f\x8b", b"PK\x03\x04", b"\x00" * 5000, b"9" * 5000, b"[" * 10_000, b'{"a":' * 10_000,
]  # fmt: skip

Bytes = Callable[[bytes, Random, bytes], bytes]


def _flip(data: bytes, draw: Random, other: bytes) -> bytes:
    made = bytearray(data)
    for _ in range(draw.choice((1, 1, 3, 20))):
        if made:
            made[draw.randrange(len(made))] ^= 1 << draw.randrange(8)
    return bytes(made)


def _overwrite(data: bytes, draw: Random, other: bytes) -> bytes:
    at = draw.randrange(len(data) + 1)
    junk = draw.randbytes(draw.choice((1, 4, 64)))
    return data[:at] + junk + data[at + len(junk) :]


def _range(data: bytes, draw: Random) -> tuple[int, int]:
    start = draw.randrange(len(data) + 1)
    return start, min(len(data), start + draw.choice((1, 2, 10, 100, 1000)))


def _delete(data: bytes, draw: Random, other: bytes) -> bytes:
    start, end = _range(data, draw)
    return data[:start] + data[end:]


def _insert(data: bytes, draw: Random, other: bytes) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[:at] + draw.choice(_JUNK) + data[at:]


def _truncate(data: bytes, draw: Random, other: bytes) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[at:] if draw.random() < 0.2 else data[:at]


def _duplicate(data: bytes, draw: Random, other: bytes) -> bytes:
    start, end = _range(data, draw)
    at = draw.randrange(len(data) + 1)
    return data[:at] + data[start:end] * draw.choice((1, 2, 30)) + data[at:]


def _blank(data: bytes, draw: Random, other: bytes) -> bytes:
    start, end = _range(data, draw)
    return data[:start] + draw.choice((b"\0", b" ", b"\xff")) * (end - start) + data[end:]


def _swap(data: bytes, draw: Random, other: bytes) -> bytes:
    cuts = sorted(draw.randrange(len(data) + 1) for _ in range(3))
    a, b, c = cuts
    return data[:a] + data[b:c] + data[a:b] + data[c:]


def _twice(data: bytes, draw: Random, other: bytes) -> bytes:
    return data + draw.choice((b"", b"\n", b",")) + data


def _long_run(data: bytes, draw: Random, other: bytes) -> bytes:
    at = draw.randrange(len(data) + 1)
    run = draw.choice(RUNS)
    return data[:at] + (run * (RUN_LENGTH // len(run))).encode() + data[at:]


INSIDE: dict[str, Bytes] = {
    "flip": _flip, "overwrite": _overwrite, "delete": _delete, "insert": _insert,
    "truncate": _truncate, "duplicate": _duplicate, "blank": _blank, "swap ranges": _swap,
    "long run": _long_run,
}  # fmt: skip
"""Changes that may be made inside one record."""


def _splice(data: bytes, draw: Random, other: bytes) -> bytes:
    return data[: draw.randrange(len(data) + 1)] + other[draw.randrange(len(other) + 1) :]


def _encoded(data: bytes, draw: Random, other: bytes) -> bytes:
    text = data.decode("utf-8", "replace")
    names = (
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "utf-32",
        "utf-8-sig",
        "utf-7",
        "cp1252",
        "shift_jis",
    )
    return text.encode(draw.choice((*names, "latin-1", "latin-1")), "replace")


def _boms(data: bytes, draw: Random, other: bytes) -> bytes:
    bom = draw.choice((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xff\xfe\0\0", b"\xef\xbb"))
    return bom * draw.choice((1, 2)) + data


def _line_ends(data: bytes, draw: Random, other: bytes) -> bytes:
    return data.replace(b"\n", draw.choice((b"\r\n", b"\r", b"\n\n", b"\r\r\n", b"", b"\x0b")))


ANYWHERE: dict[str, Bytes] = INSIDE | {
    "splice": _splice, "encoding": _encoded, "byte order mark": _boms, "line ends": _line_ends,
    "twice": _twice,
}  # fmt: skip


def _gzipped(data: bytes, draw: Random, other: bytes) -> bytes:
    packed = gzip.compress(data, mtime=0)
    return INSIDE[draw.choice(list(INSIDE))](packed, draw, other) if draw.random() < 0.7 else packed


def _zstandard(data: bytes, draw: Random, other: bytes) -> bytes:
    sink = io.BytesIO()
    with pa.CompressedOutputStream(sink, "zstd") as file:
        file.write(data)
    packed = sink.getvalue() if not sink.closed else data
    return INSIDE[draw.choice(list(INSIDE))](packed, draw, other) if draw.random() < 0.7 else packed


def _zipped_twice(data: bytes, draw: Random, other: bytes) -> bytes:
    return gzip.compress(gzip.compress(data, mtime=0), mtime=0)


PACKED: dict[str, Bytes] = {"gzip": _gzipped, "zstd": _zstandard, "gzip twice": _zipped_twice}


def mutated(
    data: bytes, draw: Random, other: bytes, table: dict[str, Bytes]
) -> tuple[bytes, list[str]]:
    """One to three changes from a table; ``other`` is a file of another sample."""
    kinds = [draw.choice(list(table)) for _ in range(draw.choice((1, 1, 2, 3)))]
    for kind in kinds:
        data = table[kind](data, draw, other)
    return data, kinds


# -- zip ---------------------------------------------------------------------------------------

_NAMES = [
    "../out.json", "/abs.json", "C:\\x.json", "..\\..\\x.json", "a/../../b.json", "", "x\0y.json",
    "a" * 300, "\u202efdp.json", "__MACOSX/._x.json", ".DS_Store", "con", "x/", "./x.json",
    "a//b.json", "ÿ\udcff.json",
]  # fmt: skip


def zip_of(parts: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A plain zip, the same bytes for the same parts."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", method) as archive:
        for name, data in parts.items():
            archive.writestr(_entry(name), data, method)
    return sink.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name.encode("utf-8", "replace").decode())
    entry.external_attr = 0o100600 << 16
    return entry


def _central(data: bytes, draw: Random) -> tuple[int, int]:
    """Where the central directory lies."""
    start = data.find(b"PK\x01\x02")
    return (start, len(data)) if start >= 0 else (0, len(data))


def attacked(parts: dict[str, bytes], draw: Random, other: bytes) -> tuple[bytes, str]:
    """A zip of an export's parts that is damaged or made with bad intent."""
    kind = draw.choice(list(_ATTACKS))
    return _ATTACKS[kind](dict(parts), draw, other), kind


def _a_plain(parts: dict[str, bytes], draw: Random, other: bytes) -> bytes:
    method = draw.choice(
        (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    )
    return zip_of(parts, method=method)


def _a_directory(parts: dict[str, bytes], draw: Random, other: bytes) -> bytes:
    data = bytearray(zip_of(parts))
    start, end = _central(bytes(data), draw)
    for _ in range(draw.choice((1, 2, 8))):
        data[draw.randrange(start, end)] = draw.randrange(256)
    return bytes(data)


def _a_bytes(parts: dict[str, bytes], draw: Random, other: bytes) -> bytes:
    return mutated(_a_plain(parts, draw, other), draw, other, INSIDE)[0]


def _a_names(parts: dict[str, bytes], draw: Random, other: bytes) -> bytes:
    names = draw.sample(_NAMES, 3)
    renamed = dict(zip([*names, *list(parts)[3:]], parts.values(), strict=False))
    return zip_of(renamed | {draw.choice(_NAMES): other})


def _a_repeated(parts: dict[str, bytes], draw: Random, other: bytes) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            for _ in range(2):
                entry = _entry(name)
                archive.NameToInfo.pop(entry.filename, None)  # or it warns of the second one
                archive.writestr(entry, data)
    return sink.getvalue()


def _patched(data: bytes, signature: bytes, offset: int, value: bytes) -> bytes:
    made = bytearray(data)
    at = made.find(signature)
    while at >= 0:
        made[at + offset : at + offset + len(value)] = value
        at = made.find(signature, at + 4)
    return bytes(made)


def _a_encrypted(parts: dict[str, bytes], draw: Random, other: bytes) -> bytes:
    data = _patched(zip_of(parts), b"PK\x01\x02", 8, b"\x01\x00")
    return _patched(data, b"PK\x03\x04", 6, b"\x01\x00") if draw.random() < 0.5 else data


def _a_method(parts: dict[str, bytes], draw: Random, other: bytes) -> bytes:
    method = draw.choice((0, 1, 6, 9, 12, 14, 93, 95, 99)).to_bytes(2, "little")
    return _patched(_patched(zip_of(parts), b"PK\x01\x02", 10, method), b"PK\x03\x04", 8, method)


def _a_sizes(parts: dict[str, bytes], draw: Random, other: bytes) -> bytes:
    size = draw.choice((0, 1, 100, 0xFFFFFFFF, 0x7FFFFFFF, draw.randrange(1 << 20))).to_bytes(
        4, "little"
    )
    return _patched(zip_of(parts), b"PK\x01\x02", draw.choice((16, 20, 24, 42)), size)


def _a_nested(parts: dict[str, bytes], draw: Random, other: bytes) -> bytes:
    data = zip_of(parts)
    for depth in range(draw.choice((1, 2, 5))):
        data = zip_of({f"inner{depth}.zip": data} | (parts if draw.random() < 0.3 else {}))
    return data


def _a_broken_inside(parts: dict[str, bytes], draw: Random, other: bytes) -> bytes:
    return zip_of(parts | {"inner.zip": mutated(zip_of({"x.json": other}), draw, other, INSIDE)[0]})


def _a_bomb(parts: dict[str, bytes], draw: Random, other: bytes) -> bytes:
    filler = draw.choice((b"\0", b" ", b"[", b'{"a":'))
    return zip_of(parts | {"zz.json": filler * (draw.choice((300_000, 3_000_000)) // len(filler))})


def _a_many(parts: dict[str, bytes], draw: Random, other: bytes) -> bytes:
    return zip_of(
        {f"{number}/x.json": b"[]" for number in range(draw.choice((80, 150, 400)))} | parts
    )


def _a_overlap(parts: dict[str, bytes], draw: Random, other: bytes) -> bytes:
    """Every entry points at the first one's bytes."""
    return _patched(zip_of(parts), b"PK\x01\x02", 42, b"\0\0\0\0")


def _a_links(parts: dict[str, bytes], draw: Random, other: bytes) -> bytes:
    mode = (draw.choice((0o120777, 0o040755, 0o020600, 0o010600)) << 16).to_bytes(4, "little")
    return _patched(zip_of(parts), b"PK\x01\x02", 38, mode)


def _a_wrapped(parts: dict[str, bytes], draw: Random, other: bytes) -> bytes:
    data = zip_of(parts)
    return draw.choice(
        (data + other[:500], data + data, data[: len(data) // 2], gzip.compress(data, mtime=0))
    )


_ATTACKS: dict[str, Callable[[dict[str, bytes], Random, bytes], bytes]] = {
    "plain": _a_plain, "central directory": _a_directory, "bytes": _a_bytes, "names": _a_names,
    "repeated names": _a_repeated, "encrypted": _a_encrypted, "method": _a_method,
    "sizes": _a_sizes, "nested": _a_nested, "broken inside": _a_broken_inside,
    "bomb": _a_bomb, "many": _a_many,
    "overlap": _a_overlap, "links": _a_links, "around it": _a_wrapped,
}  # fmt: skip
