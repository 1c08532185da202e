"""The verdict on a chat template: what it accepts, what it refuses, and with what words."""

import json
from itertools import pairwise

import pytest
from train_ground import small_spec, small_version

import train.verdict
from ingest.errors import UserError
from serve.cli import run
from train.base_model import make_tokenizer
from train.probes import harmless, probes
from train.render import Rendered
from train.run import prepare_run
from train.verdict import VerdictError, check_template

STOP = "<|im_end|>"
HEAD = "<|im_start|>"
TEXTS = ["Hello, how can I help you today?", "assistant user system tool"] * 5
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
NO_STOP = (
    "{% for m in messages %}{{ m.role + ': ' + m.content + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
ALTERNATING = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}"
    "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def tokenizer_with(template=None):
    tokenizer = make_tokenizer(TEXTS, vocab_size=420)
    if template is not None:
        tokenizer.chat_template = template
    return tokenizer


def by_name(verdict):
    return {probe.name: probe for probe in verdict.probes}


def test_a_good_template_is_exact_with_every_probe():
    verdict = check_template(tokenizer_with())
    assert verdict.verdict == "exact"
    assert verdict.reasons == ()
    assert verdict.stop_tokens == (STOP,)
    assert len(verdict.template_sha256) == 64
    assert {probe.verdict for probe in verdict.probes} == {"exact"}
    assert verdict.warnings == ()
    verdict.require("a")


def test_the_battery_holds_what_was_asked_for():
    names = " ".join(probe.name for probe in probes([STOP]))
    for word in (
        "system", "multi-turn", "call with text", "call without text", "parallel calls",
        "after tools", "reasoning", "consecutive assistants", "assistant first", "user last",
        "empty answer", "emoji", "white space", "repeated text", "control tokens",
    ):  # fmt: skip
        assert word in names


def test_each_word_of_a_probe_is_of_one_message():
    for probe in probes([]):
        if probe.name != "repeated text":
            said, others = probe.words()
            assert not said.keys() & others.keys(), probe.name
            assert set((said + others).values()) <= {1}, probe.name
            words = [*said, *others]
            assert not [(a, b) for a in words for b in words if a != b and a in b], probe.name


def test_a_probe_without_control_tokens_has_the_same_words():
    (probe,) = [one for one in probes([STOP, HEAD]) if one.injected]
    assert STOP in probe.messages[0]["content"]
    assert STOP in probe.messages[1]["content"]
    plain = harmless(probe, [STOP, HEAD])
    assert STOP not in json.dumps(plain.messages)
    assert not plain.injected


def test_a_template_without_a_stop_token_is_refused():
    verdict = check_template(tokenizer_with(NO_STOP))
    assert verdict.verdict == "refused"
    assert verdict.reasons[0].startswith("single turn: ")
    assert "stop token" in verdict.reasons[0]
    with pytest.raises(VerdictError, match="my-model: its chat template cannot be trained"):
        verdict.require("my-model")


def test_what_the_template_itself_refuses_speaks_not_against_it():
    verdict = check_template(tokenizer_with(ALTERNATING))
    assert verdict.verdict == "exact"
    found = by_name(verdict)
    assert found["multi-turn"].verdict == "exact"
    for name in ("system", "consecutive assistants", "assistant first"):
        assert found[name].verdict == "unsupported"
        assert "roles must alternate" in found[name].reason


def test_a_template_that_takes_nothing_is_refused():
    verdict = check_template(tokenizer_with("{{ raise_exception('never') }}"))
    assert verdict.verdict == "refused"
    assert "never" in verdict.reasons[0]


@pytest.mark.parametrize("template", ["{% for %}", "", None])
def test_no_template_or_no_jinja_is_refused(template):
    tokenizer = tokenizer_with()
    tokenizer.chat_template = template
    verdict = check_template(tokenizer)
    assert verdict.verdict == "refused"
    assert verdict.reasons


def test_a_stop_token_other_than_eos_is_told():
    tokenizer = tokenizer_with(CHATML)
    tokenizer.eos_token = "<|endoftext|>"
    verdict = check_template(tokenizer)
    assert verdict.verdict == "exact"
    assert [one for one in verdict.warnings if STOP in one and "<|endoftext|>" in one]


def _shifted(mask):
    return [*mask[1:], 0]


def _all(mask):
    return [0] + [1] * (len(mask) - 1)


def _none(mask):
    return [0] * len(mask)


def _without_stop(mask):
    return [a & b for a, b in pairwise([*mask, 0])]


def _with_header(mask):
    return [a | b for a, b in pairwise([*mask, 0])]


def _with_the_line_after(mask):
    return [a | b for a, b in pairwise([0, *mask])]


@pytest.mark.parametrize(
    "spoilt", [_shifted, _all, _none, _without_stop, _with_header, _with_the_line_after]
)
def test_a_wrong_mask_breaks_a_law(monkeypatch, spoilt):
    """The laws know nothing of the renderer, so a renderer that errs is found out."""
    real = train.verdict.render

    def render(messages, tokenizer, **keywords):
        rendered = real(messages, tokenizer, **keywords)
        return Rendered(rendered.ids, spoilt(rendered.loss_mask))

    monkeypatch.setattr(train.verdict, "render", render)
    verdict = check_template(tokenizer_with())
    assert verdict.verdict == "refused"
    assert by_name(verdict)["multi-turn"].verdict == "wrong"


