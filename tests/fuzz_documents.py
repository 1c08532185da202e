"""Files of any export as values that can be changed, and back into files.

JSON, JSON lines, CSV, SQLite, Parquet and text all become lists, dicts and scalars, so that one
set of mutations serves every format.
"""

import csv
import io
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

RAW = {
    "deep list": "[" * 10_000 + "]" * 10_000,
    "deep object": '{"a":' * 10_000 + "1" + "}" * 10_000,
    "huge integer": "9" * 5_000,
    "huge float": "1e9999",
    "not a number": "NaN",
    "infinity": "-Infinity",
    "nothing": "",
}
"""JSON text that ``json.dumps`` cannot write."""
RUNS = [
    " ", "0", "[", "1/", ":", "a", "<", "&", "\u200e", "\n", ">", "=?", "- ", "\t", "(", "_",
    "*", "\\", "a@", "http://", "<p>", "&#", "a ", "1 ", "2026-", "\n> ", "<@", ", ", "`", "{",
    "--", "!", "**", "/", "[x](", "From \n", ". ", '<at id="1">', "<at ", "(( ", "[x](pplx://",
    "\n(- a", "<summary>", " -)", '<details type="a">', '<details type="a"', "On ab c wrote:\n",
    "On abc def ", "=?utf-8?q?a?= ", "http://a:", "://:", "\u3010", "\u30101", "\ue200cite",
    "<attachment ", '<img src="', "a:a:", "<!--", "<![", "</a", '<a b="', "<div class=",
    '<blockquote class="', "\n\nHuman:", "Attached 1", "<?", "<pre>", "<ul><li>", "[0", "@a",
    "#1 ", "\r\n", "\x03", "\u200e<", "\n-- \n", "&amp;", "%3A%2F%2F", "a=", "a&", ";", "|",
    '"', "'", "\ufffc", "Re: ", "<think>", "</think>", "?a=b&", "x@y.z, ", "<a@b>", "\n---\n",
]  # fmt: skip
"""What a text is blown up with: an expression that tries each place of a run to its end hangs."""
RUN_LENGTH = 200_000
REPEATED = "\ue000key\ue000"
"""Put before a key to write it a second time."""


class Document(NamedTuple):
    """A file's content.

    Attributes:
        kind: how it is written: ``json``, ``lines``, ``csv``, ``sqlite``, ``parquet`` or ``text``.
        value: lists, dicts and scalars.
    """

    kind: str
    value: Any


def raw(name: str) -> str:
    """A string that is written as the JSON text of that name in :data:`RAW`."""
    return f"\ue000{name}\ue000"


def open_document(name: str, data: bytes) -> Document:
    """Read a file of a sample."""
    if data.startswith(b"SQLite format 3"):
        return Document("sqlite", _tables(data))
    if data.startswith(b"PAR1"):
        return Document("parquet", pq.read_table(io.BytesIO(data)).to_pylist())
    text = data.decode("utf-8", "replace")
    if text.lstrip("\ufeff \r\n")[:1] in ("{", "["):
        try:
            return Document("json", json.loads(text.lstrip("\ufeff")))
        except ValueError:
            pass
        lines = [line for line in text.split("\n") if line.strip()]
        try:
            return Document("lines", [json.loads(line.lstrip("\ufeff")) for line in lines])
        except ValueError:
            pass
    if name.endswith(".csv"):
        return Document("csv", list(csv.reader(io.StringIO(text, newline=""))))
    return Document("text", text.split("\n"))


def write_document(
    document: Document, *, spaces: int | None = None, ascii_only: bool = True
) -> bytes:
    """Write a file; values that its kind cannot hold are written as text."""
    kind, value = document
    if kind == "sqlite":
        return _database(value if isinstance(value, dict) else {})
    if kind == "parquet":
        return _parquet(value)
    if kind == "json":
        return _json(value, spaces, ascii_only)
    rows = value if isinstance(value, list) else [value]
    if kind == "lines":
        return b"".join(_json(row, None, ascii_only) + b"\n" for row in rows)
    if kind == "csv":
        buffer = io.StringIO(newline="")
        cells = [
            [_cell(cell) for cell in row] if isinstance(row, list) else [_cell(row)] for row in rows
        ]
        csv.writer(buffer).writerows(cells)
        return buffer.getvalue().encode("utf-8", "surrogatepass")
    return "\n".join(_cell(row) for row in rows).encode("utf-8", "surrogatepass")


def paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every value inside a value, outermost first."""
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*at, key)
            yield from paths(each, (*at, key))


def value_at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def _json(value: Any, spaces: int | None, ascii_only: bool) -> bytes:
    text = json.dumps(value, indent=spaces, ensure_ascii=ascii_only)
    for name, written in RAW.items():
        mark = json.dumps(raw(name), ensure_ascii=ascii_only)
        if mark in text:
            text = text.replace(mark, written, 1).replace(mark, "null")
    text = text.replace(json.dumps(REPEATED, ensure_ascii=ascii_only)[1:-1], "")
    return text.encode("utf-8", "surrogatepass")


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=repr)


def _tables(data: bytes) -> dict[str, list[dict[str, Any]]]:
    with closing(sqlite3.connect(":memory:")) as db:
        db.deserialize(data)
        names = [
            row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        found = {}
        for name in names:
            cursor = db.execute(f'SELECT * FROM "{name}"')
            columns = [column[0] for column in cursor.description]
            # an empty table keeps its columns by a row of nothing
            rows = cursor.fetchall() or [(None,) * len(columns)]
            found[name] = [dict(zip(columns, row, strict=True)) for row in rows]
        return found


def _database(tables: dict[str, Any]) -> bytes:
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("PRAGMA user_version = 1")  # or a database without tables has no bytes
        for name, rows in tables.items():
            records = (
                [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
            )
            columns = list(dict.fromkeys(key for row in records for key in row)) or ["nothing"]
            folded = {_name(column).lower(): column for column in columns}
            listed = ", ".join(f'"{_name(column)}"' for column in folded.values())
            try:
                db.execute(f'CREATE TABLE "{_name(name)}" ({listed})')
            except sqlite3.OperationalError:
                continue  # the name is reserved or there already
            marks = ", ".join("?" * len(folded))
            for row in records:
                values = [_bindable(row.get(column)) for column in folded.values()]
                db.execute(f'INSERT INTO "{_name(name)}" VALUES ({marks})', values)
        db.commit()
        return db.serialize()


def _name(name: str) -> str:
    safe = name.replace('"', "").replace("\0", "")
    return safe.encode("utf-8", "replace").decode() or "nameless"


def _bindable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, bool) or value is None or isinstance(value, bytes | float):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else float(value) if abs(value) < 2**1000 else None
    return json.dumps(value, default=repr)


def _parquet(rows: Any) -> bytes:
    records = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    buffer = io.BytesIO()
    try:
        table = pa.Table.from_pylist(records)
        pq.write_table(table, buffer)
    except (pa.ArrowException, OverflowError, UnicodeEncodeError, ValueError):
        # a column has one type: what does not fit together is written as text
        texts = [{_name(key): _name(_cell(row[key])) for key in row} for row in records]
        buffer = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(texts), buffer)
    return buffer.getvalue()
