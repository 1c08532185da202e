"""What steps that judge single messages have in common: laying them out, and acting on it."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

import polars as pl

from dataset.manifest import StepReport
from dataset.steps.base import StepResult, keep

Action = Literal["untrain", "drop"]
"""What is done about a bad answer: it stays but is not trained, or its conversation is dropped."""

Verdicts = Mapping[int, Mapping[int, str]]
"""By number of the row and of the message in it, what is wrong with the message."""


def flat(frame: pl.DataFrame) -> pl.DataFrame:
    """One row a message: ``row``, ``number`` in the row, and the fields of a message."""
    return (
        frame.select(
            pl.int_range(pl.len()).alias("row"),
            pl.int_ranges(pl.col("messages").list.len()).alias("number"),
            "messages",
        )
        .filter(pl.col("messages").list.len() > 0)
        .explode("number", "messages")
        .unnest("messages")
    )


def trained_answers(frame: pl.DataFrame) -> pl.DataFrame:
    """Of :func:`flat`, the assistant's messages that say something and may be trained."""
    return flat(frame).filter(
        (pl.col("role") == "assistant")
        & pl.col("train").fill_null(value=True)
        & (pl.col("content").str.len_bytes() > 0)
    )


def with_messages(frame: pl.DataFrame, changed: Mapping[int, list[dict[str, Any]]]) -> pl.DataFrame:
    """The frame with other messages in some rows."""
    if not changed:
        return frame
    other = pl.DataFrame(
        {"at": list(changed), "other": list(changed.values())},
        schema={"at": pl.UInt32, "other": frame.schema["messages"]},
    )
    return (
        frame.with_columns(pl.int_range(pl.len(), dtype=pl.UInt32).alias("at"))
        .join(other, on="at", how="left", maintain_order="left")
        .with_columns(pl.coalesce("other", "messages").alias("messages"))
        .select(frame.columns)
    )


def act(frame: pl.DataFrame, name: str, verdicts: Verdicts, action: Action) -> StepResult:
    """Do something about bad messages.

    Args:
        frame: the conversations.
        name: the step's name.
        verdicts: what is wrong with which.
        action: what to do.
    """
    if action == "drop":
        reasons = [next(iter(verdicts.get(at, {}).values()), None) for at in range(len(frame))]
        return keep(frame, name, pl.Series("reason", reasons, pl.String))
    changes: Counter[str] = Counter()
    changed: dict[int, list[dict[str, Any]]] = {}
    for at, bad in verdicts.items():
        messages = frame["messages"][at].to_list()
        for number, reason in bad.items():
            if messages[number]["train"] is not False:
                messages[number]["train"] = False
                changes[reason] += 1
                changed[at] = messages
    return edited(frame, name, with_messages(frame, changed), changes, len(changed))


def edited(
    before: pl.DataFrame, name: str, after: pl.DataFrame, changes: Mapping[str, int], changed: int
) -> StepResult:
    """The result of a step that drops nothing.

    Args:
        before: the conversations.
        name: the step's name.
        after: the same ones, some of them changed.
        changes: how often what was done.
        changed: how many conversations differ.
    """
    report = StepReport(
        name=name,
        rows_in=len(before),
        kept=len(after),
        dropped={},
        changed=changed,
        changes=dict(changes),
    )
    return StepResult(after, report)


def verdicts_of(found: pl.DataFrame) -> Verdicts:
    """Verdicts from columns ``row``, ``number`` and ``reason``; the first of a message counts."""
    verdicts: dict[int, dict[int, str]] = {}
    for row, number, reason in found.select("row", "number", "reason").iter_rows():
        verdicts.setdefault(row, {}).setdefault(number, reason)
    return verdicts
