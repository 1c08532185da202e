"""The page of ``turnmill mask --html``: what it says, what it lets in, how it answers a reader."""

import json
import re
import shutil
import subprocess
from base64 import b64encode
from hashlib import sha256
from html import unescape
from html.parser import HTMLParser
from importlib.resources import files

import pytest

from ingest.errors import UserError
from serve.masks.view import MaskView, Viewer
from serve.web.mask_page import pieces, write_mask_page
from train.base_model import make_tokenizer

TEXTS = [
    "Hello, how can I help you with your order today?",
    "The parcel was sent on Monday; it arrives within three days.",
    "assistant user system tool",
] * 5
HOSTILE = (
    "</span></p><script>alert(1)</script><img src=x onerror=alert(1)>\"'><!-- ]]> </style>"
    " {{7*7}} &lt; \x1b[31m \x00 \u202e <|im_end|>"
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")


@pytest.fixture(scope="module")
def viewer():
    return Viewer(make_tokenizer(TEXTS, vocab_size=420))


def chat(*contents, tools=None):
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": text} for n, text in enumerate(contents)]
    return {"messages": messages, "tools": tools}


@pytest.fixture(scope="module")
def views(viewer):
    return [
        viewer.view(chat("Where is it?", "On its \U0001f9d1\u200d\U0001f680 way.\nWait."), "a: 1"),
        MaskView("a: 2", refused=UserError("line 2 holds <b>nothing</b>", "mend it")),
        viewer.view(chat("When?", "Monday", "Sure?", "Yes"), "a: 3"),
    ]


def page_of(views, title="a.jsonl", tokenizer="tok"):
    return "".join(pieces(views, title=title, tokenizer=tokenizer))


class Page(HTMLParser):
    """Tags and attributes in order; the runs of tokens with their text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.runs, self._in_run = [], [], [], False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        fields = dict(attrs)
        self._in_run = tag == "span" and fields.get("class", "").startswith("r ")
        if self._in_run:
            self.runs.append({**fields, "text": ""})

    def handle_endtag(self, tag):
        self._in_run = False

    def handle_data(self, data):
        if self._in_run:
            self.runs[-1]["text"] += data


def test_every_token_is_there_with_its_id_place_and_length(views):
    html = page_of(views)
    sections = html.split("<section ")[1:]
    for view, section in zip(views, sections, strict=True):
        found, place = [], 0
        for run in Page("<section " + section).runs:
            groups = [[int(one) for one in group.split("+")] for group in run["data-i"].split()]
            lengths = [int(n) for n in run["data-n"].split()]
            assert int(run["data-p"]) == place
            assert len(groups) == len(lengths)
            assert sum(lengths) == len(run["text"].encode("utf-16-le")) // 2
            ids = [one for group in groups for one in group]
            trained = "t" in run["class"].split()
            assert view.loss_mask[place : place + len(ids)] == [int(trained)] * len(ids)
            found += ids
            place += len(ids)
        assert found == view.ids


def test_counts_stand_beside_each_conversation(views):
    section = page_of(views).split("<section ")[1]
    rows = re.findall(r"<tr.*?</tr>", section)
    cells = [re.findall(r">([^<>]*)</t[hd]>", row) for row in rows]
    turns = views[0].turns()
    assert cells[0] == ["#", "role", "tokens", "trained"]
    assert cells[1:-1] == [[str(t.message), t.role, str(t.tokens), str(t.trained)] for t in turns]
    assert cells[-1] == ["", "total", str(len(views[0].ids)), str(views[0].trained)]


def test_a_refused_conversation_stands_at_its_place_with_the_reason(views):
    html = page_of(views)
    section = html.split("<section ")[2]
    assert 'id="c2"' in section
    assert "line 2 holds &lt;b&gt;nothing&lt;/b&gt;" in section
    assert "mend it" in section
    assert Page(section).runs == []


def test_one_can_jump_to_each_conversation_and_on(views):
    page = Page(page_of(views))
    targets = {value for _, name, value in page.attributes if name == "id"}
    links = [value for tag, name, value in page.attributes if tag == "a" and name == "href"]
    assert {link.removeprefix("#") for link in links} <= targets
    assert links[:3] == ["#c1", "#c2", "#c3"]
    assert links[3:] == ["#top", "#c2", "#c1", "#top", "#c3", "#c2", "#top"]


def test_cut_tokens_are_marked_and_counted(viewer):
    tokenizer = make_tokenizer(TEXTS, vocab_size=420)
    short = Viewer(tokenizer, max_length=12)
    html = page_of([short.view(chat("Where is it?", "On its way to you."), "a")])
    runs = Page(html).runs
    assert [run["class"] for run in runs if int(run["data-p"]) >= 12] == ["r z"] * len(
        [run for run in runs if int(run["data-p"]) >= 12]
    )
    assert "cut off" in html
    assert not any("z" in run["class"] for run in Page(page_of([viewer.view(chat("a"), "a")])).runs)


def test_hostile_text_is_shown_and_does_nothing(viewer):
    view = viewer.view(chat(HOSTILE, HOSTILE), HOSTILE)
    html = page_of([view, MaskView(HOSTILE, refused=UserError(HOSTILE, HOSTILE))], HOSTILE, HOSTILE)
    page = Page(html)
    assert page.tags.count("script") == 1
    assert "img" not in page.tags
    for tag, name, value in page.attributes:
        assert not name.startswith("on")
        if name in ("href", "src", "action", "srcset", "data"):
            assert value.startswith("#"), (tag, value)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", html)
    shown = "".join(run["text"] for run in page.runs)
    assert "<script>alert(1)</script>" in shown
    assert "\\x1b[31m \\x00 \\u202e" in shown


def test_nothing_is_fetched_and_only_our_script_may_run(views):
    html = page_of(views)
    script = re.search(r"<script>(.*?)</script>", html, re.S)[1]
    digest = b64encode(sha256(script.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    assert unescape(policy) == (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    for word in ("innerHTML", "outerHTML", "eval", "fetch(", "insertAdjacent", "document.write"):
        assert word not in script
    style = re.search(r"<style>(.*?)</style>", html, re.S)[1]
    assert "url(" not in style
    assert "@import" not in style


def _luminance(color):
    digits = color.lstrip("#")
    digits = digits if len(digits) == 6 else "".join(2 * one for one in digits)
    parts = [int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_text_stands_out_in_both_schemes():
    style = files("serve.web").joinpath("templates", "mask.css").read_text("utf-8")
    schemes = re.findall(r":root \{(.*?)\}", style, re.S)
    assert len(schemes) == 2
    for scheme in schemes:
        colors = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]+)", scheme))
        for ink, ground in (
            ("ink", "paper"), ("ink", "tint"), ("soft", "paper"), ("soft", "card"),
            ("trained", "tint"), ("trained", "paper"), ("control", "control-bg"),
            ("cut", "cut-bg"), ("bad", "card"), ("ink", "cut-bg"),
        ):  # fmt: skip
            light, dark = sorted((_luminance(colors[ink]), _luminance(colors[ground])))[::-1]
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground)


def test_kinds_differ_without_their_hue():
    style = files("serve.web").joinpath("templates", "mask.css").read_text("utf-8")
    rules = dict(re.findall(r"^(\.[a-z.]+) \{(.*?)\}", style, re.S | re.M))
    assert "underline" in rules[".t"]
    assert "border: 1px" in rules[".k"]
    assert "border: 2px" in rules[".k.t"]
    assert "line-through" in rules[".z"]


def test_a_page_of_many_conversations_has_few_elements(viewer):
    view = viewer.view(chat(*["Where is my parcel? " * 40] * 8), "a")
    html = page_of([view] * 20)
    tokens = 20 * len(view.ids)
    assert tokens > 20_000
    assert html.count("<span ") < tokens / 20
    assert len(html.encode()) < 14 * tokens


def test_the_file_holds_the_page(views, tmp_path):
    out = tmp_path / "mask.html"
    write_mask_page(out, views, title="a", tokenizer="b")
    assert out.read_text("utf-8") == page_of(views, "a", "b")


DRIVER = """
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
addEventListener("load", async () => {
// a window without focus sends no focus events
for (let n = 0; n < 50 && !document.hasFocus(); n++) { window.focus(); await wait(50); }
const found = {};
const tip = () => document.getElementById("tip").hidden ? null
  : ["position", "id", "text", "kind", "turn"].map((n) => document.getElementById(n).textContent);
const press = (key) => document.activeElement.dispatchEvent(
  new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
const box = document.querySelector(".text");
found.before = tip();
box.focus();
found.focused = tip();
found.walked = [];
for (let n = 1; n < Number(box.dataset.tokens); n++) {
  press("ArrowRight");
  if (found.walked.at(-1)?.[0] === tip()[0]) break;
  found.walked.push(tip());
}
press("Home"); press("ArrowDown"); found.down = tip();
press("ArrowLeft"); found.back = tip();
press("End"); found.end = tip();
press("Escape"); found.escaped = tip();
const run = document.querySelectorAll(".text")[1].querySelector(".r.t");
run.scrollIntoView();
const at = run.getBoundingClientRect();
run.dispatchEvent(new PointerEvent("pointerover",
  { bubbles: true, clientX: at.left + 3, clientY: at.top + at.height / 2 }));
found.pointed = tip();
found.wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
found.text = box.textContent;
const out = document.createElement("pre");
out.id = "found"; out.textContent = JSON.stringify(found); document.body.append(out);
});
"""


def driven(html, tmp_path, width):
    """What a script in the page finds; it is let in beside the page's own."""
    digest = b64encode(sha256(DRIVER.encode()).digest()).decode()
    html = html.replace("script-src '", f"script-src 'sha256-{digest}' '")
    html = html.replace("</body>", f"<script>{DRIVER}</script></body>")
    file = tmp_path / "page.html"
    file.write_text(html, "utf-8")
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},900",
        f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=3000", "--dump-dom",
        file.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, timeout=120, check=True, text=True)
    return json.loads(unescape(re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.S)[1]))


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize("width", [500, 1280])
def test_a_browser_shows_each_token_by_pointer_and_by_keys(views, tmp_path, width):
    found = driven(page_of(views), tmp_path, width)
    view = views[0]
    total = len(view.ids)
    assert found["before"] is None
    assert found["focused"] == [f"0 of {total}", str(view.ids[0]), "<|im_start|>",
                                "control token", "0 user"]  # fmt: skip
    assert len(found["walked"]) == len(view.pieces) - 1
    walked = [int(one) for step in found["walked"] for one in step[1].split()]
    assert walked == view.ids[1:]
    assert any(" to " in step[0] and step[2] == "\U0001f9d1" for step in found["walked"])
    assert found["down"][0] == f"1 of {total}"
    assert found["back"][0] == f"0 of {total}"
    assert found["end"][0] == f"{total - 1} of {total}"
    assert found["escaped"] is None
    first = views[2].texts[views[2].loss_mask.index(1)]
    assert found["pointed"][2:] == [first, "trained", "1 assistant"]
    assert found["wide"] <= 0
    # looking at tokens changes nothing of the text
    assert found["text"].endswith("Wait.<|im_end|>\u21b5\n\n")
