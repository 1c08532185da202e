"""Files, folders and archives as somebody downloads them, the hostile ones too."""

import gzip
import hashlib
import stat
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from ingest import archive
from ingest.archive import open_export
from ingest.errors import ExportError

METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2]


def make_zip(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue())


def contents(path: Path) -> dict[str, bytes]:
    found = {}
    for member in open_export(path).members:
        with member.open() as file:
            found[member.name] = file.read()
    return found


def test_a_file(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b"[]")
    export = open_export(path)
    assert contents(path) == {"a.json": b"[]"}
    assert (export.is_folder, export.size) == (False, 2)
    assert export.sha256() == hashlib.sha256(b"[]").hexdigest()


@pytest.mark.parametrize("name", ["a.json.gz", "a.json.zst", "a.json"])
@pytest.mark.parametrize("pack", [gzip.compress, zstd])
def test_a_packed_file_is_known_by_its_first_bytes(tmp_path, name, pack):
    path = tmp_path / name
    path.write_bytes(pack(b"[1]" * 1000))
    assert contents(path) == {"a.json": b"[1]" * 1000}


@pytest.mark.parametrize("method", METHODS)
def test_a_zip_gives_its_members_in_name_order(tmp_path, method):
    path = make_zip(tmp_path / "any.name", {"b/c.txt": b"1", "a.json": b"2"}, method)
    assert list(contents(path).items()) == [("a.json", b"2"), ("b/c.txt", b"1")]


def test_an_empty_zip_has_no_members(tmp_path):
    assert open_export(make_zip(tmp_path / "a.zip", {})).members == ()


def test_a_folder_gives_its_files_at_any_depth(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "a.json").write_bytes(b"1")
    (tmp_path / "b.txt").write_bytes(b"2")
    assert contents(tmp_path) == {"b.txt": b"2", "deep/er/a.json": b"1"}


def test_a_folder_is_named_by_what_its_files_hold(tmp_path):
    for folder, data in (("one", b"1"), ("two", b"1"), ("three", b"2")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.txt").write_bytes(data)
    one, two, three = (open_export(tmp_path / name).sha256() for name in ("one", "two", "three"))
    assert one == two != three


JUNK = ["__MACOSX/a.json", "x/__MACOSX/._a", "._a.json", "x/.DS_Store", "Thumbs.db", "desktop.ini"]


def test_what_systems_leave_in_archives_is_left_out(tmp_path):
    path = make_zip(tmp_path / "a.zip", dict.fromkeys([*JUNK, "a.json"], b"1"))
    assert list(contents(path)) == ["a.json"]


def test_what_systems_leave_in_folders_is_left_out(tmp_path):
    for name in [*JUNK, "a.json"]:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"1")
    assert list(contents(tmp_path)) == ["a.json"]


@pytest.mark.parametrize("name", ["../a.json", "/etc/a.json", "x/../../a.json", "..\\a.json"])
def test_names_that_lead_out_are_skipped_with_the_reason(tmp_path, name):
    path = make_zip(tmp_path / "a.zip", {name: b"1", "good.json": b"2"})
    export = open_export(path)
    assert [member.name for member in export.members] == ["good.json"]
    ((_, reason),) = export.skipped
    assert "leads out" in reason


def test_an_entry_without_a_name_costs_no_other(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(zipfile.ZipInfo(""), b"1")
        file.writestr("good.json", b"2")
    export = open_export(path)
    assert [member.name for member in export.members] == ["good.json"]
    assert export.skipped == (("", "it has no name"),)


def test_links_in_a_zip_are_skipped(tmp_path):
    info = zipfile.ZipInfo("link.json")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(info, "/etc/passwd")
    export = open_export(tmp_path / "a.zip")
    assert (export.members, export.skipped) == ((), (("link.json", "it is a link"),))


def test_links_in_a_folder_are_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.json").write_bytes(b"1")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "folder").symlink_to(outside)
    (inside / "file.json").symlink_to(outside / "secret.json")
    (inside / "gone.json").symlink_to(tmp_path / "nowhere")
    assert open_export(inside).members == ()


def test_names_without_the_utf8_flag_are_read_as_utf8_where_they_are(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"Zo\u00eb.txt": b"1"})
    raw = bytearray(path.read_bytes())
    for magic, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(magic) + place + 1] &= ~0x08 & 0xFF  # bit 11: the name is UTF-8
    path.write_bytes(bytes(raw))
    assert list(contents(path)) == ["Zo\u00eb.txt"]


def test_other_names_without_the_flag_are_read_as_cp437(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"caf__.txt": b"1"})
    path.write_bytes(path.read_bytes().replace(b"caf__", b"caf\x82s"))
    assert list(contents(path)) == ["caf\u00e9s.txt"]


def refuse(path: Path, *words: str) -> ExportError:
    """The error of opening and reading the export; it must have two lines' worth."""
    with pytest.raises(ExportError) as caught:
        contents(path)
    error = caught.value
    assert str(path) in error.message
    assert error.hint
    assert "\n" not in error.message + error.hint
    for word in words:
        assert word in error.message + " " + error.hint
    return error


