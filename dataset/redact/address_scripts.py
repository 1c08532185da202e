# ruff: noqa: E501 - lists of words read by the line
"""Streets in Cyrillic, Greek, Turkish, Japanese, Chinese and Korean."""

import re

from dataset.redact.address_format import NAME, AddressFormat

_PART = r"[\w.'’«»„“”\"-]{1,30}"
_CYRILLIC = AddressFormat(
    frozenset(["RU", "UA", "BG", "BY", "KZ"]),
    re.compile(
        r"(?<!\w)(?:(?:г|с|п|д|пос|дер|ст|м|смт)\.[ ]?[А-ЯІЇЄ][\w-]{1,30},[ ])?(?:ул\.|улиц[аеыу]|вул\.|вулиц[яіию]|пр-т|пр\.|проспект[еауі]?|просп\.|пер\.|переул(?:ок|ке)|пров\.|провулок|бул\.|б-р"
        rf"|бульвар|пл\.|площад[ьи]|площа|наб\.|набережная|набережна|шоссе|шосе|ш\.|аллея|алл\.|тупик|туп\.|узвіз|сквер|парк)[ ]?(?:{_PART}[ ]){{0,3}}?{_PART}?"
        r",?[ ](?:(?:д|дом|буд|будинок|№)\.?[ ]?)?\d{1,4}[а-яА-Я]?(?:[ ]?/[ ]?\d{1,3})?(?!\w)"
        r"(?:,?[ ](?:к|корп|стр|кв|оф|ап|вх|ет)\.?[ ]?\d{1,4}){0,4}(?:(?:,[ ][А-ЯІЇЄ][\w'’-]{1,30})?,[ ]?\d{4,6}(?!\d)(?:[ ][А-Я]\w{1,30})?)?"
    ),
    "letters",
    frozenset(["ул", "пр", "пер", "бул", "пл", "наб", "б-р", "ш.", "шос", "алле", "туп", "узв"]),
)
_GREEK = AddressFormat(
    frozenset(["GR", "CY"]),
    re.compile(
        r"(?<!\w)(?:[Οο]δ[όο][ςύ]?|[Λλ]εωφ(?:όρος|όρου|\.)|Λ\.|[Ππ]λατ(?:εία|\.)|[Ππ]άροδος)(?:[ ][Α-ΩΆ-Ώ][\w.-]{0,40}){1,3}[ ]\d{1,4}(?!\w)"
        r"(?:,?[ ](?:Τ\.?Κ\.?[ ]?)?\d{3}[ ]?\d{2}(?:[ ][Α-ΩΆ-Ώ]\w{1,40})?)?"
    ),
    "letters",
    frozenset(["οδ", "λεωφ", "λ.", "πλατ", "πάροδ"]),
)
_TURKISH_WORD = r"(?:Mah(?:allesi|\.)|Cad(?:desi|\.)|Sok(?:ak|ağı|\.)|Bulvar[ıi]|Cd\.|Sk\.)"
_TURKISH = AddressFormat(
    frozenset({"TR"}),
    re.compile(
        rf"{_TURKISH_WORD}(?:,?[ ](?:{NAME}[ ]|\d{{1,4}}\.?[ ]){{1,3}}{_TURKISH_WORD})?"
        r",?[ ](?:No[.:]?[ ]?:?[ ]?)?\d{1,4}(?:/\d{1,3})?[A-Z]?(?!\w)(?:[ ]?(?:D|Daire|Kat)[.:]?[ ]?\d{1,3}){0,3}"
        rf"(?:,?[ ]\d{{5}})?(?:,?[ ]{NAME}[ ]?/[ ]?{NAME})?"
    ),
    "tokens",
    frozenset(
        [
            "mah.",
            "mahallesi",
            "cad.",
            "caddesi",
            "sok.",
            "sokak",
            "sokağı",
            "bulvarı",
            "bulvari",
            "cd.",
            "sk.",
        ]
    ),
    re.compile(rf"(?:{NAME}[ ]){{1,3}}\Z"),
)

