"""E-mail addresses, telephone numbers, internet addresses, street addresses; all invented."""

import pytest
from redact_marks import found, kinds

from dataset.redact.span import DEFAULT_KINDS

EMAILS = (
    "jo@example.org",
    "jo.doe+news@mail.example.co.uk",
    "jo_doe-1@example.museum",
    "müller@bücher.example.de",
    "иван@пример.рф",
    "o'neil@example.org",
    "jo (at) example.org",
    "jo[at]example[dot]org",
    "jo at example dot org",
    "jo(a)example.org",
)


@pytest.mark.parametrize("email", EMAILS)
def test_an_email_address_is_found(email: str):
    assert found(f"write to {email}, please", "email") == [email]


@pytest.mark.parametrize(
    ("text", "email"),
    [
        ("<jo@example.org>", "jo@example.org"),
        ("mailto:jo@example.org?subject=x", "jo@example.org"),
        ("(jo@example.org).", "jo@example.org"),
        ("jo@example.org.", "jo@example.org"),
        ("'jo@example.org'", "jo@example.org"),
        ("?to=jo%40example.org&x=1", "jo%40example.org"),
        ("メールはjo@example.orgまで", "jo@example.org"),
        ("https://example.org/u?mail=jo@example.org", "jo@example.org"),
    ],
)
def test_what_stands_around_an_email_address_stays(text: str, email: str):
    assert found(text, "email") == [email]


@pytest.mark.parametrize(
    "text",
    [
        "npm i lodash@4.17.21",
        "@app.route('/x')",
        "icon@2x.png",
        "git@example.org:team/app.git",
        "see @jo and @mia",
        "meet me @ 5",
        "root@localhost",
        "a@b",
        "x @ y.z",
        "@scope/package@1.2.3",
        "we met at the dot in the map",
        "foo@@example.org",
    ],
)
def test_other_at_signs_are_no_email_address(text: str):
    assert found(text, "email") == []


INTERNATIONAL = (
    "+49 30 901820",
    "+49 (0)30 901820",
    "+1 415 555 2671",
    "+1-415-555-2671",
    "+14155552671",
    "+44 20 7946 0958",
    "+33 6 12 34 56 78",
    "+33.6.12.34.56.78",
    "0049 30 901820",
    "+81-90-1234-5678",
    "+7 (912) 345-67-89",
    "+86 138 0013 8000",
)


@pytest.mark.parametrize("number", INTERNATIONAL)
def test_an_international_number_needs_no_locale(number: str):
    assert found(f"my number: {number}, ok?", "phone") == [number]


NATIONAL = (
    ("de_DE", "030 901820"),
    ("de_DE", "(030) 90 18 20"),
    ("de_DE", "0171/1234567"),
    ("de_DE", "0171 123 45 67"),
    ("de_DE", "01711234567"),
    ("de_DE", "030.901820"),
    ("de_AT", "0664 1234567"),
    ("de_CH", "079 123 45 67"),
    ("fr_FR", "06 12 34 56 78"),
    ("fr_FR", "01.42.68.53.00"),
    ("en_US", "(415) 555-2671"),
    ("en_US", "415-555-2671"),
    ("en_US", "415.555.2671"),
    ("en_US", "1-800-555-1234"),
    ("en_GB", "020 7946 0958"),
    ("en_GB", "07911 123456"),
    ("es_ES", "612 34 56 78"),
    ("it_IT", "06 6982 1234"),
    ("nl_NL", "06-12345678"),
    ("pl_PL", "512 345 678"),
    ("sv_SE", "070-123 45 67"),
    ("da_DK", "32 12 34 56"),
    ("pt_BR", "(11) 96123-4567"),
    ("ja_JP", "090-1234-5678"),
    ("zh_CN", "138 0013 8000"),
    ("ko_KR", "010-1234-5678"),
    ("ru_RU", "8 (912) 345-67-89"),
)


@pytest.mark.parametrize(("locale", "number"), NATIONAL)
def test_a_national_number_is_found_in_its_locale(locale: str, number: str):
    assert found(f"me: {number}, thanks", "phone", (locale,)) == [number]


