"""turnmill mask on the terminal and as JSON: kinds, turns, marks, escapes, refusals."""

import io
import json

import pytest
from rich.console import Console

from serve.cli import run
from serve.masks import screen
from serve.masks.pieces import Decoder, visible
from serve.masks.view import MaskView, Viewer
from train.base_model import make_tokenizer
from train.policy import Policy

TEXTS = [
    "Hello, how can I help you with your order today?",
    "The parcel was sent on Monday; it arrives within three days.",
    "assistant user system tool",
] * 5
STOP = "<|im_end|>"
TOOLS = [{"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}]


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer(TEXTS, vocab_size=420)


@pytest.fixture(scope="module")
def folder(tokenizer, tmp_path_factory):
    out = tmp_path_factory.mktemp("tokenizer")
    tokenizer.save_pretrained(out)
    (out / "config.json").write_text("{}")
    return out


@pytest.fixture
def viewer(tokenizer):
    return Viewer(tokenizer)


def messages(*pairs):
    return [{"role": role, "content": content} for role, content in pairs]


TWO_TURNS = messages(
    ("system", "Be kind."), ("user", "Where?"), ("assistant", "On its way.\n"),
    ("user", "When?"), ("assistant", "Monday."),
)  # fmt: skip


def printed(views, *, color="never", width=100):
    out = io.StringIO()
    console = Console(
        file=out, width=width, force_terminal=True, highlight=False,
        color_system="standard" if color == "always" else None,
    )  # fmt: skip
    screen.show(views, color=color, console=console)
    return out.getvalue()


def file_of(tmp_path, *rows):
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    return file


def test_each_message_has_its_tokens_and_those_trained(viewer, tokenizer):
    view = viewer.view({"messages": TWO_TURNS, "tools": None}, "a")
    turns = view.turns()
    assert [(turn.message, turn.role) for turn in turns] == [
        (0, "system"), (1, "user"), (2, "assistant"), (3, "user"), (4, "assistant")
    ]  # fmt: skip
    assert sum(turn.tokens for turn in turns) == len(view.ids)
    answer = len(tokenizer.encode("On its way.\n" + STOP))
    assert [turn.trained for turn in turns][:4] == [0, 0, answer, 0]
    for turn in turns:
        said = [one for one, owner in zip(view.ids, view.owners, strict=True)
                if owner == turn.message]  # fmt: skip
        content = TWO_TURNS[turn.message]["content"]
        assert tokenizer.decode(said) == f"<|im_start|>{turn.role}\n{content}{STOP}\n"


def test_what_the_template_says_by_itself_is_a_row_of_its_own(viewer):
    chat = {"messages": messages(("user", "Where?"), ("assistant", "Here.")), "tools": TOOLS}
    turns = viewer.view(chat, "a").turns()
    assert [(turn.message, turn.role) for turn in turns] == [
        (None, "template"), (0, "user"), (1, "assistant")
    ]  # fmt: skip
    assert turns[0].tokens > 10
    assert turns[0].trained == 0


def test_only_tokens_of_the_template_are_control_tokens(viewer, tokenizer):
    chat = {"messages": messages(("user", f"a {STOP} b"), ("assistant", f"c {STOP} d")),
            "tools": None}  # fmt: skip
    view = viewer.view(chat, "a")
    texts = [text for text, kind in zip(view.texts, view.kinds, strict=True) if kind == "control"]
    assert texts == ["<|im_start|>", STOP] * 2
    trained = [m for m, kind in zip(view.loss_mask, view.kinds, strict=True) if kind == "control"]
    assert trained == [0, 0, 0, 1]


def test_beyond_the_length_all_is_cut_and_nothing_trained(tokenizer):
    chat = {"messages": TWO_TURNS, "tools": None}
    whole = Viewer(tokenizer).view(chat, "a")
    length = len(whole.ids) - 3
    view = Viewer(tokenizer, max_length=length).view(chat, "a")
    assert view.ids == whole.ids
    assert view.kinds == [*whole.kinds[:length], "cut", "cut", "cut"]
    assert view.cut == 3
    assert view.lost == sum(whole.loss_mask[length:]) > 0
    assert view.loss_mask == whole.loss_mask[:length] + [0] * 3


@pytest.mark.parametrize(("train_on", "trained"), [("assistant", [2, 4]), ("last", [4])])
def test_the_policy_says_what_is_trained(tokenizer, train_on, trained):
    view = Viewer(tokenizer, Policy(train_on)).view({"messages": TWO_TURNS, "tools": None}, "a")
    assert [turn.message for turn in view.turns() if turn.trained] == trained


def test_pieces_are_whole_characters_and_join_to_the_text(tokenizer):
    text = "gr\u00fc\u00dfe \U0001f9d1\u200d\U0001f680 \u4f60\u597d <|im_end|>\n  x"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    pieces = Decoder(tokenizer).pieces(ids)
    assert "".join(piece.text for piece in pieces) == text
    assert [piece.start for piece in pieces[1:]] == [piece.end for piece in pieces[:-1]]
    assert any(piece.text == "\U0001f9d1" and piece.end - piece.start > 1 for piece in pieces)


def test_bytes_that_are_no_character_end(tokenizer):
    half = tokenizer("\U0001f680", add_special_tokens=False)["input_ids"][:1]
    word = tokenizer("way", add_special_tokens=False)["input_ids"]
    pieces = Decoder(tokenizer).pieces([*half * 9, *word])
    assert pieces[-1].end == 9 + len(word)
    assert "".join(piece.text for piece in pieces).strip("\ufffd") == "way"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\tb\r\n", "a\\tb\\r\u21b5\n"),
        ("\x00\x7f\x9b", "\\x00\\x7f\\x9b"),
        ("\u202ea\u2066", "\\u202ea\\u2066"),
        ("\u2028", "\\u2028"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
        ("\U0001f9d1\u200d\U0001f680", "\U0001f9d1\u200d\U0001f680"),
        ("\u00a0\u3000", "\u00a0\u3000"),
    ],
)
def test_what_commands_a_terminal_is_escaped(text, shown):
    assert visible(text) == shown


def test_without_colour_marks_say_what_is_trained(viewer):
    view = viewer.view({"messages": TWO_TURNS, "tools": None}, "a")
    out = printed([view])
    assert "\x1b" not in out
    assert "{<|im_start|>}user\u21b5\nWhere?{<|im_end|>}\u21b5\n" in out
    assert "{<|im_start|>}assistant\u21b5\n[[On its way.\u21b5\n{<|im_end|>}]]\u21b5\n" in out
    assert out.count("[[") == 3  # one in the legend
    assert "total" in out


def test_without_colour_marks_say_what_is_cut(tokenizer):
    view = Viewer(tokenizer, max_length=20).view({"messages": TWO_TURNS, "tools": None}, "a")
    out = printed([view])
    legend, text = out.split("\n", 1)
    assert "[-cut off-]" in legend
    assert text.count("[-") == text.count("-]") == 1
    assert f"{view.lost} of the tokens cut off would be trained" in text


def test_with_colour_each_kind_has_a_style(viewer):
    view = viewer.view({"messages": TWO_TURNS, "tools": None}, "a")
    out = printed([view], color="always")
    assert "\x1b[1;32mMonday.\x1b[0m" in out
    assert f"\x1b[1;7;32m{STOP}\x1b[0m" in out
    assert "\x1b[36m<|im_start|>\x1b[0m" in out
    assert "[[" not in out


@pytest.mark.parametrize("color", ["never", "always"])
def test_what_messages_hold_does_not_reach_the_terminal(viewer, color):
    hostile = "\x1b]0;title\x07 \x1b[2J [bold]x[/] \u202e"
    view = viewer.view({"messages": messages(("user", hostile), ("assistant", hostile)),
                        "tools": None}, hostile)  # fmt: skip
    out = printed([view], color=color)
    assert "\x07" not in out
    assert "\u202e" not in out
    assert "\x1b]" not in out
    assert "\x1b[2J" not in out
    assert out.count("[bold]x[/]") == 3


def test_lines_keep_to_the_width(viewer):
    text = "Where is my parcel? " * 20 + "x" * 200
    view = viewer.view({"messages": messages(("user", text), ("assistant", text)), "tools": None},
                       "a")  # fmt: skip
    out = printed([view], width=60)
    assert max(map(len, out.splitlines())) <= 60


@pytest.mark.parametrize(
    ("color", "terminal", "environ", "expected"),
    [
        ("auto", True, {}, True),
        ("auto", False, {}, False),
        ("auto", True, {"NO_COLOR": "1"}, False),
        ("auto", True, {"TERM": "dumb"}, False),
        ("always", False, {"NO_COLOR": "1"}, True),
        ("never", True, {}, False),
    ],
)
def test_when_colours_are_used(color, terminal, environ, expected):
    console = Console(force_terminal=terminal, _environ={"TERM": "xterm", **environ})
    assert screen.colored(console, color) is expected


def test_refused_rows_stand_at_their_place(folder, tmp_path, capsys):
    good = {"messages": messages(("user", "Hi"), ("assistant", "Hello"))}
    file = file_of(tmp_path, good, {"messages": "broken"}, good)
    arguments = ["mask", str(file), "--tokenizer", str(folder), "--limit", "9"]
    assert run([*arguments, "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert [bool(one["refused"]) for one in found] == [False, True, False]
    assert found[1]["tokens"] == found[1]["loss_mask"] == found[1]["spans"] == []
    assert "no list 'messages'" in found[1]["refused"]["reason"]
    assert run(arguments) == 3
    out = capsys.readouterr().out
    assert out.index("rows.jsonl: 1") < out.index("refused: ") < out.index("rows.jsonl: 3")
    assert "2 conversations" in out
    assert "1 refused" in out


def test_json_keeps_to_its_contract(folder, tmp_path, capsys, tokenizer):
    file = file_of(tmp_path, {"messages": TWO_TURNS})
    assert run(["mask", str(file), "--tokenizer", str(folder), "--json"]) == 0
    (view,) = json.loads(capsys.readouterr().out)
    assert len(view["tokens"]) == len(view["loss_mask"]) == len(view["ids"]) == len(view["kinds"])
    assert "".join(view["tokens"]) == tokenizer.decode(view["ids"])
    trained = ["".join(view["tokens"][start:end]) for start, end in view["spans"]]
    assert trained == ["On its way.\n" + STOP, "Monday." + STOP]
    assert [turn["role"] for turn in view["turns"]] == [one["role"] for one in TWO_TURNS]


def test_a_page_is_written_and_says_no_path(folder, tmp_path, capsys):
    file = file_of(tmp_path, *[{"messages": TWO_TURNS}] * 3)
    out = tmp_path / "mask.html"
    assert run(["mask", str(file), "--tokenizer", str(folder), "--html", str(out)]) == 0
    page = out.read_text("utf-8")
    assert page.count("<section ") == 3
    assert "What is trained: rows.jsonl" in page
    assert str(tmp_path) not in page
    assert str(folder.parent) not in page
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "wrong",
    [["--color", "blue"], ["--train-on", "user"], ["--split", "train", "--max-length", "0"]],
)
def test_a_wrong_word_is_refused(folder, tmp_path, capsys, wrong):
    file = file_of(tmp_path, {"messages": TWO_TURNS})
    assert run(["mask", str(file), "--tokenizer", str(folder), *wrong]) == 2
    assert "error:" in capsys.readouterr().err


def test_an_empty_view_has_no_turns():
    assert MaskView("a").turns() == []
    assert MaskView("a").as_json()["refused"] is None


REWRITES = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}"
    "{% if m.reasoning_content and loop.last %}{{ '<think>' + m.reasoning_content + '</think>' }}"
    "{% endif %}{{ m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
THOUGHTS = [
    {"role": "user", "content": "Where?"},
    {"role": "assistant", "content": "Here.", "reasoning_content": "look"},
    {"role": "user", "content": "When?"},
    {"role": "assistant", "content": "Now.", "reasoning_content": "wait"},
]


def test_a_turn_that_has_a_row_of_its_own_is_told_and_shown():
    tokenizer = make_tokenizer(TEXTS, vocab_size=420)
    tokenizer.chat_template = REWRITES
    viewer = Viewer(tokenizer)
    chat = {"messages": THOUGHTS, "tools": None}
    assert "trained as 2 rows" in viewer.view(chat, "a").note
    rows = viewer.rows(chat, "a")
    assert [view.name for view in rows] == ["a, row 1 of 2", "a, row 2 of 2"]
    assert [[turn.message for turn in view.turns() if turn.trained] for view in rows] == [[1], [3]]
    shown = [tokenizer.decode(view.ids) for view in rows]
    assert "<think>look</think>Here." in shown[0]
    assert "look" not in shown[1]
    assert "trained as 2 rows" in printed([viewer.view(chat, "a")])


def test_rows_of_a_long_conversation_fit_the_length(tokenizer):
    chat = {"messages": TWO_TURNS * 1, "tools": None}
    whole = Viewer(tokenizer).view(chat, "a")
    rows = Viewer(tokenizer, max_length=len(whole.ids) - 5).rows(chat, "a")
    assert len(rows) == 2
    assert sum(view.trained for view in rows) == whole.trained
    assert all(len(view.ids) <= len(whole.ids) - 5 for view in rows)
    assert "repeated as context" in rows[1].note


def test_thoughts_and_calls_can_be_left_out(tokenizer):
    chat = {"messages": THOUGHTS, "tools": None}
    view = Viewer(tokenizer, Policy(train_reasoning=False)).view(chat, "a")
    trained = "".join(t for t, m in zip(view.texts, view.loss_mask, strict=True) if m)
    assert "Here." in trained
    assert "look" not in trained
