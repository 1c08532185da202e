"""Recall and precision of participants' names in text, by locale, and how fast they are found.

    python benchmarks/bench_redact_people.py [--documents N] [--json] [--misses N]

Names come from Faker, some two dozen locales; the sentences around them were written for this
benchmark, in the language of each locale, apart from the rules. Where a language bends names, the
bent forms stand in pairs written out by hand, not made by a rule. Every document also holds decoys:
sentences in which nothing is a participant's name - other people, words that are names, order
numbers, code. A find counts when it covers the name and nothing but its ending or its initials.

Reported: recall over all labelled names, precision over all finds, per locale and together; MB per
CPU second (UTF-8) of finding alone beside a pass of ``re.findall(r"\\w+")`` over the same texts.
"""

import argparse
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from faker import Faker

sys.path.insert(0, str(Path(__file__).parent.parent))

from dataset.redact.names import tokens_of
from dataset.redact.people import Known, PeopleFinder

# {n} full name, {g} given name, {f} family name, {h} handle; every locale has its own language
SENTENCES: dict[str, list[str]] = {
    "en_US": [
        "Could you ask {g} whether the parcel came?",
        "{g}'s flight lands at six.",
        "I met {n} at the station yesterday.",
        "thanks {g}, that helped a lot",
        "{f} signed it, then {g} scanned it.",
        "Sent from {n}'s phone",
        "cc @{h} please",
        "Dear {g},\nthe report is attached.\nBest, {n}",
        "{g}: are we still on for lunch?",
        "The invoice goes to {n}, not to the office.",
        "tell {g} i said hi!",
    ],
    "en_GB": [
        "Has {g} rung you back yet?",
        "Kind regards, {n}",
        "That was {g}'s idea, wasn't it?",
        "{n} will chair the meeting.",
        "Morning {g}! Tea?",
        "I'll forward it to {f} tonight.",
    ],
    "de_DE": [
        "Hast du {g} schon gefragt?",
        "Ich habe {n} gestern getroffen.",
        "Liebe Grüße, {g}",
        "Hallo {g}, kommst du morgen?",
        "Das Auto von {n} steht noch hier.",
        "Kannst du das bitte an @{h} schicken?",
        "Herr {f} ist heute nicht da.",
        "{g} hat gesagt, dass es regnet.",
        "Frag doch mal {g} oder mich.",
    ],
    "fr_FR": [
        "Tu as vu {g} ce matin ?",
        "Merci {g} pour ton aide.",
        "J'ai rendez-vous avec {n} demain.",
        "{g} m'a dit qu'il pleuvait.",
        "La voiture de {n} est en panne.",
        "Bonjour {g},\nvoici le dossier.\n{n}",
        "Madame {f} n'est pas là.",
    ],
    "es_ES": [
        "¿Has visto a {g} hoy?",
        "Gracias, {g}, por todo.",
        "Mañana ceno con {n}.",
        "Hola {g}, ¿vienes luego?",
        "El coche de {n} no arranca.",
        "Pregúntale a {g} cuando puedas.",
    ],
    "it_IT": [
        "Hai sentito {g} oggi?",
        "Grazie {g}, sei gentile.",
        "Domani ceno con {n}.",
        "Ciao {g}, a che ora arrivi?",
        "La macchina di {n} è rotta.",
        "L'ha detto {g} ieri sera.",
    ],
    "pt_BR": [
        "Você viu {g} hoje?",
        "Obrigado, {g}!",
        "Amanhã janto com {n}.",
        "Oi {g}, tudo bem?",
        "O carro de {n} quebrou.",
        "Pergunta para {g} depois.",
    ],
    "nl_NL": [
        "Heb je {g} al gesproken?",
        "Bedankt {g}, tot morgen.",
        "Ik zag {n} gisteren in de trein.",
        "Hoi {g}, kom je ook?",
        "De fiets van {n} is gestolen.",
        "Vraag het anders aan {g}.",
    ],
    "sv_SE": [
        "Har du pratat med {g}?",
        "Tack {g}, det var snällt.",
        "Jag träffade {n} på tåget.",
        "Hej {g}, kommer du?",
        "Det är {n} som har nyckeln.",
        "{g}s bil står kvar här.",
    ],
    "da_DK": [
        "Har du talt med {g}?",
        "Tak {g}, vi ses.",
        "Jeg mødte {n} i går.",
        "Hej {g}, kommer du?",
        "Det er {n}, der har nøglen.",
        "{g}s cykel er væk.",
    ],
    "no_NO": [
        "Har du snakket med {g}?",
        "Takk {g}, sees i morgen.",
        "Jeg traff {n} på bussen.",
        "Hei {g}, kommer du?",
        "Det er {n} som har nøkkelen.",
    ],
    "fi_FI": [
        "Onko {g} jo tullut?",
        "Kiitos {g}!",
        "{n} soitti eilen.",
        "Moi {g}, tuletko mukaan?",
        "Sen teki {n}.",
    ],
    "pl_PL": [
        "Czy {g} już przyszła?",
        "{n} dzwoni jutro.",
        "Zapytaj, czy {g} ma czas.",
        "Dzwonił {f}, nie wiem po co.",
        "To mówi {n}.",
    ],
    "cs_CZ": [
        "Přišel už {g}?",
        "{n} volal včera večer.",
        "To říkal {g}, ne já.",
        "Kde je {f}?",
        "Napsal mi {n}.",
    ],
    "ro_RO": [
        "Ai vorbit cu {g} azi?",
        "Mulțumesc, {g}!",
        "Ieri m-am întâlnit cu {n}.",
        "Bună, {g}, vii și tu?",
        "Mașina e la {n}.",
    ],
    "hu_HU": [
        "Megjött már {g}?",
        "Köszi {g}, holnap hívlak.",
        "{n} tegnap telefonált.",
        "Szia {g}, jössz te is?",
        "Ezt {n} mondta.",
    ],
    "tr_TR": [
        "{g} geldi mi?",
        "Teşekkürler {g}, yarın görüşürüz.",
        "Dün {n} aradı.",
        "{g}'e selam söyle.",
        "Bu {n}'in arabası.",
    ],
    "ru_RU": [
        "{g} уже приехал?",
        "Спасибо, {g}!",
        "Вчера звонил {n}.",
        "Привет, {g}, ты придёшь?",
        "Это сказала {g}, а не я.",
    ],
    "uk_UA": [
        "{g} вже приїхав?",
        "Дякую, {g}!",
        "Учора телефонував {n}.",
        "Привіт, {g}, ти прийдеш?",
    ],
    "bg_BG": [
        "{g} дойде ли вече?",
        "Благодаря, {g}!",
        "Вчера се обади {n}.",
        "Здравей, {g}, идваш ли?",
    ],
    "el_GR": [
        "Ήρθε ο {g};",
        "Μίλησα με τον {n} χθες.",
        "Ευχαριστώ πολύ, {g}!",
        "Το είπε η {g}.",
    ],
    "he_IL": ["האם {g} כבר הגיע?", "תודה {g}, נתראה מחר.", "אתמול דיברתי עם {n}.", "זה של {n}."],
    "ar_AA": [
        "هل وصل {g}؟",
        "شكرا يا {g}",
        "تحدثت أمس مع {n}.",
        "هذه سيارة {n}.",
        "قال {g} إنه قادم",
    ],
    "fa_IR": ["آیا {g} رسید؟", "ممنون {g} جان", "دیروز با {n} حرف زدم.", "این ماشین {n} است."],
    "hi_IN": [
        "क्या {g} आ गया?",
        "धन्यवाद {g}!",
        "कल {n} से बात हुई।",
        "यह {n} की गाड़ी है।",
        "{g} ने कहा था।",
    ],
    "th_TH": ["เมื่อวานเจอ{n}ที่สถานี", "ขอบคุณนะ {g}", "ฝากบอก{g}ด้วย"],
    "ja_JP": [
        "昨日{n}さんに会いました。",
        "{f}さん、ありがとうございます。",
        "それは{g}が言ったことです。",
        "{f}様 お世話になっております。",
        "{n}です。よろしく。",
    ],
    "zh_CN": [
        "昨天我见到了{n}。",
        "谢谢{g}！",
        "{n}说今天会下雨。",
        "请把文件发给{n}，好吗？",
        "你问过{g}没有？",
    ],
    "zh_TW": ["昨天我遇到了{n}。", "謝謝{g}！", "{n}說今天會下雨。", "你問過{g}沒有？"],
    "ko_KR": [
        "어제 {n}을 만났어요.",
        "{g}야 고마워!",
        "{n} 씨가 전화했어요.",
        "{g}가 그렇게 말했어.",
        "{n}의 차예요.",
    ],
    "vi_VN": ["Hôm qua mình gặp {n}.", "Cảm ơn {n} nhé.", "Xe của {n} hỏng rồi."],
    "id_ID": [
        "Kemarin saya bertemu {n}.",
        "Terima kasih, {g}!",
        "Tanya saja ke {g}.",
        "Mobil {n} mogok.",
    ],
}