@pytest.mark.parametrize(
    ("text", "number", "locale"),
    [
        ("call me at 4155552671", "4155552671", "en_US"),
        ("Handy 1711234567", "1711234567", "de_DE"),
        ("mi móvil es 612345678", "612345678", "es_ES"),
        ("电话13800138000", "13800138000", "zh_CN"),
        ("090-1234-5678に電話して", "090-1234-5678", "ja_JP"),
    ],
)
def test_a_word_before_it_makes_a_bare_number_a_telephone(text: str, number: str, locale: str):
    assert found(text, "phone", (locale,)) == [number]


def test_an_extension_belongs_to_the_number():
    assert found("(415) 555-2671 ext. 389", "phone", ("en_US",)) == ["(415) 555-2671 ext. 389"]


def test_a_number_that_ends_the_text_after_others_is_read():
    iban = "PT94 6724 5172 0622 1106 0860 4"
    assert iban in found(f"conta {iban}", None, ("en_US", "de_DE"))


def test_two_numbers_side_by_side_are_two():
    text = "030 901820 / 0171 1234567"
    assert found(text, "phone", ("de_DE",)) == ["030 901820", "0171 1234567"]


NO_PHONES = (
    "2024-05-01 12:30:15",
    "01.05.2024",
    "05/01/2024 10:15",
    "20240501",
    "version 2.14.3 build 10.0.19045.3803",
    "order 4155552671",
    "Bestellung 0301234567",
    "commande 0612345678",
    "#0301234567",
    "invoice no. 030 901820",
    "1,234,567.89 EUR",
    "1.234.567,89 €",
    "52.520008, 13.404954",
    "ISBN 978-3-16-148410-0",
    "1714563015000",
    "{'id': 1714563015}",
    "https://example.org/items/0301234567",
    "123e4567-0000-4444-8888-426614174000",
    "10.0.0.1",
    "1998-2004",
    "0x7ffe12345678",
    "v0301234567",
    "tracking 00340434161094015902",
    "range(1000000, 9999999)",
    "line 1234567",
    'HTTP/1.1" 200 45237',
)


@pytest.mark.parametrize("text", NO_PHONES)
@pytest.mark.parametrize("locales", [(), ("de_DE", "en_US", "fr_FR")], ids=["none", "three"])
def test_other_numbers_are_no_telephones(text: str, locales: tuple[str, ...]):
    assert found(text, "phone", locales) == []


def test_a_national_number_is_not_looked_for_without_its_locale():
    assert found("me: 030 901820", "phone") == []


IPS = (
    "8.8.4.4",
    "203.0.113.7",
    "185.23.4.9",
    "2001:db8::8a2e:370:7334",
    "2a01:4f8:0:1::2",
    "::ffff:8.8.4.4",
)


@pytest.mark.parametrize("ip", IPS)
def test_an_internet_address_is_found(ip: str):
    assert found(f"connection from host {ip} refused", "ip") == [ip]


@pytest.mark.parametrize(
    "text",
    [
        "version 10.4.22.7",
        "v10.4.22.7",
        "Chrome/120.0.6099.109",
        "Chrome/120.0.0.0",
        "section 1.2.3.4",
        "chapter 1.2.3.4.5",
        "300.1.2.3",
        "12:30:45",
        "00:1B:44:11:3A:B7",
        "std::vector",
        "a::b",
        "cafe::babe",
        "1.2.3.4.5.6",
        "pkg==10.4.22.7",
    ],
)
def test_versions_and_names_are_no_internet_addresses(text: str):
    assert found(text, "ip") == []


@pytest.mark.parametrize(
    "ip", ["127.0.0.1", "10.1.2.3", "192.168.178.1", "::1", "fe80::1:2:3:4", "0.0.0.0"]
)
def test_private_addresses_are_a_kind_of_their_own(ip: str):
    text = f"host {ip} up"
    assert found(text, "private_ip") == [ip]
    assert found(text, "ip") == []


