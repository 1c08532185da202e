"""What is published beside the rows: a manifest without names, a card, Croissant metadata."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hub_ground import REPO, sealed, sealed_pairs

from dataset.card import render_card, split_files
from dataset.croissant import croissant
from dataset.hub.publication import WITHHELD, manifest_bytes, publication
from dataset.manifest import DatasetSpec, DatasetVersion, Where

yaml = pytest.importorskip("yaml")


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> DatasetVersion:
    return sealed(tmp_path_factory.mktemp("home"), 40)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> DatasetVersion:
    return sealed_pairs(tmp_path_factory.mktemp("home"), 20)


@pytest.fixture(scope="module", params=["version", "pairs"])
def either(request: pytest.FixtureRequest) -> DatasetVersion:
    """A version of conversations, then one of pairs."""
    return request.getfixturevalue(request.param)


def front_matter(card: str) -> dict:
    return yaml.safe_load(card.split("---\n")[1])


def with_spec(version: DatasetVersion, **fields) -> DatasetVersion:
    spec = DatasetSpec.model_validate({**version.spec.model_dump(), **fields})
    return version.model_copy(update={"spec": spec})


def test_the_published_manifest_opens_as_the_same_version(either):
    manifest = json.loads(manifest_bytes(either))
    opened = DatasetVersion.model_validate({**manifest, "path": either.path})
    assert opened == either


def test_how_the_spec_splits_is_published(version):
    split = {"by": "conversation", "group_by": ["participants", "near-duplicates"], "test": 0.1}
    published = json.loads(manifest_bytes(with_spec(version, split=split)))["spec"]["split"]
    assert {key: published[key] for key in split} == split


def test_names_and_texts_of_the_spec_are_withheld(version):
    spec = with_spec(
        version,
        where=Where(participants=["Anna Meier", "Bo"], importers=["whatsapp"]),
        steps=[
            "has-assistant",
            {"name": "no-words", "texts": ["Projekt Adler"], "at_least": 2, "keep": "longest"},
            {"name": "redact", "keep": ["anna@example.org"], "locales": ["de_DE"]},
            {
                "name": "of",
                "people": {"Bo": [{"name": "Änni"}]},
                "file": "/home/anna/x",
                "on": True,
            },
        ],
    )
    raw = manifest_bytes(spec)
    published = json.loads(raw)["spec"]
    for word in ("Anna", "anna", "Bo", "Adler", "nni", "/home"):
        assert word not in raw.decode()
    assert published["where"]["participants"] == [WITHHELD, WITHHELD]
    assert published["where"]["importers"] == ["whatsapp"]
    assert published["steps"][1] == {
        "name": "no-words", "texts": [WITHHELD], "at_least": 2, "keep": "longest",
    }  # fmt: skip
    assert published["steps"][2] == {
        "name": "redact", "keep": [WITHHELD], "locales": ["de_DE"],
    }  # fmt: skip
    assert published["steps"][3]["on"] is True


def test_a_field_that_nobody_has_decided_about_is_not_published(version):
    class Later(DatasetVersion):
        notes: str = ""

    class LaterSpec(DatasetSpec):
        about: tuple[str, ...] = ()

    spec = LaterSpec(**dict(version.spec), about=("Anna",))
    later = Later(**{**dict(version), "spec": spec}, notes="/home/anna")
    published = json.loads(manifest_bytes(later))
    assert "notes" not in published
    assert "nna" not in json.dumps(published)


def test_what_is_published_names_no_place_of_this_machine(version):
    texts = [
        each.source for each in publication(version, repo=REPO) if isinstance(each.source, bytes)
    ]
    assert len(texts) == 3
    for text in texts:
        assert str(version.path.parents[2]).encode() not in text
        assert b"conversations.json" not in text


def test_the_same_version_gives_the_same_publication(version):
    first, again = (publication(version, repo=REPO) for _ in range(2))
    assert first == again


def test_the_card_names_the_files_of_each_split(version):
    matter = front_matter(render_card(version, REPO))
    (config,) = matter["configs"]
    assert config["config_name"] == "default"
    assert {each["split"]: each["path"] for each in config["data_files"]} == split_files(version)
    assert set(split_files(version)) == set(version.splits)
    assert matter["license"] == "unknown"
    assert matter["size_categories"] == ["n<1K"]


def test_the_card_shows_counts_steps_and_lineage(version):
    card = render_card(version, REPO)
    train = version.splits["train"]
    assert f"| train | {train.conversations} | {train.messages} |" in card
    assert "| has-assistant | 40 | 40 | 0 | 0 |" in card
    assert all(source in card for source in version.sources)
    assert version.fingerprint in card


def test_the_card_of_pairs_says_what_is_counted(pairs):
    card = render_card(pairs, REPO)
    assert "Preference pairs, one a row (`prompt`, `chosen`, `rejected`)" in card
    assert "preference" in front_matter(card)["tags"]
    train = pairs.splits["train"]
    assert f"| train | {train.conversations} | {train.messages} |" in card
    assert "| pairs | 20 | 20 | 0 | 0 |" in card
    assert "`pairs` counts conversations, what follows it counts pairs" in card


def test_the_card_of_conversations_speaks_of_no_pairs(version):
    card = render_card(version, REPO)
    assert "pairs" not in card
    assert "preference" not in front_matter(card)["tags"]


def shown_rows(card: str) -> list[Any]:
    text = "\n".join(line[4:] for line in card.split("## Samples\n\n")[1].splitlines())
    return [json.loads(each) for each in text.split("\n\n")]


def test_a_sample_of_a_pair_shows_prompt_and_both_answers(pairs):
    shown = shown_rows(render_card(pairs, REPO, samples=3))
    rows = [row for row, _ in zip(pairs.rows("train"), range(3), strict=False)]
    for row, sample in zip(rows, shown, strict=True):
        assert list(sample) == ["prompt", "chosen", "rejected"]
        assert all(
            [each["content"] for each in sample[side]] == [each["content"] for each in row[side]]
            for side in sample
        )


def test_a_sample_shows_calls_of_tools(pairs):
    rows = list(pairs.rows("train"))
    samples = shown_rows(render_card(pairs, REPO, samples=len(rows)))
    calls = [
        [each.get("tool_calls") for each in sample["chosen"] if each.get("tool_calls")]
        for sample in samples
    ]
    kept = [[each["tool_calls"] for each in row["chosen"] if each["tool_calls"]] for row in rows]
    assert calls == kept
    assert any(calls)


def test_the_card_shows_text_only_when_asked(version):
    assert "Question" not in render_card(version, REPO)
    shown = render_card(version, REPO, samples=2)
    assert len(re.findall(r"Question \d+\?", shown)) == 2
    assert front_matter(shown) == front_matter(render_card(version, REPO))


def test_croissant_lists_every_file_with_its_hash_and_every_column(version):
    document = croissant(version, REPO)
    assert {each["@id"]: each["sha256"] for each in document["distribution"]} == {
        path: info.sha256 for path, info in version.files.items()
    }
    assert [each["name"] for each in document["recordSet"]] == ["train", "validation", "test"]
    fields = {each["name"]: each for each in document["recordSet"][0]["field"]}
    assert fields["participants"]["isArray"]
    inner = {each["name"] for each in fields["messages"]["subField"]}
    assert {"role", "content", "tool_calls"} <= inner
    assert "Question" not in json.dumps(document)


def leaves(fields: list[dict[str, Any]], above: str = "") -> Iterator[str]:
    """Every value of a row that a document describes, as a path of names."""
    for field in fields:
        path = f"{above}{field['name']}{'[]' if field.get('isArray') else ''}"
        if inner := field.get("subField"):
            yield from leaves(inner, f"{path}.")
        else:
            yield path


def leaves_of(schema: Iterable[pa.Field], above: str = "") -> Iterator[str]:
    """The same of an Arrow schema."""
    for field in schema:
        is_list = pa.types.is_list(field.type)
        path, type_ = f"{above}{field.name}{'[]' if is_list else ''}", field.type
        type_ = type_.value_type if is_list else type_
        if pa.types.is_struct(type_):
            yield from leaves_of(type_, f"{path}.")
        else:
            yield path


def test_croissant_describes_every_column_and_what_is_in_it(either):
    document = croissant(either, REPO)
    for record_set in document["recordSet"]:
        schema = either.table(record_set["name"]).schema
        assert list(leaves(record_set["field"])) == list(leaves_of(schema))
        assert all(each["description"] for each in record_set["field"])


def test_croissant_says_what_a_row_is(version, pairs):
    assert croissant(version, REPO)["description"].startswith("Conversations, one a row")
    assert croissant(pairs, REPO)["description"].startswith("Preference pairs, one a row")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # its libraries warn
def test_croissant_is_accepted_by_mlcroissant(either, tmp_path: Path):
    """Run where mlcroissant is installed; it is no dependency of ours."""
    mlcroissant = pytest.importorskip("mlcroissant")
    for item in publication(either, repo=REPO):
        file = tmp_path / item.path
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(
            item.source if isinstance(item.source, bytes) else item.source.read_bytes()
        )
    opened = mlcroissant.Dataset(jsonld=tmp_path / "croissant.json")
    assert not opened.metadata.ctx.issues.errors