# languages that bend names: (locale, name as displayed, sentence with the bent name in [brackets])
BENT: list[tuple[str, str, str]] = [
    ("cs_CZ", "Petr Novák", "Včera jsem viděl [Petra Nováka] a byl rád."),
    ("cs_CZ", "Petr Novák", "Řekni to prosím [Petrovi], já už jdu."),
    ("cs_CZ", "Jana Dvořáková", "Byl jsem tam s [Janou Dvořákovou], ale bez tebe."),
    ("cs_CZ", "Jana Dvořáková", "Dej to [Janě], prosím, ještě dnes."),
    ("cs_CZ", "Pavel Svoboda", "Volal jsem [Pavlovi Svobodovi], ale není doma."),
    ("cs_CZ", "Marek Černý", "To je auto [Marka Černého], ne moje."),
    ("cs_CZ", "Olga Veselá", "Bez [Olgy Veselé] to už není ono."),
    ("cs_CZ", "Lenka Marková", "Ahoj [Lenko], kdy přijdeš?"),
    ("pl_PL", "Anna Kowalska", "Wczoraj byłem u [Anny Kowalskiej], ale nie w domu."),
    ("pl_PL", "Anna Kowalska", "Powiedz to [Annie], proszę, jeszcze dzisiaj."),
    ("pl_PL", "Piotr Wiśniewski", "Rozmawiałem z [Piotrem Wiśniewskim] i nie wiem."),
    ("pl_PL", "Piotr Wiśniewski", "To jest rower [Piotra], nie mój."),
    ("pl_PL", "Marek Zieliński", "Nie mam numeru [Marka Zielińskiego], a ty?"),
    ("pl_PL", "Monika Lewandowska", "Dziękuję [Monice Lewandowskiej], że jest z nami."),
    ("pl_PL", "Paweł Wójcik", "Czy masz list dla [Pawła Wójcika]?"),
    ("pl_PL", "Kasia Mazurek", "Jestem z [Kasią], ale już idę."),
    ("ru_RU", "Анна Петрова", "Передай [Анне Петровой], что всё готово."),
    ("ru_RU", "Анна Петрова", "Я видел [Анну] вчера."),
    ("ru_RU", "Иван Смирнов", "Это машина [Ивана Смирнова]."),
    ("ru_RU", "Иван Смирнов", "Поговори с [Иваном], он знает."),
    ("ru_RU", "Сергей Козловский", "Письмо пришло от [Сергея Козловского]."),
    ("ru_RU", "Сергей Козловский", "Отдай это [Сергею]."),
    ("ru_RU", "Мария Кузнецова", "Мы были у [Марии Кузнецовой]."),
    ("ru_RU", "Павел Орлов", "Спроси у [Павла Орлова]."),
    ("ru_RU", "Игорь Волков", "Он ушёл с [Игорем]."),
    ("uk_UA", "Оксана Шевченко", "Передай [Оксані], що все готово."),
    ("uk_UA", "Тарас Коваленко", "Я бачив [Тараса] учора."),
    ("uk_UA", "Андрій Мельник", "Це машина [Андрія Мельника]."),
    ("hr_HR", "Ivan Horvat", "Vidio sam [Ivana Horvata], ali nije bio sam."),
    ("hr_HR", "Ana Kovač", "Reci to [Ani], molim te, danas."),
    ("hr_HR", "Petar Babić", "Bio sam kod [Petra], ali nije kući."),
    ("lt_LT", "Jonas Kazlauskas", "Vakar mačiau [Joną Kazlauską], bet jis jau išėjo."),
    ("lt_LT", "Rasa Jankauskienė", "Perduok [Rasai], kad jau yra."),
    ("lv_LV", "Jānis Bērziņš", "Vakar satiku [Jāni Bērziņu], bet viņš jau gāja."),
    ("lv_LV", "Anna Kalniņa", "Pasaki [Annai], ka es jau eju."),
    ("fi_FI", "Pekka Virtanen", "Se on [Pekan] auto, mutta ei minun."),
    ("fi_FI", "Pekka Virtanen", "Kerro [Virtaselle], että tulen myös."),
    ("fi_FI", "Anna Korhonen", "Puhuin [Annalle] eilen, mutta hän ei tiennyt."),
    ("et_EE", "Mari Tamm", "Ütle [Marile], et ma juba tulen."),
    ("hu_HU", "Nagy Anna", "Beszéltem [Annával], de nem tudta."),
    ("hu_HU", "Kovács János", "Ez [János] kocsija, de már nem megy."),
    ("hu_HU", "Kovács János", "Add oda [Kovács Jánosnak], ha még ott van."),
    ("hu_HU", "Szabó István", "Elmentem [Istvánnal], de már nem volt ott."),
    ("tr_TR", "Ayşe Yıldırım", "Bunu [Ayşe]'ye ver, çok önemli."),
    ("tr_TR", "Mehmet Kaya", "Dün [Mehmet]'le konuştum ama yoktu."),
    ("el_GR", "Γιώργος Παπαδόπουλος", "Το αυτοκίνητο του [Γιώργου Παπαδόπουλου]."),
    ("el_GR", "Μαρία Νικολάου", "Μίλησα για τη γιορτή της [Μαρίας]."),
    ("ro_RO", "Maria Ionescu", "Asta este mașina [Mariei], nu a mea."),
    ("de_DE", "Anna Müller", "Das ist [Annas] Fahrrad und nicht meins."),
    ("de_DE", "Jörg Müller", "Ich war bei [Müllers] und es war schön."),
    ("de_DE", "Jörg Müller", "Schreib an [Joerg Mueller], er ist da."),
    ("ar_AA", "أحمد محمد", "سلم على صديقي و[أحمد] أيضا"),
    ("ar_AA", "أحمد محمد", "أعطيت الكتاب ل[أحمد] أمس"),
    ("he_IL", "דוד כהן", "תגיד ל[דוד] שאני בא"),
    ("he_IL", "דוד כהן", "הלכתי עם רות ו[דוד] לים"),
    ("ko_KR", "김민수", "[민수]한테 물어봐"),
    ("ko_KR", "박지영", "[지영]이가 왔어"),
    ("ka_GE", "ნინო ბერიძე", "ეს არის [ნინოს] სახლი"),
    ("hy_AM", "Արամ Սարգսյան", "Սա [Արամի] տունն է"),
    ("mr_IN", "राम पाटील", "[रामने] सांगितले"),
    ("bn_BD", "রহিম উদ্দিন", "এটা [রহিমের] বাড়ি"),
    ("ta_IN", "குமார் ராஜா", "இது [குமாரின்] வீடு"),
    ("te_IN", "రవి కుమార్", "ఇది [రవికి] ఇవ్వు"),
]

