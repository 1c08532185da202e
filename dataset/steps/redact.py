"""Replaces secrets, contacts, numbers and the names of the people who take part."""

import re
from collections import Counter
from functools import lru_cache
from typing import Any, Literal

import polars as pl
from pydantic import Field, field_validator

from dataset.manifest import StepReport
from dataset.redact.conversation import Redactor, Removal, Talk
from dataset.redact.detect import find
from dataset.redact.endings import languages_of_locales
from dataset.redact.engine import Engine, load_engine
from dataset.redact.ledger import LEDGER_SCHEMA, value_hash, workspace_secret
from dataset.redact.locales import countries
from dataset.redact.names import Token, is_name
from dataset.redact.people import Known, PeopleFinder, PersonSpan
from dataset.redact.roster import Roster, load_roster
from dataset.redact.scripts import script_of
from dataset.redact.sieve import sieve
from dataset.redact.span import DEFAULT_KINDS, KINDS, Span
from dataset.redact.surrogates import Surrogates
from dataset.redact.table import Talks
from dataset.redact.word_lists import WORD_NAMES
from dataset.steps.base import StepContext, StepOptions, StepResult
from ingest.errors import SpecError

_FINDERS = 4096


class Redact:
    """Puts placeholders where something was found; see docs/redaction.md."""

    name = "redact"
    title = "replace secrets, contacts, numbers and people's names"
    parallel = True

    class Options(StepOptions):
        """What to replace and with what."""

        kinds: list[str] = Field(
            default=sorted(DEFAULT_KINDS), description="which kinds the detectors look for"
        )
        locales: list[str] = Field(
            default=[], description="whose numbers, addresses and endings of names, e.g. de_DE"
        )
        people: bool = Field(default=True, description="replace the names of participants")
        everyone: bool = Field(
            default=False,
            description="also full names of people who take part only in other conversations",
        )
        style: Literal["person", "surrogate"] = Field(
            default="person", description="Person_7, or invented names"
        )
        surrogate_locale: str = Field(default="en_US", description="whose names are invented")
        keep: list[str] = Field(default=[], description="values that stay, in any case of letters")
        patterns: dict[str, str] = Field(
            default={}, description="further kinds: a name and a regular expression for each"
        )
        engine: Engine | None = Field(
            default=None, description="presidio or gliner, for names that only they can know"
        )
        engine_model: str | None = Field(default=None, description="GLiNER's model")
        check: Literal["fail", "warn", "off"] = Field(
            default="warn", description="what a build does when redact-check still finds something"
        )

        @field_validator("kinds")
        @classmethod
        def _known_kinds(cls, kinds: list[str]) -> list[str]:
            if unknown := [kind for kind in kinds if kind not in KINDS]:
                raise ValueError(f"unknown: {', '.join(unknown)}; kinds are {', '.join(KINDS)}")
            return sorted(set(kinds))

        @field_validator("locales")
        @classmethod
        def _known_locales(cls, locales: list[str]) -> list[str]:
            try:
                countries(tuple(locales))
            except SpecError as error:
                raise ValueError(error.message) from None
            return locales

        @field_validator("patterns")
        @classmethod
        def _sound_patterns(cls, patterns: dict[str, str]) -> dict[str, str]:
            for name, pattern in patterns.items():
                if not re.fullmatch(r"[a-z][a-z0-9_]{0,30}", name):
                    raise ValueError(f"{name!r} is no name of a kind; use small letters, digits, _")
                try:
                    compiled = re.compile(pattern)
                except re.error as error:
                    raise ValueError(f"{name}: {error}") from None
                if compiled.match(""):
                    raise ValueError(f"{name}: it fits the empty text")
            return patterns

    def __init__(self, options: Options, context: StepContext) -> None:
        self._options = options
        self._secret = workspace_secret(context.workspace)
        people = options.people or options.everyone
        self._roster = load_roster(context.store, context.workspace) if people else Roster({})
        self._kinds, self._locales = frozenset(options.kinds), tuple(options.locales)
        self._keep = frozenset(value.casefold() for value in options.keep)
        self._surrogates: Surrogates | None = None
        if options.style == "surrogate":
            real = frozenset(self._roster.numbers)
            self._surrogates = Surrogates(self._secret, options.surrogate_locale, real)
        self._prepare()  # what is missing is said before the work begins

    def _prepare(self) -> None:
        """What does not pickle and is made anew in every process."""
        options = self._options
        self._languages = languages_of_locales(self._locales)
        self._patterns = [(name, re.compile(text)) for name, text in options.patterns.items()]
        self._engine = (
            load_engine(options.engine, self._locales, options.engine_model)
            if options.engine
            else None
        )
        # patterns of the spec and engines may find something in any text
        only_detectors = not self._patterns and self._engine is None
        self._quiet = sieve(self._locales) if only_detectors else None
        self._everyone = PeopleFinder(_rare(self._roster)) if options.everyone else None
        self._finder = lru_cache(maxsize=_FINDERS)(self._make_finder)

    def __getstate__(self) -> dict[str, Any]:
        made_anew = {"_patterns", "_engine", "_quiet", "_everyone", "_finder", "_languages"}
        return {key: value for key, value in self.__dict__.items() if key not in made_anew}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._prepare()

    def apply(self, frame: pl.DataFrame) -> StepResult:
        """See the class."""
        talks = Talks(frame, self._quiet)
        kinds: Counter[str] = Counter()
        rows: list[tuple[Any, ...]] = []
        hashes: dict[str, str] = {}
        changed = 0
        for at, talk in enumerate(talks):
            redactor = self._redactor(self._known(talk))
            new, removals = redactor.redact(talk)
            if not removals:
                continue
            changed += 1
            talks.put(at, new)
            for each in removals:
                value = each.change.value
                if value not in hashes:
                    hashes[value] = value_hash(self._secret, value)
                rows.append(_ledger_row(talks.ids[at], each, hashes[value]))
            kinds.update(each.change.kind for each in removals)
        report = StepReport(
            name=self.name,
            rows_in=len(frame),
            kept=len(frame),
            changed=changed,
            changes=dict(sorted(kinds.items(), key=lambda item: (-item[1], item[0]))),
        )
        removed = pl.DataFrame(rows, schema=LEDGER_SCHEMA, orient="row")
        return StepResult(talks.frame(), report, removed)

    def _redactor(self, names: tuple[str, ...]) -> Redactor:
        finders = (self._finder(names),) if self._options.people and names else ()
        if self._everyone is not None:
            finders = (*finders, self._everyone)
        number_of = self._number_of if self._options.people else _nobody
        return Redactor(self._find, finders, number_of, self._write, self._keep)

    def _known(self, talk: Talk) -> tuple[str, ...]:
        """The names of a conversation that are somebody's."""
        return tuple(name for name in dict.fromkeys(talk.names()) if name in self._roster.numbers)

    def _number_of(self, name: str) -> int | None:
        return self._roster.numbers.get(name)

    def _make_finder(self, names: tuple[str, ...]) -> PeopleFinder:
        tokens: dict[int, dict[Token, None]] = {}
        for name in names:
            number = self._number_of(name)
            if number is not None and name.casefold() not in self._keep:
                tokens.setdefault(number, {}).update(dict.fromkeys(self._roster.tokens(name)))
        known = [Known(number, tuple(each)) for number, each in tokens.items()]
        return PeopleFinder(known, self._languages)

    def _find(self, text: str) -> list[Span]:
        found = find(text, self._kinds, self._locales)
        for name, pattern in self._patterns:
            places = (each.span() for each in pattern.finditer(text))
            found += [Span(start, end, name) for start, end in places if start < end]
        if self._engine is not None:
            found += self._engine(text)
        return found

    def _write(self, span: PersonSpan, _: str) -> str:
        if self._surrogates is None:
            return f"Person_{span.person}"
        return self._surrogates.write(span.person, span.part)


def _nobody(_: str) -> int | None:
    return None


def _rare(roster: Roster) -> list[Known]:
    """Everybody under full names that only they have: two words and more, not all of them words."""
    known: list[Known] = []
    for name, number in roster.numbers.items():
        words = name.split()
        plain = len(words) > 1 and all(word.replace("-", "").isalpha() for word in words)
        if plain and is_name(name) and not {word.lower() for word in words} <= WORD_NAMES:
            token = Token(" ".join(words), "full", script_of(name), literal=True)
            known.append(Known(number, (token,)))
    return known


def _ledger_row(id_: str, removal: Removal, hashed: str) -> tuple[Any, ...]:
    change = removal.change
    return (id_, removal.position, removal.field, change.kind, change.start, change.end,
            change.placeholder, hashed)  # fmt: skip
