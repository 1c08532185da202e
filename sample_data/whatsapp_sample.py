"""The WhatsApp samples: a customers' group of the mill, once from Android, once from iOS."""

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random

from mill import GREETING, SHOP
from talk import Deck, Turn
from whatsapp_chat import MARK, Bubble, Chat, deleted, edited, media, typed

from ingest.message import Attachment

# digits, emoji, tilde, brackets and hyphens all occur in display names
CUSTOMERS = (
    "Marla Quillfeather", "Tobin-2 (Bakery)", "Ysolde Barrowmead", "~ Odo 🌾",
    "Hesper Thatchlow", "Corin Vale 7", "Zoë Fenwhistle",
)  # fmt: skip
_NOTICE = (
    "Messages and calls are end-to-end encrypted. Only people in this chat can read, listen to, "
    "or share them. Learn more."
)


class Clock:
    """Local time that only moves when asked."""

    def __init__(self, rng: Random, now: datetime, *, seconds: bool) -> None:
        self._rng = rng
        self.now = now
        self._seconds = seconds

    def tick(self) -> datetime:
        """A few minutes later (or none at all), in the resolution of the file."""
        self.now += timedelta(minutes=self._rng.randint(0, 9))
        if self._seconds:
            self.now += timedelta(seconds=self._rng.randint(1, 59))
        return self.now

    def next_day(self, days: int) -> None:
        """Some morning or afternoon, ``days`` days later."""
        self.now = (self.now + timedelta(days=days)).replace(
            hour=self._rng.randint(8, 17), minute=self._rng.randint(0, 59)
        )


Scene = Callable[[Chat, Clock, Deck, Random], None]


def _answer(chat: Chat, clock: Clock, turn: Turn) -> None:
    chat.turn(SHOP, typed(clock.tick(), turn.answer))


def _speak(chat: Chat, clock: Clock, customer: str, talk: list[Turn]) -> None:
    for turn in talk:
        chat.turn(customer, typed(clock.tick(), turn.question))
        _answer(chat, clock, turn)


def _turns(rng: Random) -> int:
    return rng.choices((1, 2, 3, 4), (3, 4, 2, 1))[0]


def plain(chat: Chat, clock: Clock, deck: Deck, rng: Random) -> None:
    """One customer, questions and answers."""
    _speak(chat, clock, rng.choice(CUSTOMERS), deck.talk(_turns(rng)))


def in_bubbles(chat: Chat, clock: Clock, deck: Deck, rng: Random) -> None:
    """The customer sends one thought in several messages."""
    turn = deck.opening()
    bubbles = [typed(clock.tick(), text) for text in ("Hello!", "It is me again.", turn.question)]
    customer = rng.choice(CUSTOMERS)
    chat.turn(customer, *bubbles[rng.randint(0, 1) :])
    _answer(chat, clock, turn)
    _speak(chat, clock, customer, [deck.follow_up()])


def answered_in_bubbles(chat: Chat, clock: Clock, deck: Deck, rng: Random) -> None:
    """The shop sends its greeting apart from the answer."""
    turn = deck.opening()
    chat.turn(rng.choice(CUSTOMERS), typed(clock.tick(), turn.question))
    rest = turn.answer.removeprefix(GREETING).lstrip()
    chat.turn(SHOP, typed(clock.tick(), GREETING), typed(clock.tick(), rest))


def two_customers(chat: Chat, clock: Clock, deck: Deck, rng: Random) -> None:
    """Two customers take turns."""
    first, second = rng.sample(CUSTOMERS, 2)
    _speak(chat, clock, first, [deck.opening()])
    _speak(chat, clock, second, [deck.opening()])
    _speak(chat, clock, first, [deck.follow_up()])


