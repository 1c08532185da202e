"""The ChatGPT sample: which conversations there are and what is special about each."""

from collections.abc import Callable
from random import Random

from chatgpt_tree import Tree
from mill import SYSTEM_PROMPT
from talk import REPEATED, Deck, Turn

# 5 January 2026, 08:00 UTC; the conversations follow at a rate of one in about three days
_FIRST = 1_767_600_000
_TITLES = ("Flour question", "At the mill", "Bread and hours", "Wendel Mill", "Mill visit 🌾")
_DULL = "Sure. I think it should be somewhere on the website, or you could ask around."

Shape = Callable[[Tree, Deck, Random], None]


def _start(tree: Tree) -> None:
    tree.hidden_system()


def _speak(tree: Tree, talk: list[Turn]) -> None:
    for turn in talk:
        tree.user(turn.question)
        tree.assistant(turn.answer)


def _turns(rng: Random) -> int:
    return rng.choices((1, 2, 3, 4), (3, 5, 4, 2))[0]


def plain(tree: Tree, deck: Deck, rng: Random) -> None:
    """Questions and answers, nothing else."""
    _start(tree)
    _speak(tree, deck.talk(_turns(rng)))


def with_system(tree: Tree, deck: Deck, rng: Random) -> None:
    """A system message that is seen."""
    tree.text("system", SYSTEM_PROMPT)
    _speak(tree, deck.talk(_turns(rng)))


def regenerated(tree: Tree, deck: Deck, rng: Random) -> None:
    """The first answer was poor, the user asked for another."""
    _start(tree)
    *before, last = deck.talk(_turns(rng))
    _speak(tree, before)
    question = tree.user(last.question)
    tree.assistant(_DULL)
    tree.at = question
    tree.assistant(last.answer)


def edited(tree: Tree, deck: Deck, rng: Random) -> None:
    """The user rewrote a question after it had been answered."""
    _start(tree)
    start = tree.at
    abandoned = deck.opening()
    _speak(tree, [abandoned])
    tree.at = start
    _speak(tree, deck.talk(_turns(rng)))


def returned(tree: Tree, deck: Deck, _rng: Random) -> None:
    """The user tried another way, two turns deep, and went back to the first branch."""
    _start(tree)
    first = deck.opening()
    _speak(tree, [first])
    fork = tree.at
    kept = deck.follow_up()
    tree.user(kept.question)
    tree.assistant(kept.answer)
    end = tree.at
    tree.at = fork
    _speak(tree, [deck.follow_up(), deck.follow_up()])
    tree.at = end


def twins(tree: Tree, deck: Deck, _rng: Random) -> None:
    """Asked again, answered in the very same words: still two nodes."""
    _start(tree)
    turn = deck.opening()
    question = tree.user(turn.question)
    tree.assistant(turn.answer)
    tree.at = question
    tree.assistant(turn.answer)


