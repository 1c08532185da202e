# ruff: noqa: E501 - tables and lists of words read by the line
"""How streets are written, by country: the words for a street and the order of name and number.

A format is a regular expression of street and house number, with the postal code and the town when
they follow; it begins with what is rare in a text (a street's word or the house number), and
``lead`` then takes the words of the name that stand before it.
"""

import re
from typing import NamedTuple


class AddressFormat(NamedTuple):
    """One way of writing.

    Attributes:
        countries: two-letter codes.
        gates: small letters; a text without any of these holds no such address.
        form: what to look for.
        lead: what may stand before it and belongs to it, matched up to the form's beginning; it
            has to match when ``bound``.
        bound: whether the form alone is no address.
    """

    countries: frozenset[str]
    gates: tuple[str, ...]
    form: re.Pattern[str]
    lead: re.Pattern[str] | None = None
    bound: bool = False


_UPPER = "A-ZÀ-ÖØ-ÞĀĂĄĆČĎĐĒĖĘĚĞĢĪĮİĶŁĻŃŅŇŐŒŘŚŞŠŢŤŪŮŰŲŹŻŽȘȚ"
_NAME = rf"[{_UPPER}][\w'’.-]*"
_TOWN = rf"{_NAME}(?:[ -](?:am|an der|im|in|bei|ob der|sur|sous|de|del|della|di|do|da|la|le|les|aan|den)? ?{_NAME}){{0,3}}"
_HOUSE = r"\d{1,4}(?:[ ]?[a-zA-Z](?![\w.'’])|[ ]?[-–/][ ]?\d{1,4}[a-zA-Z]?(?!\w)|[a-zA-Z]?)(?![\w%€$£]|[.,:]\d)"


def _after(code: str) -> str:
    """Postal code and town, on this line or the next."""
    return rf"(?:(?:,|[ ]?[–-]|\n|[ ])?[ ]?{code}[ ]+{_TOWN})?"