ADDRESSES = (
    ("de_DE", "Karl-Marx-Allee 12b, 10243 Berlin"),
    ("de_DE", "Am Alten Markt 5"),
    ("de_DE", "Lange Str. 7"),
    ("de_DE", "Straße des 17. Juni 135"),
    ("de_AT", "Mariahilfer Straße 45/12, 1060 Wien"),
    ("de_CH", "Bahnhofstrasse 1, 8001 Zürich"),
    ("en_US", "742 Evergreen Terrace, Springfield, IL 62704"),
    ("en_US", "1600 N Main St Apt 4"),
    ("en_GB", "10 Mill Lane, Cambridge CB2 1RX"),
    ("en_GB", "Flat 3, 12 Abbey Road"),
    ("fr_FR", "12 bis rue de la Paix, 75002 Paris"),
    ("fr_FR", "3, avenue des Champs"),
    ("es_ES", "Calle de Alcalá, 42, 28014 Madrid"),
    ("es_ES", "C/ Mayor 5"),
    ("it_IT", "via Roma 12, 00184 Roma"),
    ("nl_NL", "Keizersgracht 123, 1015 CJ Amsterdam"),
    ("nl_BE", "Kerkstraat 9 bus 2, 2000 Antwerpen"),
    ("pl_PL", "ul. Długa 10/12, 00-590 Warszawa"),
    ("pt_PT", "Rua Augusta, 15, 1100-048 Lisboa"),
    ("pt_BR", "Rua Augusta, 1500, 01304-001 São Paulo"),
    ("sv_SE", "Storgatan 5, 111 22 Stockholm"),
    ("da_DK", "Vestergade 8, 1456 København"),
    ("no_NO", "Storgata 5, 0155 Oslo"),
    ("fi_FI", "Mannerheimintie 12, 00100 Helsinki"),
    ("cs_CZ", "Dlouhá 12/34, 110 00 Praha"),
    ("hu_HU", "Petőfi utca 12"),
    ("ro_RO", "Strada Lungă nr. 5"),
    ("tr_TR", "Atatürk Mah. Gül Sok. No: 5"),
    ("ru_RU", "ул. Ленина, д. 5, кв. 12"),
    ("el_GR", "Οδός Ερμού 12"),
    ("ja_JP", "東京都千代田区丸の内1丁目9-1"),
    ("zh_CN", "北京市海淀区中关村大街27号"),
    ("ko_KR", "서울특별시 강남구 테헤란로 152"),
)


@pytest.mark.parametrize(("locale", "address"), ADDRESSES, ids=[each[1] for each in ADDRESSES])
def test_a_street_address_is_found(locale: str, address: str):
    assert found(f"-> {address}", "address", (locale,)) == [address]


ALWAYS = [(locale, address) for locale, address in ADDRESSES if locale != "cs_CZ"]


@pytest.mark.parametrize(("locale", "address"), ALWAYS, ids=[each[1] for each in ALWAYS])
def test_without_locales_the_streets_of_every_country_are_found(locale: str, address: str):
    assert "".join(found(f"-> {address}", "address")).startswith(address[:8])


@pytest.mark.parametrize(
    "text",
    [
        "Das war Weg 5 von 7 Wegen",
        "on the 5th street from here",
        "2 way street",
        "a 3 lane road",
        "5 Key Points to remember",
        "10 Daily Views",
        "the average is 12",
        "ringing 3 times",
        "rue 5",
        "via email 5 times",
        "la calle es larga",
        "Version 3 Street",
        "Windows 11 Home",
        "Kapitel 3/12",
        "at 10:30 on the corner",
        "chapter 4 Section 2",
        "see https://example.org/12 Main",
        "第3回 市 10号",
        "Er nahm den Zug um 5 nach 12",
    ],
)
def test_talk_of_streets_and_numbers_is_no_address(text: str):
    assert found(text, "address") == []


def test_kinds_are_told_apart_in_one_text():
    text = "jo@example.org, +49 30 901820, 203.0.113.7"
    assert kinds(text) == ["email", "phone", "ip"]
    assert "private_ip" not in DEFAULT_KINDS
