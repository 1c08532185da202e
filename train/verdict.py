"""Whether a chat template can be trained exactly, tried before any training starts.

Probe conversations go through ``train.render``, and what comes back is held against laws that
know nothing of how it was made: every word of the assistant is trained and no word of anybody
else; each trained run ends with a control token; what the server would feed the model is how the
trained row begins; decoded, the row is the text of the tokenizer's own render; control tokens in
messages stay text.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ingest.errors import UserError
from train.probes import Probe, harmless, probes
from train.render import (
    Conversation,
    Rendered,
    RenderError,
    mask_spans,
    page_of,
    prompt,
    render,
    template_sha256,
)
from train.rows import Row, render_rows

# a probe holds so many control tokens at the most
_INJECTED = 6

ProbeVerdict = Literal["exact", "refused", "wrong", "unsupported"]


class VerdictError(UserError):
    """A chat template that cannot be trained exactly."""


@dataclass(frozen=True)
class ProbeResult:
    """What became of one probe.

    Attributes:
        name: of the probe.
        verdict: ``exact``; ``refused`` by the renderer; ``wrong`` by a law; ``unsupported``: the
            template itself takes no such conversation, which speaks not against it.
        reason: empty when exact.
        plain: whether nothing can be trained without it.
        apart: whether some turn gets a row of its own, since what stands before it is rendered
            otherwise once the conversation goes on.
        unserved: whether a trained turn stands after other text than the server shows.
    """

    name: str
    verdict: ProbeVerdict
    reason: str = ""
    plain: bool = False
    apart: bool = False
    unserved: bool = False


@dataclass(frozen=True)
class Verdict:
    """What is known of a tokenizer's chat template.

    Attributes:
        verdict: ``exact`` or ``refused``.
        reasons: why it is refused.
        method: how the renderer tells turns apart: ``segments`` where the template writes each
            message while it reads it, ``provenance`` where it gathers text and prints it later,
            ``none`` where it could not.
        stop_tokens: text of the control tokens that end trained turns.
        template_sha256: of the template; empty if there is none.
        warnings: what is left out or differs, though the template can be trained.
        probes: each probe.
    """

    verdict: Literal["exact", "refused"]
    reasons: tuple[str, ...]
    method: str
    stop_tokens: tuple[str, ...]
    template_sha256: str
    warnings: tuple[str, ...]
    probes: tuple[ProbeResult, ...]

    def require(self, model: str) -> None:
        """Refuse to go on with a refused template.

        Args:
            model: whose template it is.

        Raises:
            VerdictError: the verdict is not ``exact``.
        """
        if self.verdict != "exact":
            raise VerdictError(
                f"{model}: its chat template cannot be trained exactly: {self.reasons[0]}",
                f"see 'turnmill check-template --tokenizer {model}'; mend the template, or choose "
                "another base model",
            )


def check_template(tokenizer: Any) -> Verdict:
    """Try a tokenizer's chat template with every probe.

    Args:
        tokenizer: a fast Hugging Face tokenizer.
    """
    try:
        digest = template_sha256(tokenizer)
    except RenderError as error:
        return Verdict("refused", (error.message,), "none", (), "", (), ())
    trial = _Trial(tokenizer)
    results = tuple(trial.result(probe) for probe in probes(trial.injected))
    reasons = tuple(f"{one.name}: {one.reason}" for one in results if _speaks_against(one))
    return Verdict(
        "refused" if reasons else "exact",
        reasons,
        trial.method,
        tuple(trial.stops),
        digest,
        tuple(_warnings(results, list(trial.stops), tokenizer)),
        results,
    )


def _speaks_against(result: ProbeResult) -> bool:
    if result.verdict == "wrong":
        return True
    # a template may know no second turn, but one it must
    needed = result.plain and result.verdict == "refused"
    return needed or (result.name == "single turn" and result.verdict == "unsupported")


def _warnings(results: Sequence[ProbeResult], stops: list[str], tokenizer: Any) -> list[str]:
    refused: dict[str, list[str]] = {}
    for one in results:
        if one.verdict == "refused" and not one.plain:
            # the number of the message is the probe's
            reason = re.sub(r"message \d+", "a message", one.reason)
            refused.setdefault(reason, []).append(f"'{one.name}'")
    found = [
        f"rows like {', '.join(names)} are refused: {reason}" for reason, names in refused.items()
    ]
    for what, names in (
        ("turns get rows of their own, as history is shown otherwise later, in",
         [one.name for one in results if one.apart]),
        ("some turns are trained after other text than the server shows in",
         [one.name for one in results if one.unserved]),
    ):  # fmt: skip
        if names:
            found.append(f"{what}: {', '.join(names)}")
    if stops and tokenizer.eos_token not in stops:
        found.append(
            f"turns end with {', '.join(stops)}, not with the tokenizer's eos token "
            f"{tokenizer.eos_token}: whoever serves the model must stop there"
        )
    return found


class _Broken(Exception):  # noqa: N818 - not an error of the program
    """A law that does not hold."""


def _check_prompt(fed: list[int], row: Rendered) -> None:
    if row.ids[: len(fed)] != fed:
        raise _Broken("a trained row does not begin with what the server feeds the model")
    if fed and row.loss_mask[len(fed) - 1 : len(fed) + 1] != [0, 1]:
        raise _Broken("training does not begin where the server's prompt ends")


class _Trial:
    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        added = tokenizer.added_tokens_decoder.items()
        self._control = {i: token.content for i, token in added if token.content.strip()}
        self.injected = self._to_inject()
        self.stops: Counter[str] = Counter()
        self.method = "none"

    def result(self, probe: Probe) -> ProbeResult:
        """Try one probe: as the rows that train it, and as one."""
        try:
            self._stock(probe)
        except RenderError as error:
            return ProbeResult(probe.name, "unsupported", error.message, probe.plain)
        rows = self._rows(probe)
        if isinstance(rows, RenderError):
            return ProbeResult(probe.name, "refused", rows.message, probe.plain)
        try:
            self._check(probe, [(row.messages, row.rendered) for row in rows])
            self._check_prompts(probe)
            whole = self._whole(probe)
            if whole is not None:
                self._check(probe, [(len(probe.messages), whole)])
        except _Broken as law:
            return ProbeResult(probe.name, "wrong", str(law), probe.plain)
        self._note_method(probe)
        apart = any(row.apart for row in rows)
        unserved = any(row.unserved for row in rows)
        return ProbeResult(probe.name, "exact", "", probe.plain, apart, unserved)

    def _rows(self, probe: Probe) -> list[Row] | RenderError:
        return render_rows([Conversation(probe.messages, probe.tools)], self._tokenizer)[0]

    def _whole(self, probe: Probe) -> Rendered | None:
        try:
            return render(probe.messages, self._tokenizer, tools=probe.tools)
        except RenderError:
            return None  # it is trained as rows only

    def _note_method(self, probe: Probe) -> None:
        if probe.plain:
            page = page_of(Conversation(probe.messages, probe.tools), self._tokenizer, {})
            turns = [i for i, one in enumerate(probe.messages) if one["role"] == "assistant"]
            told = page.segments_hold and all(page.segment(i) for i in turns)
            self.method = "segments" if told else "provenance"

    def _check(self, probe: Probe, rows: Sequence[tuple[int, Rendered]]) -> None:
        """Hold rows, each with the number of messages it shows, against the laws."""
        texts = [self._stock(probe, probe.messages[:count]) for count, _ in rows]
        learned: list[list[int]] = []
        for text, (_, row) in zip(texts, rows, strict=True):
            spans = mask_spans(row.loss_mask)
            learned += [row.ids[start:end] for start, end in spans]
            self._check_text(text, row)
        self._check_words(probe, texts[-1], learned)
        if len(learned) > sum(message["role"] == "assistant" for message in probe.messages):
            raise _Broken("more stretches are trained than there are assistant messages")
        for run in learned:
            if run[-1] not in self._control:
                raise _Broken("a trained turn does not end with a control token")
            self.stops[self._control[run[-1]]] += 1
        if probe.injected:
            self._check_controls(probe, rows)

    def _check_text(self, text: str, row: Rendered) -> None:
        decoded = self._decode(row.ids)
        if decoded == text:
            return
        if row.loss_mask[-1] and row.ids[-1] in self._control:
            # the stop token that the template leaves to the next message
            text += self._control[row.ids[-1]]
            if decoded == text:
                return
        # some tokenizers do not give a text back; then ours must be as theirs, blanks aside
        stock = self._decode(self._tokenizer(text, add_special_tokens=False)["input_ids"])
        if stock == text or "".join(decoded.split()) != "".join(stock.split()):
            raise _Broken("decoded, the row is not the text of the template")

    def _check_words(self, probe: Probe, text: str, trained: Sequence[Sequence[int]]) -> None:
        said, others = harmless(probe, self.injected).words()
        shown = self._decode(self._tokenizer(text, add_special_tokens=False)["input_ids"])
        learned = "\n".join(map(self._decode, trained))
        for word in said | others:
            in_text, in_trained = shown.count(word), learned.count(word)
            if not others[word] and in_text and not in_trained:
                raise _Broken("words of the assistant are not trained")
            if not said[word] and in_trained:
                raise _Broken("words of the user, the system, a tool or a definition are trained")
            told_apart = in_text == said[word] + others[word]
            if told_apart and in_trained != said[word]:
                raise _Broken("words said by the assistant and by others are mixed up")

    def _check_controls(self, probe: Probe, rows: Sequence[tuple[int, Rendered]]) -> None:
        plain = harmless(probe, self.injected).messages
        for count, row in rows:
            text = self._stock(probe, plain[:count])
            stock = self._tokenizer(text, add_special_tokens=False)["input_ids"]
            ours, without = (
                Counter(one for one in ids if one in self._control) for ids in (row.ids, stock)
            )
            surplus = ours - without
            # a stop token may have been added at the end
            if without - ours or surplus.total() > (row.loss_mask[-1]):
                raise _Broken("a message brought a control token in")

    def _check_prompts(self, probe: Probe) -> None:
        """The row of each conversation that ends with an answer begins as the server's prompt."""
        for i, message in enumerate(probe.messages):
            if message["role"] != "assistant":
                continue
            try:
                asked = self._stock(probe, probe.messages[:i], generation=True)
                text = self._stock(probe, probe.messages[: i + 1])
                fed = prompt(probe.messages[:i], self._tokenizer, tools=probe.tools)
            except RenderError:
                continue  # a beginning that is no conversation by itself
            if not text.startswith(asked):
                continue
            until = probe._replace(messages=probe.messages[: i + 1])
            rows = self._rows(until)
            if not isinstance(rows, RenderError):
                for row in rows:
                    if i in row.trained:
                        _check_prompt(fed, row.rendered)
            whole = self._whole(until)
            if whole is not None:
                _check_prompt(fed, whole)

    def _stock(
        self,
        probe: Probe,
        messages: list[dict[str, Any]] | None = None,
        *,
        generation: bool = False,
    ) -> str:
        """The tokenizer's own render.

        Raises:
            RenderError: the template refuses the messages.
        """
        from jinja2 import TemplateError

        try:
            # a batch of one: an empty conversation alone is taken for no conversation
            texts: list[str] = self._tokenizer.apply_chat_template(
                [probe.messages if messages is None else messages],
                tools=probe.tools,
                tokenize=False,
                add_generation_prompt=generation,
            )
        except (TemplateError, TypeError, ValueError, LookupError) as error:
            raise RenderError(
                f"not supported by the template: {str(error) or type(error).__name__}"
            ) from None
        return texts[0]

    def _decode(self, ids: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(
            list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        return text

    def _to_inject(self) -> list[str]:
        """Control tokens of the template, those that open and close messages first."""
        text = self._stock_or_nothing()
        found = sorted(set(self._control.values()), key=lambda token: (-text.count(token), token))
        return [token for token in found if token in text][:_INJECTED]

    def _stock_or_nothing(self) -> str:
        messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
        try:
            return self._stock(Probe("", messages))
        except RenderError:
            return ""
