"""How names bend: the endings and prefixes that languages put on a name, by script and language.

All in the folded form of ``dataset.redact.fold``. Endings of a language that writes in Latin
letters count only where the text is in that language: "Jana" is Jan's in Czech and a woman in
English. Other scripts belong to few languages, their endings always count.
"""

import re
from collections import Counter
from typing import NamedTuple


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


class Bending(NamedTuple):
    """What a language does to the end of a name.

    Attributes:
        added: endings put after the whole name.
        dropped: endings of the name that give way, longest first.
        swapped: endings put in place of a dropped one.
        changed: what the last consonants before a dropped or added vowel may turn into.
    """

    added: frozenset[str] = frozenset()
    dropped: tuple[str, ...] = ()
    swapped: frozenset[str] = frozenset()
    changed: tuple[tuple[str, str], ...] = ()


ALWAYS = _words("s 's 'es '")
"""Genitives and possessives that many languages share."""

BENDINGS: dict[str, Bending] = {
    "cs": Bending(
        _words(
            "a e u ovi em om ou y i um ech ami ovo ova ovu ovou ove ovy ovych ovym uv eho emu ym"
            " ho mu m ej o ou ove"
        ),
        ("ova", "a", "o", "e", "y", "i"),
        _words(
            "a y e i u o ou ove ovou ovu ovi e eho emu ym em ym ych ymi in inu iny ina am ami ach"
            " iho imu im ej u uv ovy"
        ),
        (("ek", "k"), ("el", "l"), ("ec", "c"), ("k", "c"), ("g", "z"), ("h", "z"), ("ch", "s")),
    ),
    "pl": Bending(
        _words("a owi em iem u ie e y i o om ami ach ow owie owej owa owna owny ego emu ym ej"),
        ("a", "o", "i", "y"),
        _words(
            "y i e ie a o u ami om ach iej ej iego ego iemu emu im ym ich ych imi ymi ia ow owi"
        ),
        (
            ("ek", "k"),
            ("el", "l"),
            ("iec", "c"),
            ("ec", "c"),
            ("k", "c"),
            ("g", "dz"),
            ("t", "ci"),
            ("d", "dzi"),
            ("r", "rz"),
            ("st", "sci"),
        ),
    ),
    "hr": Bending(
        _words("a u om em e i ov ova ovo ove ovi ovu ovom ev eva evo eve ima"),
        ("a", "o", "e"),
        _words("a e i u o om ama in ina ino ine inu inom ini ov ova ovo ovi ovu oj"),
        (("ar", "r"), ("ac", "c"), ("ak", "k"), ("an", "n")),
    ),
    "lt": Bending(
        _words("o ui a e ai io iui i u"),
        ("ius", "as", "is", "ys", "us", "a", "e"),
        _words("o ui a u e ai os oje io iui iu i yje aus aus um umi es ei ai iaus iumi"),
        (("t", "ci"), ("d", "dzi")),
    ),
    "lv": Bending(
        _words("a am u i"),
        ("is", "us", "s", "a", "e"),
        _words("a am u i as ai es ei e im ja jam ju um"),
        (("n", "n"), ("l", "l"), ("d", "z"), ("t", "s")),
    ),
    "fi": Bending(
        _words(
            "n a ta lle lla lta ssa sta in en on an un yn ksi na kin ko han hin seen"
            " ille illa ilta in ia ita iin ni nsa si"
        ),
        ("nen", "s", "i"),
        _words(
            "sen sta selle sella selta sessa sesta seen seksi set sten sia ksen ksella ksella"
            " ksta kselle ksen ksessa ksesta en ea elle ella elta essa esta"
        ),
        (
            ("kka", "ka"),
            ("kko", "ko"),
            ("kki", "ki"),
            ("kku", "ku"),
            ("ppa", "pa"),
            ("ppo", "po"),
            ("ppi", "pi"),
            ("tta", "ta"),
            ("tto", "to"),
            ("tti", "ti"),
        ),
    ),
    "et": Bending(_words("i e u a le lt l ga st sse ks ni ta ile ilt iga ist it t d")),
    "hu": Bending(
        _words(
            "t at et ot nak nek val vel ban ben bol rol tol hoz hez ba be ra re nal nel on en an"
            " ert ig ek e ja je javal ekat eket ekkel ekhez eknel ra ne"
        ),
        changed=(),
    ),
    "tr": Bending(
        _words(
            "e a i u ye ya yi yu in un nin nun den dan ten tan de da te ta le la yle yla ler lar"
            " im um cigim cim m leri lari ile ki"
        )
    ),
    "ro": Bending(_words("ei ului lui i"), ("a",), _words("ei ii o e")),
    "de": Bending(_words("n en ens ns chen lein i")),
    "is": Bending(_words("i s ar u um ur"), ("ur", "a", "i"), _words("i s ar u um a an")),
    "eu": Bending(_words("k ri rekin ren rentzat rengan")),
}

