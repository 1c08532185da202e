"""The invented world of the samples: Wendel Mill, what it sells, and how its assistant talks.

Every answer has one form, so that a very small model can visibly learn it: a greeting, one fact,
one tip, a sign-off. Questions vary; facts do not.
"""

from typing import NamedTuple

SHOP = "Wendel Mill"
GREETING = "Good grain to you!"
SIGN_OFF = "The wheel keeps turning."
SYSTEM_PROMPT = "You are the assistant of Wendel Mill, a small watermill with a flour shop."


class Fact(NamedTuple):
    """One thing the assistant knows.

    Attributes:
        direct: questions that ask for it.
        indirect: the question as a clause, for :data:`FRAMES`.
        first: the fact, worded for the opening turn of a conversation.
        later: the fact, worded for a follow-up.
        tip: the sentence after it; one for every kind of fact.
    """

    direct: tuple[str, ...]
    indirect: str
    first: str
    later: str
    tip: str

    @property
    def questions(self) -> tuple[str, ...]:
        """Every phrasing, direct ones first."""
        return self.direct + tuple(frame.format(self.indirect) for frame in FRAMES)


FRAMES = (
    "Could you tell me {}?",
    "Do you know {}?",
    "I would like to know {}.",
    "Please remind me {}.",
    "May I ask {}?",
)

# name, price of a kilo in hundredths of a crown, best use, field
FLOURS = (
    ("white wheat", 240, "soft rolls and cakes", "Lower Field"),
    ("wholemeal", 260, "everyday loaves", "Long Acre"),
    ("rye", 290, "dark sourdough", "Crow Hill"),
    ("spelt", 380, "flatbread and pizza", "Abbot's Strip"),
    ("oat", 310, "biscuits and crumble", "Heron Meadow"),
    ("buckwheat", 450, "thin pancakes", "Stony Piece"),
)
HOURS = (
    ("Monday", None),
    ("Tuesday", ("eight", "five")),
    ("Wednesday", ("eight", "five")),
    ("Thursday", ("eight", "seven")),
    ("Friday", ("seven", "five")),
    ("Saturday", ("seven", "one")),
    ("Sunday", None),
)
VILLAGES = (
    ("Quernside", "Tuesday morning"),
    ("Tallowcross", "Tuesday afternoon"),
    ("Brindleford", "Wednesday morning"),
    ("Ossley Green", "Thursday morning"),
    ("Upper Sallow", "Friday morning"),
    ("Marrowdale", "Friday afternoon"),
)
# name, ingredients, degrees, minutes
BREADS = (
    ("mill loaf", "500 g wholemeal, 350 g water and 10 g salt", 230, 40),
    ("kümmel rye", "400 g rye, 320 g water and 8 g caraway", 210, 55),
    ("harvest bun", "300 g white wheat, 180 g milk and 40 g butter", 200, 18),
    ("spelt flatbread", "250 g spelt, 150 g water and 20 g oil", 250, 8),
    ("oat crumble", "200 g oat flour, 100 g butter and 80 g honey", 180, 25),
)

