"""What importers of JSON share: distinct ids, times of any form, the path of a tree."""

from datetime import UTC, datetime

import pytest

from ingest.importers.fields import distinct
from ingest.times import from_any
from ingest.tree import read_tree


def test_ids_are_distinct_and_in_order():
    assert distinct(["a", None, "a", "", "a"]) == ["a", "#1", "a#2", "#3", "a#3"]


WHEN = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        1700000000,
        1700000000.0,
        1700000000000,
        "1700000000",
        "1700000000000",
        "2023-11-14T22:13:20Z",
        "2023-11-15T06:13:20+08:00",
        {"$date": {"$numberLong": "1700000000000"}},
        {"$date": "2023-11-14T22:13:20Z"},
        {"$date": 1700000000000},
    ],
)
def test_a_time_of_any_form(value):
    assert from_any(value) == WHEN


@pytest.mark.parametrize(
    "value", [None, True, 0, -1, "", "x", [], {}, {"$date": {}}, 10**400, "9" * 30]
)
def test_no_time_is_invented(value):
    assert from_any(value) is None


def test_the_newest_leaf_ends_the_path_where_none_is_named():
    parents = {"a": None, "b": "a", "c": "a"}
    assert read_tree(parents, None, {"b": 3.0, "c": 2.0}).path == {"a", "b"}
    assert read_tree(parents, "c", {"b": 3.0, "c": 2.0}).path == {"a", "c"}
    assert read_tree(parents, "gone", {}).path == {"a", "c"}
