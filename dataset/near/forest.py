"""Groups that grow together (union-find). A group is named by its smallest member."""


class Forest:
    """Disjoint groups of whole numbers; a number not seen before is a group of its own."""

    def __init__(self) -> None:
        self._parents: dict[int, int] = {}

    def find(self, member: int) -> int:
        """The name of the member's group."""
        root = member
        while (parent := self._parents.get(root, root)) != root:
            root = parent
        while member != root:
            self._parents[member], member = root, self._parents[member]
        return root

    def unite(self, one: int, other: int) -> int:
        """Make one group of two; its name."""
        one, other = sorted((self.find(one), self.find(other)))
        self._parents.setdefault(one, one)
        self._parents[other] = one
        return one

    def groups(self) -> dict[int, list[int]]:
        """The members of every group of two or more, in order."""
        found: dict[int, list[int]] = {}
        for member in sorted(self._parents):
            found.setdefault(self.find(member), []).append(member)
        return {root: members for root, members in found.items() if len(members) > 1}