# German, Dutch, Scandinavian: the street's word is the end of the name, the number follows
_STEMS = {
    "DE AT CH LI LU": (
        r"stra(?:ß|ss)e|str\.|gasse|weg|platz|allee|ring|ufer|damm|steig|stieg|chaussee|promenade|markt|graben"
        r"|berg|wall|hof|kai|zeile|leite|feld|garten|brücke|tor|winkel|rain|au|höhe|siedlung|anger|bogen|pfad",
        ("str", "gasse", "weg", "platz", "allee", "ring", "ufer", "damm", "stei", "stie", "chauss", "promen",
         "markt", "graben", "berg", "wall", "hof", "kai", "zeile", "leite", "feld", "garten", "brücke", "tor",
         "winkel", "rain", "höhe", "siedl", "anger", "bogen", "pfad"),
        r"(?:(?:D|A|CH|AT|DE)-)?\d{4,5}",
        r"(?:[ ]?(?:/|,)[ ]?(?:Top|Tür|Stiege|Stg\.|Apt\.|Whg\.|App\.)[ ]?\w{1,4})?",
    ),
    "NL BE": (
        r"straat|laan|weg|plein|gracht|kade|dijk|singel|steeg|hof|dreef|pad|baan|lei|vest|markt|plantsoen|park"
        r"|ring|boulevard|burcht|wal|oord|veld|donk|weide|haven|brink|hoek|poort|eiland|akker|berg",
        ("straat", "laan", "weg", "plein", "gracht", "kade", "dijk", "singel", "steeg", "hof", "dreef", "pad",
         "baan", "lei", "vest", "markt", "plants", "park", "ring", "boulev", "burcht", "wal", "oord", "veld"),
        r"\d{4}(?:[ ]?[A-Z]{2})?",
        r"(?:[ ]?(?:bus|bis|hs|[IVX]{1,3})[ ]?\d{0,4}(?!\w))?",
    ),
    "SE": (
        r"gatan|gata|vägen|väg|gränd|torget|torg|allén|allé|stigen|stig|backen|plan|kajen|leden|ringen|esplanaden",
        ("gata", "väg", "gränd", "torg", "allé", "stig", "backen", "plan", "kaj", "led", "ring", "esplan"),
        r"(?:SE?-)?\d{3}[ ]?\d{2}",
        r"(?:[ ]?,?[ ]?(?:lgh|vån)\.?[ ]?\d{1,4})?",
    ),
    "NO DK": (
        r"gata|gaten|gate|veien|vegen|vei|veg|plassen|plass|alléen|allé|alle|bakken|stien|sti|gade|vej|vænget"
        r"|torvet|torv|stræde|parken|boulevard|haven|toften|svinget|kroken|lia|åsen|bakke|tunet|brygge",
        ("gat", "vei", "veg", "plass", "all", "bakke", "sti", "gade", "vej", "væng", "torv", "stræde", "park",
         "boulev", "haven", "toft", "sving", "krok", "lia", "åsen", "tunet", "brygge"),
        r"(?:(?:DK|NO|N)-)?\d{4}",
        r"(?:,?[ ]?(?:\d{1,2}\.|st\.|kl\.)[ ]?(?:sal[ ]?)?(?:tv|th|mf)\.?)?",
    ),
    "FI": (
        r"katu|tie|kuja|polku|kaari|tori|raitti|ranta|väylä|aukio|rinne|penger|portti|mäki|kulma|silta",
        ("katu", "tie", "kuja", "polku", "kaari", "tori", "raitti", "ranta", "väylä", "aukio", "rinne", "penger"),
        r"(?:FI-)?\d{5}",
        r"(?:[ ][A-Z][ ]?\d{1,3}(?!\w))?",
    ),
}  # fmt: skip
_LINKS = "der|den|dem|des|van|von|de|het|am|an|im|auf|av|och|og"
_STEM_LEAD = re.compile(
    rf"(?:(?:{_NAME}|\d{{1,2}}\.)[ -](?:(?:{_NAME}|\d{{1,2}}\.|{_LINKS})[ -]){{0,3}})?(?:[{_UPPER}][\w'’-]*)?\Z"
)


def _stem_formats() -> list[AddressFormat]:
    formats = []
    for countries, (stems, gates, code, unit) in _STEMS.items():
        # at the end of a word, or a word of its own in capitals: "Alte Straße 5"
        capital = "|".join(each[0].upper() + each[1:] for each in stems.split("|"))
        form = re.compile(
            rf"(?:{stems}|{capital})(?:[ ]|,[ ])(?:Nr\.?[ ]?)?{_HOUSE}{unit}{_after(code)}"
        )
        formats.append(
            AddressFormat(frozenset(countries.split()), gates, form, _STEM_LEAD, bound=True)
        )
    return formats


