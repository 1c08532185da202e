"""A fixed slice of the labelled corpus; bench_redact_quality.py measures the whole."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))

from bench_redact_quality import Tally, measure, table, tally
from redact_corpus import documents
from redact_values import LOCALES, PROVIDERS

EXACT = ("secret", "private_key", "url_credentials", "iban", "card", "national_id", "email", "ip")


@pytest.fixture(scope="module")
def by() -> dict[str, Tally]:
    return measure(documents(len(LOCALES) * 12))


def test_the_corpus_is_the_same_on_every_run():
    assert list(documents(40)) == list(documents(40))


def test_labels_say_what_stands_in_the_text():
    for document in documents(len(LOCALES) * 4):
        for label in document.labels:
            assert document.text[label.start : label.end].strip()


def test_the_corpus_has_twenty_locales_and_forty_providers():
    assert len(LOCALES) >= 20
    assert len(PROVIDERS) >= 40


@pytest.mark.parametrize("kind", EXACT)
def test_what_has_a_checksum_or_a_prefix_is_found(by: dict[str, Tally], kind: str):
    assert by["kind"].values[kind] >= 10
    assert by["kind"].recall(kind) >= 0.99


def test_telephones_are_found(by: dict[str, Tally]):
    assert by["kind"].recall("phone") >= 0.95


def test_most_addresses_and_passwords_are_found(by: dict[str, Tally]):
    assert by["kind"].recall("address") >= 0.8
    assert by["kind"].recall("password") >= 0.9


def test_little_else_is_found(by: dict[str, Tally]):
    assert by["kind"].precision("all") >= 0.95
    for kind in (*EXACT, "phone", "address", "password"):
        assert by["kind"].precision(kind) >= 0.95


def test_a_table_shows_what_was_counted():
    counted = tally()
    counted.values.update({"phone": 4})
    counted.found.update({"phone": 3})
    assert "| phone | 4 | 0.750 |  |  |" in table(counted, "kind")