VARIANTS = [  # spellings that people use; {i} initial of the given name, {j} of the family name
    "cc: {i}. {f}", "wrote {f}, {g} on the form", "{g} {j}. was there", "by {i} {f} et al.",
    "{N} IN ALL CAPITALS", "signed {low}", "plain letters: {plain}",
    "from #{joined} with love", "{g}\u2019s turn", "({n})", "\u201c{g}\u201d", "{g}, {g}!",
    "**{g}** said so", "_{g}_ said so", "{g}/me", "{g}?",
]  # fmt: skip

WORDS = [  # (name, text; names in [brackets], the rest are words)
    ("Will Turner", "I told [Will] that prices will rise. Will you come? Thanks, [Will]!"),
    ("Rose Baker", "[Rose] was late. The rose is red, and the baker sells roses. Ask [Rose] then."),
    ("Mark Stone", "Mark the date. [Mark]'s car hit a stone. I mark it, [Mark] said. Stone walls."),
    ("May Lin", "See you in May, says [May]. It may rain on May 5. I like [May] a lot."),
    ("Frank Hope", "To be frank, I hope so. Hope it works, and [Frank] does too."),
    ("Grace Field", "With grace, [Grace] crossed the field. Grace period: ten days."),
    ("Bill Price", "The bill came, the price is fair. Bill them now. Hi [Bill], call me."),
    ("Max Power", "max_power = max(a, b); the power is on. [Max] fixed it. Max speed is 9."),
    ("Jack Carter", "The jack is under the carter. [Jack] lifts the car. Where is [Carter]?"),
    ("Summer Day", "Last summer, on a summer day, [Summer] swam. The day was hot."),
    ("Jan Koch", "Der Koch kocht. Ich sah [Jan] im Jan 2024. Herr [Koch] ist da."),
    ("Ernst Wolf", "Das meine ich ernst. Der Wolf kam. [Ernst] lachte, sagt [Wolf]."),
    ("Rosa Blanco", "La rosa es blanco y rojo. Hola [Rosa], el vino blanco es bueno."),
    ("Pierre Petit", "La pierre est petite; un petit pas. Merci [Pierre], dit [Petit]."),
    ("Jordan Paris", "We flew to Jordan and from Paris. [Jordan] is tired. Hi [Paris]!"),
    ("Вера Мороз", "На улице мороз, но вера крепка. Привет, [Вера]!"),
    ("Van Long", "The van took a long road. I know [Van], the long way home."),
    ("Don Case", "Don't worry, in any case. [Don] is here. Case closed."),
]  # fmt: skip