def ordered(chat: Chat, clock: Clock, deck: Deck, rng: Random) -> None:
    """An order over several lines, with a blank one and a list."""
    sale = deck.sale()
    order = (
        f"For Friday, please:\n1. {sale.kilos} kilos of {sale.flour} flour\n"
        f"- a pat for Pippa: gently\n\nWhat do the {sale.kilos} kilos come to?"
    )
    customer = rng.choice(CUSTOMERS)
    chat.turn(customer, typed(clock.tick(), order))
    chat.turn(SHOP, typed(clock.tick(), sale.answer))
    _speak(chat, clock, customer, [deck.follow_up()])


def pictured(chat: Chat, clock: Clock, deck: Deck, rng: Random) -> None:
    """A picture, then the question about it, in a row."""
    turn = deck.opening()
    question = typed(clock.tick(), turn.question)
    chat.turn(rng.choice(CUSTOMERS), media(question.when), question)
    _answer(chat, clock, turn)


def picture_alone(chat: Chat, clock: Clock, deck: Deck, rng: Random) -> None:
    """The shop sends a picture of its board, the customer thanks."""
    customer = rng.choice(CUSTOMERS)
    chat.turn(customer, typed(clock.tick(), "May I see the board with the prices?"))
    chat.turn(SHOP, media(clock.tick()))
    thanks = deck.thanks()
    chat.turn(customer, typed(clock.tick(), thanks.question))
    _answer(chat, clock, thanks)


def taken_back(chat: Chat, clock: Clock, deck: Deck, rng: Random) -> None:
    """A deleted message between two of the same speaker: three messages."""
    turn = deck.opening()
    customer = rng.choice(CUSTOMERS)
    chat.turn(customer, typed(clock.tick(), "Hello?"))
    chat.turn(customer, deleted(clock.tick()))
    chat.turn(customer, typed(clock.tick(), turn.question))
    _answer(chat, clock, turn)


def taken_back_by_shop(chat: Chat, clock: Clock, deck: Deck, rng: Random) -> None:
    """The shop deleted its first answer."""
    turn = deck.opening()
    chat.turn(rng.choice(CUSTOMERS), typed(clock.tick(), turn.question))
    chat.turn(SHOP, deleted(clock.tick()))
    _answer(chat, clock, turn)


def corrected(chat: Chat, clock: Clock, deck: Deck, rng: Random) -> None:
    """A question and an answer that were edited."""
    turn = deck.opening()
    chat.turn(rng.choice(CUSTOMERS), edited(clock.tick(), turn.question))
    chat.turn(SHOP, edited(clock.tick(), turn.answer))


def marked(chat: Chat, clock: Clock, deck: Deck, rng: Random) -> None:
    """Invisible marks at the start and in the middle of texts."""
    turn = deck.opening()
    customer = rng.choice(CUSTOMERS)
    written = f"{MARK}{turn.question[:6]}{MARK}{turn.question[6:]}"
    chat.turn(customer, typed(clock.tick(), turn.question, written=written))
    _answer(chat, clock, turn)


def slow(chat: Chat, clock: Clock, deck: Deck, rng: Random) -> None:
    """An answer after exactly six hours: still the same session."""
    turn = deck.opening()
    asked = clock.now.replace(hour=8, minute=30)
    chat.turn(rng.choice(CUSTOMERS), typed(asked, turn.question))
    clock.now = asked + timedelta(hours=6)
    chat.turn(SHOP, typed(clock.now, turn.answer))


def renamed(chat: Chat, clock: Clock, deck: Deck, rng: Random) -> None:
    """The group is renamed: an event with a colon in it."""
    _speak(chat, clock, rng.choice(CUSTOMERS), [deck.opening()])
    text = f'{SHOP} changed the group name from "Mill: orders" to "{SHOP}"'
    chat.event(clock.tick(), text)
    _speak(chat, clock, rng.choice(CUSTOMERS), [deck.follow_up()])


def joined(chat: Chat, clock: Clock, deck: Deck, rng: Random) -> None:
    """A customer joins and asks; another one leaves when all is said."""
    customer, leaver = rng.sample(CUSTOMERS, 2)
    _speak(chat, clock, leaver, [deck.opening()])
    chat.event(clock.tick(), f"{customer} joined using this group's invite link")
    _speak(chat, clock, customer, [deck.opening()])
    text = f"{leaver} left"
    chat.event(clock.tick(), text, written=MARK + text)