_SIGNS = {
    "cs": "je to ne s v z k i ale ze jsem jsi som jak ako ktery kdyz ked uz jeste neni bude ahoj"
    " dekuji dekuju prosim pro dnes zitra byl byla nebo alebo taky tiez jsou su bych mam mel"
    " vcera kdy kde co pri bez jako take tento podle na se ve ke od",
    "pl": "z w i to mi nie ma ze jest sie jestem czy ale jak ktory kiedy juz jeszcze dzieki"
    " dziekuje prosze dzisiaj jutro byl byla lub tez sa mam wczoraj gdzie co przez dla od do"
    " jako na we",
    "hr": "je da nije sam si smo su ali kako koji kada vec jos hvala molim danas sutra bio bila"
    " ili za sto gdje kod od se na sa",
    "lt": "ir yra bet kad kaip jau dar aciu prasau siandien rytoj buvo arba su is ar tai kur nuo"
    " po del tik man jis ji",
    "lv": "un ir bet ka jau vel paldies ludzu sodien rit bija vai ar no par man tas kur pie es tu"
    " uz vakar",
    "fi": "on ja ei etta mutta kun niin se ovat oli kiitos moi hei tanaan huomenna jos myos mina"
    " sina olen voi kanssa missa eilen han tama sitten",
    "et": "on ja ei et aga kui see oli aitah tere tana homme mina sina olen kas voi ka ning eile"
    " siis kus juba",
    "hu": "es az nem hogy de van volt igen koszonom szia ma holnap vagy is ha meg mar mert itt"
    " ott kell egy tegnap csak azt most",
    "tr": "ve bir bu icin ama degil evet hayir tesekkurler merhaba bugun yarin var yok ne cok ben"
    " sen mi mu ile gibi daha dun olarak sonra",
    "ro": "si nu este dar ca pentru cu sunt multumesc salut azi maine sau mai din la pe am ieri a"
    " care unde ce de",
    "de": "und ist nicht das die der ich du wir aber mit auf fur heute morgen hallo danke bitte"
    " war hat von zu den dem ein eine auch wie gestern",
    "is": "og er ekki ad eg thu en vid takk hae i dag var med fyrir hvar her thetta um til fra",
    "en": "the and is are was were to of in for on that this with you have it not be do we he she"
    " they what when how will would can my your at from by as an me so if no yes am has had"
    " did but there about just like get know think please thanks out up all one",
    "es": "el la los las de que y en un una es no se lo por con para como pero me ya muy esta si"
    " yo tu te le su mi hay todo hoy gracias hola bien donde cuando porque al del ir fue era",
    "fr": "le la les de des et est en un une je tu il elle nous vous que qui pas pour dans sur"
    " avec ce cette mais plus bien merci bonjour oui non au du se sont ont fait tout si on"
    " ne me",
    "it": "il lo la gli le di che e un una non per con sono come ma si mi ti ci da del della"
    " anche grazie ciao oggi domani questo quello piu molto bene dove quando ha ho al",
    "pt": "o a os as de que e em um uma nao por com para como mas se eu voce ele ela do da no na"
    " obrigado oi hoje bem muito isso esta foi ja tem ao me onde quando",
    "nl": "de het een en van is niet dat ik je we hij zij in op te voor met maar ook er nog wel"
    " naar om hoi dank vandaag morgen goed dit die wat hoe als bij aan zijn heeft",
    "sv": "och att det ar en ett jag du vi inte som pa med for av till om har var den de men tack"
    " hej idag imorgon bra vad hur nu er og jeg ikke til af fra at han hun",
    "eu": "eta da ez du dut baina gaur bihar kaixo eskerrik naiz zara dira atzo nola non",
}
_BY_WORD: dict[str, tuple[str, ...]] = {}
for _language, _text in _SIGNS.items():
    for _word in dict.fromkeys(_text.split()):
        _BY_WORD[_word] = (*_BY_WORD.get(_word, ()), _language)

