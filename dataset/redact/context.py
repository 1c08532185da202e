# ruff: noqa: E501 - lists of words read by the line
"""What a number is called by the words before it.

A run of digits alone seldom says what it is; the nearest word before it often does: "order
4111..." is no card, "call 0171..." is a telephone. The lists hold the common words of the languages
the detectors serve; a word that is missing only means that the number is judged by its form.
"""

import re

_BEFORE = 56

# order numbers and the like: never a person's number
_REFERENCE = (
    r"order(?![a-z])|orderid|orders\b|\bord\.|ticket|tracking|reference|\bref\b|invoice|\bsku\b|\bserial|\bs/n\b|\bis[bs]n\b|\bean\b|\bupc\b"
    r"|\bgtin\b|\basin\b|\bdoi\b|commit|\bbuild\b|\bversion|\brelease|booking|\bparcel|shipment|\bdhl\b|\bups\b|fedex|\busps\b"
    r"|timestamp|\bepoch\b|\bunix\b|\bpid\b|\bbytes?\b|\boffset|\bseed\b|\bimei\b|\btransaction|\breceipt|\brma\b|\bhash"
    r"|\btrace|\bspan_?id|\bsession|message_?id|\bcoordinates?\b"
    r"|bestell|auftrag|rechnung|sendung|artikel|vorgang|kunden-?n|aktenzeichen|chargen|serienn|zähler|paketn"
    r"|buchung|beleg|gerät|commande|facture|colis|suivi|référence|dossier|pedido|factura|envío|seguimiento"
    r"|referencia|artículo|reserva|ordine|fattura|spedizione|riferimento|articolo|pratica|fatura|encomenda"
    r"|nota fiscal|protocolo|rastreio|bestelling|factuur|zending|zamówieni|faktur|przesył|paczk"
    r"|beställning|försändelse|ärende|\bordre|forsendelse|tilaus|lasku|lähety|objednáv|zásilk|sipariş|kargo"
    r"|takip|заказ|сч[её]т|накладн|трек|отправлен|замовлен|поръчк|注文|請求|追跡|伝票|订单|訂單|发票|运单|单号|주문|송장|운송장"
    r"|comand[ăa]|factur[ăa]|\bcolet|\bawb\b|rendelés|számla|csomag|παραγγελία|τιμολόγιο|narudžb|užsakym"
    r"|tellimus|pasūtījum|pöntun|pesanan|คำสั่งซื้อ|đơn hàng|הזמנה|طلب|#|№"
)
_NUMBERED = (
    "customer product case item part article batch lot model request job task run device thread account meter member"
    " membership policy contract"
)
_PHONE = (
    r"\btel\b|\btel\.|telef|téléph|\bphone|\bph\b|\bcall\b|\bring\b|\bmobile?\b|\bmobiel|\bmobiltel|\bmobilnum|\bmob\.|\bcell(?:phone|ular)?\b"
    r"|\bfax|whats\s?app|\bsignal\b|\bsms\b|\btext (?:me|us|him|her)\b|\breach (?:me|us|him|her)|\bdial\b|\bhandy|rufnummer|anruf|\bruf|erreich|\bappel|\bportable"
    r"|\bjoign|\bjoindre|\btél|\bll[aá]m[aeoá]|\bmóvil|\bcelular|\bchiam|\bcellulare|\blig(?:a|ue)\b|telem[óo]vel|\bbel\b|\bbellen"
    r"|zadzwo|komórk|\bnå(?:s|r)?\b|puhelin|\bsoita|\bzavol|\barayın|\bara\b|\bcep\b|звон|\bтел|телефон"
    r"|\bмоб|дзвон|обади|电话|電話|手机|手機|致电|携帯|전화|연락처|휴대폰|هاتف|جوال|اتصل|טלפון|נייד|फ़ोन|मोबाइल|โทร|điện thoại"
    r"|\bhívj|\bsună|\bsunaţi|\bsunați|τηλ|κινητό|☎|📞|📱|\bhotline|\bcontact|\bkontakt|\bvoicemail|\bhelista|\bskambin|\bzvani|\bhringdu"
    r"|\bnazov|\bpozov"
)
_CARD = (
    r"\bcards?\b|\bcc\b|\bcredit|\bdebit\b|\bvisa\b|master\s?card|\bamex|american express|maestro|kreditkart|\bkarten?\b"
    r"|\bcartes?\b|tarjeta|\bcart[ãa]o|\bcarta\b|\bkaart|\bkart[aęąuyı]?\b|\bkort|luottokort|\bкарт(?:а|ы|у|ой|е|ка|ки|ку)\w{0,3}\b|信用卡|银行卡|卡号"
    r"|カード|카드|\bbankomat|κάρτα|\bcardul|\bkartic|\bkártya|בכרטיס|بطاقة"
)
_PERSON = (
    r"\bid\b|identi|passport|personal|\btax\b|\btin\b|social|national|insurance|steuer|sozial|versicher|ausweis"
    r"|sécu|\bnir\b|impôt|fiscal|contribuinte|burgerservice|\bpesel\b|\bcpf\b|\bcurp\b|\brut\b|person\w*nummer"
    r"|henkilö|cnp\b|\begn\b|\boib\b|kimlik|aadhaar|\bpan\b|身份证|身分|マイナンバー|個人番号|주민|инн\b|снилс|паспорт"
    r"|rodné|isikukood|asmens|personas kods|kennitala|\bnik\b|\bssn\b|\bnino\b|\bnhs\b|\bdni\b|\bnie\b|\bnif\b"
)
# words of everyday speech that name a number only when they stand right before it
_BESIDE = (
    r"(?:track|article|item|part|batch|lot|case|customer|product|port|size|po|meter|counter|model|row|line|thread|duration|request|job|task|run"
    r"|page|chapter|issue|user|uid|index|length|count|total|score|point|view|seed|step|epoch|[acm]?time|ts|created|updated|modified|expires|exp|iat"
    r"|level|room|gate|flight|bus|tid)s?|likes"
)
_PHONE_BESIDE = "text|home|work|office|landline|privat|büro|zuhause|casa|oficina|ufficio|trabalho|thuis|werk|fixe|domicile|bureau"
# inside longer words of languages that write words together, and in scripts without spaces
_INSIDE = (
    (
        "phone",
        "telef|rufn|звон|هاتف|جوال|handy|mobiln|mobilt|puhelin|电话|電話|手机|手機|致电|携帯|전화|연락처|휴대폰",
    ),
    (
        "reference",
        "bestell|auftrag|rechnung|sendung|artikel|vorgang|buchung|beleg|faktur|factuur|注文|請求|追跡|伝票|订单|訂單|发票|运单|单号|주문|송장|운송장",
    ),
    ("card", "kreditk|luottokort|creditc|信用卡|银行卡|卡号|カード|카드"),
    ("person", "steuer|versicher|ausweis|personn|身份证|身分|マイナンバー|個人番号|주민"),
)


