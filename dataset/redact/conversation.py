"""One conversation redacted: every field that somebody wrote, with one set of placeholders."""

from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import chain
from typing import NamedTuple

from dataset.redact.endings import languages_of
from dataset.redact.finding import PERSON, Find, Finders, Write
from dataset.redact.fold import fold_text
from dataset.redact.json_text import Change
from dataset.redact.people import PeopleFinder, PersonSpan, nameless
from dataset.redact.replace import Placeholders, redact_text, redact_tools, redact_value

_SAMPLE = 4000
_MAY_BE_JSON = "{[ \n"


class Said(NamedTuple):
    """The texts of a message; None where it has none.

    Attributes:
        role: who speaks.
        name: the speaker's, or the tool's.
        content: the visible text.
        reasoning: thinking apart from it.
        arguments: of each tool call.
        quiet: whether it is known that detectors find nothing in ``content``.
    """

    role: str
    name: str | None
    content: str | None
    reasoning: str | None
    arguments: tuple[str, ...]
    quiet: bool = False


class Talk(NamedTuple):
    """The texts of a conversation.

    Attributes:
        quiet: whether it is known that detectors find nothing in ``title``.
    """

    title: str | None
    participants: tuple[str, ...]
    tools: str | None
    messages: list[Said]
    quiet: bool = False

    def names(self) -> Iterator[str]:
        """The names of those who speak, not of tools, and those that the title may consist of.

        A chat of two is called after the other, who need not speak in every conversation of it.
        """
        yield from self.participants
        if self.title:
            yield self.title
            if "," in self.title:
                yield from map(str.strip, self.title.split(","))
        for said in self.messages:
            if said.name and said.role != "tool":
                yield said.name


class Removal(NamedTuple):
    """One change and where it was made.

    Attributes:
        position: of the message; None for the conversation's own fields.
        field: as in ``LEDGER_SCHEMA``.
        change: what was changed.
    """

    position: int | None
    field: str
    change: Change


class Redactor(NamedTuple):
    """What redacts conversations of some people.

    Attributes:
        find: finds everything but people.
        finders: what finds people: the participants', and everybody's if asked for.
        number_of: the person's number of a name, None if it says nobody.
        write: what to write for a person.
        keep: values that stay, in small letters.
    """

    find: Find
    finders: tuple[PeopleFinder, ...]
    number_of: Callable[[str], int | None]
    write: Write
    keep: frozenset[str]

    def redact(self, talk: Talk) -> tuple[Talk, list[Removal]]:
        """The conversation without what was found, and what that was."""
        return _Redaction(self, talk).run()


class _Redaction:
    def __init__(self, redactor: Redactor, talk: Talk) -> None:
        self._redactor = redactor
        self._talk = talk
        self._placeholders = Placeholders(_texts(talk))
        self._removals: list[Removal] = []
        self._names: dict[str, tuple[str, list[Change]]] = {}
        self._finders = Finders(redactor.find, self._people, redactor.write, redactor.keep)
        self._nameless = nameless(redactor.finders, list(_written(talk)))

    def run(self) -> tuple[Talk, list[Removal]]:
        talk = self._talk
        title = talk.title
        if not talk.quiet or title not in self._nameless:
            title = self._text(None, "title", title, quiet=talk.quiet)
        names = [self._name(None, "participants", name) for name in talk.participants]
        tools = talk.tools
        if tools is not None:
            tools = self._note(
                None, "tools", redact_tools(tools, self._finders, self._placeholders)
            )
        messages = [self._message(at, each) for at, each in enumerate(talk.messages)]
        return Talk(title, tuple(dict.fromkeys(names)), tools, messages), self._removals

    def _message(self, at: int, said: Said) -> Said:
        name = said.name
        if name is not None and said.role != "tool":
            name = self._name(at, "name", name)
        content = said.content
        if not said.quiet or content not in self._nameless or content[0] in _MAY_BE_JSON:
            content = self._text(at, "content", content, quiet=said.quiet)
        reasoning = self._text(at, "reasoning", said.reasoning)
        arguments = tuple(
            [
                self._note(
                    at,
                    f"tool_calls.{index}.arguments",
                    redact_value(each, self._finders, self._placeholders),
                )
                for index, each in enumerate(said.arguments)
            ]
            if said.arguments
            else ()
        )
        return Said(said.role, name, content, reasoning, arguments)

    def _text(
        self, at: int | None, field: str, text: str | None, *, quiet: bool = False
    ) -> str | None:
        if not text:
            return text
        # results of tools, and what people paste, may be JSON
        if field == "content" and text[0] in _MAY_BE_JSON:
            return self._note(at, field, redact_value(text, self._finders, self._placeholders))
        changed = redact_text(text, self._finders, self._placeholders, quiet=quiet)
        return self._note(at, field, changed)

    def _name(self, at: int | None, field: str, name: str) -> str:
        # the same few names stand at every message
        changed = self._names.get(name)
        if changed is None:
            changed = self._names[name] = self._named(name)
        return self._note(at, field, changed)

    def _named(self, name: str) -> tuple[str, list[Change]]:
        number = self._redactor.number_of(name)
        if number is None or name.casefold() in self._redactor.keep:
            # an address of mail for a name, of somebody whom we do not number
            return redact_text(name, self._finders, self._placeholders)
        instead = self._redactor.write(PersonSpan(0, len(name), number, "full"), name)
        return instead, [Change(PERSON, 0, len(instead), instead, name)]

    def _note(self, at: int | None, field: str, changed: tuple[str, list[Change]]) -> str:
        text, changes = changed
        if changes:
            self._removals += [Removal(at, field, each) for each in changes]
        return text

    def _people(self, text: str) -> list[PersonSpan]:
        found: list[PersonSpan] = []
        if text in self._nameless:
            return found
        for finder in self._redactor.finders:
            found += finder.find(text, self._spoken)
        return found

    def _spoken(self) -> frozenset[str]:
        return self._languages

    @cached_property
    def _languages(self) -> frozenset[str]:
        """The languages of the whole conversation: one message may be too short to tell."""
        sample, length = [], 0
        for said in self._talk.messages:
            if length > _SAMPLE:
                break
            if said.content:
                sample.append(said.content[:_SAMPLE])
                length += len(sample[-1])
        return languages_of(fold_text(" ".join(sample)))


def _written(talk: Talk) -> Iterator[str]:
    """What people wrote, without names and what is JSON for sure."""
    fields = ((said.content, said.reasoning) for said in talk.messages)
    return filter(None, (talk.title, *chain(*fields)))


def _texts(talk: Talk) -> Iterator[str]:
    of_messages = (
        (said.content, said.reasoning, said.name, *said.arguments) for said in talk.messages
    )
    own = (talk.title, talk.tools, *talk.participants)
    return filter(None, chain(own, *of_messages))
