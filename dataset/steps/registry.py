"""Steps by name: the built-in ones and those of installed plugins."""

from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points

from dataset.steps.base import Step
from dataset.steps.dedupe_exact import DedupeExact
from dataset.steps.has_assistant import HasAssistant
from ingest.errors import SpecError

_BUILT_IN: tuple[Callable[[], Step], ...] = (HasAssistant, DedupeExact)

ENTRY_POINTS = "turnmill.step"


@cache
def steps() -> dict[str, Step]:
    """Every step by name; a plugin cannot take a built-in's name."""
    found: dict[str, Step] = {}
    for point in entry_points(group=ENTRY_POINTS):
        plugin: Step = point.load()()
        found[plugin.name] = plugin
    for make in _BUILT_IN:
        built_in = make()
        found[built_in.name] = built_in
    return found


def step(name: str) -> Step:
    """The step called ``name``.

    Raises:
        SpecError: there is none.
    """
    try:
        return steps()[name]
    except KeyError:
        raise SpecError(
            f"no step is called {name!r}", f"there are: {', '.join(sorted(steps()))}"
        ) from None
