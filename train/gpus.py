"""Cards to plan for that are not in this machine: memory, bf16 and speed, by name.

Memory is what torch calls ``total_memory``, in GiB: below the nominal size, since driver and error
correction keep some. The figures are those of the totals in out-of-memory messages that users of
each card have published, rounded down; none was measured by us. The rate is the maker's data
sheet's for dense products with fp32 sums, in bf16; for cards without bf16 it is that of plain fp32,
which is what is trained in there.
"""

import re
from difflib import get_close_matches
from typing import NamedTuple

from ingest.errors import UserError
from train.device import Device


class GpuError(UserError):
    """A card that is not known by that name."""


class Card(NamedTuple):
    """A card that can be planned for.

    Attributes:
        name: as its maker calls it.
        nominal: GB in its name.
        memory_gib: what torch sees of it.
        tflops: dense products a second, in 1e12 operations: in bf16, or fp32 where it has no bf16.
        bf16: whether it computes in bf16 by itself.
    """

    name: str
    nominal: int
    memory_gib: float
    tflops: float
    bf16: bool = True

    def device(self) -> Device:
        """As a place to train."""
        name = f"{self.name} {self.nominal}GB"
        return Device(kind="cuda", name=name, memory_gib=self.memory_gib, bf16=self.bf16)


# of one name the smallest first: what fits into it fits into the others
CARDS = (
    Card("A100", 40, 39.3, 312.0),
    Card("A100", 80, 79.1, 312.0),
    Card("H100", 80, 79.1, 989.4),
    Card("H100 PCIe", 80, 79.1, 756.5),
    Card("H100 NVL", 94, 93.0, 835.5),
    Card("H200", 141, 139.7, 989.4),
    Card("B200", 180, 178.3, 2250.0),
    Card("L4", 24, 21.9, 121.0),
    Card("L40", 48, 44.3, 181.0),
    Card("L40S", 48, 44.3, 362.0),
    Card("A10", 24, 21.9, 125.0),
    Card("A10G", 24, 21.9, 70.0),
    Card("A40", 48, 44.3, 149.7),
    Card("T4", 16, 14.5, 8.1, bf16=False),
    Card("V100", 16, 15.7, 15.7, bf16=False),
    Card("V100", 32, 31.7, 15.7, bf16=False),
    Card("RTX 3090", 24, 23.5, 71.2),
    Card("RTX 4090", 24, 23.5, 165.2),
    Card("RTX 5090", 32, 31.3, 209.5),
    Card("RTX A4000", 16, 15.6, 76.7),
    Card("RTX A5000", 24, 23.5, 111.1),
    Card("RTX A6000", 48, 47.4, 154.8),
    Card("RTX 6000 Ada", 48, 47.3, 364.2),
    Card("RTX PRO 6000", 96, 94.9, 503.8),
)

# words that makers, drivers and shops put around a card's name
_NOISE = re.compile(
    r"nvidia|geforce|tesla|quadro|generation|gpu|server|workstation|edition|sxm\d*|hbm\d*e?|blackwell"
)
_MEMORY = re.compile(r"(\d+)(gb|gib|g)?")
_OTHERS = re.compile(r"laptop|mobile|mig|super|ti")


def find_card(name: str) -> Card:
    """The card that a name means.

    Case, spaces, hyphens, the maker's name and the form factor do not matter. Where a name fits
    cards of several sizes the smallest is meant.

    Args:
        name: such as ``h100``, ``RTX 4090``, ``NVIDIA A100-SXM4-80GB``.

    Raises:
        GpuError: none is called so.
    """
    card = known_card(name)
    if card is not None:
        return card
    close = get_close_matches(_key(name), {_key(one.name): None for one in CARDS}, n=4, cutoff=0.4)
    near = [one.name for one in CARDS if _key(one.name) in close] or [one.name for one in CARDS]
    raise GpuError(
        f"{name}: no card is known by that name",
        f"known: {', '.join(dict.fromkeys(near))}; or say --memory GIB",
    )


def known_card(name: str) -> Card | None:
    """As :func:`find_card`, but None where there is none."""
    words = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]
    words = [word for word in words if not _NOISE.fullmatch(word)]
    if any(_OTHERS.fullmatch(word) for word in words):
        # a laptop's card of the same name is another card
        return None
    sizes = [None, *(word for word in words if _MEMORY.fullmatch(word))]
    for size in sizes:
        key = _short("".join(word for word in words if word != size))
        nominal = int(re.sub(r"\D", "", size)) if size else None
        # the driver says PCIe also where the maker has one name for all forms
        for one in (key, key.removesuffix("pcie")):
            fitting = [card for card in CARDS if one == _key(card.name)]
            fitting = [card for card in fitting if nominal in {None, card.nominal}]
            if fitting:
                return fitting[0]
    return None


def _key(name: str) -> str:
    return _short(re.sub(r"[^a-z0-9]+", "", name.lower()))


def _short(joined: str) -> str:
    """Without the prefix that is left out as often as written."""
    return re.sub(r"^rtx", "", joined)
