# ruff: noqa: E501 - lists of words read by the line
"""Romance and Slavic streets in Latin letters: the street's word, the name, the number."""

import re
from typing import NamedTuple

from dataset.redact.address_format import HOUSE, NAME, TOWN, UPPER, AddressFormat, after, split
from dataset.redact.scan import tokens

_LINK = r"(?:(?:de|del|della|delle|dei|degli|dell['’]|di|da|do|dos|das|la|las|los|el|l['’]|d['’]|du|des|le|les|e|y|et|na|św\.|gen\.|ks\.|dr\.?)[ ]?)"
_NAME_PART = rf"{_LINK}{{0,3}}(?:{NAME}|\d{{1,2}}[ ]{_LINK}?{NAME})"
_NAMES = rf"(?:[ ]{_NAME_PART}){{1,6}}?"
# "ul.Długa 5", "C/Mayor 5": only the first name may stand without a space
_GLUED_NAMES = rf"(?<=[./]){NAME}(?:[ ]{_NAME_PART}){{0,5}}?"
_NOT_ON = r"(?![\w%€$£]|[.,:]\d)"


class _Words(NamedTuple):
    countries: str
    words: str
    number: str
    code: str
    state: str = ""


_WORDS = (
    _Words(
        "ES MX AR CL CO PE",
        "calle c/ c. cl. avenida avda avda. av. av plaza pza. paseo p.º camino carretera ctra. ronda travesía pasaje callejón callejuela"
        " cañada cuesta glorieta urbanización urb. via vía vial rambla acceso alameda pasadizo corredor eje_vial periférico privada"
        " prolongación retorno viaducto diagonal circuito calzada boulevard blvd. andador cerrada ampliación continuación circunvalación psje. pje. avda"
        " peatonal carrera cra.",
        r",?[ ](?:n[º°.]?[ ]?|núm\.?[ ]?|#[ ]?|No\.[ ]?)?\d{1,4}(?:[ ]?[A-Za-z](?!\w))?(?:[ ]?-[ ]?\d{1,3}|[ ]\d{1,4})?"
        r"(?:(?:[ ]|[ ]?,[ ])(?:Edif\.[ ]\d+|Of\.[ ]\d+|\d{1,2}[.ºª°]{1,2}[ ]?[A-Za-z]{0,4}|Piso[ ]\d+|Puerta[ ]\d+|Apt\.[ ]\d+|Depto\.?[ ]\d+|Esc\.[ ]\w+|Interior[ ]\w+)){0,3}",
        r"(?:C\.?P\.?[ ]?)?\d{4,5}",
        # Mexico: the town, the state's letters, the code
        rf"(?:(?:,|[ ],|\n|\\n)[ ]?{TOWN}(?:[ ]los[ ]\w{{1,12}})?,[ ][A-Z]{{2,5}}[ ]\d{{5}}(?:-\d{{4}})?)?",
    ),
    _Words(
        "IT CH SM",
        "via v.le viale piazza p.zza piazzale corso c.so largo vicolo strada contrada borgo rotonda stretto incrocio canale salita"
        " lungomare lungotevere galleria località fondamenta",
        r",?[ ](?:n[°.º]?[ ]?)?\d{1,4}(?:[ ]?/?[ ]?[A-Za-z](?!\w))?(?:[ ](?:Piano|Appartamento|Int\.|Scala)[ ]\d+)?",
        r"\d{5}",
    ),
    _Words(
        "PT BR",
        "rua r. avenida av. av alameda praça praceta largo travessa tv. estrada rodovia beco calçada vila viela via núcleo setor sítio conjunto"
        " condomínio loteamento lagoa lago ladeira jardim favela fazenda feira distrito campo chácara colônia esplanada estação morro"
        " parque passarela pátio quadra recanto residencial trecho trevo vale vereda viaduto aeroporto área azinhaga bairro",
        r",?[ ](?:n[º°.]?[ ]?|N[º°.][ ]?)?(?:\d{1,4}|[Ss]/[Nn])(?:[ ]?[A-Za-z](?!\w))?(?:,[ ](?:\d{1,2}[ºª°.][ ]?[\w.]{0,4}|apto?\.?[ ]?\w+|bloco[ ]\w+)){0,3}",
        r"(?:\d{4}-\d{3}|\d{5}-?\d{3})",
    ),
    _Words(
        "PL",
        "ul. ulica ulicy ulicę al. aleja alei aleje pl. plac placu os. osiedle rondo",
        r"[ ]\d{1,4}[a-zA-Z]?(?:[ ]?/[ ]?\d{1,4}|[ ]m\.?[ ]?\d{1,4})?",
        r"\d{2}-\d{3}",
    ),
    _Words(
        "RO",
        "strada str. bd. bdul bulevardul b.dul calea aleea splaiul șoseaua soseaua șos. sos. piața intrarea",
        r",?[ ](?:[Nn]r\.?[ ]?)?\d{1,4}[A-Za-z]?(?:,?[ ]{1,2}(?:[Bb]l|[Ss]c|[Ee]t|[Aa]p)\.?[ ]?\w{1,4}){0,4}",
        r"\d{6}",
    ),
    _Words("HR SI", "ulica ul. trg aleja put obala cesta", r"[ ]\d{1,4}[a-zA-Z]?", r"\d{4,5}"),
    _Words(
        "CZ SK",
        "ulice ul. náměstí námestie nám. třída tř. nábřeží nábrežie ulica",
        rf"[ ]{HOUSE}",
        r"\d{3}[ ]?\d{2}",
    ),
    _Words(
        "FR BE CH LU",
        "rue avenue av. boulevard bd bld chemin allée chaussée quai impasse route place cours square",
        rf",?[ ]{HOUSE}",
        r"\d{4,5}",
    ),
)


