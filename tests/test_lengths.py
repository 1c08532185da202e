from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from train_ground import message, seal_version, talk, tiny_tokenizer

from train.lengths import UNCUT, histogram, length_table, needed_length, positions
from train.policy import Policy
from train.rendered import RENDERED_SCHEMA, render_version

ROWS = st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=40), min_size=1, max_size=20)


def written(folder: Path, masks, group=7) -> Path:
    rows = [{"id": f"c{n}", "ids": [1] * len(one), "loss_mask": one} for n, one in enumerate(masks)]
    file = folder / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(rows, RENDERED_SCHEMA), file, row_group_size=group)
    return file


@settings(deadline=None)  # writes a file
@given(ROWS, st.lists(st.integers(1, 45), min_size=1, max_size=4, unique=True))
def test_law_the_table_is_what_a_cut_would_lose(tmp_path_factory, masks, lengths):
    file = written(tmp_path_factory.mktemp("rows"), masks)
    for one in length_table(file, lengths):
        at = one.max_length
        assert one.rows_cut == sum(len(mask) > at for mask in masks)
        assert one.tokens_beyond == sum(len(mask[at:]) for mask in masks)
        assert one.trained_beyond == sum(sum(mask[at:]) for mask in masks)


def test_no_rows_are_cut_nowhere(tmp_path):
    (one,) = length_table(written(tmp_path, []), [512])
    assert (one.rows_cut, one.tokens_beyond, one.trained_beyond) == (0, 0, 0)


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=200))
def test_law_the_histogram_holds_every_row_once(tokens):
    made = histogram(tokens)
    assert sum(made.counts) == len(tokens)
    assert len(made.edges) == len(made.counts) + 1
    assert made.edges[-1] >= max(tokens)
    assert made.quantiles["1"] == max(tokens)
    for share, length in made.quantiles.items():
        assert sum(one <= length for one in tokens) >= float(share) * len(tokens)


@given(st.integers(1, 10_000), st.none() | st.integers(8, 4096))
def test_law_the_needed_length_cuts_nothing_within_the_model(longest, limit):
    needed = needed_length(longest, limit)
    if limit is None:
        assert needed % 64 == 0
        assert longest <= needed < longest + 64
    else:
        assert needed == min(limit, needed_length(longest, None))


def test_positions_are_found_where_configurations_say_them():
    assert positions({"max_position_embeddings": 512}) == 512
    assert positions({"text_config": {"max_position_embeddings": 64}}) == 64
    assert positions({"n_positions": 1024}) == 1024
    assert positions({"model_type": "mamba"}) is None


TALKS = [
    *(talk(n, 1 + 5 * (n % 4)) for n in range(12)),
    [message("user", "parcel"), message("assistant", "refund " * 60)],
    [message("system", "be kind " * 9), *talk(3, 9)],
]


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_tokenizer()


@pytest.mark.parametrize("length", [48, 96, 160, 256])
def test_what_the_table_says_is_cut_is_cut_by_rendering(workspace, tokenizer, tmp_path, length):
    version = seal_version(workspace, {"train": TALKS})
    policy = Policy(train_on="all")  # cut at its end, not at a turn
    whole = render_version(
        version, "train", tokenizer, tmp_path / "a", max_length=UNCUT, policy=policy
    )
    (told,) = length_table(tmp_path / "a" / whole.counts.file, [length])
    cut = render_version(
        version, "train", tokenizer, tmp_path / "b", max_length=length, policy=policy
    ).counts
    assert told.rows_cut == cut.rows_cut > 0
    assert told.tokens_beyond == cut.tokens_lost
    assert told.trained_beyond == cut.trained_tokens_lost


@pytest.mark.parametrize("length", [48, 96, 160, 256, 1024])
def test_cutting_at_turns_loses_at_most_what_the_table_says(workspace, tokenizer, tmp_path, length):
    version = seal_version(workspace, {"train": TALKS})
    whole = render_version(version, "train", tokenizer, tmp_path / "a", max_length=UNCUT)
    (told,) = length_table(tmp_path / "a" / whole.counts.file, [length])
    cut = render_version(version, "train", tokenizer, tmp_path / "b", max_length=length)
    assert cut.counts.trained_tokens_lost <= told.trained_beyond
    kept = cut.counts.trained_tokens + cut.counts.trained_tokens_lost
    assert kept == whole.counts.trained_tokens
    if told.rows_cut == 0:
        # so that the uncut rows can be the run's
        assert cut.lengths == whole.lengths
        assert cut.counts == whole.counts