def unanswered(chat: Chat, clock: Clock, deck: Deck, rng: Random) -> None:
    """Nobody at the counter."""
    _, question = deck.draw()
    chat.turn(rng.choice(CUSTOMERS), typed(clock.tick(), question))


# 50 with the late session after `slow`
_PLAN: tuple[tuple[Scene, int], ...] = (
    (plain, 23), (in_bubbles, 5), (answered_in_bubbles, 3), (two_customers, 3), (ordered, 3),
    (pictured, 2), (picture_alone, 1), (taken_back, 1), (taken_back_by_shop, 1), (corrected, 2),
    (marked, 1), (slow, 1), (renamed, 1), (unanswered, 1),
)  # fmt: skip


def build_android(deck: Deck, rng: Random) -> Chat:
    """The mill's group as an Android telephone exports it."""
    clock = Clock(rng, datetime(2026, 1, 5, 9, 0), seconds=False)
    chat = Chat(SHOP, SHOP, "android")
    chat.event(clock.now, _NOTICE)
    chat.event(clock.tick(), f'{SHOP} created group "Mill: orders"')
    for customer in CUSTOMERS[:3]:
        chat.event(clock.tick(), f"{SHOP} added {customer}")
    scenes = [scene for scene, count in _PLAN for _ in range(count)]
    rng.shuffle(scenes)
    for scene in [*scenes, joined]:
        clock.next_day(rng.randint(2, 8))
        chat.begin()
        scene(chat, clock, deck, rng)
        if scene is slow:
            # a minute more than six hours: the next session
            clock.now += timedelta(hours=6, minutes=1)
            chat.begin()
            turn = deck.opening()
            chat.turn(CUSTOMERS[0], typed(clock.now, turn.question))
            _answer(chat, clock, turn)
    return chat


def build_ios(deck: Deck, rng: Random) -> Chat:
    """A few days of another group as an iPhone exports them."""
    clock = Clock(rng, datetime(2026, 10, 9, 8, 30, 5), seconds=True)
    chat = Chat("whatsapp-ios", SHOP, "ios")
    group = "Mill and friends"
    chat.event(clock.now, f"{group}: {_NOTICE}", written=f"{group}: {MARK}{_NOTICE}")
    for scene in (plain, _ios_pictures, in_bubbles, _ios_tags, ordered, two_customers):
        clock.next_day(rng.randint(1, 4))
        chat.begin()
        scene(chat, clock, deck, rng)
        if scene is plain:
            text = f"{SHOP} added {CUSTOMERS[4]}"
            chat.event(clock.tick(), f"{group}: {text}", written=f"{group}: {MARK}{text}")
    return chat


def _ios_pictures(chat: Chat, clock: Clock, deck: Deck, _rng: Random) -> None:
    """A picture left out of the export and one that lies beside it."""
    turn = deck.opening()
    chat.turn(
        CUSTOMERS[1],
        Bubble(clock.tick(), "", f"{MARK}image omitted", Attachment(kind="image")),
    )
    file = "00000007-PHOTO-2026-10-11.jpg"
    chat.turn(SHOP, Bubble(clock.tick(), "", f"{MARK}<attached: {file}>",
                           Attachment(kind="image", uri=file)))  # fmt: skip
    chat.turn(CUSTOMERS[1], typed(clock.tick(), turn.question))
    _answer(chat, clock, turn)


def _ios_tags(chat: Chat, clock: Clock, deck: Deck, _rng: Random) -> None:
    """A deleted message and an edited one."""
    turn = deck.opening()
    chat.turn(CUSTOMERS[6], deleted(clock.tick(), f"{MARK}This message was deleted."))
    chat.turn(CUSTOMERS[6], edited(clock.tick(), turn.question, mark=MARK))
    _answer(chat, clock, turn)
