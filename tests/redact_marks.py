"""How the tests of the detectors say what they expect: the text between the signs is found."""

from dataset.redact.detect import find


def found(text: str, kind: str | None = None, locales: tuple[str, ...] = ()) -> list[str]:
    """The parts of a text that are found, of one kind or of all."""
    return [
        text[span.start : span.end]
        for span in find(text, None if kind is None else frozenset({kind}), locales)
    ]


def kinds(text: str, locales: tuple[str, ...] = ()) -> list[str]:
    """The kinds found in a text, in order."""
    return [span.kind for span in find(text, None, locales)]