@pytest.mark.parametrize(
    "spoilt", [_shifted, _all, _none, _without_stop, _with_header, _with_the_line_after]
)
def test_a_wrong_mask_of_a_row_breaks_a_law(monkeypatch, spoilt):
    real = train.verdict.render_rows

    def render_rows(conversations, tokenizer):
        return [
            [row._replace(rendered=Rendered(row.rendered.ids, spoilt(row.rendered.loss_mask)))
             for row in rows]
            for rows in real(conversations, tokenizer)
        ]  # fmt: skip

    monkeypatch.setattr(train.verdict, "render_rows", render_rows)
    verdict = check_template(tokenizer_with())
    assert by_name(verdict)["single turn"].verdict == "wrong"
    assert verdict.verdict == "refused"


def test_a_row_that_begins_otherwise_than_the_prompt_breaks_a_law(monkeypatch):
    real = train.verdict.prompt
    monkeypatch.setattr(train.verdict, "prompt", lambda *a, **k: [0, *real(*a, **k)])
    found = by_name(check_template(tokenizer_with()))["single turn"]
    assert found.verdict == "wrong"
    assert "what the server feeds" in found.reason


def test_control_tokens_let_in_break_a_law(monkeypatch):
    real = train.verdict.render

    def render(messages, tokenizer, **keywords):
        rendered = real(messages, tokenizer, **keywords)
        text = tokenizer.decode(rendered.ids)
        return Rendered(tokenizer(text, add_special_tokens=False)["input_ids"], rendered.loss_mask)

    monkeypatch.setattr(train.verdict, "render", render)
    (probe,) = [one for one in check_template(tokenizer_with()).probes if "control" in one.name]
    assert probe.verdict == "wrong"


REWRITES = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}"
    "{% if m.reasoning_content and loop.last %}{{ '<think>' + m.reasoning_content + '</think>' }}"
    "{% endif %}{{ m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
GATHERS = (
    "{% set ns = namespace(text='') %}{% for m in messages %}"
    "{% set ns.text = ns.text + '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' %}"
    "{% endfor %}{{ ns.text }}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% endif %}"
)


def test_a_template_that_forgets_thoughts_gets_rows_of_their_own():
    verdict = check_template(tokenizer_with(REWRITES))
    assert verdict.verdict == "exact"
    assert by_name(verdict)["reasoning, multi-turn"].apart
    assert [one for one in verdict.warnings if "rows of their own" in one]


@pytest.mark.parametrize(
    ("template", "method"), [(CHATML, "segments"), (GATHERS, "provenance"), (NO_STOP, "none")]
)
def test_the_method_is_told(template, method):
    assert check_template(tokenizer_with(template)).method == method


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("tokenizer")
    tokenizer_with().save_pretrained(out)
    (out / "config.json").write_text("{}")
    return out


def test_the_command_says_exact_and_ends_with_0(folder, capsys):
    assert run(["check-template", "--tokenizer", str(folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"] == "exact"
    assert found["reasons"] == []
    assert found["stop_tokens"] == [STOP]
    assert found["method"]
    assert {probe["verdict"] for probe in found["probes"]} == {"exact"}


def test_the_command_says_refused_and_ends_with_3(folder, tmp_path, capsys):
    file = tmp_path / "other.jinja"
    file.write_text(NO_STOP)
    arguments = ["check-template", "--tokenizer", str(folder), "--template", str(file)]
    assert run([*arguments, "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["verdict"] == "refused"
    assert run(arguments) == 3
    out = capsys.readouterr().out
    assert out.startswith("refused\n")
    assert "single turn: " in out


def test_a_template_can_be_given_to_a_tokenizer_that_has_none(tmp_path, capsys):
    tokenizer = tokenizer_with()
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path / "bare")
    (tmp_path / "bare" / "config.json").write_text("{}")
    (tmp_path / "a.jinja").write_text(CHATML)
    arguments = ["check-template", "--tokenizer", str(tmp_path / "bare")]
    assert run(arguments) == 2
    assert run([*arguments, "--template", str(tmp_path / "a.jinja")]) == 0


def test_a_missing_template_file_is_an_error_of_the_user(folder, tmp_path, capsys):
    missing = ["check-template", "--tokenizer", str(folder), "--template", str(tmp_path / "no")]
    assert run(missing) == 2
    assert "cannot be read" in capsys.readouterr().err
    assert issubclass(VerdictError, UserError)


def base_with(tmp_path, template):
    tokenizer_with(template).save_pretrained(tmp_path / "base")
    (tmp_path / "base" / "config.json").write_text("{}")
    return tmp_path / "base"


@pytest.mark.torch
def test_training_does_not_start_on_a_refused_template(workspace, tmp_path):
    small_version(workspace)
    with pytest.raises(VerdictError, match=r"single turn: .*stop token"):
        prepare_run(small_spec(base_with(tmp_path, NO_STOP)), workspace, run_id="r1")
    assert not (workspace.runs / "r1" / "plan.json").exists()


@pytest.mark.torch
def test_a_plan_says_how_its_template_is_trained(workspace, tmp_path):
    small_version(workspace)
    plan = prepare_run(small_spec(base_with(tmp_path, None)), workspace, run_id="r1")
    assert plan.base.template_method == "segments"
    assert plan.base.stop_tokens == [STOP]
    assert len(plan.base.template_sha256) == 64
