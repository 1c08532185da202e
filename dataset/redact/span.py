"""What a detector finds: a place in a text and what stands there. Never the text itself."""

from typing import NamedTuple


class Span(NamedTuple):
    """One find.

    Attributes:
        start: index of the first character (code points, as Python counts).
        end: index after the last character; greater than ``start``.
        kind: one of ``KINDS``.
    """

    start: int
    end: int
    kind: str


KINDS: dict[str, str] = {
    "private_key": "private keys: PEM, OpenSSH, PGP, age",
    "secret": "keys and tokens of providers, JWTs, bearer tokens, webhooks, connection strings",
    "url_credentials": "user and password, or a token, in an address of the web",
    "password": "passwords that are named as such",
    "iban": "bank accounts (IBAN, by checksum and country length)",
    "card": "payment cards (by checksum and issuer range)",
    "national_id": "tax, health, social and identity numbers of people, by locale",
    "email": "e-mail addresses",
    "phone": "telephone numbers, checked with the numbering plans",
    "ip": "addresses of the internet, version 4 and 6",
    "address": "street addresses, by locale",
    "private_ip": "loopback, private and link-local internet addresses",
}
"""Every kind, the more specific first: where finds overlap and are equally long, it wins."""

RANK: dict[str, int] = {kind: place for place, kind in enumerate(KINDS)}

DEFAULT_KINDS: frozenset[str] = frozenset(KINDS) - {"private_ip"}
"""What is looked for unless said otherwise; 127.0.0.1 and 10.0.0.1 tell nothing about a person."""
