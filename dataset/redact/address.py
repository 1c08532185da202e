"""Street addresses, by locale; see ``address_formats``."""

from collections.abc import Callable, Iterator

from dataset.redact.address_formats import ADDRESS_FORMATS, AddressFormat
from dataset.redact.scan import Scan
from dataset.redact.span import Span

_LEAD = 64


def address_detector(known: tuple[str, ...]) -> Callable[[Scan], Iterator[Span]]:
    """A detector of the addresses of these countries, or of all when none is given."""
    formats = tuple(
        each for each in ADDRESS_FORMATS if not known or not each.countries.isdisjoint(known)
    )

    def find_addresses(scan: Scan) -> Iterator[Span]:
        if not scan.has_digits:
            return
        for each in formats:
            if any(gate in scan.lower for gate in each.gates):
                yield from _find(each, scan.text)

    return find_addresses


def _find(written: AddressFormat, text: str) -> Iterator[Span]:
    for found in written.form.finditer(text):
        start = found.start()
        if written.lead:
            lead = written.lead.search(text, max(0, start - _LEAD), start)
            if lead:
                start = lead.start()
            if written.bound and not text[start].isupper():
                continue
        elif (
            text[start].isdecimal()
            and text[start - 1 : start].strip()
            and (text[start - 1].isalnum() or text[start - 1] in "._-/$€£#:")
        ):
            continue
        yield Span(start, found.end(), "address")