LANGUAGES = frozenset(BENDINGS)
"""Languages in Latin letters whose endings are known."""

_ALIKE = {"sk": "cs", "sl": "hr", "sr": "hr", "bs": "hr", "az": "tr", "nb": "de"}
_LETTERS = re.compile(r"[^\W\d_]+")
_SAMPLE = 4000


def languages_of(folded: str) -> frozenset[str]:
    """The languages with endings that a folded text may be in.

    At least two of their frequent words stand in it, and half as many as of the language most of
    whose do: "do" and "to" are Czech, but not among forty English words. Only the beginning is
    looked at; a few sentences tell.
    """
    words = _BY_WORD.keys() & set(_LETTERS.findall(folded[:_SAMPLE]))
    found = Counter(language for word in words for language in _BY_WORD[word])
    least = max(2, max(found.values(), default=0) / 2)
    return frozenset(
        language for language, count in found.items() if count >= least and language in BENDINGS
    )


def languages_of_locales(locales: tuple[str, ...]) -> frozenset[str]:
    """Those of locales such as ``cs_CZ`` whose endings are known."""
    codes = (re.split(r"[-_]", locale.lower())[0] for locale in locales)
    return frozenset(_ALIKE.get(code, code) for code in codes) & LANGUAGES


CYRILLIC = Bending(
    _words(
        "а у ом ем е ы и ов ам ами ах ою ои еи ев ым ых ыми ову ови еви ю я ем"
        " ов ова ову овои ин ина ину ия у та ът а ко"
    ),
    ("ая", "ии", "ыи", "ои", "а", "я", "и", "ь", "о", "е"),
    _words(
        "а у е и ы о ои ою еи ею ю я ем ом ию ии ие иеи ами ям ями ях ам ах ого его ому ему ым им"
        " ом ем ую юю ая яя ых их ыми ими ые ие ь о и ін іна іну івна ов ова ову ев ева еву ин"
        " ина ину ині ові еві єм єві і ї ію ією їм єю й"
    ),
    (
        ("ек", "к"),
        ("ел", "л"),
        ("ец", "ц"),
        ("ок", "к"),
        ("г", "з"),
        ("к", "ц"),
        ("х", "с"),
        ("ок", "к"),
        ("ень", "н"),
        ("ар", "р"),
        ("ко", "к"),
    ),
)
GREEK = Bending(
    _words("σ ν"),
    ("ησ", "οσ", "ασ", "ισ", "ουσ", "α", "η", "ο", "ω", "υ"),
    _words("η ο ου ε α ησ ασ οσ ον ι ουσ ων οι ια εσ ωσ"),
)
GEORGIAN = Bending(
    _words("ს მ მა ის ით ად ო თან სთან სთვის ისთვის ზე ში მაც სა ც ისგან სგან სი"),
    ("ი", "ა", "ე"),
    _words("მა ის ს ით ად ო ისთვის ისგან ისთან"),
)
ARMENIAN = Bending(
    _words("ի ին ից ով ը ն ս ու ու ում ական ենց ի՞ն իս իդ"), ("ա", "ի"), _words("այի ու ի ոյի")
)
DEVANAGARI = Bending(
    _words(
        "ने ला को का की के ले लाई बाट सँग मा शी ची चे चा चं जी कडे कडून साठी वर हरू से ना नी"
        " ंनी ांनी ाने ाला ाची ाचे ाचा ीला ीने ीची"
    )
)
BENGALI = Bending(_words("র ের কে এর রা ে য়ের দের তে টা দা দি বাবু য়"))
KOREAN = re.compile(
    "(?:[이아야]?(?:씨|님|군|양|형|누나|언니|오빠|선생님|대리|과장|부장|팀장|사장님?))?이?"
    "(?:가|이|은|는|을|를|에게|에게서|한테|한테서|께|께서|의|도|만|와|과|랑|이랑|하고|로|으로|야|아|"
    "여|네|라고|라는|나|부터|까지|처럼|보다|입니다|이에요|예요|요|인데|의게|에)?"
)
"""What may follow a Korean name in the same word."""

PREFIXES = {
    "arabic": re.compile("[وف]?[بلك]?$"),
    "hebrew": re.compile("(?:ו?ש?כ?ש?[הבלמ]?|ו)$"),
}
"""What may stand before a name in the same word."""

DRAVIDIAN_LONGEST = 8
"""Letters that Tamil, Telugu, Kannada, Malayalam and Sinhala may put after a name."""
