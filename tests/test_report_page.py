import re
from html.parser import HTMLParser

import pytest
from report_ground import (
    certificate,
    lineage_of,
    metrics,
    report_for,
    run_record,
    sample,
    support_version,
)

from serve.evaluation.report import Answer, Lengths, SampleMessage
from serve.web import plots
from serve.web.report_page import write_report_page

HOSTILE = (
    '</p><script>alert(1)</script><img src="http://evil.example/x" onerror="alert(2)">\'"{{7*7}}'
)
VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """Elements, attributes and text of a page; refuses tags that are not closed in order."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.attributes, self.words = [], [], [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture
def version(workspace):
    return support_version(workspace, train=20, held_out=4)


@pytest.fixture
def write(version, tmp_path):
    def write(report=None, **changes):
        report = report or report_for(version)
        fields = {
            "version": version,
            "run_record": run_record(version),
            "metrics": metrics(),
            "certificate": certificate(version),
            "lineage": lineage_of(version, report),
        }
        out = write_report_page(tmp_path / "report.html", report, **{**fields, **changes})
        return out.read_text("utf-8")

    return write


def test_the_headline_says_what_was_found(write, version):
    report = report_for(version)
    delta = report.scores["nll_delta"]
    text = Page(write(report)).text.replace("\u2212", "-")
    assert "Learned : NLL 2.2" in text.replace("Learned:", "Learned :")
    assert f"difference {delta.mean:.2f} [{delta.low:.2f}, {delta.high:.2f}]" in text


def test_all_parts_are_there(write, version):
    report = report_for(version)
    page = Page(write(report))
    for part in ("Scores", "Answers side by side", "Merge certificate", "Lineage", "Training"):
        assert part in page.text
    assert page.tags.count("svg") == 6
    assert "openai" in page.text
    assert version.fingerprint in page.text
    assert report.eval_id in page.text
    assert sum(tag == "article" for tag in page.tags) == 8


def test_the_memory_of_the_plan_is_drawn_where_the_run_had_a_forecast(write, version):
    html = write()
    assert "Memory as it was forecast" in html
    assert "activations 4.2 GiB" in Page(html).text
    record = run_record(version)
    del record["plan"]["peak"]
    assert "Memory as it was forecast" not in write(run_record=record)


def test_counts_come_from_the_version(write):
    html = write()
    row = re.search(r"<th scope=\"row\">Conversations</th>(.*?)</tr>", html, re.S)[1]
    assert re.findall(r">(\d+)<", row) == ["20", "4", "4"]
    row = re.search(r"<th scope=\"row\">by assistant</th>(.*?)</tr>", html, re.S)[1]
    assert re.findall(r">(\d+)<", row) == ["39", "7", "7"]


def test_nothing_comes_from_elsewhere_and_nothing_runs(write):
    html = write()
    page = Page(html)
    assert not {"script", "link", "iframe", "img", "object", "form", "base"} & set(page.tags)
    for tag, name, value in page.attributes:
        assert not name.startswith("on")
        if name in ("href", "src", "action", "data", "srcset"):
            assert value.startswith("#"), (tag, name, value)
    style = re.search(r"<style>(.*?)</style>", html, re.S)[1]
    assert "url(" not in style
    assert "@import" not in style
    assert "default-src 'none'" in html


def test_hostile_text_appears_as_text(write, version):
    one = sample(0, HOSTILE).model_copy(
        update={
            "prompt": [SampleMessage(role="user", content=HOSTILE)],
            "reference": HOSTILE,
            "base": Answer(text=HOSTILE, finish_reason="stop"),
            "model": Answer(text=HOSTILE, finish_reason="stop", error=None),
        }
    )
    report = report_for(
        version, samples=0, model=HOSTILE, base=HOSTILE, dataset=HOSTILE, split=HOSTILE,
        skipped={HOSTILE: 2}, lengths={HOSTILE: Lengths.of([3, 4])},
    ).model_copy(update={"samples": [one]})  # fmt: skip
    html = write(
        report,
        certificate={"verdict": HOSTILE, "reason": HOSTILE},
        run_record={"run_id": HOSTILE, "hardware": {"name": HOSTILE}},
        lineage=[{"kind": HOSTILE, "id": HOSTILE, "from": [HOSTILE], "name": HOSTILE}],
    )
    page = Page(html)
    assert not {"script", "img"} & set(page.tags)
    assert html.count("&lt;script&gt;") > 15
    assert "<script" not in html
    assert page.words.count(HOSTILE) >= 4
    # an attribute ends where it should: the only ones are ours
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]


def test_control_characters_are_drawn_as_pictures(write, version):
    answer = Answer(text="a\x00b\x1b[31m\nc", finish_reason="stop")
    one = sample(0, "x").model_copy(update={"model": answer})
    html = write(report_for(version).model_copy(update={"samples": [one]}))
    assert "a\u2400b\u241b[31m\nc" in html
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", html)


def test_without_run_certificate_and_lineage(write):
    page = Page(write(run_record=None, metrics=[], certificate=None, lineage=[]))
    assert "Training" not in page.text
    assert "Merge certificate" not in page.text
    assert page.tags.count("svg") == 4


def test_a_refused_and_an_unserved_answer(write, version):
    refused = Answer(text="", finish_reason=None, error="context_length_exceeded")
    one = sample(0, "x").model_copy(update={"base": None, "model": refused})
    text = Page(write(report_for(version).model_copy(update={"samples": [one]}))).text
    assert "not served" in text
    assert "refused: context_length_exceeded" in text


@pytest.mark.parametrize(
    ("fields", "verdict", "warning"),
    [
        ({"effect": 0.9}, "Worse", None),
        ({"effect": 0.0}, "No clear change", None),
        ({"conversations": 1, "samples": 0}, "Too few conversations", "Only 1 conversation:"),
        ({"conversations": 5, "samples": 0}, "Learned", "Only 5 conversations:"),
        ({"trained_on": "e" * 64}, "Learned", "another dataset version"),
        ({"skipped": {"why": 3}}, "Learned", "Not scored: 3 conversations (why)"),
    ],
)
def test_verdicts_and_warnings(write, version, fields, verdict, warning):
    text = Page(write(report_for(version, **fields))).text
    assert f"{verdict}:" in text
    if warning:
        assert warning in text


def test_a_resumed_run_shows_the_last_word_on_each_step(write):
    events = [
        {"event": "step", "step": 1, "loss": 2.0},
        {"event": "step", "step": 2, "loss": 9.0},
        {"event": "step", "step": 2, "loss": 1.5},
    ]
    html = write(metrics=events)
    curve = re.search(r'aria-label="Training loss by step".*?</svg>', html, re.S)[0]
    assert len(re.search(r'points="([^"]+)"', curve)[1].split()) == 2
    assert "9" not in re.findall(r">([\d.]+)</text>", curve)


def test_ticks_are_round_and_inside():
    assert plots.ticks(0, 10) == [0, 2, 4, 6, 8, 10]
    assert plots.ticks(-1.3, 2.4) == [-1, 0, 1, 2]
    assert plots.ticks(3, 3) == [3]
    for low, high in ((0.0012, 0.0089), (-17, 23_456), (1e6, 1e6 + 3)):
        found = plots.ticks(low, high)
        assert 2 <= len(found) <= 8
        assert all(low - 1e-9 <= one <= high + 1e-9 for one in found)


def test_a_minus_is_a_minus_and_zero_has_no_sign():
    assert plots.number(-1.256) == "\u22121.26"
    assert plots.number(-0.001) == "0.00"


def test_long_curves_are_thinned():
    points = [(float(n), 1.0 + n % 7) for n in range(100_000)]
    svg = plots.curve([plots.Series("tuned", points)], label="l", x_title="x", y_title="y")
    assert len(svg) < 10_000
    assert len(plots.smoothed(points)) == 100_000 - 2500 + 1
    rising = [(float(n), float(n)) for n in range(80)]
    assert plots.smoothed(rising)[0] == (1.0, 0.5)
    assert plots.smoothed(rising[:79]) == []


def test_a_histogram_loses_nobody():
    lengths = [1, 1, 5, 17, 400]
    found = Lengths.of(lengths)
    assert sum(found.counts) == found.n == 5
    assert len(found.edges) == len(found.counts) + 1
    assert Lengths.of([7]).counts.count(1) == 1
