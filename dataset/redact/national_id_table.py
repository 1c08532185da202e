# ruff: noqa: E501 - tables and lists of words read by the line
"""Identity numbers of people by country: how they are written and what checks them.

``trust`` says when a number of that form is taken:

- ``always``: in every text, whatever the locales; nothing else looks so.
- ``form``: when its country is among the locales.
- ``check``: likewise, unless the words before call it something else (an order, a telephone).
- ``named``: only when the words before name it; its form alone says little.

Whatever the trust, a number that its own name precedes is taken in every text.
"""

from typing import Literal, NamedTuple

Trust = Literal["always", "form", "check", "named"]


class NationalId(NamedTuple):
    """One kind of number.

    Attributes:
        country: two-letter code.
        form: regular expression of the number without its boundaries.
        check: function of ``stdnum`` ("de.idnr") or of ``checksums`` (".de_pension"); empty: none.
        trust: see the module.
        names: regular expression of what people call it, matched without regard to case.
    """

    country: str
    form: str
    check: str
    trust: Trust
    names: str


def _dotted(*groups: int) -> str:
    """Digits in groups, a space, dot, dash or slash between them or nothing."""
    return r"[ ./-]?".join(rf"\d{{{n}}}" for n in groups)


NATIONAL_IDS: tuple[NationalId, ...] = (
    NationalId("AR", r"\d{2}-\d{8}-\d", "ar.cuit", "check", r"cui[tl]"),
    NationalId("AR", r"\d{2}\.?\d{3}\.?\d{3}", "ar.dni", "named", r"\bdni\b"),
    NationalId("AT", r"\d{4}[ ./-]?\d{6}", "at.vnr", "check", r"sozialversicherungsn|svnr|sv-nummer|vsnr"),
    NationalId("AU", r"\d{3} ?\d{3} ?\d{3}", "au.tfn", "check", r"\btfn\b|tax file"),
    NationalId("AU", r"[2-6]\d{3} ?\d{5} ?\d(?:[ /-]?\d)?", ".au_medicare", "check", r"medicare"),
    NationalId("BE", r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}", "be.nn", "always", r"rijksregister|registre national|\bnn\b|\binsz|niss"),
    NationalId("BE", _dotted(2, 2, 2, 3, 2), "be.nn", "check", r"rijksregister|registre national|\binsz|niss"),
    NationalId("BG", r"\d{10}", "bg.egn", "check", r"\bегн\b|\begn\b"),
    NationalId("BR", r"\d{3}\.\d{3}\.\d{3}-\d{2}", "br.cpf", "always", r"\bcpf\b"),
    NationalId("BR", r"\d{9}-?\d{2}", "br.cpf", "check", r"\bcpf\b"),
    NationalId("BR", r"\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}", "br.cnpj", "always", r"\bcnpj\b"),
    NationalId("BR", r"\d{14}", "br.cnpj", "check", r"\bcnpj\b"),
    NationalId("CA", r"\d{3}[ -]?\d{3}[ -]?\d{3}", ".ca_sin", "check", r"\bsin\b|social insurance|\bnas\b"),
    NationalId("CH", r"756\.\d{4}\.\d{4}\.\d{2}", "ch.ssn", "always", r"\bahv|\bavs\b"),
    NationalId("CH", r"756[ .]?\d{4}[ .]?\d{4}[ .]?\d{2}", "ch.ssn", "form", r"\bahv|\bavs\b"),
    NationalId("CL", r"\d{1,2}\.\d{3}\.\d{3}-[\dkK]", "cl.rut", "always", r"\brut\b|\brun\b"),
    NationalId("CL", r"\d{7,8}-?[\dkK]", "cl.rut", "check", r"\brut\b|\brun\b"),
    NationalId("CN", r"\d{17}[\dXx]", "cn.ric", "always", r"身份证|身份證|resident id"),
    NationalId("CO", r"\d{1,3}(?:\.?\d{3}){2,3}", "", "named", r"c[ée]dula"),
    NationalId("CZ", r"\d{6}/\d{3,4}", "cz.rc", "always", r"rodn[ée] č|\brč\b"),
    NationalId("CZ", r"\d{10}", "cz.rc", "check", r"rodn[ée] č|\brč\b"),
    NationalId("DE", r"\d{2} ?\d{3} ?\d{3} ?\d{3}", "de.idnr", "check", r"steuer-?id|idnr|steuerliche id|identifikationsnummer"),
    NationalId("DE", r"\d{2} ?\d{6} ?[A-Z] ?\d{3}", ".de_pension", "form", r"rentenversicherung|sozialversicherungsn|rvnr|svnr"),
    NationalId("DE", r"\d{2,5}/\d{3,4}/\d{4,5}", "de.stnr", "named", r"steuernummer|\bstnr|st\.-?nr"),
    NationalId("DE", r"[CFGHJKLMNPRTVWXYZ][CFGHJKLMNPRTVWXYZ0-9]{8}\d", ".mrz", "named", r"ausweis|reisepass|passnummer"),
    NationalId("DK", r"\d{6}-\d{4}", ".dk_cpr", "form", r"\bcpr|personnummer"),
    NationalId("DK", r"\d{6} ?\d{4}", ".dk_cpr_checked", "check", r"\bcpr|personnummer"),
    NationalId("EE", r"[1-8]\d{10}", "ee.ik", "check", r"isikukood"),
    NationalId("ES", r"(?:\d{2}\.\d{3}\.\d{3}|\d{8})[ -]?[A-HJ-NP-TV-Za-hj-np-tv-z]", "es.dni", "form", r"\bdni\b|\bnif\b"),
    NationalId("ES", r"[XYZxyz][ -]?\d{7}[ -]?[A-HJ-NP-TV-Za-hj-np-tv-z]", "es.nie", "form", r"\bnie\b|\bnif\b"),
    NationalId("FI", r"\d{6}[-+A-FU-Y]\d{3}[0-9A-Y]", "fi.hetu", "always", r"henkilötunnus|hetu|sotu"),
    NationalId("FR", r"[12378][ .]?\d{2}[ .]?\d{2}[ .]?\d[\dABab][ .]?\d{3}[ .]?\d{3}[ .-]?\d{2}", "fr.nir", "always", r"\bnir\b|sécu|insee"),
    NationalId("FR", r"[0-3]\d ?\d{2} ?\d{3} ?\d{3} ?\d{3}", "fr.nif", "named", r"fiscal|\bspi\b|impôt"),
    NationalId("GB", r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]", ".gb_nino", "form", r"\bnino\b|national insurance|\bni n"),
    NationalId("GB", r"\d{3}[ -]?\d{3}[ -]?\d{4}", "gb.nhs", "check", r"\bnhs\b"),
    NationalId("GR", r"\d{11}", "gr.amka", "check", r"\bamka\b|αμκα"),
    NationalId("HK", r"[A-Z]{1,2}\d{6} ?\([\dA]\)", ".hk_id", "form", r"hkid|身份證|身份证"),
    NationalId("HR", r"\d{11}", "hr.oib", "check", r"\boib\b"),
    NationalId("HU", r"\d{3}[ -]?\d{3}[ -]?\d{3}", ".hu_health", "check", r"\btaj"),
    NationalId("HU", r"8\d{9}", ".hu_tax", "check", r"adóazonosító|adószám"),
    NationalId("ID", r"\d{16}", "id.nik", "check", r"\bnik\b|\bktp\b"),
    NationalId("IE", r"\d{7} ?[A-W][A-IW]?", "ie.pps", "form", r"\bpps"),
    NationalId("IL", r"\d{8}-?\d", "il.idnr", "check", r"תעודת זהות|teudat"),
    NationalId("IN", r"[A-Z]{3}P[A-Z]\d{4}[A-Z]", "in_.pan", "form", r"\bpan\b"),
    NationalId("IN", r"[2-9]\d{3}[ -]?\d{4}[ -]?\d{4}", "in_.aadhaar", "check", r"aadhaar|aadhar|आधार|\buid\b"),
    NationalId("IS", r"\d{6}-?\d{4}", "is_.kennitala", "check", r"kennitala"),
    NationalId("IT", r"[A-Za-z]{6}[0-9LMNPQRSTUVlmnpqrstuv]{2}[A-EHLMPRSTa-ehlmprst][0-9LMNPQRSTUVlmnpqrstuv]{2}[A-Za-z][0-9LMNPQRSTUVlmnpqrstuv]{3}[A-Za-z]", "it.codicefiscale", "always", r"codice fiscale|\bcf\b"),
    NationalId("JP", r"\d{4}[ -]?\d{4}[ -]?\d{4}", "jp.in_", "check", r"マイナンバー|個人番号|my number"),
    NationalId("KR", r"\d{6}-\d{7}", ".kr_rrn", "always", r"주민|\brrn\b"),
    NationalId("KR", r"\d{6}[1-8]\d{6}", "kr.rrn", "check", r"주민|\brrn\b"),
    NationalId("LT", r"[1-6]\d{10}", "lt.asmens", "check", r"asmens kod"),
    NationalId("LV", r"\d{6}-?\d{5}", ".lv_code", "check", r"personas kod"),
    NationalId("MX", r"[A-Z]{4}\d{6}[HMX][A-Z]{5}[A-Z\d]\d", "mx.curp", "always", r"\bcurp\b"),
    NationalId("MX", r"[A-ZÑ&]{4}-?\d{6}-?[A-Z\d]{3}", "mx.rfc", "form", r"\brfc\b"),
    NationalId("MY", r"\d{6}-\d{2}-\d{4}", "my.nric", "form", r"\bnric\b|mykad|kad pengenalan"),
    NationalId("MY", r"\d{12}", "my.nric", "named", r"\bnric\b|mykad|kad pengenalan"),
    NationalId("NL", r"\d{4}[ .]?\d{2}[ .]?\d{3}|\d{3}[ .]\d{3}[ .]\d{3}", "nl.bsn", "check", r"\bbsn\b|burgerservice|sofinummer"),
    NationalId("NO", r"\d{6}[ .-]?\d{5}", "no.fodselsnummer", "check", r"fødselsnummer|personnummer|\bfnr\b"),
    NationalId("NZ", r"\d{2,3}-?\d{3}-?\d{3}", "nz.ird", "check", r"\bird\b"),
    NationalId("PL", r"\d{11}", "pl.pesel", "check", r"\bpesel"),
    NationalId("PL", r"\d{3}-?\d{3}-?\d{2}-?\d{2}", "pl.nip", "named", r"\bnip\b"),
    NationalId("PT", r"\d{3}[ .]?\d{3}[ .]?\d{3}", "pt.nif", "check", r"\bnif\b|contribuinte"),
    NationalId("PT", r"\d{8}[ -]?\d ?[A-Z\d]{2}\d", "pt.cc", "form", r"cart[ãa]o de cidad[ãa]o"),
    NationalId("RO", r"[1-9]\d{12}", "ro.cnp", "check", r"\bcnp\b"),
    NationalId("RU", r"\d{3}-\d{3}-\d{3}[ -]\d{2}", ".ru_snils", "always", r"снилс"),
    NationalId("RU", r"\d{11}", ".ru_snils", "named", r"снилс"),
    NationalId("RU", r"\d{12}", "ru.inn", "check", r"\bинн\b"),
    NationalId("RU", r"\d{2} ?\d{2} ?№? ?\d{6}", "", "named", r"паспорт"),
    NationalId("SE", r"(?:19|20)?\d{6}[-+]\d{4}", ".se_person", "form", r"personn|samordningsn"),
    NationalId("SE", r"(?:19|20)?\d{6}\d{4}", ".se_person", "check", r"personn|samordningsn"),
    NationalId("SG", r"[STFGMstfgm]\d{7}[A-Za-z]", ".sg_id", "form", r"\bnric\b|\bfin\b"),
    NationalId("SI", r"\d{13}", "si.emso", "check", r"emšo|emso"),
    NationalId("SK", r"\d{6}/\d{3,4}", "cz.rc", "always", r"rodn[ée] č"),
    NationalId("SK", r"\d{10}", "cz.rc", "check", r"rodn[ée] č"),
    NationalId("TH", r"\d{1}[ -]?\d{4}[ -]?\d{5}[ -]?\d{2}[ -]?\d", "th.pin", "check", r"บัตรประชาชน|thai id"),
    NationalId("TR", r"[1-9]\d{10}", "tr.tckimlik", "check", r"kimlik|\btc no|\btc num|\btckn\b"),
    NationalId("TW", r"[A-Z][1289]\d{8}", ".tw_id", "form", r"身分證|身份證"),
    NationalId("UA", r"\d{10}", "ua.rntrc", "check", r"\bрнокпп\b|\bіпн\b|\bинн\b"),
    NationalId("US", r"\d{3}-\d{2}-\d{4}", "us.ssn", "always", r"\bssn\b|social security|\bss#"),
    NationalId("US", r"9\d{2}-[4-9]\d-\d{4}", "us.itin", "always", r"\bitin\b"),
    NationalId("US", r"\d{3} ?\d{2} ?\d{4}", ".us_ssn", "named", r"\bssn\b|social security|\bss#|\bitin\b"),
    NationalId("ZA", r"\d{6} ?\d{4} ?\d{3}", "za.idnr", "check", r"\bsa id\b|south african id|\bid number"),
)  # fmt: skip
