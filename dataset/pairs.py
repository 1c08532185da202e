"""Which answers in a stored conversation were preferred to which.

Three things say so: ratings and ranks that the export keeps; the active path, where an answer was
generated again and one of them stayed; and training files that state the better and the worse.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from ingest.importers.pairs import CHOSEN, REJECTED
from ingest.message import Conversation, Message

Source = Literal["path", "rating", "pair"]
"""What says so: the active path, a rating or rank, or the training file itself."""

UNTRAINED = "an answer that broke off or is not to be trained"
DISAGREE = "the rating and the active path disagree"
NOT_ASKED = "nothing is asked before the answers"

_WORDS = {
    "thumbsup": 1.0, "thumbs_up": 1.0, "up": 1.0, "good": 1.0, "like": 1.0, "liked": 1.0,
    "positive": 1.0, "thumbsdown": -1.0, "thumbs_down": -1.0, "down": -1.0, "bad": -1.0,
    "dislike": -1.0, "disliked": -1.0, "negative": -1.0,
}  # fmt: skip
_RATED = ("annotation", "feedback", "rating")
"""Fields under which exports keep what a person thought of an answer."""


class Pair(NamedTuple):
    """Two answers to one prompt.

    Attributes:
        id: the conversation's id, ``#`` and a hash of both answers' ids.
        source: what says so.
        prompt: messages before the answers.
        chosen: the better answer, with the calls of tools that belong to it.
        rejected: the worse one.
    """

    id: str
    source: Source
    prompt: tuple[Message, ...]
    chosen: tuple[Message, ...]
    rejected: tuple[Message, ...]


def conversation_of(id_: str) -> str:
    """The id of the conversation that a pair, or a conversation, comes from."""
    return id_.partition("#")[0]


def pairs_of(conversation: Conversation, left_out: Counter[str]) -> list[Pair]:
    """The pairs of a conversation, in reading order.

    Args:
        conversation: with its side branches.
        left_out: counts pairs that were not made, by reason.
    """
    if all(message.on_path for message in conversation.messages):
        return []  # most have one branch
    tree = _Tree(conversation.messages)
    found: list[Pair] = []
    for parent, answers in tree.forks():
        prompt = tree.prompt(parent)
        for better, worse, source in _preferences(answers, left_out):
            whole = source == "pair"
            pair = Pair(
                _pair_id(conversation.id, better, worse),
                source,
                prompt,
                tree.answer(better, whole=whole),
                tree.answer(worse, whole=whole),
            )
            if reason := _fault(pair):
                left_out[reason] += 1
            else:
                found.append(pair)
    return found


def _pair_id(conversation: str, better: Message, worse: Message) -> str:
    named = f"{better.source_id}\0{worse.source_id}".encode("utf-8", "surrogatepass")
    return f"{conversation}#{hashlib.sha256(named).hexdigest()[:12]}"


def _fault(pair: Pair) -> str | None:
    if not pair.prompt or pair.prompt[-1].role not in ("user", "tool"):
        return NOT_ASKED
    said = [each for each in (*pair.chosen, *pair.rejected) if each.role == "assistant"]
    if any(message.train is False for message in said):
        return UNTRAINED
    return None


# -- who is preferred -----------------------------------------------------------------------------


def _preferences(
    answers: Sequence[Message], left_out: Counter[str]
) -> Iterator[tuple[Message, Message, Source]]:
    """(better, worse, what says so) among answers to one prompt."""
    stated = [each for each in answers if (each.source_id or "").startswith((CHOSEN, REJECTED))]
    if len(stated) == len(answers):
        better = [each for each in answers if (each.source_id or "").startswith(CHOSEN)]
        worse = [each for each in answers if (each.source_id or "").startswith(REJECTED)]
        yield from ((one, other, "pair") for one in better for other in worse)
        return
    ranks = {at: rank for at, each in enumerate(answers) if (rank := rank_of(each)) is not None}
    if len(ranks) > 1:
        yield from _by_score(answers, {at: -rank for at, rank in ranks.items()})
        return
    ratings = {at: value for at, each in enumerate(answers) if (value := rating_of(each))}
    if ratings:
        yield from _by_rating(answers, ratings, left_out)
        return
    kept = next((each for each in answers if each.on_path), None)
    if kept is not None:
        yield from ((kept, each, "path") for each in answers if each is not kept)


def _by_score(
    answers: Sequence[Message], scores: Mapping[int, float]
) -> Iterator[tuple[Message, Message, Source]]:
    best = max(scores, key=lambda at: scores[at])
    for at, score in scores.items():
        if score < scores[best]:
            yield answers[best], answers[at], "rating"


def _by_rating(
    answers: Sequence[Message], ratings: Mapping[int, float], left_out: Counter[str]
) -> Iterator[tuple[Message, Message, Source]]:
    """An answer that nobody rated is worse than a liked one and better than a disliked one."""
    if max(ratings.values()) > 0:
        yield from _by_score(answers, {at: ratings.get(at, 0.0) for at in range(len(answers))})
        return
    kept = next((at for at, each in enumerate(answers) if each.on_path), None)
    if kept is None or kept in ratings:
        # disliked, and still what the talk went on from
        left_out[DISAGREE] += kept is not None
        if len(ratings) > 1:
            yield from _by_score(answers, ratings)
        return
    yield from ((answers[kept], answers[at], "rating") for at in ratings)


def rank_of(message: Message) -> float | None:
    """The rank that reviewers gave an answer among its siblings; 0 is the best."""
    rank = message.extra.get("rank")
    if isinstance(rank, bool) or not isinstance(rank, int | float):
        return None
    return None if message.extra.get("review_result") is False else float(rank)


def rating_of(message: Message) -> float | None:
    """What a person thought of an answer: above 0 is liked, below 0 disliked; None if unsaid."""
    for name in _RATED:
        value = message.extra.get(name)
        if isinstance(value, dict):
            value = value.get("rating")
        if isinstance(value, str):
            value = _WORDS.get(value.strip().lower().replace(" ", "_"))
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    return None


# -- the tree -------------------------------------------------------------------------------------


class _Tree:
    """The messages of a conversation by their links."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._by_id = {each.source_id: each for each in messages if each.source_id is not None}
        self._messages = messages
        self._children: dict[str, list[Message]] = {}
        for message in messages:
            if message.parent_id in self._by_id:
                self._children.setdefault(message.parent_id or "", []).append(message)

    def forks(self) -> Iterator[tuple[Message, list[Message]]]:
        """Messages with several answers, of which at most one lies on the active path."""
        for message in self._messages:
            children = self._children.get(message.source_id or "", ())
            answers = [each for each in children if each.role != "user" and self._answers(each)]
            # several on the path are no alternatives: people reply to one message one by one
            if len(answers) > 1 and sum(each.on_path for each in answers) <= 1:
                yield message, answers

    def prompt(self, last: Message) -> tuple[Message, ...]:
        """Everything up to a message, and the system's messages that stand before it all."""
        chain: list[Message] = []
        seen: set[str] = set()
        at: Message | None = last
        while at is not None and at.source_id not in seen:
            chain.append(at)
            seen.add(at.source_id or "")
            at = self._by_id.get(at.parent_id or "")
        above: list[Message] = []
        for message in self._messages:
            if message.role not in ("system", "developer"):
                break
            if message.parent_id is None and message.source_id not in seen and message.on_path:
                above.append(message)
        return (*above, *reversed(chain))

    def answer(self, first: Message, *, whole: bool) -> tuple[Message, ...]:
        """What follows from an answer's first message up to the next question.

        Args:
            first: where it begins.
            whole: to the end of the branch, later questions included.
        """
        chain = [first]
        seen = {first.source_id}
        while True:
            below = [
                each
                for each in self._children.get(chain[-1].source_id or "", ())
                if each.source_id not in seen and (whole or each.role != "user")
            ]
            if not below:
                break
            # where an answer forks again, the one that stayed, or the last that was made
            chain.append(next((each for each in below if each.on_path), below[-1]))
            seen.add(chain[-1].source_id)
        while not whole and len(chain) > 1 and chain[-1].role in ("system", "developer"):
            chain.pop()
        return tuple(chain)

    def _answers(self, first: Message) -> bool:
        return any(
            each.role == "assistant" and (each.content.strip() or each.tool_calls)
            for each in self.answer(first, whole=False)
        )