# English: the number, the name, the street's word
_EN_WORDS = (
    r"Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Place|Pl|Square|Sq|Terrace|Ter|Way|Close"
    r"|Crescent|Cres|Gardens|Gdns|Grove|Hill|Mews|Park|Parkway|Pkwy|Highway|Hwy|Circle|Cir|Trail|Trl|Row|Walk|Rise|View"
    r"|Green|Alley|Plaza|Loop|Path|Pike|Quay|Esplanade|Parade|Broadway|Turnpike|Crossing|Ridge|Heights|Meadows?|Villages?"
    r"|Village|Common|Cove|Creek|Falls|Fields?|Forest|Glen|Harbors?|Haven|Hollow|Island|Junctions?|Key|Knolls?|Lake|Landing"
    r"|Lights?|Manors?|Mill|Mission|Mountains?|Oval|Parks|Pass|Passage|Pines?|Plains?|Point|Port|Prairie|Ranch|River|Shores?"
    r"|Spring|Springs|Spurs?|Stravenue|Stream|Summit|Track|Union|Valley|Viaduct|Ville|Vista|Walks|Wall|Ways|Well|Wells|Bridge"
    r"|Brook|Burg|Bypass|Camp|Canyon|Cape|Causeway|Center|Centre|Cliffs?|Club|Corner|Corners|Course|Crest|Curve|Dale|Dam"
    r"|Divide|Estates?|Expressway|Extension|Ford|Fork|Forks|Fort|Freeway|Garden|Gateway|Flats?|Ferry|Inlet|Isle|Neck|Orchard"
    r"|Overpass|Motorway|Rapid|Rest|Route|Rue|Run|Shoal|Skyway|Station|Throughway|Trace|Trafficway|Tunnel|Underpass|Branch"
    r"|Bottom|Bluff|Beach|Bayou|Arcade|Annex|Mall|Marg|Nagar|Chowk|Salai|Colony|Layout|Sector"
)
_EN_SHORT = (
    r"street|avenue|road|lane|drive|boulevard|court|crescent|terrace|st\.|ave\.?|rd\.?|blvd\.?"
)
_UNIT = r"(?:,?[ ](?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|Fl|Room|Rm|#)\.?[ ]?#?[ ]?\w{1,6})?"
_EN_TOWN = (
    rf"(?:(?:,[ ]?|[ ]|\n){_NAME}(?:[ ]{_NAME}){{0,3}})?"
    r"(?:(?:,[ ]?|[ ]|\n)(?:(?:[A-Z]{2}|[A-Z][a-z]+(?: [A-Z][a-z]+)?),?[ ]\d{5}(?:-\d{4})?"  # US
    r"|[A-Z]{1,2}\d[A-Z\d]?[ ]?\d[A-Z]{2}"  # GB
    r"|(?:[A-Z]{2},?[ ])?[A-Z]\d[A-Z][ -]?\d[A-Z]\d|[A-Z]{2,3}[ ]\d{4}|\d{6}|[A-Z]\d{2}[ ]?[A-Z0-9]{4})(?!\w))?"
)
_ENGLISH = AddressFormat(
    frozenset(["US", "GB", "CA", "AU", "IE", "NZ", "IN", "ZA", "SG"]),
    (
        "street",
        "st",
        "ave",
        "road",
        "rd",
        "lane",
        "ln",
        "drive",
        "dr",
        "boul",
        "blv",
        "court",
        "ct",
        "place",
        "pl",
        "square",
        "sq",
        "terrace",
        "ter",
        "way",
        "close",
        "cres",
        "gardens",
        "gdns",
        "grove",
        "hill",
        "mews",
        "park",
        "pkwy",
        "highway",
        "hwy",
        "circle",
        "cir",
        "trail",
        "row",
        "walk",
        "rise",
        "view",
        "green",
    ),
    re.compile(
        rf"\d{{1,5}}[A-Za-z]?(?:[-/]\d{{1,4}})?,?[ ](?:(?:[NSEW]|[NS][EW]|North|South|East|West)\.?[ ])?"
        rf"(?:(?:(?:{_NAME}|\d{{1,3}}(?:st|nd|rd|th))[ ]){{1,4}}?(?:{_EN_WORDS})\b\.?(?:[ ](?:[NSEW]|[NS][EW])\b\.?)?"
        rf"|Broadway\b|(?:[a-z][a-z'’-]{{2,14}}[ ]){{1,2}}?(?:{_EN_SHORT})(?!\w)(?=[ ]?(?:[,.\n!?]|\Z|apt|flat|unit|#|in\b)))"
        rf"{_UNIT}{_EN_TOWN}"
    ),
)

