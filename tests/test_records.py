"""What importers of JSON share: loose conversion, distinct ids, times of any form."""

from datetime import UTC, datetime

import msgspec
import pytest

from ingest.loose import convert_loose
from ingest.records import distinct
from ingest.times import from_any
from ingest.tree import read_tree


class Inner(msgspec.Struct):
    text: str
    size: int | None = None


class Outer(msgspec.Struct):
    id: str
    title: str | None = None
    items: list[Inner] | None = None
    nodes: dict[str, Inner] | None = None


def test_a_right_value_has_no_faults():
    value = {"id": "1", "items": [{"text": "a", "size": 2}], "other": 1}
    assert convert_loose(value, Outer) == (Outer("1", items=[Inner("a", 2)]), ())


def test_a_wrong_field_costs_itself_and_is_named():
    value = {"id": "1", "title": 5, "items": [{"text": "a", "size": []}, {"text": "b"}]}
    found, faults = convert_loose(value, Outer)
    assert found == Outer("1", items=[Inner("a"), Inner("b")])
    assert faults == ("title", "items[0].size")


def test_a_wrong_element_costs_itself_and_is_named_without_its_key():
    value = {"id": "1", "items": [5, {"text": "b"}], "nodes": {"a": {"text": "x"}, "secret": []}}
    found, faults = convert_loose(value, Outer)
    assert found == Outer("1", items=[Inner("b")], nodes={"a": Inner("x")})
    assert faults == ("items[0]", "nodes[...]")


@pytest.mark.parametrize("value", [5, None, [], {}, {"id": 5}, {"id": None}, {"title": 5}])
def test_without_its_required_field_it_is_no_record(value):
    with pytest.raises(msgspec.ValidationError):
        convert_loose(value, Outer)


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