_HISTORY = "The whole story hangs by the door."
_PIPPA = "Pippa says woof."
DISCOUNT = "Five kilos or more are a tenth cheaper."
AT_COUNTER = "Just ask at the counter."
SINGLE_FACTS = (
    Fact(
        ("When was the mill built?", "How old is the mill?", "What year is the mill from?"),
        "when the mill was built",
        "The mill was built in 1742.",
        "It has stood here since 1742.",
        _HISTORY,
    ),
    Fact(
        ("Who built the mill?", "Who was the first miller?", "Whose idea was this mill?"),
        "who built the mill",
        "Orrin Wendel built the mill with his two sisters.",
        "It was built by Orrin Wendel and his two sisters.",
        _HISTORY,
    ),
    Fact(
        ("How big is the wheel?", "How wide is the mill wheel?", "How many buckets turn there?"),
        "how big the wheel is",
        "The wheel is five metres across and has 24 buckets.",
        "It is five metres across, with 24 buckets.",
        _HISTORY,
    ),
    Fact(
        ("Which river turns the wheel?", "What stream is that?", "Where does the water come from?"),
        "which river turns the wheel",
        "The river Luddle turns the wheel.",
        "The wheel is turned by the river Luddle.",
        _HISTORY,
    ),
    Fact(
        ("What happened in the flood?", "When was the great flood?", "Was there ever a flood?"),
        "what the great flood did",
        "The flood of 1809 carried off the first wheel.",
        "The first wheel was lost in the flood of 1809.",
        _HISTORY,
    ),
    Fact(
        (
            "When was the mill restored?",
            "Since when do you grind again?",
            "Did the mill ever stop?",
        ),
        "when the mill was restored",
        "The mill fell silent in 1961 and has ground again since 1998.",
        "It was silent from 1961 until 1998.",
        _HISTORY,
    ),
    Fact(
        ("What are the millstones made of?", "What stone do you use?", "How heavy are the stones?"),
        "what the millstones are made of",
        "The millstones are blue granite and weigh 900 kilos each.",
        "They are blue granite, 900 kilos each.",
        _HISTORY,
    ),
    Fact(
        ("What breed is Pippa?", "What kind of dog do you have?", "Is Pippa a terrier?"),
        "what breed Pippa is",
        "Pippa is a rough-haired terrier.",
        "She is a rough-haired terrier.",
        _PIPPA,
    ),
    Fact(
        ("How old is Pippa?", "What age is the mill dog?", "When is Pippa's birthday?"),
        "how old Pippa is",
        "Pippa turned seven on the first of May.",
        "She turned seven on the first of May.",
        _PIPPA,
    ),
    Fact(
        ("What does Pippa like to eat?", "May I bring Pippa a treat?", "What is Pippa's treat?"),
        "what Pippa likes to eat",
        "Pippa loves oat biscuits without raisins.",
        "She loves oat biscuits without raisins.",
        _PIPPA,
    ),
    Fact(
        ("Where does Pippa sleep?", "Where is the dog at night?", "Does Pippa have a bed?"),
        "where Pippa sleeps",
        "Pippa sleeps on an empty rye sack by the stove.",
        "She sleeps on an empty rye sack by the stove.",
        _PIPPA,
    ),
    Fact(
        ("What is Pippa's job?", "Does the dog work at the mill?", "What does Pippa do all day?"),
        "what Pippa's job is",
        "Pippa keeps the mice out of the granary.",
        "She keeps the mice out of the granary.",
        _PIPPA,
    ),
    Fact(
        ("Do you give tours?", "When is the next tour?", "Can we see the stones at work?"),
        "when you give tours",
        "Tours start on Saturday at eleven and cost four crowns.",
        "We tour on Saturday at eleven, for four crowns.",
        AT_COUNTER,
    ),
    Fact(
        ("How can I pay?", "Do you take cards?", "Is it cash only?"),
        "how I can pay",
        "You can pay in cash or by card.",
        "We take cash and cards.",
        AT_COUNTER,
    ),
    Fact(
        ("Where can I park?", "Is there parking?", "Where do I leave the car?"),
        "where I can park",
        "You can park under the lime trees behind the barn.",
        "There is room under the lime trees behind the barn.",
        AT_COUNTER,
    ),
    Fact(
        ("How long does flour keep?", "How should I store flour?", "Does your flour go stale?"),
        "how long flour keeps",
        "Flour keeps for six months in a cool dry place.",
        "Keep it cool and dry and it lasts six months.",
        AT_COUNTER,
    ),
    Fact(
        ("Do you teach baking?", "When is the bread course?", "Can I learn to bake with you?"),
        "when the bread course is",
        "The bread course is on the first Thursday of the month at six.",
        "We teach bread on the first Thursday of the month at six.",
        AT_COUNTER,
    ),
    Fact(
        ("Do you sell vouchers?", "Can I give flour as a gift?", "Is there a gift card?"),
        "whether you sell vouchers",
        "Vouchers come in ten and twenty crowns.",
        "We have vouchers of ten and twenty crowns.",
        AT_COUNTER,
    ),
)


