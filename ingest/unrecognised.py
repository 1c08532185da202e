"""What to say of a file that no importer recognises: what it is, and what the user can do."""

import re
from typing import NamedTuple

from ingest.archive import Export, Member
from ingest.errors import ExportError
from ingest.importers.mapped_rows import is_table

_DEFAULT = "run 'turnmill formats' for what is read; name one with --format if you know it"
_TABLE = (
    "if it is a table of messages, say what its columns mean: --map role=COLUMN "
    "--map content=COLUMN --map thread=COLUMN; else see 'turnmill formats'"
)
_TEXT_FIRST = "give the file or folder with the messages; turnmill reads their text"
_UNPACK = "unpack it and import the folder"
_HTML = "export again and choose JSON where the service offers it"
_OFFICE = "save the table in it as CSV, then import that with --map"

# (pattern at the very start, what it is, what to do); the first that fits counts
_KNOWN: tuple[tuple[re.Pattern[bytes], str, str], ...] = tuple(
    (re.compile(start, re.DOTALL | re.IGNORECASE), what, hint)
    for start, what, hint in (
        (rb"\x89PNG|\xff\xd8\xff|GIF8|RIFF.{4}WEBP|.{4}ftyphe", "a picture", _TEXT_FIRST),
        (rb".{4}ftyp|\x1aE\xdf\xa3|RIFF.{4}AVI", "a video or a recording", _TEXT_FIRST),
        (rb"ID3|\xff[\xfb\xf3]|OggS|fLaC|RIFF.{4}WAVE", "a recording", _TEXT_FIRST),
        (rb"%PDF", "a PDF", "export again as JSON, CSV or text: a PDF has no messages, only pages"),
        (rb"Rar!|7z\xbc\xaf\x27\x1c|\xfd7zXZ|BZh", "an archive of another kind", _UNPACK),
        (rb".{257}ustar", "a tar archive", _UNPACK),
        (rb"\xd0\xcf\x11\xe0", "an Office document", _OFFICE),
        (rb"\{\\rtf", "a text with formatting (RTF)", "save it as plain text"),
        (rb"bplist", "a property list", _DEFAULT),
        (rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html|head|body|div)", "a web page", _HTML),
        (rb"(?:\xef\xbb\xbf)?\s*<\?xml", "an XML file", _HTML),
    )
)  # fmt: skip
_CRYPT = re.compile(r"\.crypt(?:\d+)?$|^signal-.*\.backup$", re.IGNORECASE)


class Unrecognised(NamedTuple):
    """What a file is, as far as its first bytes tell, and what the user can do.

    Attributes:
        what: a few words, or ``""`` where nothing is known.
        hint: what to do.
    """

    what: str
    hint: str


def describe(export: Export) -> Unrecognised:
    """What an export that no importer recognises is."""
    if not export.members:
        if export.skipped:
            return Unrecognised(
                "nothing in it can be read",
                "; ".join(f"{name}: {reason}" for name, reason in export.skipped[:3]),
            )
        what = "an empty folder" if export.is_folder else "an archive without files"
        return Unrecognised(what, "check the path, or download the export again")
    if any(member.name.startswith(("word/", "xl/", "ppt/")) for member in export.members):
        return Unrecognised("an Office document", _OFFICE)
    found = {_of(member) for member in export.members[:64]}
    return found.pop() if len(found) == 1 else Unrecognised("", _DEFAULT)


def _of(member: Member) -> Unrecognised:
    try:
        head = member.head()
        is_tabular = is_table(member)
    except ExportError as error:
        return Unrecognised("a file that cannot be read", error.hint)
    if _CRYPT.search(member.base):
        return Unrecognised("an encrypted backup", "export the chat from within the application")
    for start, what, hint in _KNOWN:
        if start.match(head):
            return Unrecognised(what, hint)
    if not head.strip():
        return Unrecognised("an empty file", "download the export again")
    return Unrecognised("", _TABLE if is_tabular else _DEFAULT)
