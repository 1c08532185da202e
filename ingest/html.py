"""Plain text of the HTML that some exports wrap messages in. Structure becomes line breaks.

Read with expressions of our own: the standard parser takes the square of a text's length where tags
have no end, and gives up with an assertion at some that are damaged. Here what is no tag is text.
"""

import re
from html import unescape as _unescape

_BLOCKS = {
    "p", "div", "br", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre",
    "ul", "ol", "table", "hr", "section", "article",
}  # fmt: skip
_HIDDEN = {"script", "style", "head", "title", "template"}
_RAW = {"script", "style"}
"""Elements whose content is no markup."""

# no part gives back what it took (``++``), and none runs over a ``<`` outside quotes
_TAG = re.compile(
    r"<(?P<close>/\s{0,9}+)?(?P<name>[a-zA-Z][^\s/<>\0]{0,100}+)"
    r"(?P<inner>(?:[^\"'<>]++|\"[^\"]*+\"|'[^']*+')*+|[^<>]*+)>"
)
_OTHER = re.compile(r"<(?:[!?]|/(?!\s{0,9}+[a-zA-Z]))[^>]*+>")
_ATTRIBUTE = re.compile(
    r"(?P<name>[^\s\"'>/=]++)"
    r"(?:\s*+=\s*+(?:\"(?P<two>[^\"]*)\"|'(?P<one>[^']*)'|(?P<bare>[^\s\"'>]++)))?"
)
_NO_NUMBER = re.compile(r"&#\d{40,};?")


def unescape(text: str) -> str:
    """Entities decoded; a number without bounds, which Python refuses to read, is U+FFFD."""
    return _unescape(_NO_NUMBER.sub("\ufffd", text) if "&#" in text else text)


class _Text:
    """Text as it is collected from markup."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self._hidden = 0
        self._pre = 0

    def start(self, tag: str, inner: str) -> None:
        if tag in _HIDDEN:
            self._hidden += 1
        elif tag == "body":
            self._hidden = 0  # the head before it need not be closed
        elif tag == "pre":
            self._pre += 1
        if tag == "li":
            self.parts.append("\n- ")
        elif tag in _BLOCKS:
            self.parts.append("\n")
        elif tag == "img":
            self.parts.append(_alternative(inner))

    def end(self, tag: str) -> None:
        if tag in _HIDDEN and self._hidden:
            self._hidden -= 1
        elif tag == "pre" and self._pre:
            self._pre -= 1
        if tag in _BLOCKS and tag not in ("br", "li"):
            self.parts.append("\n\n" if tag == "p" else "\n")

    def data(self, text: str) -> None:
        if text and not self._hidden:
            said = unescape(text)
            self.parts.append(said if self._pre else re.sub(r"[ \t\r\n]+", " ", said))


def _alternative(inner: str) -> str:
    """The text that stands for an image."""
    for attribute in _ATTRIBUTE.finditer(inner):
        if attribute["name"].lower() == "alt":
            return unescape(attribute["two"] or attribute["one"] or attribute["bare"] or "")
    return ""


def to_text(html: str) -> str:
    """The visible text: entities decoded, blocks on lines of their own, scripts left out."""
    found = _Text()
    last = html.rfind(">")  # beyond it nothing is a tag
    comments = html.rfind("-->")
    done = 0  # up to here the text is taken
    at = html.find("<")
    while 0 <= at < last:
        tag = _TAG.match(html, at)
        end = tag.end() if tag else _end_of_other(html, at, comments)
        if end is None:
            at = html.find("<", at + 1)
            continue
        found.data(html[done:at])
        if tag is not None:
            end = _take(found, tag, html)
        done = end
        at = html.find("<", end)
    found.data(html[done:])
    lines = [line.strip(" ") for line in "".join(found.parts).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


def _take(found: _Text, tag: re.Match[str], html: str) -> int:
    """Take a tag in; the position after it, and after what is no markup."""
    name, inner = tag["name"].lower(), tag["inner"]
    if tag["close"]:
        found.end(name)
        return tag.end()
    found.start(name, inner)
    if inner.endswith("/"):
        found.end(name)
    elif name in _RAW:
        close = re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE).search(html, tag.end())
        return close.start() if close else len(html)
    return tag.end()


def _end_of_other(html: str, at: int, comments: int) -> int | None:
    """Position after a comment or a declaration; None if there is none.

    Args:
        html: the text.
        at: position of a ``<``.
        comments: where the last comment ends, so that no end is looked for in vain.
    """
    if html.startswith("<!--", at):
        return html.index("-->", at) + 3 if at < comments else None
    other = _OTHER.match(html, at)
    return other.end() if other else None