def stopped_then_regenerated(tree: Tree, deck: Deck, _rng: Random) -> None:
    """An answer was stopped in the middle, and another one asked for."""
    _start(tree)
    turn = deck.opening()
    question = tree.user(turn.question)
    tree.interrupted(turn.answer[: len(turn.answer) // 2])
    tree.at = question
    tree.assistant(turn.answer)


def stopped(tree: Tree, deck: Deck, _rng: Random) -> None:
    """The last answer was stopped in the middle and left so."""
    _start(tree)
    _speak(tree, [deck.opening()])
    turn = deck.follow_up()
    tree.user(turn.question)
    tree.interrupted(turn.answer[: len(turn.answer) // 2])


def python(tree: Tree, deck: Deck, _rng: Random) -> None:
    """The assistant works out a sum with code."""
    _start(tree)
    sale = deck.sale()
    tree.user(sale.question)
    tree.call("python", f"kilos = {sale.kilos}\nprice = {sale.total // sale.kilos}\nkilos * price")
    aggregate = {"status": "success", "run_id": "run-sample", "messages": [], "code": None}
    tree.result("python", str(sale.total), metadata={"aggregate_result": aggregate})
    tree.assistant(sale.answer)
    _speak(tree, [deck.follow_up()])


def web(tree: Tree, deck: Deck, _rng: Random) -> None:
    """The assistant looks at the mill's own page."""
    _start(tree)
    turn = deck.opening()
    tree.user(turn.question)
    tree.call("web.run", '{"search_query": [{"q": "Wendel Mill notice board"}]}')
    tree.result("web.run", f"Notice board of Wendel Mill\n\n{turn.answer}", content_type="text")
    tree.assistant(turn.answer)


def remembered(tree: Tree, deck: Deck, _rng: Random) -> None:
    """The assistant notes something about the customer; the call is plain text."""
    _start(tree)
    tree.user("I always bake with rye, please keep that in mind.")
    tree.call("bio", "The customer always bakes with rye.", content_type="text")
    tree.result("bio", "Model set context updated.", content_type="text")
    tree.assistant(deck.thanks().answer)
    _speak(tree, [deck.follow_up()])


def hidden(tree: Tree, deck: Deck, _rng: Random) -> None:
    """The application slipped in a message that nobody saw."""
    _start(tree)
    tree.hidden("user", "The customer opened the page about flour.")
    _speak(tree, deck.talk(2))


def instructed(tree: Tree, deck: Deck, rng: Random) -> None:
    """The customer has custom instructions."""
    _start(tree)
    profile = "The user bakes for a small café: crêpes and rolls."
    instructions = "Prices in crowns, please." if rng.random() < 0.7 else ""
    tree.context(profile, instructions)
    _speak(tree, deck.talk(2))


def thinking(tree: Tree, deck: Deck, rng: Random) -> None:
    """The model thought before it answered."""
    _start(tree)
    turn = deck.opening()
    tree.user(turn.question)
    tree.thoughts(
        ("Finding the fact", "The question is about the mill.\nI look at the board by the door."),
        ("Choosing the form", "Greeting, fact, tip, sign-off."),
    )
    tree.recap(f"Thought for {rng.randint(2, 9)} seconds")
    tree.assistant(turn.answer)
    _speak(tree, [deck.follow_up()])


def pictured(tree: Tree, deck: Deck, rng: Random) -> None:
    """The customer sends a photograph; the model looks at two facts."""
    _start(tree)
    turn = deck.opening()
    scheme = rng.choice(("file-service://file-", "sediment://file_"))
    pointer = f"{scheme}{rng.getrandbits(96):024x}"
    tree.image(pointer, rng.randint(40_000, 900_000), "Here is my loaf. 🍞", turn.question)
    tree.assistant(turn.answer)


def timeless(tree: Tree, deck: Deck, _rng: Random) -> None:
    """Messages whose time is null or 0."""
    _start(tree)
    turn = deck.opening()
    tree.text("user", turn.question, create_time=None)
    tree.assistant(turn.answer, create_time=0)
    _speak(tree, [deck.follow_up()])


def gapped(tree: Tree, deck: Deck, _rng: Random) -> None:
    """A node without a message in the middle of the tree."""
    _start(tree)
    tree.blank()
    _speak(tree, deck.talk(2))


def many_scripts(tree: Tree, deck: Deck, _rng: Random) -> None:
    """A question in other scripts before the English one, over several lines."""
    _start(tree)
    turn = deck.opening()
    tree.user(f"Grüß Gott, 你好, שלום! 👩🏽‍🌾\n\n{turn.question}")
    tree.assistant(turn.answer)


def priced(tree: Tree, deck: Deck, _rng: Random) -> None:
    """A sum without a tool, and an address that a redaction step should find."""
    _start(tree)
    sale = deck.sale()
    tree.user(f"{sale.question} Write to baker{sale.total}@example.org if you must.")
    tree.assistant(sale.answer)


# 80 with the two of the same words that `build` adds
_PLAN: tuple[tuple[Shape, int], ...] = (
    (plain, 37), (with_system, 7), (regenerated, 4), (edited, 3), (returned, 2), (twins, 1),
    (stopped_then_regenerated, 2), (stopped, 1), (python, 5), (web, 2), (remembered, 1),
    (hidden, 2), (instructed, 2), (thinking, 3), (pictured, 2), (timeless, 1), (gapped, 1),
    (many_scripts, 1), (priced, 1),
)  # fmt: skip


def build(deck: Deck, rng: Random) -> list[Tree]:
    """Every conversation of the export, newest first as ChatGPT writes them."""
    shapes = [shape for shape, count in _PLAN for _ in range(count)]
    rng.shuffle(shapes)
    trees = []
    started = float(_FIRST)
    for index, shape in enumerate(shapes):
        started = round(started + rng.uniform(1, 6) * 86_400, 6)
        tree = Tree(rng, started, root="client-created-root" if index % 3 == 0 else None)
        tree.title = rng.choice(_TITLES)
        shape(tree, deck, rng)
        trees.append(tree)
    _flag(trees)
    trees += [_repeat(rng, started + days * 86_400) for days in (1, 3)]
    return trees[::-1]


def _flag(trees: list[Tree]) -> None:
    """Oddities that do not depend on what is said."""
    trees[4].title = None
    trees[31].title = None
    trees[7].create_time = None
    trees[11].has_conversation_id = False
    trees[15].model = None
    trees[21].gizmo_id = "g-wendelmill"
    for tree in (trees[2], trees[3], trees[18]):
        tree.shuffled = True


def _repeat(rng: Random, started: float) -> Tree:
    tree = Tree(rng, started)
    tree.title = "Flour question"
    _start(tree)
    _speak(tree, [REPEATED])
    return tree