DECOYS = [
    "Order 2024-11-0042 shipped, tracking 1Z999AA10123456784.",
    "def main(args): return args.first()",
    "SELECT name, mark FROM students WHERE id = 7;",
    "import json, re, sys",
    "Version 3.12.1 fixes the annual report.",
    "The marketing plan needs a janitor's approval.",
    "see https://example.org/docs/v2/annals.html",
    "Tomorrow at 10:30 in room 4b?",
    "Das Wetter ist heute sehr schön, morgen regnet es.",
    "Le train arrive à midi, voie sept.",
    "Mañana hay mercado en la plaza.",
    "Der Zug nach Bremen fährt um neun.",
    "今天天气很好，我们去公园。",
    "明日は雨が降るそうです。",
    "오늘 날씨가 좋네요.",
    "Сегодня хорошая погода.",
    "الطقس جميل اليوم",
    "El perro corre por el campo.",
    "{other} called about the heating.",
    "Ask {other} for the key.",
    "I read a book by {other}.",
    "{other} und ich waren im Kino.",
    "for i in range(10): print(i)",
    "lol ok brb",
    "The willow by the rosewood markets is mayflower themed.",
    "kubectl get pods -n prod",
]


class Document(NamedTuple):
    """A text with names in it.

    Attributes:
        locale: of the names.
        people: names of the participants.
        text: what is searched.
        marks: (start, end) of each name.
    """

    locale: str
    people: list[str]
    text: str
    marks: list[tuple[int, int]]


