# ruff: noqa: E501 - tables and lists of words read by the line
"""What a number is called by the words before it.

A run of digits alone seldom says what it is; the nearest word before it often does: "order
4111..." is no card, "call 0171..." is a telephone. The lists hold the common words of the languages
the detectors serve; a word that is missing only means that the number is judged by its form.
"""

import re

_BEFORE = 56

# order numbers and the like: never a person's number
_REFERENCE = (
    r"order\b|orders\b|ord\.|ticket|tracking|track\b|reference|\bref\b|invoice|article|\bitem\b|\bsku\b"
    r"|\bpart\b|\bserial|\bs/n\b|\bbatch\b|\blot\b|\bis[bs]n\b|\bean\b|\bupc\b|\bgtin\b|\basin\b|\bdoi\b"
    r"|commit|\bbuild\b|\bversion|\brelease|\bcase\b|booking|\bparcel|shipment|\bdhl\b|\bups\b|fedex|\busps\b"
    r"|customer|product|timestamp|epoch|unix|\bpid\b|\bport\b|\bsize\b|\bbytes?\b|\boffset|\bseed\b|\bimei\b"
    r"|\btransaction|\breceipt|\bpo\b|\brma\b|\bmeter\b|\bcounter\b|\bmodel\b|\bhash|\brow\b|\bline\b|\bthread"
    r"|\bduration|\btrace|\bspan_?id|\bsession|\brequest|\bmessage_?id|\bjob\b|\btask|\brun\b|\bcoordinates?"
    r"|bestell|auftrag|rechnung|sendung|artikel|vorgang|kunden|aktenzeichen|charge|serien|zähler|paket"
    r"|buchung|beleg|gerät|commande|facture|colis|suivi|référence|dossier|pedido|factura|envío|seguimiento"
    r"|referencia|artículo|reserva|ordine|fattura|spedizione|riferimento|articolo|pratica|fatura|encomenda"
    r"|nota fiscal|protocolo|rastreio|bestelling|factuur|zending|artikel|zamówieni|faktur|przesył|paczk"
    r"|beställning|försändelse|ärende|ordre|forsendelse|tilaus|lasku|lähety|objednáv|zásilk|sipariş|kargo"
    r"|takip|заказ|сч[её]т|накладн|трек|отправлен|замовлен|注文|請求|追跡|伝票|订单|訂單|发票|运单|单号|주문|송장|운송장"
    r"|comand[ăa]|factur[ăa]|colet|\bawb\b|rendelés|számla|csomag|παραγγελία|τιμολόγιο|narudžb|užsakym"
    r"|tellimus|pasūtījum|поръчка|pöntun|pesanan|คำสั่งซื้อ|đơn hàng|הזמנה|طلب|#|№"
)
_PHONE = (
    r"\btel\b|\btel\.|telef|téléph|\bphone|\bph\b|\bcall\b|\bring\b|mobile|\bmob\b|\bmobil|\bcell|\bfax|whats\s?app"
    r"|\bsignal\b|\bsms\b|\btext me|\breach\b|\bdial|handy|rufnummer|anruf|\bruf|erreich|appel|portable"
    r"|joign|joindre|\btél|llam|móvil|celular|chiam|cellulare|\blig(?:a|ue)|telem[óo]vel|\bbel\b|bellen|mobiel"
    r"|zadzwo|komórk|\bnå(?:s|r)?\b|\bring|puhelin|soita|zavol|\barayın|\bara\b|telefon|cep\b|звон|\bтел|телефон"
    r"|моб|дзвон|电话|電話|手机|手機|致电|携帯|전화|연락처|휴대폰|هاتف|جوال|اتصل|טלפון|נייד|फ़ोन|मोबाइल|โทร|điện thoại"
    r"|hívj|sun[ăa]|τηλ|κινητό|☎|📞|📱|\bhotline|contact|kontakt|\bvoicemail|\bsim\b|helista|skambin|zvan|hringdu"
)
_CARD = (
    r"\bcard|\bcc\b|credit|debit|\bvisa|master\s?card|amex|american express|maestro|kreditkart|\bkarte"
    r"|carte|tarjeta|cart[ãa]o|\bcarta\b|\bkaart|\bkart[aęąuyı]?\b|\bkort|luottokort|карт|信用卡|银行卡|カード|카드"
    r"|\bpay|zahl|\bbankomat|πιστωτική|кредит|בכרטיס|בطاقة"
)
_PERSON = (
    r"\bid\b|identi|passport|personal|\btax\b|\btin\b|social|national|insurance|steuer|sozial|versicher|ausweis"
    r"|sécu|\bnir\b|impôt|fiscal|contribuinte|burgerservice|\bpesel\b|\bcpf\b|\bcurp\b|\brut\b|person\w*nummer"
    r"|henkilö|cnp\b|\begn\b|\boib\b|kimlik|aadhaar|\bpan\b|身份证|身分|マイナンバー|個人番号|주민|инн\b|снилс|паспорт"
    r"|rodné|isikukood|asmens|personas kods|kennitala|\bnik\b|\bssn\b|\bnino\b|\bnhs\b|\bdni\b|\bnie\b|\bnif\b"
)

_NAMING = re.compile(
    f"(?P<reference>{_REFERENCE})|(?P<phone>{_PHONE})|(?P<card>{_CARD})|(?P<person>{_PERSON})",
    re.IGNORECASE,
)


def naming(text: str, start: int) -> str | None:
    """What the nearest word before a number calls it.

    Args:
        text: the text.
        start: where the number begins.

    Returns:
        ``"reference"`` (of an order, a parcel, a build, ...), ``"phone"``, ``"card"``,
        ``"person"`` (an identity number), or None: nothing on that line says.
    """
    before = text[max(0, start - _BEFORE) : start].rpartition("\n")[2]
    name = None
    for found in _NAMING.finditer(before):
        name = found.lastgroup
    return name