# Romance and Slavic: the street's word, the name, the number
_LINK = r"(?:(?:de|del|della|delle|dei|degli|dell['’]|di|da|do|dos|das|la|las|los|el|l['’]|d['’]|du|des|le|les|e|y|et|na|św\.|gen\.|ks\.|dr\.?)[ ]?)"
_WORDS = {
    "ES MX AR CL CO PE": (
        r"(?:Calle|calle|C/|C\.|Avenida|avenida|Avda\.?|Av\.|Plaza|plaza|Pza\.|Paseo|paseo|P\.º|Camino|camino|Carretera|Ctra\."
        r"|Ronda|Travesía|Pasaje|pasaje|Callejón|callejón|Callejuela|Cañada|Cuesta|Glorieta|Urbanización|Urb\.|Via|Vía|Vial|Rambla|Acceso|Alameda"
        r"|Pasadizo|Corredor|Eje vial|Periférico|Privada|Prolongación|Retorno|Viaducto|Diagonal|Circuito|Calzada|Boulevard|Blvd\.|Andador|Cerrada|Ampliación|Continuación|Circunvalación|Peatonal|Carrera|Cra\.)",
        ("calle", "c/", "c.", "aven", "av", "plaza", "pza", "paseo", "p.º", "camino", "carret", "ctra", "ronda", "trav", "pas", "cañad",
         "cuesta", "glor", "urb", "via", "vía", "rambla", "acceso", "alam", "corr", "eje", "peri", "priv", "prol", "ret", "diag", "circ", "calz",
         "boul", "blvd", "andad", "cerr", "ampl", "cont", "peat", "carrera", "cra"),
        r",?[ ](?:n[º°.]?[ ]?|núm\.?[ ]?|#[ ]?|No\.[ ]?)?\d{1,4}(?:[ ]?[A-Za-z](?!\w))?(?:[ ]?-[ ]?\d{1,3})?(?:(?:[ ]|,[ ])(?:\d{1,2}[.ºª°]{1,2}[ ]?[A-Za-z]{0,4}|Piso[ ]\d+|Puerta[ ]\d+|Apt\.[ ]\d+|Depto\.?[ ]\d+|Esc\.[ ]\w+|Interior[ ]\w+))*",
        r"(?:C\.?P\.?[ ]?)?\d{4,5}",
    ),
    "IT CH SM": (
        r"(?:Via|via|V\.le|Viale|viale|Piazza|piazza|P\.zza|Piazzale|Corso|corso|C\.so|Largo|largo|Vicolo|vicolo|Strada|strada|Contrada|Borgo|borgo|Rotonda|Stretto|Incrocio|Canale|Salita|Lungomare|Lungotevere|Galleria|Località|Fondamenta)",
        ("via", "v.le", "piazz", "p.zza", "corso", "c.so", "largo", "vicolo", "strad", "contrada", "borgo", "roton", "strett", "incroc",
         "canale", "salita", "lungo", "galler", "local", "fondam"),
        r",?[ ](?:n[°.º]?[ ]?)?\d{1,4}(?:[ ]?/?[ ]?[A-Za-z](?!\w))?(?:[ ](?:Piano|Appartamento|Int\.|Scala)[ ]\d+)?",
        r"\d{5}",
    ),
    "PT BR": (
        r"(?:Rua|rua|R\.|Avenida|avenida|Av\.|Alameda|alameda|Praça|praça|Praceta|Largo|largo|Travessa|travessa|Tv\.|Estrada|estrada|Rodovia|Beco|Calçada|Vila|Viela|Via|Núcleo|Setor|Sítio|Conjunto|Condomínio|Loteamento|Lagoa|Lago|Ladeira|Jardim|Favela|Fazenda|Feira|Distrito|Campo|Chácara|Colônia|Esplanada|Estação|Morro|Parque|Passarela|Pátio|Quadra|Recanto|Residencial|Trecho|Trevo|Vale|Vereda|Viaduto|Aeroporto|Área|Azinhaga|Bairro)",
        ("rua", "r.", "aven", "av.", "alam", "praç", "prac", "largo", "trav", "tv.", "estr", "rodov", "beco", "calç", "vila", "viela", "via",
         "núc", "setor", "síti", "conj", "cond", "lot", "lag", "lad", "jard", "fav", "faz", "feira", "distr", "campo", "chác", "colô",
         "espl", "morro", "parq", "pass", "pátio", "quadra", "rec", "resid", "tre", "vale", "vereda", "aerop", "área", "azin", "bairro"),
        r",[ ](?:n[º°.]?[ ]?|N[º°.][ ]?)?\d{1,4}(?:[ ]?[A-Za-z](?!\w))?(?:,[ ](?:\d{1,2}[ºª°.][ ]?[\w.]{0,4}|apto?\.?[ ]?\w+|bloco[ ]\w+))*",
        r"(?:\d{4}-\d{3}|\d{5}-?\d{3})",
    ),
    "PL": (
        r"(?:ul\.|Ul\.|ulica|ulicy|ulicę|al\.|Al\.|aleja|Aleja|alei|pl\.|Pl\.|plac|Plac|placu|os\.|Os\.|osiedle|rondo)",
        ("ul", "al", "pl", "os", "rondo"),
        r"[ ]\d{1,4}[a-zA-Z]?(?:[ ]?/[ ]?\d{1,4}| m\.? ?\d{1,4})?",
        r"\d{2}-\d{3}",
    ),
    "RO": (
        r"(?:[Ss]tr(?:ada|\.)|[Bb]d(?:\.|ul)|[Bb]ulevardul|[Bb]\.dul|[Cc]alea|[Aa]leea|[Ss]plaiul|[Șș]oseaua|[Șș]os\.|[Pp]iața|[Ii]ntrarea)",
        ("str", "bd", "bul", "b.dul", "calea", "aleea", "splai", "șos", "piața", "intrarea"),
        r",?[ ](?:nr\.?[ ]?)?\d{1,4}[A-Za-z]?(?:,?[ ](?:bl|sc|et|ap)\.?[ ]?\w{1,4})*",
        r"\d{6}",
    ),
    "HR SI": (
        r"(?:[Uu]lica|[Uu]l\.|[Tt]rg|[Aa]leja|[Pp]ut|[Oo]bala)",
        ("ul", "trg", "aleja", "put", "obala"),
        r"[ ]\d{1,4}[a-zA-Z]?",
        r"\d{4,5}",
    ),
}  # fmt: skip


