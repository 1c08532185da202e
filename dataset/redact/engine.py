"""Outside engines for names that turnmill cannot know: Presidio and GLiNER, each an extra.

They find people who take no part in a conversation, and they err: what they find is added to what
the rules and the participants' names give.
"""

from collections.abc import Callable
from typing import Literal

from dataset.redact.span import Span
from ingest.errors import UserError

Engine = Literal["presidio", "gliner"]
Find = Callable[[str], list[Span]]

GLINER_MODEL = "urchade/gliner_multi_pii-v1"
_LEAST = 0.5


def load_engine(name: Engine, locales: tuple[str, ...], model: str | None) -> Find:
    """What finds people in a text, with kind ``person``.

    Args:
        name: which.
        locales: their first language is the text's for Presidio.
        model: GLiNER's model, a folder or a Hub id; Presidio has its own configuration.

    Raises:
        UserError: the extra is not installed, or its model is missing.
    """
    return _presidio(locales) if name == "presidio" else _gliner(model or GLINER_MODEL)


def _presidio(locales: tuple[str, ...]) -> Find:
    try:
        from presidio_analyzer import AnalyzerEngine
    except ImportError:
        raise _missing("presidio") from None
    language = locales[0].replace("-", "_").split("_")[0] if locales else "en"
    engine = AnalyzerEngine(supported_languages=[language])

    def find(text: str) -> list[Span]:
        found = engine.analyze(
            text=text, language=language, entities=["PERSON"], score_threshold=_LEAST
        )
        return [Span(each.start, each.end, "person") for each in found]

    return find


def _gliner(model: str) -> Find:
    try:
        from gliner import GLiNER
    except ImportError:
        raise _missing("gliner") from None
    try:
        loaded = GLiNER.from_pretrained(model)
    except OSError:
        raise UserError(
            f"engine = 'gliner': the model {model} is not here",
            "download it, or set engine_model to a folder",
        ) from None

    def find(text: str) -> list[Span]:
        found = loaded.predict_entities(text, ["person"], threshold=_LEAST)
        return [Span(each["start"], each["end"], "person") for each in found]

    return find


def _missing(extra: str) -> UserError:
    return UserError(
        f"engine = '{extra}': the extra is not installed",
        f"install it: pip install 'turnmill[{extra}]'",
    )
