# ruff: noqa: E501 - tables read by the line
"""Values of the corpus: invented people's numbers by the published rules, and decoys.

Everything comes from one seeded source, so that the corpus is the same on every machine with the
same versions of Faker, phonenumbers and python-stdnum. Faker's values whose checksum does not hold
are drawn again: they are no such number. The keys follow the providers' formats and open nothing.
"""

import base64
import json
import random
import string
from collections.abc import Callable
from importlib import import_module
from itertools import pairwise

import phonenumbers
from faker import Faker
from phonenumbers import PhoneNumberFormat, PhoneNumberType
from stdnum import iban

HEX, UPPER, DIGITS = "0123456789abcdef", string.ascii_uppercase, string.digits
ALNUM = string.ascii_letters + string.digits
URL64 = ALNUM + "_-"

# locale: what gives an identity number (a method of Faker or a rule of this file), what checks it
IDS: dict[str, tuple[tuple[str, str], ...]] = {
    "en_US": (("ssn", "us.ssn"), ("itin", "us.itin")),
    "en_GB": (("rule:nino", ""), ("digits:10", "gb.nhs")),
    "en_IN": (("aadhaar_id", "in_.aadhaar"), ("rule:pan", "in_.pan")),
    "en_CA": (("ssn", "ca.sin"),),
    "en_AU": (("digits:9", "au.tfn"),),
    "de_DE": (("digits:11", "de.idnr"),),
    "de_AT": (("rule:vnr", "at.vnr"),),
    "de_CH": (("rule:ahv", "ch.ssn"),),
    "fr_FR": (("rule:nir", "fr.nir"),),
    "es_ES": (("rule:dni", "es.dni"), ("rule:nie", "es.nie")),
    "es_MX": (("curp", "mx.curp"),),
    "es_CL": (("rule:rut", "cl.rut"),),
    "it_IT": (("ssn", "it.codicefiscale"),),
    "nl_NL": (("digits:9", "nl.bsn"),),
    "nl_BE": (("rule:nn", "be.nn"),),
    "pt_PT": (("digits:9", "pt.nif"),),
    "pt_BR": (("cpf", "br.cpf"), ("cnpj", "br.cnpj")),
    "pl_PL": (("pesel", "pl.pesel"),),
    "sv_SE": (("ssn", "se.personnummer"),),
    "fi_FI": (("ssn", "fi.hetu"),),
    "da_DK": (("rule:cpr", "dk.cpr"),),
    "no_NO": (("ssn", "no.fodselsnummer"),),
    "cs_CZ": (("birth_number", "cz.rc"),),
    "ro_RO": (("ssn", "ro.cnp"),),
    "hu_HU": (("rule:taj", ""),),
    "el_GR": (("rule:amka", "gr.amka"),),
    "tr_TR": (("ssn", "tr.tckimlik"),),
    "ru_RU": (("rule:snils", ""), ("digits:12", "ru.inn")),
    "uk_UA": (("digits:10", "ua.rntrc"),),
    "bg_BG": (("rule:egn", "bg.egn"),),
    "hr_HR": (("ssn", "hr.oib"),),
    "ja_JP": (("digits:12", "jp.in_"),),
    "zh_CN": (("ssn", "cn.ric"),),
    "ko_KR": (("ssn", "kr.rrn"),),
}
LOCALES: tuple[str, ...] = tuple(IDS)

# countries for which Faker only has the forms of another
STREETS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "BG": (
        ("ул. {street} {n}", "ул. „{street}“ {n}, ап. {m}", "бул. {street} № {n}", "бул. {street} {n}, {code} {town}"),
        {"street": "Гурко Раковска Шипка Витоша Левски Ботев Оборище", "town": "София Пловдив Варна"},
    ),
    "TR": (
        ("{street} Mah. {other} Sok. No: {n}", "{street} Mahallesi {other} Caddesi No:{n} Daire:{m}",
         "{other} Caddesi No: {n}/{m}, 3{code} {town}", "{street} Mah. {other} Cad. {n}/{m} {town}"),
        {"street": "Fatih Cumhuriyet Yenimahalle Bahçelievler Atatürk", "other": "Gül Menekşe Atatürk İnönü Lale",
         "town": "Ankara İzmir Bursa"},
    ),
    "JP": (
        ("東京都{town}{street}{m}-{n}-3", "東京都{town}{street}{m}丁目{n}番5号", "〒150-{code} 東京都{town}{street}{m}-{n}",
         "大阪府大阪市北区{street}{m}丁目{n}-8 ハイツ{n}"),
        {"street": "神南 本町 栄町 中央 西原 緑が丘", "town": "渋谷区 港区 世田谷区 中野区"},
    ),
}  # fmt: skip

