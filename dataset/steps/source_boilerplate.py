"""Strips what programs added to messages: signatures of devices, quoted mails, notices of chats."""

from collections import Counter
from typing import Any

import polars as pl
from pydantic import Field, field_validator

from dataset.manifest import StepReport
from dataset.steps.base import Example, StepContext, StepOptions, StepResult
from dataset.steps.boilerplate_rules import RULES, SETS_OF, Rule
from dataset.steps.edit import with_messages

_EMPTIED = "nothing but boilerplate"


class SourceBoilerplate:
    """Applies the rules of each conversation's importer.

    A message of which nothing is left goes; so does a conversation without messages. Rules only
    strip: they rewrite nothing, and running them twice changes nothing more.
    """

    name = "source-boilerplate"
    title = "strip signatures, quotes and notices that programs add to messages"
    parallel = True

    class Options(StepOptions):
        """Which rules."""

        also: list[str] = Field(
            default=[],
            description=f"of {', '.join(RULES)}: for all, whatever the importer; for tables and "
            "training files that were made of such messages",
        )
        without: list[str] = Field(default=[], description="sets of rules that are not applied")

        @field_validator("also", "without")
        @classmethod
        def _known(cls, value: list[str]) -> list[str]:
            unknown = sorted(set(value) - set(RULES))
            if unknown:
                raise ValueError(f"no rules are called {', '.join(unknown)}")
            return value

    def __init__(self, options: Options, _context: StepContext) -> None:
        """See :class:`dataset.steps.base.Step`."""
        self._also = options.also
        self._without = set(options.without)

    def apply(self, frame: pl.DataFrame) -> StepResult:
        """See the class."""
        changes: Counter[str] = Counter()
        changed: dict[int, list[dict[str, Any]]] = {}
        for at, importer in enumerate(frame["importer"]):
            rules = self._rules(importer)
            if rules:
                messages = _stripped(frame["messages"][at].to_list(), rules, changes)
                if messages is not None:
                    changed[at] = messages
        after = with_messages(frame, changed)
        emptied = {at for at, messages in changed.items() if not messages}
        stays = pl.Series("stays", [at not in emptied for at in range(len(frame))], pl.Boolean)
        gone = [frame["id"][at] for at in sorted(emptied)]
        report = StepReport(
            name=self.name,
            rows_in=len(frame),
            kept=len(frame) - len(emptied),
            dropped={_EMPTIED: len(emptied)} if emptied else {},
            changed=len(changed) - len(emptied),
            changes=dict(changes),
        )
        examples = tuple(Example(id_, _EMPTIED) for id_ in gone)
        return StepResult(after.filter(stays), report, examples=examples)

    def _rules(self, importer: str) -> list[Rule]:
        sets = dict.fromkeys((*SETS_OF.get(importer, ()), *self._also))
        return [rule for name in sets if name not in self._without for rule in RULES[name]]


def _stripped(
    messages: list[dict[str, Any]], rules: list[Rule], changes: Counter[str]
) -> list[dict[str, Any]] | None:
    """The messages without boilerplate; None if there was none."""
    kept: list[dict[str, Any]] = []
    found = False
    for message in messages:
        text = message["content"]
        for rule in rules if text and message["role"] in ("user", "assistant") else ():
            less = rule.strip(text)
            if less != text:
                text = less.strip()
                changes[rule.name] += 1
        if text != message["content"]:
            found = True
            if not text and not message["tool_calls"]:
                continue
        kept.append({**message, "content": text})
    return kept if found else None
