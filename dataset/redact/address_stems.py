# ruff: noqa: E501 - lists of words read by the line
"""German, Dutch and Nordic streets: the word for a street ends the name, the number follows."""

import re
from typing import NamedTuple

from dataset.redact.address_format import HOUSE, NAME, UPPER, AddressFormat, after, split
from dataset.redact.scan import ending


class _Stems(NamedTuple):
    countries: str
    stems: str
    code: str
    unit: str


_STEMS = (
    _Stems(
        "DE AT CH LI LU",
        "straße strasse str. gasse weg platz allee ring ufer damm steig stieg chaussee promenade markt graben berg wall"
        " hof kai zeile leite feld garten brücke tor winkel rain höhe siedlung anger bogen pfad park",
        r"(?:(?:D|A|CH|AT|DE)-)?\d{4,5}",
        r"(?:[ ]?(?:/|,)[ ]?(?:Top|Tür|Stiege|Stg\.|Apt\.|Whg\.|App\.)[ ]?\w{1,4})?",
    ),
    _Stems(
        "NL BE",
        "straat laan weg plein gracht kade dijk singel steeg hof dreef pad baan lei vest markt plantsoen park ring"
        " boulevard burcht wal oord veld donk weide haven brink hoek poort eiland akker berg steenweg pleintje str.",
        r"\d{4}(?:[ ]?[A-Z]{2})?",
        r"(?:[ ]?(?:bus|bis|hs|[IVX]{1,3})[ ]?\d{0,4}(?!\w))?",
    ),
    _Stems(
        "SE FI",
        "gatan gata vägen väg gränd torget torg allén allé stigen stig backen plan kajen leden ringen esplanaden",
        r"(?:SE?-)?\d{3}[ ]?\d{2}",
        r"(?:[ ]?,?[ ]?(?:lgh|vån)\.?[ ]?\d{1,4})?",
    ),
    _Stems(
        "NO DK IS",
        "gata gaten gate veien vegen vei veg plassen plass alléen allé alle bakken stien sti gade vej vænget torvet torv"
        " stræde parken boulevard haven toften svinget kroken lia åsen bakke tunet brygge vegur stígur braut faret løkka ekra vika eggen kollen haugen lien jordet enga dalen flata hagen moen myra grenda"
        " krenten berget viken lunden marka neset åsen bråten stranda kleiva reina skogen gjerdet tjernet stubben røa",
        r"(?:(?:DK|NO|N|IS)-)?\d{3,4}",
        r"(?:,?[ ]?(?:\d{1,2}\.|st\.|kl\.)[ ]?(?:sal[ ]?)?(?:tv|th|mf)\.?)?",
    ),
    _Stems(
        "FI",
        "katu tie kuja polku kaari tori raitti ranta väylä aukio rinne penger portti mäki kulma silta bulevardi esplanadi piha laita",
        r"(?:FI-)?\d{5}",
        r"(?:[ ][A-Z][ ]?\d{1,3}(?!\w))?",
    ),
    _Stems(
        "HU",
        "utca útja út tere tér köze köz u. krt. körút sétány sora sor ligete liget fasor rakpart park dűlő",
        r"(?:H-)?\d{4}",
        r"\.?(?:[ ]?(?:\d{1,2}\.[ ]?em\.?(?:elet)?|fszt\.)[ ]?\d{0,3}\.?)?",
    ),
)
_LINKS = "der|den|dem|des|van|von|de|het|am|an|im|auf|av|och|og"
_LEAD = re.compile(
    rf"(?:(?:{NAME}|\d{{1,2}}\.|\d{{4}}[ ]{NAME},)[ -](?:(?:{NAME}|\d{{1,2}}\.|{_LINKS})[ -]){{0,3}})?"
    rf"(?:[{UPPER}][\w'’-]*)?\Z"
)


def _format(line: _Stems) -> AddressFormat:
    stems = split(line.stems)
    # at the end of a word, or a word of its own in capitals: "Alte Straße 5"
    forms = "|".join(re.escape(each) for stem in stems for each in (stem, stem.capitalize()))
    begins = rf"(?-i:(?:{forms}),?[ ](?:Nr\.?[ ]?)?\d)"
    return AddressFormat(
        frozenset(line.countries.split()),
        re.compile(
            rf"(?:{forms})(?:[ ]|,[ ])(?:Nr\.?[ ]?)?{HOUSE}{line.unit}(?P<more>{after(line.code)})"
        ),
        "endings",
        frozenset(map(ending, stems)),
        _LEAD,
        begins=begins,
    )


# "Straße des 17. Juni 135"
_OF_BEGINS = (
    r"(?:Straße|Strasse|Str\.|Platz|Allee|Weg|Ufer)[ ](?:der|des|am|an[ ]der|zum|zur|im)[ ]"
)
_OF = AddressFormat(
    frozenset(["DE", "AT", "CH", "LI", "LU"]),
    re.compile(
        rf"(?<!\w){_OF_BEGINS}(?:\d{{1,2}}\.[ ])?{NAME}(?:[ ]{NAME})?"
        rf"[ ]{HOUSE}{after(_STEMS[0].code)}"
    ),
    "words",
    frozenset({"straße", "strasse", "str.", "platz", "allee", "weg", "ufer"}),
    begins=f"(?-i:{_OF_BEGINS})",
)

STEM_FORMATS: tuple[AddressFormat, ...] = (*map(_format, _STEMS), _OF)
"""A street's name must begin with a capital: the form alone is no address."""
