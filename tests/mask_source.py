"""A chat template with what its model is given beside it: the tokens that end a turn."""

import re
from typing import NamedTuple

# <|name|>, <|name>, <name|>, <｜name｜>, [NAME]
_CONTROL = re.compile(
    r"<\|[^<>|\s'+~{}]{1,40}\|?>|<[^<>|\s'+~{}]{1,40}\|>|<｜[^<>｜\s'+~{}]{1,40}｜>|\[/?[A-Z_]{2,40}\]"
)
# tags that vocabularies hold as one token; other tags in a template's prose stay plain text
_TAGS = re.compile(
    r"</?(?:s|think|tool_call|tool_response|start_of_turn|end_of_turn|end_of_utterance|sop"
    r"|arg_key|arg_value|start_of_image|image|begin_of_turn|end_of_message)>"
)
_BUILT = re.compile(r"<\|['\"]?\s*(?:[+~]|\}?\}?\s*\{\{)")  # '<|' + message.role + '|>'

# what generation loops of known families stop at; where two of them are in one template, both do
STOPS = (
    "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|eot|>", "<|eom|>", "<|end|>", "<end_of_turn>",
    "<turn|>", "<|tool_response>", "<|END_OF_TURN_TOKEN|>", "<｜end▁of▁sentence｜>",
    "<end_of_utterance>", "<|return|>", "<|call|>", "<|endoftext|>", "</s>",
)  # fmt: skip


class Source(NamedTuple):
    """A template as a tokenizer's folder holds it.

    Attributes:
        text: Jinja source.
        eos: the end-of-sequence token.
        bos: the beginning-of-sequence token.
        stops: tokens that end generation; empty: ``eos`` alone.
        closers: tokens that close a turn in history where the model emitted another.
        extra: control tokens that the source does not spell out.
        plain: texts that look like control tokens and are none in this vocabulary.
        stopless: no way to train a whole conversation: the text holds no stop token for every turn.
    """

    text: str
    eos: str = "<|im_end|>"
    bos: str | None = None
    stops: tuple[str, ...] = ()
    closers: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    plain: tuple[str, ...] = ()
    stopless: bool = False

    def ends(self) -> tuple[str, ...]:
        """Tokens at which a generation loop stops."""
        return self.stops or (self.eos,)

    def controls(self) -> list[str]:
        """Control tokens of the template's vocabulary, without ``bos`` and ``eos``, sorted."""
        found = set(_CONTROL.findall(self.text)) | set(re.findall(_TAGS, self.text))
        found = {*found, *self.stops, *self.closers, *self.extra}
        if _BUILT.search(self.text):
            found |= {"<|system|>", "<|user|>", "<|assistant|>", "<|tool|>"}
        return sorted(found - {self.eos, self.bos or self.eos, *self.plain})


def found_stops(text: str) -> tuple[str, ...]:
    """Stop tokens of known families that a template's source names."""
    return tuple(stop for stop in STOPS if stop in text)
