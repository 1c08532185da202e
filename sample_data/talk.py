"""How customers and the assistant talk: turns, orders, and the deck that deals them evenly."""

from random import Random
from typing import NamedTuple

from mill import AT_COUNTER, DISCOUNT, FLOURS, Fact, all_facts, crowns, say


class Turn(NamedTuple):
    """A question of the customer and the answer of the assistant."""

    question: str
    answer: str


_OPENERS = ("", "", "", "Hello! ", "Hi there. ", "Good morning. ", "Hello Wendel Mill. ", "Hey! ")
_FOLLOWERS = ("", "", "Thanks. ", "One more thing. ", "Lovely. ", "Good to know. ", "And also: ")
_THANKS = ("Thank you!", "Thanks, that is all.", "Wonderful, thanks.", "That helps, thank you.")


class Sale(NamedTuple):
    """An order whose sum a tool works out.

    Attributes:
        flour: which flour.
        kilos: how much, under five so that no discount applies.
        total: the sum in hundredths of a crown.
        asked: the wording of the question.
    """

    flour: str
    kilos: int
    total: int
    asked: str

    @property
    def question(self) -> str:
        """What the customer asks."""
        return self.asked.format(self.kilos, self.flour)

    @property
    def answer(self) -> str:
        """The assistant's words once it has the sum."""
        fact = f"{self.kilos} kilos of {self.flour} flour come to {crowns(self.total)}."
        return say(fact, DISCOUNT)


def _all_sales() -> list[Sale]:
    wordings = ("What do {0} kilos of {1} flour come to?", "How much are {0} kilos of {1} flour?")
    return [
        Sale(name, kilos, kilos * price, asked)
        for name, price, _, _ in FLOURS
        for kilos in (2, 3, 4)
        for asked in wordings
    ]


class Deck:
    """Deals facts so that each comes up equally often and no phrasing returns before its turn."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._facts = all_facts()
        self._order: list[int] = []
        self._unused: dict[int, list[str]] = {}
        self._sales: list[Sale] = []

    def draw(self) -> tuple[Fact, str]:
        """The next fact and a phrasing of its question."""
        if not self._order:
            self._order = list(range(len(self._facts)))
            self._rng.shuffle(self._order)
        index = self._order.pop()
        fact = self._facts[index]
        if not self._unused.get(index):
            self._unused[index] = list(fact.questions)
            self._rng.shuffle(self._unused[index])
        return fact, self._unused[index].pop()

    def opening(self) -> Turn:
        """The first turn of a conversation."""
        fact, question = self.draw()
        return Turn(self._rng.choice(_OPENERS) + question, say(fact.first, fact.tip))

    def follow_up(self) -> Turn:
        """A later turn."""
        fact, question = self.draw()
        return Turn(self._rng.choice(_FOLLOWERS) + question, say(fact.later, fact.tip))

    def thanks(self) -> Turn:
        """A closing turn that asks nothing."""
        return Turn(self._rng.choice(_THANKS), say("You are always welcome.", AT_COUNTER))

    def sale(self) -> Sale:
        """An order; none returns before all have been dealt."""
        if not self._sales:
            self._sales = _all_sales()
            self._rng.shuffle(self._sales)
        return self._sales.pop()

    def talk(self, turns: int) -> list[Turn]:
        """A conversation of ``turns`` questions; one in five long ones ends with thanks."""
        talk = [self.opening()] + [self.follow_up() for _ in range(turns - 1)]
        if turns > 1 and self._rng.random() < 0.2:
            talk[-1] = self.thanks()
        return talk


# said in more than one conversation, so that deduplication has something to drop
REPEATED = Turn(
    "Hello! What does rye flour cost?",
    say("Our rye flour costs 2.90 crowns a kilo.", DISCOUNT),
)
