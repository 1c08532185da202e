"""The files of a version: the same rows give the same bytes, in whatever batches they come."""

import contextlib
import itertools
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from step_ground import frame_of, talk

from dataset import seal as seal_module
from dataset.flow import with_digests
from dataset.seal import VersionWriter
from dataset.site import BUILDING, PULLING, SiteError, building_site, pulling_site, sweep
from dataset.spool import Spool
from ingest.message import Conversation, Message, ToolCall

optional = st.none() | st.text(max_size=5)
messages = st.builds(
    Message,
    role=st.sampled_from(["user", "assistant", "tool"]),
    content=st.text(max_size=40),
    name=optional,
    reasoning=optional,
    tool_calls=st.lists(
        st.builds(ToolCall, st.text(max_size=3), st.text(max_size=3)), max_size=2
    ).map(tuple),
    train=st.none() | st.booleans(),
)
talks = st.lists(st.lists(messages, max_size=3), min_size=1, max_size=12).map(
    lambda found: [talk(str(n), *each) for n, each in enumerate(found)]
)


def written(
    folder: Path, made: list[Conversation], cuts: list[int]
) -> tuple[dict[str, bytes], str]:
    """The bytes and the fingerprint; every third row is a test row."""
    names = pl.Series("split", ["test" if n % 3 == 2 else "train" for n in range(len(made))])
    writer = VersionWriter(folder)
    edges = sorted({0, len(made), *(cut for cut in cuts if cut < len(made))})
    for start, end in itertools.pairwise(edges):
        writer.write(with_digests(frame_of(*made[start:end])), names[start:end])
    _, files, fingerprint = writer.close()
    return {name: (folder / name).read_bytes() for name in files}, fingerprint


@settings(max_examples=15, deadline=None)
@given(talks, st.lists(st.integers(1, 11), max_size=5), st.sampled_from([1, 3, 2048]))
def test_batches_do_not_show_in_the_bytes(tmp_path_factory, made, cuts, group):
    folder = tmp_path_factory.mktemp("seal")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seal_module, "ROW_GROUP", group)
        patch.setattr(seal_module, "_GROUP_BYTES", 60)
        once = written(folder / "once", made, [])
        assert written(folder / "again", made, []) == once
        assert written(folder / "batches", made, cuts) == once
    rows = [
        row["id"]
        for name in ("train", "test")
        if (file := folder / "once" / "data" / f"{name}-00000.parquet").exists()
        for row in pq.read_table(file).to_pylist()
    ]
    assert sorted(rows, key=int) == [each.id for each in made]


def test_rows_come_back_from_disk_as_they_went(tmp_path):
    frames = [
        frame_of(talk("1", Message("user", "ü\n日本\x00🌾"))),
        frame_of(),
        frame_of(talk("2"), talk("3", Message("assistant", "", tool_calls=(ToolCall("i", "f"),)))),
    ]
    file = tmp_path / "rows.arrow"
    with Spool(file) as spool:
        for frame in frames:
            spool.write(frame)
        assert (len(spool), spool.rows, spool.starts) == (2, 3, [0, 1])
        for _ in range(2):
            first, last = spool
            assert first.equals(frames[0])
            assert last.equals(frames[2])
        assert spool.frame(1).equals(frames[2])
    assert not file.exists()


def test_only_the_sites_of_dead_builds_are_cleared(tmp_path):
    import os
    import time

    young, old, other = (tmp_path / name for name in (".building-y", ".building-o", "version"))
    for folder in (young, old, other):
        folder.mkdir()
    long_ago = time.time() - 7200
    os.utime(old, (long_ago, long_ago))
    with building_site(tmp_path) as living:
        assert sweep(tmp_path, BUILDING) == []
        assert {each.name for each in tmp_path.iterdir()} == {".building-y", "version", living.name}
    assert {each.name for each in tmp_path.iterdir()} == {".building-y", "version"}


def fail_to_pull(parent: Path, commit: str) -> None:
    with contextlib.suppress(ZeroDivisionError), pulling_site(parent, commit) as site:
        (site / "part").touch()
        raise ZeroDivisionError


def test_a_pull_that_failed_leaves_its_site_to_the_next_of_the_same_commit(tmp_path):
    fail_to_pull(tmp_path, "c1")
    with pulling_site(tmp_path, "c1") as site:
        assert (site / "part").exists()
    assert list(tmp_path.iterdir()) == []


def test_a_pull_clears_what_dead_pulls_of_other_commits_left(tmp_path):
    fail_to_pull(tmp_path, "c1")
    with pulling_site(tmp_path, "c2") as living, pulling_site(tmp_path, "c3") as other:
        assert sorted(tmp_path.iterdir()) == [living, other]
        assert sweep(tmp_path, BUILDING, PULLING) == []
    assert list(tmp_path.iterdir()) == []


def test_two_pulls_of_a_commit_do_not_work_in_one_folder(tmp_path):
    with (
        pulling_site(tmp_path, "c1"),
        pytest.raises(SiteError, match="another process"),
        pulling_site(tmp_path, "c1"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_build_leaves_pulls_that_can_go_on(tmp_path):
    fail_to_pull(tmp_path, "c1")
    with building_site(tmp_path):
        assert (tmp_path / ".pulling-c1").is_dir()