def without_marks(locale: str, names: list[str], text: str) -> Document:
    """A document from a text with names in [brackets]."""
    plain, marks, at = "", [], 0
    for found in re.finditer(r"\[([^\]]*)\]", text):
        plain += text[at : found.start()]
        marks.append((len(plain), len(plain) + len(found[1])))
        plain += found[1]
        at = found.end()
    return Document(locale, names, plain + text[at:], marks)


def plain_letters(text: str) -> str:
    """A name as a keyboard without marks writes it."""
    import unicodedata

    text = text.replace("ß", "ss").replace("ø", "o").replace("ł", "l").replace("Ł", "L")
    text = text.replace("Ø", "O").replace("đ", "d").replace("Đ", "D").replace("ı", "i")
    marks = unicodedata.normalize("NFD", text)
    return "".join(letter for letter in marks if not unicodedata.combining(letter))


def parts(name: str, locale: str) -> dict[str, str] | None:
    """The parts of a name as Faker made it; None for names with more than two."""
    words = name.split()
    if locale in ("zh_CN", "zh_TW", "ko_KR") and len(words) == 1 and len(name) == 3:
        return {"n": name, "f": name[0], "g": name[1:]}
    if locale == "vi_VN":
        return {"n": name, "g": words[-1], "f": words[0]}
    titled = (
        words[0] in ("Mr", "Mrs", "Ms", "Miss", "Dr", "Prof", "Herr", "Frau", "Г-н", "Г-жа", "Г-ца")
        or words[0].islower()
    )
    titled = titled or words[-1] in ("MD", "DDS", "DVM", "PhD", "II", "III", "IV", "V")
    if len(words) < 2 or titled or re.search(r"[.,'’]", name):
        return None
    given, family = words[0], words[-1]
    if locale in ("ja_JP", "hu_HU"):
        given, family = family, given
    if locale == "ja_JP":
        return {"n": family + given, "g": given, "f": family}
    return {"n": name, "g": given, "f": family}