def _word_formats() -> list[AddressFormat]:
    name = rf"(?:[ ]{_LINK}{{0,3}}(?:{_NAME}|\d{{1,2}}[ ]{_LINK}?{_NAME}|\d{{1,3}}(?=[ ](?:#|No\.)))){{1,6}}?"
    return [
        AddressFormat(
            frozenset(countries.split()),
            gates,
            re.compile(rf"(?<![\w.]){words}{name}{number}(?![\w%€$£]|[.,:]\d){_after(code)}"),
        )
        for countries, (words, gates, number, code) in _WORDS.items()
    ]


_FRENCH = AddressFormat(
    frozenset(["FR", "BE", "CH", "CA", "LU"]),
    ("rue", "aven", "boul", "bd", "place", "chemin", "all", "quai", "impasse", "cours", "route", "square", "av.", "passage", "sentier", "villa"),
    re.compile(
        r"(?:\d{1,4}(?:[ ]?(?:bis|ter|quater|[A-D]))?,?[ ])(?:rue|Rue|avenue|Avenue|av\.|Av\.|boulevard|Boulevard|bd|Bd|bld|place|Place"
        r"|chemin|Chemin|allée|Allée|quai|Quai|impasse|Impasse|cours|Cours|route|Route|square|Square|passage|Passage|sentier|villa)\.?"
        rf"(?:[ ]{_LINK}{{0,3}}{_NAME}){{1,5}}" + _after(r"\d{4,5}")
    ),
)  # fmt: skip
_FRENCH_AFTER = AddressFormat(
    frozenset(["FR", "BE", "CH", "LU"]),
    _FRENCH.gates,
    re.compile(
        r"(?<!\w)(?:[Rr]ue|[Aa]venue|[Aa]v\.|[Bb]oulevard|[Bb]d|[Cc]hemin|[Aa]llée|[Cc]hauss[ée]e|[Qq]uai|[Ii]mpasse|[Rr]oute|[Pp]lace)"
        rf"(?:[ ]{_LINK}{{0,3}}{_NAME}){{1,5}}?,?[ ]{_HOUSE}" + _after(r"\d{4,5}")
    ),
)

