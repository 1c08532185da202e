"""A long run of one thing in a text costs time by its length, not by the square of it."""

import json
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from conftest import SAMPLES
from made import read

from ingest.importers.base import Importer
from ingest.importers.chatgpt_citations import resolve
from ingest.importers.gemini import Gemini
from ingest.importers.mail_text import split_html, split_text
from ingest.importers.openwebui_content import put_content
from ingest.importers.perplexity import Perplexity
from ingest.importers.signal_text import read_text
from ingest.importers.steps import Steps
from ingest.importers.teams_body import text_of_body
from ingest.importers.whatsapp_phrases import MARK, before_edit_mark, media_in
from ingest.links import without_secrets

LENGTH = 200_000


def webui(text: str) -> None:
    put_content(text, Steps("x"), [], blocks=True)


def teams(text: str) -> None:
    text_of_body({"body": {"content": text, "contentType": "html"}})


def signal(text: str) -> None:
    list(read_text(f"[2026-03-02, 10:00] A: {text}".split("\n")))


def cited(text: str) -> None:
    resolve(text, [], [])


READERS: list[tuple[Callable[[str], Any], str, str]] = [
    (before_edit_mark, " ", "x"),
    (media_in, " ", "(x"),
    (media_in, f" {MARK}", "x"),
    (webui, "\n", "x"),
    (webui, '<details type="a">', ""),
    (webui, '<details type="a"', "></details>"),
    (webui, '<details type="a" ', "a" * 1000),
    (teams, '<at id="1">', ""),
    (teams, "<at ", ""),
    (teams, "<img ", ">"),
    (signal, "[", ""),
    (signal, "(( ", ""),
    (split_text, "On ab c wrote:\n> a\nb\n", ""),
    (split_text, "On abc def ", ""),
    (split_html, '<blockquote class="', ""),
    (split_html, "<div ", "class="),
    (without_secrets, "://:", ""),
    (without_secrets, "a:", "http://"),
    (cited, " ", "\ue200"),
]


@pytest.mark.parametrize(("reader", "run", "end"), READERS)
def test_a_run_in_a_text_takes_no_time(reader, run, end):
    started = process_time()
    reader(run * (LENGTH // len(run)) + end)
    reader(end + run * (LENGTH // len(run)))
    assert process_time() - started < 4


@pytest.mark.parametrize(
    ("importer", "file", "key", "run"),
    [
        (Perplexity(), "perplexity/tool.json", "answer", "["),
        (Gemini(), "gemini-activity/Takeout/My Activity/Gemini Apps/MyActivity.json", "title", " "),
    ],
)
def test_a_run_in_an_export_takes_no_time(
    importer: Importer, file: str, key: str, run: str, tmp_path: Path
) -> None:
    def lengthened(value: Any) -> Any:
        if isinstance(value, list):
            return [lengthened(each) for each in value]
        if isinstance(value, dict):
            return {
                name: f"{each} {run * LENGTH}x"
                if name == key and isinstance(each, str)
                else lengthened(each)
                for name, each in value.items()
            }
        return value

    path = tmp_path / "x.json"
    path.write_text(json.dumps(lengthened(json.loads((SAMPLES / file).read_bytes()))))
    assert path.stat().st_size > LENGTH
    started = process_time()
    assert read(importer, path)
    assert process_time() - started < 4
