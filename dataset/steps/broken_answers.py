"""Answers that failed, were broken off, or are a service's error text."""

import hashlib
from typing import Any

import polars as pl
from pydantic import Field

from dataset.steps.base import StepContext, StepOptions, StepResult
from dataset.steps.edit import Action, act, flat, verdicts_of

# what importers note about an answer that did not end well; its value is the export's own word
_MARKS = ("status", "finish_reason", "interrupted", "isApiErrorMessage")

_ERRORS = (
    r"^(?:hmm[.…]* ?)?something (?:went|seems to have gone) wrong\b",
    r"^an error (?:has )?occurred\b",
    r"^there was an error (?:generating|processing|while)\b",
    r"^(?:network|internal server|server|connection|api|gateway timeout) error\b",
    r"^error(?: code)?:? ?\(?[45]\d\d\b",
    r"^(?:api )?error: ",
    r"^request (?:timed out|failed|was aborted)\b",
    r"^\[?request interrupted\b",
    r"^too many requests\b",
    r"^you(?:'ve| have) (?:reached|hit|exceeded) (?:your|the|our) (?:current )?(?:usage|rate|message|plan|daily)",  # noqa: E501
    r"^the (?:server|model|engine) (?:had an error|is (?:currently )?overloaded)",
    r"^this content may violate\b",
    r"^(?:our|the) systems? (?:are|is) (?:a bit|currently|too) busy\b",
    r"^es ist ein fehler aufgetreten\b",
    r"^(?:etwas|da) ist (?:leider )?(?:etwas )?schiefgelaufen\b",
    r"^une erreur (?:s'est produite|est survenue)\b",
    r"^(?:se (?:ha producido|produjo)|ocurrió|ha ocurrido) un error\b",
    r"^si è verificato un errore\b",
    r"^ocorreu um erro\b",
    r"^er is (?:een fout|iets mis)",
    r"^wystąpił błąd\b",
    r"^произошла ошибка\b",
    r"^bir hata oluştu\b",
    r"^(?:出错了|发生错误|發生錯誤|请求超时)",
    r"^エラーが発生しました",
    r"^오류가 발생했습니다",
)
_ERROR = "|".join(f"(?:{each})" for each in _ERRORS)
_LONGEST_ERROR = 300
"""Characters; a longer text talks about an error."""


class BrokenAnswers:
    """Finds them by what the export says of them, by error texts, and by code that never ends.

    Most importers already mark broken answers as not trained; this finds the others, and can drop
    the conversations of all.
    """

    name = "broken-answers"
    title = "do not train answers that failed or were broken off, or drop their conversations"
    parallel = True

    class Options(StepOptions):
        """What is done, and about what."""

        action: Action = Field(
            default="untrain", description="the answer is not trained, or its conversation goes"
        )
        unfinished_code: bool = Field(
            default=True, description="a code block without an end counts as broken off"
        )

    def __init__(self, options: Options, context: StepContext) -> None:
        """See :class:`dataset.steps.base.Step`."""
        self._action = options.action
        self._unfinished_code = options.unfinished_code
        self._failed: dict[str, frozenset[bytes]] = {}
        for id_, content, facts in context.store.marked_answers(_MARKS):
            if _went_wrong(facts):
                known = self._failed.get(id_, frozenset())
                self._failed[id_] = known | {_digest(content)}

    def apply(self, frame: pl.DataFrame) -> StepResult:
        """See the class."""
        text = pl.col("content").str.strip_chars()
        is_error = (
            text.str.len_chars() <= _LONGEST_ERROR
        ) & text.str.to_lowercase().str.replace_all("’", "'", literal=True).str.contains(_ERROR)
        fences = pl.col("content").str.count_matches(r"(?m)^[ \t]*```")
        unfinished = (fences % 2 == 1) & pl.lit(self._unfinished_code)
        answers = flat(frame).filter(pl.col("role") == "assistant")
        failed = pl.Series("failed", self._failures(frame, answers), pl.Boolean)
        reason = (
            pl.when(failed)
            .then(pl.lit("failed or interrupted"))
            .when(is_error)
            .then(pl.lit("error text"))
            .when(unfinished)
            .then(pl.lit("code without an end"))
        )
        found = answers.with_columns(reason.alias("reason")).filter(pl.col("reason").is_not_null())
        return act(frame, self.name, verdicts_of(found), self._action)

    def _failures(self, frame: pl.DataFrame, answers: pl.DataFrame) -> list[bool]:
        ids = frame["id"].to_list()
        if not any(id_ in self._failed for id_ in ids):
            return [False] * len(answers)
        return [
            _digest(content) in self._failed.get(ids[row], frozenset())
            for row, content in answers.select("row", "content").iter_rows()
        ]


def _digest(content: str) -> bytes:
    return hashlib.blake2b(content.encode(), digest_size=8).digest()


def _went_wrong(facts: dict[str, Any]) -> bool:
    if facts.get("interrupted") or facts.get("isApiErrorMessage"):
        return True
    # importers keep these two only where they say something else than that all went well
    return any(isinstance(facts.get(key), str) for key in ("status", "finish_reason"))