def test_a_missing_file(tmp_path):
    refuse(tmp_path / "none.json", "no such file")


def test_an_empty_file(tmp_path):
    path = tmp_path / "a.json"
    path.touch()
    refuse(path, "empty")


def test_a_file_below_a_file(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    refuse(tmp_path / "a" / "b.json")


def test_an_encrypted_zip(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"a.json": b"1"})
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"PK\x03\x04") + 6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(bytes(raw))
    refuse(path, "a.json is encrypted", "password")


@pytest.mark.parametrize(("method", "words"), [(9, "Deflate64"), (99, "compression")])
def test_a_compression_that_is_not_read(tmp_path, method, words):
    path = make_zip(tmp_path / "a.zip", {"a.json": b"1"})
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"PK\x03\x04") + 8] = method
    raw[raw.index(b"PK\x01\x02") + 10] = method
    path.write_bytes(bytes(raw))
    refuse(path, words)


def test_a_cut_zip(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"a.json": b"1" * 5000})
    path.write_bytes(path.read_bytes()[:-30])
    refuse(path, "not a readable zip", "download")


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2]
)
def test_a_zip_with_changed_bytes(tmp_path, method):
    text = b"".join(hashlib.sha256(b"%d" % n).hexdigest().encode() for n in range(2000))
    path = make_zip(tmp_path / "a.zip", {"a.json": text}, method)
    raw = bytearray(path.read_bytes())
    for place in range(2000, 2400):
        raw[place] ^= 0x55
    path.write_bytes(bytes(raw))
    refuse(path, "a.json", "download")


def test_a_member_larger_than_it_says(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"a.json": b"1" * 5000}, zipfile.ZIP_STORED)
    raw = bytearray(path.read_bytes())
    for magic, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = raw.index(magic) + place
        raw[at : at + 4] = (100).to_bytes(4, "little")
    path.write_bytes(bytes(raw))
    refuse(path, "a.json")


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
def test_a_cut_packed_file(tmp_path, pack):
    path = tmp_path / "a"
    text = b"".join(hashlib.sha256(b"%d" % n).hexdigest().encode() for n in range(2000))
    path.write_bytes(pack(text)[:-2000])
    refuse(path, "download")


def test_a_packed_file_with_changed_bytes(tmp_path):
    path = tmp_path / "a"
    text = b"".join(hashlib.sha256(b"%d" % n).hexdigest().encode() for n in range(2000))
    raw = bytearray(gzip.compress(text))
    for place in range(2000, 2400):
        raw[place] ^= 0x55
    path.write_bytes(bytes(raw))
    refuse(path, "download")


def forge_size(path: Path, size: int) -> None:
    """Let the zip's directory promise ``size`` unpacked bytes for its first member."""
    raw = bytearray(path.read_bytes())
    at = raw.index(b"PK\x01\x02") + 24
    raw[at : at + 4] = size.to_bytes(4, "little")
    path.write_bytes(bytes(raw))


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"a.json": b"0" * 100_000})
    forge_size(path, 1 << 30)
    with pytest.raises(ExportError, match="unpacks"):
        open_export(path)


def test_many_small_bombs_are_one_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "_RATIO_FREE", 1 << 20)
    path = make_zip(tmp_path / "a.zip", {f"{n}.json": b"0" * 900_000 for n in range(8)})
    with pytest.raises(ExportError, match="unpacks"):
        open_export(path)


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
def test_a_packed_bomb_stops_at_its_limit(tmp_path, monkeypatch, pack):
    monkeypatch.setattr(archive, "_RATIO_FREE", 1 << 16)
    path = tmp_path / "a"
    path.write_bytes(pack(b"0" * 3_000_000))
    with (
        open_export(path).members[0].open() as file,
        pytest.raises(ExportError, match="larger than it says"),
    ):
        file.read()


def test_too_many_members(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    refuse(make_zip(tmp_path / "a.zip", {f"{n}": b"" for n in range(4)}), "4 entries")


def test_text_that_packs_well_is_no_bomb(tmp_path):
    line = b"01/02/26, 10:00 - Anna: the same words again\n"
    path = make_zip(tmp_path / "a.zip", {"_chat.txt": line * 20_000})
    assert len(contents(path)["_chat.txt"]) == 20_000 * len(line)


def test_the_head_is_read_once(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b"x" * 100_000)
    member = open_export(path).members[0]
    assert member.head() == b"x" * 65536
    path.unlink()
    assert member.head() == b"x" * 65536


def test_a_name_that_is_no_utf8_is_shown_with_replacements(tmp_path):
    path = Path(bytes(tmp_path / "caf").decode() + "\udce9.json")
    path.write_bytes(b"[]")
    (member,) = open_export(path).members
    member.name.encode()
    assert contents(path.parent) == {member.name: b"[]"}
    assert open_export(path.parent).sha256()


def zip_bytes(tmp_path: Path, members: dict[str, bytes]) -> bytes:
    return make_zip(tmp_path / "inner.part", members).read_bytes()


def encrypt(path: Path, name: bytes) -> None:
    """Say in both headers of a member that it is encrypted."""
    raw = bytearray(path.read_bytes())
    for magic, flag, name_at in ((b"PK\x03\x04", 6, 30), (b"PK\x01\x02", 8, 46)):
        at = raw.index(magic)
        while raw[at + name_at : at + name_at + len(name)] != name:
            at = raw.index(magic, at + 1)
        raw[at + flag] |= 1
    path.write_bytes(bytes(raw))


def test_a_zip_in_a_zip_is_opened(tmp_path):
    inner = zip_bytes(tmp_path, {"b/chat.json": b"[2]", "a.txt": b"1"})
    path = make_zip(tmp_path / "a.zip", {"part.ZIP": inner, "z.json": b"[]"})
    found = {"part.ZIP/a.txt": b"1", "part.ZIP/b/chat.json": b"[2]", "z.json": b"[]"}
    assert list(contents(path).items()) == list(found.items())
    assert open_export(path).skipped == ()


def test_a_large_zip_in_a_zip_goes_through_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "_NESTED_IN_MEMORY", 64)
    inner = zip_bytes(tmp_path, {f"{n}.json": b"%d" % n * 99 for n in range(20)})
    path = make_zip(tmp_path / "a.zip", {"in.zip": inner})
    assert contents(path) == {f"in.zip/{n}.json": b"%d" % n * 99 for n in range(20)}


