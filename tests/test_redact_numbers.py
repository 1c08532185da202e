"""Cards, bank accounts and identity numbers; made up by their checksums, of nobody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redact_marks import found, kinds

from dataset.redact.card import issuer, luhn
from dataset.redact.national_id_table import NATIONAL_IDS

CARDS = (
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "4111111111111111",
    "5555 5555 5555 4444",
    "2223 0031 2200 3222",
    "3782 822463 10005",
    "378282246310005",
    "6011 1111 1111 1117",
    "3056 930902 5904",
    "3530 1113 3330 0000",
)


@pytest.mark.parametrize("card", CARDS)
def test_a_card_is_found(card: str):
    assert found(f"charge {card}, please") == [card]


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112",
        "order 4111111111111111",
        "0000 0000 0000 0000",
        "9999 9999 9999 9995",
        "a4111111111111111",
        "4111111111111111.5",
        "x-4111111111111111",
        "0.4111111111111111",
        "411111111111111",
    ],
)
def test_other_long_numbers_are_no_card(text: str):
    assert found(text, "card") == []


def test_a_number_before_the_card_does_not_hide_it():
    assert found("1 4111 1111 1111 1111", "card") == ["4111 1111 1111 1111"]


@given(st.text(alphabet="0123456789", min_size=11, max_size=18))
def test_luhn_holds_for_exactly_one_last_digit(body: str):
    assert sum(luhn(body + last) for last in "0123456789") == 1


def test_issuers_are_told_by_their_ranges():
    assert issuer("4111111111111111") == "Visa"
    assert issuer("5555555555554444") == "Mastercard"
    assert issuer("9111111111111111") is None


IBANS = (
    "DE89 3704 0044 0532 0130 00",
    "DE89370400440532013000",
    "de89370400440532013000",
    "GB29 NWBK 6016 1331 9268 19",
    "FR14 2004 1010 0505 0001 3M02 606",
    "NL91ABNA0417164300",
    "NO93 8601 1117 947",
    "MT84 MALT 0110 0001 2345 MTLC AST0 01S",
    "CH93-0076-2011-6238-5295-7",
)


@pytest.mark.parametrize("iban", IBANS)
def test_an_iban_is_found_without_what_follows(iban: str):
    assert found(f"IBAN: {iban} BIC TESTDEFF", "iban") == [iban]


@pytest.mark.parametrize(
    "text",
    [
        "DE88 3704 0044 0532 0130 00",
        "DE89 3704 0044 0532 0130",
        "XX89370400440532013000",
        "DE89370400440532013000X",
    ],
)
def test_a_wrong_iban_is_none(text: str):
    assert found(text, "iban") == []


ALWAYS = (
    ("us.ssn", "219-09-9998"),
    ("it.codicefiscale", "RCCMNL83S18D969H"),
    ("br.cpf", "390.533.447-05"),
    ("fr.nir", "2 95 10 99 126 111 93"),
    ("fi.hetu", "131052-308T"),
    ("cn.ric", "360426199101010071"),
    ("kr.rrn", "971013-9019902"),
    ("be.nn", "85.07.30-033.28"),
    ("ch.ssn", "756.9217.0769.85"),
    ("mx.curp", "BOXW310820HNERXN09"),
    ("cz.rc", "710319/2745"),
    ("cl.rut", "12.531.909-2"),
)


@pytest.mark.parametrize(("kind", "number"), ALWAYS, ids=[each[0] for each in ALWAYS])
def test_an_unmistakable_number_needs_no_locale(kind: str, number: str):
    assert found(f"it says {number} there") == [number]


LOCAL = (
    ("de_DE", "36 574 261 809"),
    ("de_DE", "36574261809"),
    ("de_DE", "65 180539 W 001"),
    ("de_AT", "1237 010180"),
    ("en_GB", "943 476 5919"),
    ("en_GB", "AB 12 34 56 C"),
    ("es_ES", "54362315K"),
    ("es_ES", "X2482300W"),
    ("nl_NL", "111222333"),
    ("pl_PL", "44051401359"),
    ("sv_SE", "880320-0016"),
    ("da_DK", "211062-5629"),
    ("no_NO", "15108695088"),
    ("pt_PT", "501964843"),
    ("en_IN", "234123412346"),
    ("en_IN", "AAUPM8899K"),
    ("ja_JP", "6214 9832 0257"),
    ("tr_TR", "17291716060"),
    ("ro_RO", "1630615123457"),
    ("bg_BG", "7523169263"),
    ("hr_HR", "33392005961"),
    ("el_GR", "01013099997"),
    ("en_IE", "6433435F"),
    ("ru_RU", "112-233-445 95"),
    ("he_IL", "039337423"),
    ("en_ZA", "7503305044089"),
    ("en_CA", "123-456-782"),
    ("en_AU", "123 456 782"),
    ("hu_HU", "111 111 110"),
    ("zh_TW", "A123456789"),
    ("en_SG", "S1234567D"),
    ("zh_HK", "A123456(3)"),
    ("lv_LV", "161175-19997"),
)


@pytest.mark.parametrize(("locale", "number"), LOCAL, ids=["".join(each) for each in LOCAL])
def test_a_number_of_the_locale_is_found(locale: str, number: str):
    assert found(f"it says {number} there", "national_id", (locale,)) == [number]


UNCHECKED = ("AB 12 34 56 C", "211062-5629", "AAUPM8899K")
CHECKED = [each for each in LOCAL if each[1] not in UNCHECKED]


@pytest.mark.parametrize(("locale", "number"), CHECKED, ids=["".join(each) for each in CHECKED])
def test_the_same_number_with_a_wrong_digit_is_none(locale: str, number: str):
    place = max(at for at, each in enumerate(number) if each.isdigit())
    wrong = number[:place] + str((int(number[place]) + 1) % 10) + number[place + 1 :]
    assert found(f"it says {wrong} there", "national_id", (locale,)) == []


NAMED = (
    ("SSN", "219 09 9998"),
    ("PESEL:", "44051401359"),
    ("CPF", "39053344705"),
    ("BSN is", "111222333"),
    ("Steuer-ID:", "36574261809"),
    ("ИНН", "500100732259"),
    ("身份证", "360426199101010071"),
)


@pytest.mark.parametrize(("name", "number"), NAMED, ids=[each[0] for each in NAMED])
def test_a_number_that_is_called_by_its_name_needs_no_locale(name: str, number: str):
    assert found(f"{name} {number}", "national_id") == [number]


@pytest.mark.parametrize(
    "text",
    [
        "order 36574261809",
        "Bestellung 36574261809",
        "#36574261809",
        "$36574261809",
        "https://example.org/36574261809",
        "3657426180.9",
        "a36574261809",
        "tracking number 36574261809",
    ],
)
def test_a_number_that_is_called_something_else_is_no_identity_number(text: str):
    assert found(text, "national_id", ("de_DE",)) == []


def test_digits_of_other_scripts_count():
    assert kinds("٤١١١ ١١١١ ١١١١ ١١١١") == ["card"]


def test_every_line_of_the_table_is_complete():
    for line in NATIONAL_IDS:
        assert len(line.country) == 2
        assert line.names
        assert line.trust in ("always", "form", "check", "named")
