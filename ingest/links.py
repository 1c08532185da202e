"""Links to files without what lets anyone who reads them open the file.

An export is full of links that are keys: signed addresses of a store of files, tokens of a
workspace. What they name is kept, what opens them is not. A link in the text of a message is what
somebody said, and the redact step's business.
"""

import re
from typing import Any
from urllib.parse import quote, unquote

# names of parameters in lower case, without '-' and '_'
_SECRET_NAMES = """
    accesskey accesstoken apikey apitoken auth authkey authorization authtoken awsaccesskeyid
    clientsecret googleaccessid hmac idtoken jwt keypairid ossaccesskeyid passwd password pubsecret
    pwd readwritetoken refreshtoken secret securitytoken sessiontoken sharetoken sig sign signature
    tempauth token usertoken
"""
_SECRET = frozenset(_SECRET_NAMES.split())
_SECRET_PREFIXES = ("xamz", "xgoog", "xoss", "xcos", "qsign", "qak", "qkeytime", "qheader", "qurl")
# what has to be there, and what then goes: harmless names that are a part of a signature
_TOGETHER = tuple(
    (frozenset(signs.split()), frozenset(goes.split()))
    for signs, goes in (
        # the shared access signatures of Azure
        ("sig", "rscc rscd rsce rscl rsct saoid scid sdd se si sip ske skoid sks skt sktid skv sp"
                " spr sr srt ss st suoid sv"),
        ("signature", "expires policy req"),
        ("keypairid", "expires policy"),
        ("ex hm is", "ex hm is"),  # Discord's files
        ("oe oh", "ncgid ncoc ncohc oe oh"),  # Facebook's and Instagram's
    )
)  # fmt: skip
# values that are credentials under any name
_CREDENTIAL = re.compile(
    r"xox[a-z]-|eyJ[\w-]+\.eyJ|gh[opsu]_\w{20}|github_pat_|sk-[\w-]{20}|AKIA\w{12}|AIza[\w-]{30}"
)
# a token as a part of the path, as Zendesk writes it, and a password before the host
_IN_PATH = re.compile(r"(?<=/token/)[^/?#]+")
_LOGIN = re.compile(r"(?<=://)[^/?#@\s:]*:[^/?#@\s]*@")
_NESTED_AT_MOST = 3


def without_secrets(link: str) -> str:
    """A link without its secrets; one that has none comes back byte for byte.

    Args:
        link: an address or a path. A ``data:`` address is the file itself and stays.
    """
    return link if link.startswith("data:") else _clean(link, 0)


def without_secrets_in(value: Any) -> Any:
    """A value of JSON in which every text that is nothing but a link has no secrets."""
    root = [value]
    # not recursive: what an export nests may be deeper than calls go
    todo: list[tuple[Any, Any]] = [(root, 0)]
    while todo:
        place, key = todo.pop()
        found = place[key]
        if isinstance(found, str):
            if "://" in found and not any(each.isspace() for each in found):
                place[key] = without_secrets(found)
        elif isinstance(found, dict):
            place[key] = inner = dict(found)
            todo += [(inner, each) for each in inner]
        elif isinstance(found, list):
            place[key] = items = list(found)
            todo += [(items, at) for at in range(len(items))]
    return root[0]


def _clean(link: str, depth: int) -> str:
    link = _IN_PATH.sub("redacted", _LOGIN.sub("", link))
    address, _, fragment = link.partition("#")
    path, _, query = address.partition("?")
    if not ("=" in query or "=" in fragment):
        return link
    kept_query, kept_fragment = _kept(query, depth), _kept(fragment, depth)
    if (kept_query, kept_fragment) == (query, fragment):
        return link
    return (
        path
        + ("?" + kept_query if kept_query else "")
        + ("#" + kept_fragment if kept_fragment else "")
    )


def _kept(query: str, depth: int) -> str:
    """The parameters that open nothing, in their order and as they were written."""
    pairs = [(pair, *pair.partition("=")[::2]) for pair in query.split("&")]
    names = {_plain(name) for _, name, value in pairs if value}
    gone = {each for signs, goes in _TOGETHER if signs <= names for each in goes}
    kept: list[str] = []
    for pair, name, value in pairs:
        plain = _plain(name)
        if value and (
            plain in gone
            or plain in _SECRET
            or plain.startswith(_SECRET_PREFIXES)
            or _CREDENTIAL.match(unquote(value))
        ):
            continue
        kept.append(_inner(pair, name, value, depth))
    if len(kept) == len(pairs):
        return "&".join(kept)
    return "&".join(each for each in kept if each)


def _plain(name: str) -> str:
    return unquote(name).lower().replace("-", "").replace("_", "")


def _inner(pair: str, name: str, value: str, depth: int) -> str:
    """A parameter whose value may itself be a link, as proxies of pictures and redirects write."""
    if depth >= _NESTED_AT_MOST or "%3A%2F%2F" not in value.upper():
        return pair
    link = unquote(value)
    cleaned = _clean(link, depth + 1)
    return pair if cleaned == link else f"{name}={quote(cleaned, safe='', errors='surrogatepass')}"