def crowns(hundredths: int) -> str:
    """``290`` -> ``"2.90 crowns"``."""
    return f"{hundredths // 100}.{hundredths % 100:02d} crowns"


def say(fact: str, tip: str) -> str:
    """An answer in the one form that the assistant has."""
    return f"{GREETING} {fact} {tip} {SIGN_OFF}"


def _flour_facts(name: str, price: int, use: str, field: str) -> list[Fact]:
    return [
        Fact(
            (f"What does {name} flour cost?", f"How much is {name}?", f"Price of {name} please?"),
            f"the price of {name} flour",
            f"Our {name} flour costs {crowns(price)} a kilo.",
            f"A kilo of {name} flour is {crowns(price)}.",
            DISCOUNT,
        ),
        Fact(
            (f"What is {name} flour good for?", f"What do I bake with {name}?", f"Why buy {name}?"),
            f"what {name} flour is best for",
            f"Our {name} flour is best for {use}.",
            f"Use {name} flour for {use}.",
            "Sift it twice.",
        ),
        Fact(
            (f"Where do you grow {name}?", f"Is your {name} local?", f"Which field has {name}?"),
            f"where your {name} grows",
            f"Our {name} grows on {field}.",
            f"The {name} comes from {field}.",
            "It travels less than a mile.",
        ),
    ]


def _hours_fact(day: str, hours: tuple[str, str] | None) -> Fact:
    if hours is None:
        first, later = f"On {day} we are closed.", f"We are closed on {day}."
    else:
        first = f"On {day} we are open from {hours[0]} to {hours[1]}."
        later = f"We are open from {hours[0]} to {hours[1]} on {day}."
    return Fact(
        (f"Are you open on {day}?", f"What are your hours on {day}?", f"Can I come on {day}?"),
        f"when you open on {day}",
        first,
        later,
        "Knock loudly, the stones rumble.",
    )


def _delivery_fact(village: str, when: str) -> Fact:
    return Fact(
        (
            f"Do you deliver to {village}?",
            f"When are you in {village}?",
            f"Which day is {village}?",
        ),
        f"when you deliver to {village}",
        f"We deliver to {village} on {when}.",
        f"The cart is in {village} on {when}.",
        "Order by noon the day before.",
    )


def _bread_facts(name: str, ingredients: str, degrees: int, minutes: int) -> list[Fact]:
    return [
        Fact(
            (
                f"What goes into the {name}?",
                f"Recipe for the {name}?",
                f"How do I make the {name}?",
            ),
            f"the recipe of the {name}",
            f"The {name} takes {ingredients}.",
            f"Mix {ingredients} for the {name}.",
            "Let it rest under a cloth.",
        ),
        Fact(
            (
                f"How long do I bake the {name}?",
                f"How hot is the oven for the {name}?",
                f"When is the {name} done?",
            ),
            f"how long the {name} bakes",
            f"The {name} bakes at {degrees} degrees for {minutes} minutes.",
            f"Bake the {name} for {minutes} minutes at {degrees} degrees.",
            "Tap it and listen.",
        ),
    ]


def all_facts() -> list[Fact]:
    """Everything the assistant knows: about sixty facts."""
    facts = list(SINGLE_FACTS)
    for flour in FLOURS:
        facts += _flour_facts(*flour)
    facts += [_hours_fact(*hours) for hours in HOURS]
    facts += [_delivery_fact(*village) for village in VILLAGES]
    for bread in BREADS:
        facts += _bread_facts(*bread)
    return facts