def _either(words: tuple[str, ...]) -> str:
    """The words in small letters and with a capital."""
    return "|".join(re.escape(each) for word in words for each in (word, word.capitalize()))


def _tokens(words: tuple[str, ...]) -> frozenset[str]:
    """What ``Scan.tokens`` holds when one of the words stands in the text."""
    return frozenset(tokens(word)[0] for word in words)


def _format(line: _Words) -> AddressFormat:
    words = split(line.words)
    return AddressFormat(
        frozenset(line.countries.split()),
        re.compile(
            rf"(?<![\w.])(?:{_either(words)})(?:{_NAMES}|{_GLUED_NAMES})(?:{line.number}{_NOT_ON}{after(line.code)}|{after(line.code, needed=True)}){line.state}"
        ),
        "tokens",
        _tokens(words),
    )


_FRENCH_WORDS = split(
    "rue avenue av. boulevard boul. bd bld place chemin allée quai impasse cours route square passage sentier villa"
)
# the number stands before the street's word
_FRENCH = AddressFormat(
    frozenset(["FR", "BE", "CH", "CA", "LU"]),
    re.compile(
        rf"[0-9][0-9]{{0,3}}(?:[ ]?(?:bis|ter|quater|[A-D]))?,?[ ](?:{_either(_FRENCH_WORDS)})(?:[ ]{_LINK}{{0,3}}{NAME}){{1,5}}"
        + after(r"\d{4,5}")
    ),
    "tokens",
    _tokens(_FRENCH_WORDS),
)
# without a word for street; "Seite 3/12" is a word and two numbers as well, hence only if asked for
_CZECH = AddressFormat(
    frozenset(["CZ", "SK"]),
    re.compile(
        rf"(?<![\w.])[{UPPER}][\w-]{{2,30}}[ ](?:\w{{2,30}}[ ])?(?:\d{{1,4}}/\d{{1,3}}[a-z]?|(?:(?<=[áéý][ ])|(?<=ho[ ])|(?<=va[ ]))\d{{1,4}})(?!\w|[/.:]\d)"
        + after(r"\d{3}[ ]?\d{2}")
    ),
    "endings",
    frozenset(),
    asked=True,
)
_CROATIAN = AddressFormat(
    frozenset(["HR", "SI", "RS", "BA"]),
    re.compile(
        rf"(?<![\w.])(?:[{UPPER}][\w-]{{1,30}}[ ]){{0,2}}[{UPPER}][\w-]{{1,30}}(?:eva|ova|ina|ska|čka|ski)[ ]\d{{1,4}}[a-z]?(?:/\d{{1,3}})?(?!\w|[/.:]\d)"
        + after(r"\d{4,5}")
    ),
    "endings",
    frozenset(),
    asked=True,
)

WORD_FORMATS: tuple[AddressFormat, ...] = (*map(_format, _WORDS), _FRENCH, _CZECH, _CROATIAN)