_CYRILLIC = AddressFormat(
    frozenset(["RU", "UA", "BG", "BY", "KZ"]),
    ("ул", "вул", "пр", "пер", "бул", "пл", "наб", "ш.", "шоссе", "алл", "туп", "кв"),
    re.compile(
        r"(?<!\w)(?:ул\.|улиц[аеы]|вул\.|вулиц[яіи]|пр-т|пр\.|проспект[еа]?|просп\.|пер\.|переул[ок]{2}|пров\.|провулок|бул\.|б-р|бульвар"
        r"|пл\.|площад[ьи]|площа|наб\.|набережная|набережна|шоссе|шосе|ш\.|аллея|тупик|узвіз)[ ]?(?:[\wА-Яа-яЁёІіЇїЄє'’.«»\"-]+[ ]?){1,4}?"
        r",?[ ](?:(?:д|дом|буд|будинок|№)\.?[ ]?)?\d{1,4}[а-яА-Я]?(?:[ ]?/[ ]?\d{1,3})?(?!\w)"
        r"(?:,?[ ](?:к|корп|стр|кв|оф|ап|вх|ет)\.?[ ]?\d{1,4})*(?:,[ ]?\d{5,6}(?!\d))?"
    ),
)
_CZECH = AddressFormat(
    frozenset(["CZ", "SK"]),
    ("/", "ul", "nám", "tř", "náb"),
    re.compile(
        rf"(?<![\w.])(?:(?:[Uu]l(?:ice|\.)|[Nn]áměstí|[Nn]ám\.|[Tt]řída|[Tt]ř\.|[Nn]ábř\w*)[ ](?:[{_UPPER}][\w-]*[ ]){{1,3}}{_HOUSE}"
        rf"|(?:[{_UPPER}][\w-]{{2,}}[ ](?:\w{{2,}}[ ])?)\d{{1,4}}/\d{{1,3}}[a-z]?(?!\w|[/.]\d))"
        + _after(r"\d{3}[ ]?\d{2}")
    ),
)
_HUNGARIAN = AddressFormat(
    frozenset({"HU"}),
    ("utca", "út", "tér", "köz", "u.", "krt", "körút", "sétány", "sor"),
    re.compile(
        rf"(?:utca|útja|út|tere|tér|köz|u\.|krt\.|körút|sétány|sor|liget|fasor|rakpart)[ ]{_HOUSE}\.?"
    ),
    re.compile(rf"(?:\d{{4}}[ ]{_NAME},?[ ])?(?:{_NAME}[ ]){{1,3}}\Z"),
    bound=True,
)
_TURKISH = AddressFormat(
    frozenset({"TR"}),
    ("mah", "cad", "sok", "bulv", "cd.", "sk."),
    re.compile(
        rf"(?:{_NAME}[ ]){{1,3}}(?:Mah(?:allesi|\.)|Cad(?:desi|\.)|Sok(?:ak|ağı|\.)|Bulvar[ıi]|Cd\.|Sk\.)"
        rf"(?:,?[ ](?:{_NAME}[ ]|\d{{1,4}}\.?[ ]){{1,3}}(?:Cad(?:desi|\.)|Sok(?:ak|ağı|\.)|Bulvar[ıi]|Cd\.|Sk\.))?"
        r",?[ ](?:No[.:]?[ ]?:?[ ]?)?\d{1,4}(?:/\d{1,3})?[A-Z]?(?!\w)(?:[ ]?(?:D|Daire|Kat)[.:]?[ ]?\d{1,3})*"
        rf"(?:,?[ ]\d{{5}})?(?:,?[ ]{_NAME}[ ]?/[ ]?{_NAME})?"
    ),
)
_GREEK = AddressFormat(
    frozenset(["GR", "CY"]),
    ("οδός", "οδό", "λεωφ", "λ.", "πλατ", "πάροδ"),
    re.compile(
        r"(?<!\w)(?:[Οο]δ[όο][ςύ]?|[Λλ]εωφ(?:όρος|όρου|\.)|Λ\.|[Ππ]λατ(?:εία|\.)|[Ππ]άροδος)(?:[ ][Α-ΩΆ-Ώ][\w.-]*){1,3}[ ]\d{1,4}(?!\w)"
        r"(?:,?[ ](?:Τ\.?Κ\.?[ ]?)?\d{3}[ ]?\d{2}(?:[ ][Α-ΩΆ-Ώ]\w+)?)?"
    ),
)

