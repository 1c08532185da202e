"""Conversations that are trees: reading order, the active path, damaged links.

Exports disagree on what they state: parents, children, or both, and contradicting. Nothing here
fails on a cycle, a missing parent or several roots; every node comes out once.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

_NONE: tuple[str, ...] = ()


class Reading(NamedTuple):
    """How a tree is read.

    Attributes:
        order: node ids, parents before children.
        path: the nodes of the active path.
        damaged: as in :func:`reading_order`.
    """

    order: list[str]
    path: set[str]
    damaged: bool


def read_tree(
    parents: Mapping[str, str | None], leaf: str | None, times: Mapping[str, float]
) -> Reading:
    """Order and active path of a tree; the newest leaf ends the path if ``leaf`` is no node."""
    order, damaged = reading_order(parents)
    end = leaf if leaf in parents else newest_leaf(parents, times)
    return Reading(order, path_to(parents, end), damaged)


def reading_order(
    parents: Mapping[str, str | None], children: Mapping[str, Sequence[str] | None] | None = None
) -> tuple[list[str], bool]:
    """Node ids, parents before children, siblings in their stated order.

    Args:
        parents: the parent's id by node id, in the export's order.
        children: ids of the children by node id, where the export states them; else they are
            taken from ``parents``.

    Returns:
        (ids, damaged): ``damaged`` when some nodes hung on no root, which means a cycle or links
        that contradict each other. They come last, in the export's order but for a parent that
        is named later: it goes before its child.
    """
    if children is None:
        children = children_of(parents)
    order: list[str] = []
    seen: set[str] = set()
    roots = [key for key, parent in parents.items() if parent not in parents]
    _walk(parents, children, roots, order, seen)
    damaged = len(order) < len(parents)
    if damaged:
        for key in parents:
            _walk(parents, children, _unseen_chain(parents, key, seen), order, seen)
    return order, damaged


def _unseen_chain(
    parents: Mapping[str, str | None], key: str | None, seen: Collection[str]
) -> list[str]:
    """The node and those above it that have no place yet, topmost first."""
    chain: dict[str, None] = {}
    while key is not None and key in parents and key not in seen and key not in chain:
        chain[key] = None
        key = parents[key]
    return list(chain)[::-1]


def children_of(parents: Mapping[str, str | None]) -> dict[str, list[str]]:
    """Children by node id, in the export's order."""
    children: dict[str, list[str]] = {}
    for key, parent in parents.items():
        if parent is not None:
            children.setdefault(parent, []).append(key)
    return children


def _walk(
    known: Collection[str],
    children: Mapping[str, Sequence[str] | None],
    roots: list[str],
    order: list[str],
    seen: set[str],
) -> None:
    stack = roots[::-1]
    while stack:
        key = stack.pop()
        # mostly there is one child: a chain needs no stack
        while key not in seen and key in known:
            seen.add(key)
            order.append(key)
            below = children.get(key)
            if not below:
                break
            if len(below) > 1:
                stack.extend(below[:0:-1])
            key = below[0]


def path_to(parents: Mapping[str, str | None], leaf: str | None) -> set[str]:
    """The nodes from ``leaf`` up to its root; empty if ``leaf`` is no node."""
    path: set[str] = set()
    while leaf is not None and leaf not in path and leaf in parents:
        path.add(leaf)
        leaf = parents[leaf]
    return path


def newest_leaf(parents: Mapping[str, str | None], times: Mapping[str, float]) -> str | None:
    """The leaf with the latest time; of equal ones the last in the export's order.

    Args:
        parents: the parent's id by node id.
        times: any number that grows with time, by node id; nodes without one count as earliest.
    """
    inner = {parent for parent in parents.values() if parent is not None}
    best: str | None = None
    for key in parents:
        if key not in inner and (best is None or times.get(key, 0.0) >= times.get(best, 0.0)):
            best = key
    return best


def nearest(
    parents: Mapping[str, str | None], start: str | None, wanted: Collection[str]
) -> str | None:
    """The first of ``start`` and its ancestors that is in ``wanted``."""
    seen: set[str] = set()
    while start is not None and start not in seen:
        if start in wanted:
            return start
        seen.add(start)
        start = parents.get(start)
    return None
