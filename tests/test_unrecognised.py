"""What is said of a file that no importer recognises."""

import zipfile
from pathlib import Path

import pytest

from ingest.archive import open_export
from ingest.errors import ExportError
from ingest.registry import choose, importer
from ingest.unrecognised import describe


@pytest.mark.parametrize(
    ("name", "raw", "what", "hint"),
    [
        ("a.png", b"\x89PNG\r\n\x1a\n\0", "a picture", "messages"),
        ("a.jpg", b"\xff\xd8\xff\xe0..JFIF", "a picture", "messages"),
        ("a.webp", b"RIFF....WEBPVP8", "a picture", "messages"),
        ("a.heic", b"\0\0\0\x18ftypheic", "a picture", "messages"),
        ("a.mp4", b"\0\0\0\x18ftypisom", "a video or a recording", "messages"),
        ("a.opus", b"OggS\0", "a recording", "messages"),
        ("a.pdf", b"%PDF-1.7 \0", "a PDF", "JSON"),
        ("a.rar", b"Rar!\x1a\x07", "an archive of another kind", "unpack"),
        ("a.tar", b"a.json".ljust(257, b"\0") + b"ustar\x0000", "a tar archive", "unpack"),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1", "an Office document", "CSV"),
        ("chat.html", b"\xef\xbb\xbf\n<!DOCTYPE html><p>", "a web page", "JSON"),
        ("a.xml", b'<?xml version="1.0"?><a/>', "an XML file", "JSON"),
        ("msgstore.db.crypt15", b"\x81\x01\x9f\x02", "an encrypted backup", "application"),
        ("signal-2026-01-02.backup", b"\0\0\x9f\x02", "an encrypted backup", "application"),
        ("blank.txt", b" \n\n", "an empty file", "again"),
        ("a.csv", b"ticket,author,body\n1,a,b\n", "", "--map role=COLUMN"),
        ("a.json", b'{"a": 1}', "", "--map role=COLUMN"),
        ("a.md", b"just words", "", "turnmill formats"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_it_is_named_and_something_can_be_done(tmp_path, name, raw, what, hint, packed):
    path = tmp_path / name
    if packed:
        path = tmp_path / "a.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, raw)
    else:
        path.write_bytes(raw)
    found = describe(open_export(path))
    assert found.what == what
    assert hint in found.hint
    with pytest.raises(ExportError, match="no importer recognises this file") as caught:
        choose(open_export(path))
    assert caught.value.message.endswith(what or "this file")
    assert caught.value.hint == found.hint


def test_a_spreadsheet_is_no_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", "<?xml version='1.0'?>")
        archive.writestr("[Content_Types].xml", "<?xml version='1.0'?>")
    found = describe(open_export(tmp_path / "a.xlsx"))
    assert found.what == "an Office document"
    assert "CSV" in found.hint


def test_a_folder_of_different_things_has_no_name(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    assert describe(open_export(tmp_path)).what == ""


def test_nothing_at_all(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w"):
        pass
    assert describe(open_export(tmp_path / "a.zip")).what == "an archive without files"
    (tmp_path / "a").mkdir()
    assert describe(open_export(tmp_path / "a")).what == "an empty folder"


def test_what_was_left_out_is_the_reason(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("../a.json", "[]")
    found = describe(open_export(tmp_path / "a.zip"))
    assert found == ("nothing in it can be read", "../a.json: its name leads out of the archive")


@pytest.mark.parametrize(
    ("said", "meant"),
    [("chatgtp", "chatgpt"), ("WhatsApp", "whatsapp"), ("claude_code", "claude-code")],
)
def test_a_misspelt_format_is_guessed(said, meant):
    with pytest.raises(ExportError) as caught:
        importer(said)
    assert caught.value.hint.startswith(f"did you mean {meant}?")
