"""The text of an archived ``NSAttributedString``: what ``attributedBody`` of iMessage holds.

The archive is Apple's typedstream. Only its first string is wanted: after the header come the
classes of the object, then ``84 01 2b`` (a new type, one character long: ``+``), then the length of
the text in bytes and the text in UTF-8.
"""

_HEADER = b"\x04\x0bstreamtyped\x81\xe8\x03"
_STRING = b"\x84\x01+"
_TAG_16, _TAG_32 = 0x81, 0x82


def text_of_archive(blob: bytes | None) -> str | None:
    """The text; None if the bytes are no such archive, cut off, or hold no string.

    A length of one byte stands as it is; ``81`` and ``82`` announce 16 and 32 bits, little-endian.
    Bad UTF-8 becomes U+FFFD.
    """
    if not blob or not blob.startswith(_HEADER):
        return None
    at = blob.find(_STRING, len(_HEADER))
    if at < 0:
        return None
    at += len(_STRING)
    first = blob[at : at + 1]
    if first == bytes([_TAG_16]):
        size, at = int.from_bytes(blob[at + 1 : at + 3], "little"), at + 3
    elif first == bytes([_TAG_32]):
        size, at = int.from_bytes(blob[at + 1 : at + 5], "little"), at + 5
    elif first and first[0] < 0x80:
        size, at = first[0], at + 1
    else:
        return None
    raw = blob[at : at + size]
    return raw.decode("utf-8", "replace") if len(raw) == size else None