_NUM = r"[0-9０-９一二三四五六七八九十百〇]"
_KANA = r"[一-龠ぁ-んァ-ヶー々]"
# no place name holds what stands before one: "I live in ...", "please send to ..."
_HAN = r"(?![在到是于於为為我你您他她的了请請寄送住址])[一-龠]"
_JAPANESE = AddressFormat(
    frozenset({"JP"}),
    re.compile(
        rf"(?:〒?\s?\d{{3}}[-－‐]\d{{4}}\s?)?(?:東京都|北海道|大阪府|京都府|[一-龠]{{2,3}}県){_KANA}{{1,40}}?"
        rf"(?:[0-9０-９]{{1,4}}|[一二三四五六七八九十]{{1,3}}(?=丁目|番|号))(?:(?:丁目|番地?|号|[-－‐−ー])の?{_NUM}{{0,4}}){{0,4}}(?:号室?)?"
        r"(?:[ 　]?[一-龠ぁ-んァ-ヶーA-Za-z]{2,16}[ 　]?\d{1,4}(?:号室)?)?"
    ),
    "letters",
    frozenset("都道府県"),
)
_CHINESE = AddressFormat(
    frozenset(["CN", "TW", "HK"]),
    re.compile(
        rf"(?:(?:{_HAN}){{2,8}}?(?:省|自治区|市|區|区|县|縣|旗|州|盟)){{0,4}}(?:{_HAN}){{1,10}}?(?:路|街|大道|道|巷|弄|胡同)"
        rf"(?:[东南西北中東][段路])?(?:{_NUM}{{1,3}}段)?(?:{_NUM}{{1,4}}[巷弄]){{0,2}}(?:[A-Z]?{_NUM}{{1,5}}(?:[-－之]\d{{1,4}})?[号號座](?:楼|院)?|[A-Za-z]座)"
        rf"(?:[一-龠]{{0,8}}?{_NUM}{{1,4}}(?:号楼|栋|幢|座|单元|室|楼|樓|层|房)){{0,4}}(?:[ ]?(?:邮编[：:]?)?[ ]?\d{{6}}(?!\d))?"
    ),
    "letters",
    frozenset("号號座"),
)
_KOREAN = AddressFormat(
    frozenset({"KR"}),
    re.compile(
        r"(?:[가-힣]{2,8}(?:특별시|광역시|특별자치시|시|도|특별자치도)[ ])?(?:[가-힣]{1,6}(?:시|군|구)[ ]){1,2}(?:[가-힣]{1,8}(?:읍|면)[ ])?"
        r"[가-힣\d]{1,12}(?:로|길|대로|거리|가|동)[ ]?(?:\d{1,4}(?:번|가)?길?[ ]?)?(?:산[ ]?|지하[ ]?)?\d{1,4}(?:-\d{1,4})?(?:[ ]?\([가-힣0-9, ]{1,20}\))?"
    ),
    "letters",
    frozenset("시군구"),
)

# adjectives and genitives without a word for street: only for those who ask
_BARE = AddressFormat(
    frozenset(["GR", "CY"]),
    re.compile(
        r"(?<!\w)[Α-ΩΆ-Ώ]\w{2,30}(?:ου|ης|ών|ας|ων|ού)[ ]\d{1,3}(?:-\d{1,3})?(?!\w|[.:/]\d)(?:,{0,2}[ ](?:Τ\.?Κ\.?[ ]?)?\d{3}[ ]?\d{2}(?:[ ][Α-ΩΆ-Ώ]\w{1,40})?)?"
    ),
    "letters",
    frozenset("α ο"),
    asked=True,
)

SCRIPT_FORMATS: tuple[AddressFormat, ...] = (
    _CYRILLIC,
    _GREEK,
    _BARE,
    _TURKISH,
    _JAPANESE,
    _CHINESE,
    _KOREAN,
)