def draw(faker: Faker, locale: str) -> str:
    """A name as displayed: without titles."""
    if locale in ("th_TH", "hi_IN", "ar_AA", "fa_IR", "uk_UA", "ru_RU", "es_ES", "tr_TR"):
        return f"{faker.first_name()} {faker.last_name()}"
    if locale == "hu_HU":
        return f"{faker.last_name()} {faker.first_name()}"
    return str(faker.name())


def documents(per_locale: int, seed: int = 7) -> Iterator[Document]:
    """The corpus."""
    rng = random.Random(seed)
    for locale, sentences in SENTENCES.items():
        faker = Faker(locale)
        faker.seed_instance(seed)
        english = Faker("en_US")
        english.seed_instance(seed + 1)
        made = 0
        while made < per_locale:
            names = [
                name for name in (draw(faker, locale) for _ in range(2)) if parts(name, locale)
            ]
            if len(names) < 2 or set(names[0].split()) & set(names[1].split()):
                continue
            made += 1
            yield document(locale, names, sentences, english.name(), rng)
    for locale, name, text in BENT:
        yield without_marks(locale, [name], text)
    for name, text in WORDS:
        yield without_marks("words", [name], text)


def document(
    locale: str, names: list[str], sentences: list[str], other: str, rng: random.Random
) -> Document:
    """A few sentences about two people among decoys."""
    lines = []
    for _ in range(rng.randint(2, 4)):
        name = rng.choice(names)
        values = parts(name, locale)
        assert values is not None
        given, family = values["g"], values["f"]
        latin = all(ord(letter) < 0x250 for letter in name)
        values["h"] = f"{given}.{family}".lower()
        template = rng.choice(sentences if not latin or rng.random() < 0.7 else VARIANTS)
        values |= {
            "i": given[0], "j": family[0], "N": name.upper(), "low": name.lower(),
            "plain": plain_letters(name), "joined": (given + family).lower(),
        }  # fmt: skip
        if template in VARIANTS and ("'" in name or "-" in name):
            template = sentences[0]
        lines.append(marked(template, values))
    lines += [rng.choice(DECOYS).format(other=other) for _ in range(rng.randint(1, 4))]
    rng.shuffle(lines)
    return without_marks(locale, names, "\n".join(lines))


def marked(template: str, values: dict[str, str]) -> str:
    """The template with each name, its initials included, in [brackets]."""
    for group in ("{i}. {f}", "{i} {f}", "{f}, {g}", "{g} {j}."):
        template = template.replace(group, f"<<{group}>>")
    template = re.sub(
        r"(?<!<<)\{(n|g|f|h|N|low|plain|joined)\}(?!>>)(?![^<]*>>)", r"<<{\1}>>", template
    )
    return template.format(**values).replace("<<", "[").replace(">>", "]")


