"""Steps by name: the built-in ones and those of installed plugins."""

from collections.abc import Sequence
from functools import cache
from importlib.metadata import entry_points

from pydantic import ValidationError

from dataset.manifest import StepSpec
from dataset.steps.base import Step, StepClass, StepContext, StepOptions, options_of
from dataset.steps.broken_answers import BrokenAnswers
from dataset.steps.dedupe_exact import DedupeExact
from dataset.steps.dedupe_near import DedupeNear
from dataset.steps.empty import Empty
from dataset.steps.ends_with_assistant import EndsWithAssistant
from dataset.steps.has_assistant import HasAssistant
from dataset.steps.redact import Redact
from dataset.steps.refusals import Refusals
from dataset.steps.repetition import Repetition
from dataset.steps.select_language import Language
from dataset.steps.select_text import Matches, NotMatches
from dataset.steps.select_tokens import TokenLength
from dataset.steps.select_turns import AssistantShare, MaxTurns, MinTurns
from dataset.steps.source_boilerplate import SourceBoilerplate
from ingest.errors import SpecError

_BUILT_IN: tuple[StepClass, ...] = (
    # select
    HasAssistant,
    MinTurns,
    MaxTurns,
    AssistantShare,
    TokenLength,
    Language,
    Matches,
    NotMatches,
    EndsWithAssistant,
    # clean
    SourceBoilerplate,
    BrokenAnswers,
    Refusals,
    Repetition,
    Empty,
    # redact
    Redact,
    # deduplicate
    DedupeExact,
    DedupeNear,
)

ENTRY_POINTS = "turnmill.step"


@cache
def steps() -> dict[str, StepClass]:
    """Every step's class by name; a plugin cannot take a built-in's name."""
    found: dict[str, StepClass] = {}
    for point in entry_points(group=ENTRY_POINTS):
        plugin: StepClass = point.load()
        found[plugin.name] = plugin
    for built_in in _BUILT_IN:
        found[built_in.name] = built_in
    return found


def step(name: str) -> StepClass:
    """The class of the step called ``name``.

    Raises:
        SpecError: there is none.
    """
    try:
        return steps()[name]
    except KeyError:
        raise SpecError(
            f"no step is called {name!r}", f"there are: {', '.join(sorted(steps()))}"
        ) from None


def resolve(asked: Sequence[StepSpec]) -> list[tuple[StepClass, StepOptions]]:
    """The classes and options of a spec's steps.

    Raises:
        SpecError: unknown steps, unknown or wrong options; all faults are named at once.
    """
    found: list[tuple[StepClass, StepOptions]] = []
    faults: list[str] = []
    hints: list[str] = []
    for each in asked:
        try:
            kind = step(each.name)
            found.append((kind, options_of(kind).model_validate(each.options)))
        except SpecError as error:
            faults.append(error.message)
            hints.append(error.hint)
        except ValidationError as error:
            faults += [
                f"step {each.name}: {'.'.join(map(str, fault['loc'])) or 'options'}: {fault['msg']}"
                for fault in error.errors()
            ]
            known = ", ".join(options_of(kind).model_fields) or "none"
            hints.append(f"options of {each.name}: {known}")
    if faults:
        raise SpecError("; ".join(faults), "; ".join(dict.fromkeys(hints)))
    return found


def canonical(resolved: Sequence[tuple[StepClass, StepOptions]]) -> list[StepSpec]:
    """The steps as a manifest records them: every option spelled out, defaults too."""
    return [
        StepSpec(name=kind.name, options=options.model_dump(mode="json"))
        for kind, options in resolved
    ]


def make(resolved: Sequence[tuple[StepClass, StepOptions]], context: StepContext) -> list[Step]:
    """The steps of one build."""
    return [kind(options, context) for kind, options in resolved]