_NUM = r"[0-9０-９一二三四五六七八九十百〇]"
_JAPANESE = AddressFormat(
    frozenset({"JP"}),
    ("都", "道", "府", "県", "市", "区", "町", "丁目", "番地", "〒"),
    re.compile(
        r"(?:〒?\s?\d{3}[-－‐]\d{4}\s?)?(?:東京都|北海道|大阪府|京都府|[一-龠]{2,3}県)[一-龠ぁ-んァ-ヶー々]{1,24}?(?:[市区郡町村])?"
        rf"[一-龠ぁ-んァ-ヶー々]{{0,16}}?{_NUM}{{1,4}}(?:(?:丁目|番地?|号|[-－‐−ー]){_NUM}{{0,4}}){{0,4}}(?:号室?)?"
        r"(?:[ 　]?[一-龠ぁ-んァ-ヶーA-Za-z]{2,16}[ 　]?\d{1,4}(?:号室)?)?"
    ),
)
_CHINESE = AddressFormat(
    frozenset(["CN", "TW", "HK"]),
    ("路", "街", "道", "巷", "弄", "号", "號", "村"),
    re.compile(
        r"(?:[一-龠]{2,8}?(?:省|自治区|市|區|区|县|縣|旗|州|盟)){0,4}[一-龠]{1,10}?(?:路|街|大道|道|巷|弄|胡同)"
        rf"(?:[东南西北中東][段路])?(?:{_NUM}{{1,3}}段)?(?:{_NUM}{{1,4}}[巷弄]){{0,2}}[A-Z\d]?{_NUM}{{1,5}}(?:[-－之]\d{{1,4}})?[号號座](?:楼|院)?"
        rf"(?:[一-龠]{{0,8}}{_NUM}{{1,4}}(?:号楼|栋|幢|座|单元|室|楼|樓|层|房)){{0,4}}(?:[ ]?(?:邮编[：:]?)?[ ]?\d{{6}})?"
    ),
)
_KOREAN = AddressFormat(
    frozenset({"KR"}),
    ("로", "길", "동", "대로"),
    re.compile(
        r"(?:[가-힣]{2,8}(?:특별시|광역시|특별자치시|시|도|특별자치도)[ ])?(?:[가-힣]{1,6}(?:시|군|구)[ ]){1,2}(?:[가-힣]{1,8}(?:읍|면)[ ])?"
        r"[가-힣\d]{1,12}(?:로|길|대로|가|동)[ ]?(?:\d{1,4}(?:번|가)?길?[ ]?)?(?:산[ ]?)?\d{1,4}(?:-\d{1,4})?(?:[ ]?\([가-힣0-9, ]{1,20}\))?"
    ),
)  # fmt: skip

ADDRESS_FORMATS: tuple[AddressFormat, ...] = (
    *_stem_formats(),
    _ENGLISH,
    *_word_formats(),
    _FRENCH,
    _FRENCH_AFTER,
    _CYRILLIC,
    _CZECH,
    _HUNGARIAN,
    _TURKISH,
    _GREEK,
    _JAPANESE,
    _CHINESE,
    _KOREAN,
)
"""Every format; a country may have several."""