def _alternatives(pattern: str) -> list[str]:
    """The alternatives of a regular expression, those inside brackets left together."""
    parts, depth, part = [], 0, ""
    for letter in pattern:
        depth += (letter in "([") - (letter in ")]")
        if letter == "|" and not depth:
            parts.append(part)
            part = ""
        else:
            part += letter
    return [*parts, part]


def _by_first_letter() -> dict[str, re.Pattern[str]]:
    """For each letter, what a word that begins with it may be: a group for each name."""
    forms: dict[str, dict[str, list[str]]] = {}
    numbered = "|".join(f"{word}[ _-]?(?:no|id|number|nr|code|key)" for word in _NUMBERED.split())
    lists = (
        ("reference", f"{numbered}|{_REFERENCE}"),
        ("phone", _PHONE),
        ("card", _CARD),
        ("person", _PERSON),
    )
    for name, pattern in lists:
        for each in _alternatives(pattern):
            form = each.removeprefix(r"\b")
            forms.setdefault(form[0], {}).setdefault(name, []).append(form)
    return {
        letter: re.compile(
            "|".join(f"(?P<{name}>{'|'.join(some)})" for name, some in named.items())
        )
        for letter, named in forms.items()
    }


_FORMS = _by_first_letter()
_WORD = re.compile(r"\w+|[#№☎📞📱]")
_LAST = re.compile(rf"(?:(?P<phone>{_PHONE_BESIDE})|{_BESIDE})(?![^\W_])")
_LINK = re.compile(
    r"[\"'_]?[ ]{0,2}(?:no\.?|nr\.?|id|number)?[\"']?[ ]{0,2}[:=#]?[ ]{0,2}[\"'(]?\Z"
)
_WITHIN = re.compile("|".join(f"(?P<{name}>{words})" for name, words in _INSIDE))
_LONG = 9


def naming(lower: str, start: int) -> str | None:
    """What the nearest word before a number calls it.

    Args:
        lower: the text in small letters, ``Scan.lower``.
        start: where the number begins.

    Returns:
        ``"reference"`` (of an order, a parcel, a build, ...), ``"phone"``, ``"card"``,
        ``"person"`` (an identity number), or None: nothing on that line says.
    """
    before = lower[max(0, start - _BEFORE) : start].rpartition("\n")[2]
    words = list(_WORD.finditer(before))
    for word in words[-2:]:
        beside = _LAST.match(before, word.start())
        if beside and _LINK.match(before, beside.end()):
            if not beside["phone"]:
                return "reference"
            if "=" not in before[beside.end() :]:
                return "phone"
    for word in reversed(words):
        form = _FORMS.get(word[0][0])
        if form and (found := form.match(before, word.start())):
            return found.lastgroup
        long = len(word[0]) >= _LONG or not word[0].isascii()
        if long and (within := _last(_WITHIN, word[0])):
            return within
    return None


def _last(pattern: re.Pattern[str], text: str) -> str | None:
    name = None
    for found in pattern.finditer(text):
        name = found.lastgroup
    return name
