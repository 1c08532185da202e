"""Which script a name is written in, for that decides where it begins and ends in a text."""

_RANGES = (
    (0x0041, 0x024F, "latin"), (0x0370, 0x03FF, "greek"), (0x0400, 0x052F, "cyrillic"),
    (0x0530, 0x058F, "armenian"), (0x0590, 0x05FF, "hebrew"), (0x0600, 0x08FF, "arabic"),
    (0x0900, 0x097F, "devanagari"), (0x0980, 0x09FF, "bengali"), (0x0A00, 0x0B7F, "latin"),
    (0x0B80, 0x0DFF, "dravidian"), (0x0E00, 0x0EFF, "thai"), (0x1000, 0x109F, "thai"),
    (0x10A0, 0x10FF, "georgian"), (0x1100, 0x11FF, "hangul"), (0x1780, 0x17FF, "thai"),
    (0x1E00, 0x1EFF, "latin"), (0x1F00, 0x1FFF, "greek"), (0x3040, 0x30FF, "kana"),
    (0x3400, 0x9FFF, "han"), (0xAC00, 0xD7AF, "hangul"), (0xF900, 0xFAFF, "han"),
    (0xFB50, 0xFEFF, "arabic"), (0x20000, 0x3FFFF, "han"),
)  # fmt: skip


class Script:
    """Scripts that differ in how names stand in them; Latin stands for all that are like it.

    Plain words: members of an enumeration are slow to look up, and every hit is looked up.
    """

    LATIN = "latin"
    GREEK = "greek"
    CYRILLIC = "cyrillic"
    ARMENIAN = "armenian"
    HEBREW = "hebrew"
    ARABIC = "arabic"
    DEVANAGARI = "devanagari"
    BENGALI = "bengali"
    DRAVIDIAN = "dravidian"
    THAI = "thai"
    GEORGIAN = "georgian"
    HANGUL = "hangul"
    KANA = "kana"
    HAN = "han"


UNSPACED = frozenset({Script.THAI, Script.HAN, Script.KANA})
"""Scripts without spaces between words."""

CASELESS = frozenset(
    {"hebrew", "arabic", "devanagari", "bengali", "dravidian", "thai", "georgian", "hangul", "kana",
     "han"}
)  # fmt: skip
"""Scripts without capitals."""


def script_of(text: str) -> str:
    """The script of the first letter that has one; Latin if none has. Han wins over kana."""
    first: str | None = None
    for letter in text:
        if not letter.isalpha():
            continue
        script = _script(ord(letter))
        if script == Script.HAN:
            return script
        first = first or script
    return first or Script.LATIN


def _script(code: int) -> str:
    for low, high, name in _RANGES:
        if low <= code <= high:
            return name
    return Script.LATIN


# letters and digits, and the vowel signs of Indian and Thai scripts, which Python takes for neither
LETTER = (
    r"(?:[^\W_]|[\u0900-\u0963\u0966-\u0dff\u0e00-\u0e4e\u0e50-\u0eff\u1000-\u1049\u1050-\u109f"
    r"\u1780-\u17d3])"
)
"""A pattern for one character of a word."""


def is_letter(character: str) -> bool:
    """Whether a character belongs to a word: a letter, a digit or a vowel sign."""
    return character.isalnum() or (character > "\u08ff" and _is_sign(ord(character)))


def _is_sign(code: int) -> bool:
    return (
        0x0900 <= code <= 0x0DFF and code not in (0x0964, 0x0965)
    ) or 0x0E00 <= code <= 0x109F or 0x1780 <= code <= 0x17D3  # fmt: skip