PROVIDERS: dict[str, Callable[["Values"], str]] = {
    "anthropic": lambda v: "sk-" + "ant-api03-" + v.chars(URL64, 93) + "AA",
    "openai": lambda v: "sk-" + v.chars(ALNUM, 48),
    "openai-project": lambda v: "sk-" + "proj-" + v.chars(URL64, 74) + v.chars(ALNUM, 20),
    "openrouter": lambda v: "sk-" + "or-v1-" + v.chars(HEX, 64),
    "huggingface": lambda v: "hf" + "_" + v.chars(string.ascii_letters, 34),
    "groq": lambda v: "gsk" + "_" + v.chars(ALNUM, 52),
    "replicate": lambda v: "r8" + "_" + v.chars(ALNUM, 37),
    "github": lambda v: v.pick("ghp gho ghu ghs ghr") + "_" + v.chars(ALNUM, 36),
    "github-pat": lambda v: "github" + "_pat_" + v.chars(ALNUM, 22) + "_" + v.chars(ALNUM, 59),
    "gitlab": lambda v: "glpat" + "-" + v.chars(URL64, 19) + v.chars(ALNUM, 1),
    "npm": lambda v: "npm" + "_" + v.chars(ALNUM, 36),
    "pypi": lambda v: "pypi" + "-AgEIcHlwaS5vcmc" + v.chars(URL64, 140) + v.chars(ALNUM, 1),
    "aws-id": lambda v: v.pick("AKIA ASIA") + v.chars(UPPER + "234567", 16),
    "google-api": lambda v: "AI" + "za" + v.chars(URL64, 34) + v.chars(ALNUM, 1),
    "google-oauth": lambda v: "GOCSPX" + "-" + v.chars(URL64, 27) + v.chars(ALNUM, 1),
    "slack-bot": lambda v: (
        "xo" + f"xb-{v.chars('123456789', 12)}-{v.chars(DIGITS, 13)}-{v.chars(ALNUM, 24)}"
    ),
    "slack-export": lambda v: "xo" + "xe-" + v.chars(DIGITS, 12) + "-" + v.chars(HEX, 64),
    "slack-app": lambda v: (
        "xa" + f"pp-1-A{v.chars(UPPER, 10)}-{v.chars(DIGITS, 13)}-{v.chars(HEX, 64)}"
    ),
    "discord": lambda v: (
        base64.b64encode(v.chars("123456789", 18).encode()).decode().rstrip("=")
        + f".{v.chars(URL64, 6)}.{v.chars(URL64, 37)}{v.chars(ALNUM, 1)}"
    ),
    "telegram": lambda v: v.chars("123456789", 10) + ":AA" + v.chars(URL64, 32) + v.chars(ALNUM, 1),
    "stripe": lambda v: v.pick("sk rk pk") + "_live_" + v.chars(ALNUM, 24),
    "twilio": lambda v: v.pick("SK AC") + v.chars(HEX, 32),
    "sendgrid": lambda v: "SG" + f".{v.chars(URL64, 22)}.{v.chars(URL64, 42)}{v.chars(ALNUM, 1)}",
    "mailgun": lambda v: "key" + "-" + v.chars(HEX, 32),
    "mailchimp": lambda v: v.chars(HEX, 32) + "-us" + v.chars("123456789", 1),
    "shopify": lambda v: "shp" + "at_" + v.chars(HEX, 32),
    "square": lambda v: "sq0" + "atp-" + v.chars(URL64, 21) + v.chars(ALNUM, 1),
    "digitalocean": lambda v: "dop" + "_v1_" + v.chars(HEX, 64),
    "databricks": lambda v: "da" + "pi" + v.chars(HEX, 32),
    "vault": lambda v: "hv" + "s." + v.chars(URL64, 90) + v.chars(ALNUM, 1),
    "doppler": lambda v: "dp" + ".pt." + v.chars(ALNUM, 43),
    "linear": lambda v: "lin" + "_api_" + v.chars(ALNUM, 40),
    "notion": lambda v: "nt" + "n_" + v.chars(ALNUM, 46),
    "postman": lambda v: "PM" + f"AK-{v.chars(HEX, 24)}-{v.chars(HEX, 34)}",
    "grafana": lambda v: "gl" + "sa_" + v.chars(ALNUM, 32) + "_" + v.chars(HEX, 8),
    "newrelic": lambda v: "NR" + "AK-" + v.chars(UPPER + DIGITS, 27),
    "airtable": lambda v: "pat" + v.chars(ALNUM, 14) + "." + v.chars(HEX, 64),
    "age": lambda v: "AGE-SECRET" + "-KEY-1" + v.chars("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58),
    "azure-storage": lambda v: v.chars(ALNUM, 86) + "==",
    "docker": lambda v: "dckr" + "_pat_" + v.chars(URL64, 26) + v.chars(ALNUM, 1),
}


def luhn_digit(digits: str) -> str:
    """The digit that makes Luhn's checksum hold, of ISO/IEC 7812."""
    total = 0
    for place, each in enumerate(reversed(digits)):
        value = int(each) * (2 - place % 2)
        total += value // 10 + value % 10
    return str(-total % 10)


class Values:
    """Draws values of one locale.

    Args:
        locale: one of ``LOCALES``.
        seed: makes the draws the same on every run.
    """

    def __init__(self, locale: str, seed: int) -> None:
        self.locale, self.country = locale, locale[-2:]
        self.random = random.Random(f"{locale} {seed}")
        self.fake = Faker(locale)
        self.fake.seed_instance(f"{locale} {seed}")
        self.bank = Faker("de_DE")
        self.bank.seed_instance(f"{locale} {seed}")

    def chars(self, alphabet: str, n: int) -> str:
        return "".join(self.random.choice(alphabet) for _ in range(n))

    def pick(self, words: str) -> str:
        return self.random.choice(words.split())

    def draw(self, slot: str) -> tuple[str, str]:
        """A value for a slot of the contexts, and what it is more exactly."""
        drawn = getattr(self, "_" + slot)()
        return drawn if isinstance(drawn, tuple) else (drawn, slot)

    # -- people's -----------------------------------------------------------------------------

    def _name(self) -> str:
        return self.fake.name()

    def _number_of(self, country: str) -> phonenumbers.PhoneNumber:
        kind = self.random.choice((PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE))
        example = phonenumbers.example_number_for_type(country, kind)
        digits = phonenumbers.national_significant_number(example)
        while True:
            kept = self.random.randint(2, max(2, len(digits) - 5))
            other = digits[:kept] + self.chars(DIGITS, len(digits) - kept)
            number = phonenumbers.parse(
                f"+{example.country_code}{'0' * example.italian_leading_zero}{other.lstrip('0')}"
                if example.italian_leading_zero
                else f"+{example.country_code}{other}"
            )
            if phonenumbers.is_valid_number(number):
                return number

    def _phone(self) -> tuple[str, str]:
        how = self.random.random()
        if how < 0.15:
            return self._faked_phone()
        if how < 0.45:
            return self._phone_intl()
        national = phonenumbers.format_number(
            self._number_of(self.country), PhoneNumberFormat.NATIONAL
        )
        return self._habit(national), "phone, national"

    def _faked_phone(self) -> tuple[str, str]:
        return self.fake.phone_number(), "phone, Faker"

    def _phone_intl(self) -> tuple[str, str]:
        number = self._number_of(self.country)
        form = self.random.choice((PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL))
        written = self._habit(phonenumbers.format_number(number, form))
        if self.random.random() < 0.15 and self.country not in ("US", "CA"):
            written = "00" + written.removeprefix("+")
        return written, "phone, international"

    def _habit(self, written: str) -> str:
        """As people write it: other signs between the groups, or none."""
        how = self.random.random()
        if how < 0.5:
            return written
        if how < 0.65:
            return written.replace("-", " ")
        if how < 0.75 and "(" not in written:
            return written.replace(" ", ".").replace("-", ".")
        if how < 0.85 and "(" not in written:
            return written.replace(" ", "-")
        if how < 0.92 and not written.startswith("+"):
            return written.replace(" ", "/", 1)
        return written

    def _email(self) -> tuple[str, str]:
        how = self.random.random()
        user = self.chars(string.ascii_lowercase, 6) + self.pick(". _ - +").strip()
        user += self.chars(string.ascii_lowercase + DIGITS, 4)
        host = self.pick("example.org example.com mail.example.net firma.example.co.uk test.de")
        if how < 0.08:
            return f"{user} (at) {host}", "email, disguised"
        if how < 0.12:
            return f"{user}[at]{host.replace('.', '[dot]')}", "email, disguised"
        if how < 0.3:
            return self.fake.email(), "email"
        return f"{user}@{host}", "email"

    def _address(self) -> tuple[str, str]:
        if self.country in STREETS:
            words = {name: self.pick(some) for name, some in STREETS[self.country][1].items()}
            n, m = self.random.randint(1, 180), self.random.randint(1, 40)
            form = self.random.choice(STREETS[self.country][0])
            return form.format(
                n=n, m=m, code=self.random.randint(1000, 9999), **words
            ), "address, street"
        street = self.fake.street_address().replace("\n", ", ")
        if self.random.random() < 0.5:
            return street, "address, street"
        whole = self.fake.address()
        if "\n" in whole and self.random.random() < 0.7:
            whole = whole.replace("\n", ", ")
        return whole, "address, whole"

    def _id(self) -> tuple[str, str]:
        source, check = self.random.choice(IDS[self.locale])
        module = import_module(f"stdnum.{check}") if check else None
        for _ in range(100_000):
            how, _, what = source.partition(":")
            if how == "digits":
                value = self.random.choice("123456789") + self.chars(DIGITS, int(what) - 1)
            elif how == "rule":
                value = getattr(self, "_id_" + what)()
            else:
                value = getattr(self.fake, source)()
            if module is None or module.is_valid(value):
                return value, f"national id, {self.country}"
        raise AssertionError(f"no {check} found")

    def _id_nino(self) -> str:
        head = self.pick("AB CE HJ JK LM MA NR PW SC WZ")
        six = self.chars(DIGITS, 6)
        last = self.chars("ABCD", 1)
        if self.random.random() < 0.5:
            return f"{head} {six[:2]} {six[2:4]} {six[4:]} {last}"
        return head + six + last

    def _id_pan(self) -> str:
        return (
            self.chars(UPPER, 3)
            + "P"
            + self.chars(UPPER, 1)
            + self.chars(DIGITS, 4)
            + self.chars(UPPER, 1)
        )

    def _id_vnr(self) -> str:
        born = self.fake.date_of_birth().strftime("%d%m%y")
        return (
            self.chars("123456789", 1) + self.chars(DIGITS, 3) + self.pick("_ -").strip("_-") + born
        )

    def _id_ahv(self) -> str:
        body = "756" + self.chars(DIGITS, 9)
        total = sum(int(each) * (1 + 2 * (place % 2)) for place, each in enumerate(body))
        whole = body + str(-total % 10)
        return f"{whole[:3]}.{whole[3:7]}.{whole[7:11]}.{whole[11:]}"

    def _id_nir(self) -> str:
        month = f"{self.random.randint(1, 12):02d}"
        body = self.pick("1 2") + self.chars(DIGITS, 2) + month
        body += f"{self.random.randint(1, 95):02d}".replace("20", "21") + self.chars(DIGITS, 6)
        key = f"{97 - int(body) % 97:02d}"
        if self.random.random() < 0.5:
            return body + key
        cuts = (0, 1, 3, 5, 7, 10, 13)
        groups = [body[a:b] for a, b in pairwise(cuts)]
        return " ".join([*groups, key])

    def _id_dni(self) -> str:
        number = self.random.randint(10_000_000, 99_999_999)
        return f"{number}{self.pick('_ -').strip('_')}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"

    def _id_nie(self) -> str:
        number = self.random.randint(1_000_000, 9_999_999)
        head = self.random.randint(0, 2)
        letter = "TRWAGMYFPDXBNJZSQVHLCKE"[(head * 10_000_000 + number) % 23]
        return f"{'XYZ'[head]}{number}{letter}"

    def _id_rut(self) -> str:
        number = self.random.randint(5_000_000, 25_000_000)
        total = sum(int(each) * (2 + place % 6) for place, each in enumerate(str(number)[::-1]))
        check = "0123456789K0"[11 - total % 11]
        return f"{number:,}".replace(",", ".") + "-" + check

    def _id_nn(self) -> str:
        born = self.fake.date_of_birth(minimum_age=27).strftime("%y%m%d")
        body = born + f"{self.random.randint(1, 997):03d}"
        check = f"{97 - int(body) % 97:02d}"
        if self.random.random() < 0.6:
            return f"{born[:2]}.{born[2:4]}.{born[4:]}-{body[6:]}.{check}"
        return body + check

    def _id_cpr(self) -> str:
        return self.fake.date_of_birth().strftime("%d%m%y") + "-" + self.chars(DIGITS, 4)

    def _id_taj(self) -> str:
        body = self.chars(DIGITS, 8)
        check = sum(int(each) * (3, 7)[place % 2] for place, each in enumerate(body)) % 10
        whole = body + str(check)
        return self.random.choice((whole, f"{whole[:3]} {whole[3:6]} {whole[6:]}"))

    def _id_amka(self) -> str:
        body = self.fake.date_of_birth().strftime("%d%m%y") + self.chars(DIGITS, 4)
        return body + luhn_digit(body)

    def _id_egn(self) -> str:
        body = self.fake.date_of_birth(minimum_age=27).strftime("%y%m%d") + self.chars(DIGITS, 3)
        weights = (2, 4, 8, 5, 10, 9, 7, 3, 6)
        total = sum(int(each) * w for each, w in zip(body, weights, strict=True))
        return body + str(total % 11 % 10)

    def _id_snils(self) -> str:
        body = self.chars("123456789", 1) + self.chars(DIGITS, 8)
        total = sum(int(each) * (9 - place) for place, each in enumerate(body))
        return f"{body[:3]}-{body[3:6]}-{body[6:]} {total % 101 % 100:02d}"

    # -- money --------------------------------------------------------------------------------

    def _card(self) -> tuple[str, str]:
        if self.random.random() < 0.3:
            return self.fake.credit_card_number(), "card, Faker"
        prefix, length = self.random.choice(
            (
                ("4", 16),
                ("51", 16),
                ("2221", 16),
                ("34", 15),
                ("37", 15),
                ("6011", 16),
                ("36", 14),
                ("3528", 16),
                ("62", 16),
                ("4", 16),
                ("55", 16),
            )
        )
        body = prefix + self.chars(DIGITS, length - len(prefix) - 1)
        digits = body + luhn_digit(body)
        mark = self.random.choice(("", " ", " ", "-"))
        if length == 15:
            return mark.join((digits[:4], digits[4:10], digits[10:])), "card"
        if length == 14:
            return mark.join((digits[:4], digits[4:10], digits[10:])), "card"
        return mark.join(digits[at : at + 4] for at in range(0, 16, 4)), "card"

    def _iban(self) -> str:
        # Faker has no banks for some locales and gives a number of no country's length
        whole = self.fake.iban()
        while not iban.is_valid(whole, check_country=False):
            whole = self.bank.iban()
        if self.random.random() < 0.5:
            return " ".join(whole[at : at + 4] for at in range(0, len(whole), 4))
        return whole

    # -- secrets ------------------------------------------------------------------------------

    def _secret(self) -> tuple[str, str]:
        name = self.random.choice(list(PROVIDERS))
        return PROVIDERS[name](self), f"secret, {name}"

    def _jwt(self) -> str:
        def part(value: object) -> str:
            return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

        head = part({"alg": self.pick("HS256 RS256 ES256"), "typ": "JWT"})
        body = part(
            {
                "sub": self.chars(DIGITS, 10),
                "iat": self.random.randint(1_600_000_000, 1_800_000_000),
            }
        )
        return f"{head}.{body}.{self.chars(URL64, 42)}{self.chars(ALNUM, 1)}"

    def _private_key(self) -> str:
        what = self.random.choice(("RSA ", "EC ", "OPENSSH ", "", "ENCRYPTED "))
        lines = [self.chars(ALNUM + "+/", 64) for _ in range(self.random.randint(4, 24))]
        begin, end = (f"-----{word} {what}PRIVATE" + " KEY-----" for word in ("BEGIN", "END"))
        return "\n".join([begin, *lines, self.chars(ALNUM, 22) + "==", end])

    def _password(self) -> str:
        how = self.random.random()
        word = self.chars(string.ascii_lowercase, 5)
        if how < 0.35:
            return word + self.chars(DIGITS, 3)
        if how < 0.6:
            return word.capitalize() + self.pick("! $ # _ -") + self.chars(DIGITS, 4)
        if how < 0.8:
            return self.chars(ALNUM, 8) + self.chars("!$%*+~#", 2) + self.chars(ALNUM, 4)
        return "-".join((word, self.chars(string.ascii_lowercase, 4), self.chars(DIGITS, 2)))

    def _url_credentials(self) -> str:
        user = self.chars(string.ascii_lowercase, 6)
        return f"{user}:{self.chars(ALNUM + '._~!$', 11)}{self.chars(ALNUM, 1)}"

    def _ip(self) -> tuple[str, str]:
        if self.random.random() < 0.2:
            groups = [f"{self.random.randint(1, 0xFFFF):x}" for _ in range(6)]
            return f"2a01:{self.random.randint(0x100, 0xFFF):x}:" + ":".join(
                groups
            ), "ip, version 6"
        return self.fake.ipv4_public(), "ip, version 4"

    # -- decoys -------------------------------------------------------------------------------

    def _order(self) -> str:
        return self.random.choice(
            (
                self.chars("123456789", 1) + self.chars(DIGITS, self.random.randint(6, 11)),
                f"A-20{self.chars('12', 2)}-{self.chars(DIGITS, 5)}",
                f"{self.chars('123', 3)}-{self.chars(DIGITS, 7)}-{self.chars(DIGITS, 7)}",
                f"{self.chars(UPPER, 2)}-{self.chars(DIGITS, 4)}-{self.chars(DIGITS, 4)}",
                f"00{self.chars(DIGITS, 8)}",
                f"#{self.chars(DIGITS, 6)}",
            )
        )

    def _date(self) -> str:
        return self.fake.date(self.pick("%Y-%m-%d %d.%m.%Y %m/%d/%Y %Y/%m/%d %d-%m-%Y"))

    def _time(self) -> str:
        return f"{self.random.randint(0, 23):02d}:{self.random.randint(0, 59):02d}"

    def _price(self) -> str:
        amount = self.random.choice((f"{self.random.randint(1, 99)},{self.chars(DIGITS, 2)}",
                                     f"{self.random.randint(1, 9)}.{self.chars(DIGITS, 3)},00",
                                     f"{self.random.randint(1, 9)},{self.chars(DIGITS, 3)}.50"))  # fmt: skip
        return self.random.choice((f"{amount} €", f"${amount}", f"{amount} EUR", f"£{amount}"))

    def _version(self) -> str:
        n = self.random.randint
        return self.random.choice(
            (f"{n(0, 30)}.{n(0, 40)}.{n(0, 99)}", f"10.0.{n(10000, 30000)}.{n(100, 9999)}",
             f"{n(1, 9)}.{n(0, 9)}.{n(0, 9)}.{n(0, 9)}", f"{n(1, 20)}.{n(0, 12)}", f"v{n(0, 9)}.{n(0, 9)}.{n(0, 9)}-rc.{n(1, 9)}",
             f"20{n(18, 26)}.{n(1, 12)}.{n(0, 9)}")
        )  # fmt: skip

    def _tracking(self) -> str:
        digits = self.chars("123456789", 1) + self.chars(
            DIGITS, self.random.choice((10, 11, 13, 18, 19))
        )
        while luhn_digit(digits[:-1]) == digits[-1]:
            digits = digits[:-1] + self.chars(DIGITS, 1)
        return self.random.choice(
            (digits, "1Z" + self.chars(UPPER + DIGITS, 6) + self.chars(DIGITS, 10),
             self.chars(UPPER, 2) + self.chars(DIGITS, 9) + "DE", "JD" + self.chars(DIGITS, 18))
        )  # fmt: skip

    def _isbn(self) -> str:
        return self.random.choice(
            (self.fake.isbn13(), self.fake.isbn13("-"), self.fake.isbn10("-"))
        )

    def _ean(self) -> str:
        return self.fake.ean13()

    def _sha(self) -> str:
        return self.chars(HEX, self.random.choice((7, 8, 12, 40, 64)))

    def _uuid(self) -> str:
        return self.fake.uuid4()

    def _ident(self) -> str:
        words = [
            self.pick("user item page node cell load save token key call row url map")
            for _ in range(2)
        ]
        return self.random.choice(
            ("_".join(words), words[0] + words[1].capitalize(), words[0] + self.chars(DIGITS, 2))
        )

    def _coord(self) -> str:
        return f"{self.random.uniform(-90, 90):.6f}"

    def _number(self) -> str:
        return str(
            self.random.choice((self.random.randint(0, 99), self.random.randint(100, 99_999)))
        )

    def _timestamp(self) -> str:
        return str(self.random.randint(1_500_000_000, 1_800_000_000)) + self.random.choice(
            ("", "000", "482")
        )

    def _range(self) -> str:
        year = self.random.randint(1950, 2015)
        return f"{year}-{year + self.random.randint(1, 9)}"

    def _ratio(self) -> str:
        return f"{self.random.randint(1, 99)}{self.random.choice(('%', '.5x', ' %'))}"

    def _local_ip(self) -> str:
        return self.fake.ipv4_private()