def judge(found: list[tuple[int, int]], marks: list[tuple[int, int]]) -> tuple[int, int, int]:
    """(names found, names missed, finds that are no name)."""
    hit = [any(low <= start and end <= high for low, high in found) for start, end in marks]
    wrong = sum(not any(low < end and start < high for start, end in marks) for low, high in found)
    return sum(hit), len(hit) - sum(hit), wrong


def measure(per_locale: int, shown: int, seed: int = 7) -> dict[str, object]:
    """Recall, precision and speed on the corpus."""
    corpus = list(documents(per_locale, seed))
    tally: dict[str, Counter[str]] = {}
    misses: list[str] = []
    for each in corpus:
        finder = PeopleFinder([Known(n, tokens_of(name)) for n, name in enumerate(each.people, 1)])
        found = [(span.start, span.end) for span in finder.find(each.text)]
        right, missed, wrong = judge(found, each.marks)
        tally.setdefault(each.locale, Counter()).update(right=right, missed=missed, wrong=wrong)
        if (missed or wrong) and len(misses) < shown:
            got = [each.text[low:high] for low, high in found]
            want = [each.text[low:high] for low, high in each.marks]
            misses.append(
                f"{each.locale} {each.people}: {each.text!r}\n   want {want}\n   got  {got}"
            )
    together = sum(tally.values(), Counter())
    return {
        "documents": len(corpus),
        "locales": len(tally) - 1,
        "names": together["right"] + together["missed"],
        **rates(together),
        **speed(),
        "by_locale": {locale: rates(count) for locale, count in sorted(tally.items())},
        "misses": misses,
    }


def speed(talks: int = 400, seed: int = 11) -> dict[str, float]:
    """MB per CPU second on chats: twenty messages of two people, one in ten names somebody."""
    rng = random.Random(seed)
    chats: list[tuple[list[str], list[str]]] = []
    for locale in ("en_US", "de_DE", "cs_CZ", "ru_RU"):
        faker = Faker(locale)
        faker.seed_instance(seed)
        for _ in range(talks // 4):
            names = [faker.name(), faker.name()]
            texts = [faker.text(rng.choice((40, 80, 160, 400))) for _ in range(20)]
            for at in rng.sample(range(20), 2):
                texts[at] += f" {rng.choice(names)}"
            chats.append((names, texts))
    size = sum(len(text.encode()) for _, texts in chats for text in texts)
    finders = [PeopleFinder([Known(n, tokens_of(name)) for n, name in enumerate(names, 1)])
               for names, _ in chats]  # fmt: skip
    began = time.process_time()
    for finder, (_, texts) in zip(finders, chats, strict=True):
        for text in texts:
            finder.find(text)
    finding = time.process_time() - began
    began = time.process_time()
    for _, texts in chats:
        for text in texts:
            re.findall(r"\w+", text)
    words = time.process_time() - began
    return {
        "mb_per_cpu_s": round(size / finding / 1e6, 1),
        "words_mb_per_cpu_s": round(size / words / 1e6, 1),
    }


def rates(count: Counter[str]) -> dict[str, float]:
    """Recall and precision of a tally."""
    right, missed, wrong = count["right"], count["missed"], count["wrong"]
    return {
        "recall": round(right / max(right + missed, 1), 4),
        "precision": round(right / max(right + wrong, 1), 4),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--documents", type=int, default=160, help="per locale")
    options.add_argument("--misses", type=int, default=0, help="show so many failures")
    options.add_argument("--seed", type=int, default=7, help="other names, other order")
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    result = measure(chosen.documents, chosen.misses, chosen.seed)
    misses = result.pop("misses")
    assert isinstance(misses, list)
    for miss in misses:
        print(miss, file=sys.stderr)
    print(json.dumps(result, indent=None if chosen.json else 1, ensure_ascii=False))


if __name__ == "__main__":
    main()
