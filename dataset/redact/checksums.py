"""Check digits of identity numbers that ``stdnum`` does not know.

Every function takes the number as written and says whether it can be one.
"""

import re
from datetime import date


def _digits(text: str) -> list[int]:
    return [int(each) for each in text if each.isdecimal()]


def _is_day(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def us_ssn(text: str) -> bool:
    """Social Security number: no checksum, but areas, groups and serials that are never given."""
    digits = "".join(map(str, _digits(text)))
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in ("000", "666") and area[0] != "9" and group != "00" and serial != "0000"


def gb_nino(text: str) -> bool:
    """National Insurance number: no checksum, but prefixes that are never given."""
    compact = re.sub(r"[ -]", "", text).upper()
    return compact[:2] not in ("BG", "GB", "NK", "KN", "TN", "NT", "ZZ")


def de_pension(text: str) -> bool:
    """Rentenversicherungsnummer: area, birthday, letter, serial, check digit (VKVV, annex)."""
    compact = re.sub(r"[ -]", "", text).upper()
    day, month = int(compact[2:4]), int(compact[4:6])
    if not (1 <= month <= 12 and (1 <= day <= 31 or 51 <= day <= 81)):
        return False
    letter = f"{ord(compact[8]) - 64:02d}"
    digits = _digits(compact[:8] + letter + compact[9:11])
    weights = (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1)
    total = sum(sum(divmod(d * w, 10)) for d, w in zip(digits, weights, strict=True))
    return total % 10 == int(compact[11])


def mrz(text: str) -> bool:
    """German identity card and passport: the last digit checks the nine before (ICAO 9303)."""
    compact = text.upper()
    values = [int(each, 36) for each in compact[:9]]
    total = sum(value * (7, 3, 1)[place % 3] for place, value in enumerate(values))
    return total % 10 == int(compact[9])


def lv_code(text: str) -> bool:
    """Latvian personas kods, with a birthday (older form) or from 32 on (newer, unchecked)."""
    digits = _digits(text)
    if digits[0] == 3 and digits[1] >= 2:
        return "-" in text
    weights = (1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(d * w for d, w in zip(digits, weights, strict=False))
    born = _is_day(2000, digits[2] * 10 + digits[3], digits[0] * 10 + digits[1])
    return born and (1101 - total) % 11 == digits[10]


def hu_health(text: str) -> bool:
    """TAJ: eight digits weighted 3, 7 and the sum modulo 10."""
    digits = _digits(text)
    return sum(d * (3, 7)[place % 2] for place, d in enumerate(digits[:8])) % 10 == digits[8]


def hu_tax(text: str) -> bool:
    """Adóazonosító jel: begins with 8, weights 1 to 9, modulo 11."""
    digits = _digits(text)
    return sum(d * (place + 1) for place, d in enumerate(digits[:9])) % 11 == digits[9]


def tw_id(text: str) -> bool:
    """Taiwanese identity number: the letter of the county, then nine digits."""
    number = "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(text[0]) + 10
    digits = [*divmod(number, 10), *_digits(text[1:])]
    weights = (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1)
    return sum(d * w for d, w in zip(digits, weights, strict=True)) % 10 == 0


def hk_id(text: str) -> bool:
    """Hong Kong identity card: one or two letters, six digits, check digit or A."""
    compact = re.sub(r"[^A-Z0-9]", "", text.upper())
    letters, rest = compact[:-7], compact[-7:]
    values = [36] * (2 - len(letters)) + [ord(each) - 55 for each in letters]
    values += [int(each) for each in rest[:6]]
    check = 10 if rest[6] == "A" else int(rest[6])
    return (sum(v * w for v, w in zip(values, range(9, 1, -1), strict=True)) + check) % 11 == 0


def sg_id(text: str) -> bool:
    """Singapore NRIC and FIN."""
    head, last = text[0].upper(), text[-1].upper()
    total = sum(d * w for d, w in zip(_digits(text), (2, 7, 6, 5, 4, 3, 2), strict=True))
    total += {"T": 4, "G": 4, "M": 3}.get(head, 0)
    letters = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "F": "XWUTRQPNMLK", "G": "XWUTRQPNMLK"}
    if head == "M":
        return "XWUTRQPNJLK"[10 - total % 11] == last
    return letters[head][total % 11] == last


def ru_snils(text: str) -> bool:
    """Russian insurance number: nine digits weighted 9 to 1, modulo 101."""
    digits = _digits(text)
    total = sum(d * w for d, w in zip(digits, range(9, 0, -1), strict=False)) % 101 % 100
    return total == digits[9] * 10 + digits[10]


def au_medicare(text: str) -> bool:
    """Medicare: begins with 2 to 6, eight digits weighted, modulo 10."""
    digits = _digits(text)
    weights = (1, 3, 7, 9, 1, 3, 7, 9)
    return sum(d * w for d, w in zip(digits, weights, strict=False)) % 10 == digits[8]


def se_person(text: str) -> bool:
    """Swedish personnummer and samordningsnummer (day plus 60): Luhn over the last ten digits."""
    digits = _digits(text)[-10:]
    month, day = digits[2] * 10 + digits[3], digits[4] * 10 + digits[5]
    if not _is_day(2000, month, day - 60 if day > 60 else day):
        return False
    return _luhn(digits)


def dk_cpr(text: str) -> bool:
    """Danish CPR: a birthday; its check digit is no longer kept since 2007."""
    digits = _digits(text)
    return _is_day(2000, digits[2] * 10 + digits[3], digits[0] * 10 + digits[1])


def dk_cpr_checked(text: str) -> bool:
    """Danish CPR of the older form, weights modulo 11."""
    digits = _digits(text)
    weights = (4, 3, 2, 7, 6, 5, 4, 3, 2, 1)
    return dk_cpr(text) and sum(d * w for d, w in zip(digits, weights, strict=True)) % 11 == 0


def ca_sin(text: str) -> bool:
    """Canadian SIN: Luhn; never begins with 8, with 0 only in tests."""
    digits = _digits(text)
    return digits[0] != 8 and len(set(digits)) > 2 and _luhn(digits)


def kr_rrn(text: str) -> bool:
    """Korean resident number; those given since October 2020 have no check digit."""
    digits = _digits(text)
    century = {9: 1800, 0: 1800, 1: 1900, 2: 1900, 5: 1900, 6: 1900}.get(digits[6], 2000)
    year = century + digits[0] * 10 + digits[1]
    return _is_day(year, digits[2] * 10 + digits[3], digits[4] * 10 + digits[5])


def _luhn(digits: list[int]) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = digit * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