def test_a_third_zip_is_not_opened(tmp_path):
    third = zip_bytes(tmp_path, {"x.json": b"1"})
    second = zip_bytes(tmp_path, {"third.zip": third, "y.json": b"2"})
    path = make_zip(tmp_path / "a.zip", {"second.zip": second})
    assert contents(path) == {"second.zip/y.json": b"2"}
    ((name, reason),) = open_export(path).skipped
    assert (name, reason) == ("second.zip/third.zip", "it is a zip in a zip in a zip")


def test_what_is_only_called_a_zip_stays_a_member(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"a.zip": b"no zip", "b.zip": b""})
    assert contents(path) == {"a.zip": b"no zip", "b.zip": b""}


def test_a_broken_zip_in_a_zip_costs_only_itself(tmp_path):
    inner = zip_bytes(tmp_path, {"x.json": b"1" * 5000})[:-30]
    path = make_zip(tmp_path / "a.zip", {"in.zip": inner, "good.json": b"[]"})
    assert contents(path) == {"good.json": b"[]"}
    ((name, reason),) = open_export(path).skipped
    assert name == "in.zip"
    assert "not a readable zip" in reason


def test_an_export_of_nothing_but_a_broken_zip_is_refused(tmp_path):
    inner = zip_bytes(tmp_path, {"x.json": b"1" * 5000})[:-30]
    refuse(make_zip(tmp_path / "a.zip", {"in.zip": inner}), "not a readable zip")


def test_a_zip_in_a_zip_over_the_limit_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_NESTED", 100)
    inner = zip_bytes(tmp_path, {"x.json": b"1" * 5000})
    path = make_zip(tmp_path / "a.zip", {"in.zip": inner, "good.json": b"[]"})
    assert contents(path) == {"good.json": b"[]"}
    assert len(open_export(path).skipped) == 1


def test_a_bomb_in_a_zip_in_a_zip_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "_RATIO_FREE", 1 << 20)
    inner = zip_bytes(tmp_path, {"x.json": b"0" * 3_000_000})
    path = make_zip(tmp_path / "a.zip", {"in.zip": inner, "good.json": b"[]"})
    assert contents(path) == {"good.json": b"[]"}
    assert "unpacks" in open_export(path).skipped[0][1]


def test_entries_of_zips_in_a_zip_count_together(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_MEMBERS", 8)
    inner = zip_bytes(tmp_path, {f"{n}": b"1" for n in range(6)})
    path = make_zip(tmp_path / "a.zip", {"a.zip": inner, "b.zip": inner})
    assert [name for name, _ in open_export(path).skipped] == ["b.zip"]
    assert len(open_export(path).members) == 6


def test_an_encrypted_member_costs_only_itself(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"secret.json": b"1", "good.json": b"[]"})
    encrypt(path, b"secret.json")
    assert contents(path) == {"good.json": b"[]"}
    assert open_export(path).skipped == (("secret.json", "it is encrypted"),)


@pytest.mark.parametrize("kind", ["outer", "inner"])
def test_no_handle_of_a_zip_stays_open(tmp_path, kind):
    path = make_zip(tmp_path / "a.zip", {"a.json": b"1" * 5000, "b.json": b"2"})
    if kind == "inner":
        path = make_zip(tmp_path / "b.zip", {"in.zip": path.read_bytes()})
    before = open_files(path)
    one, two = open_export(path).members
    assert open_files(path) == before
    with one.open() as first:
        with two.open() as second:
            assert second.read() == b"2"
        assert first.read() == b"1" * 5000
    assert open_files(path) == before


def open_files(path: Path) -> int:
    """How often this process has the file open."""
    handles = Path("/proc/self/fd")
    if not handles.is_dir():
        pytest.skip("needs /proc")
    return sum(handle.resolve() == path.resolve() for handle in handles.iterdir())
