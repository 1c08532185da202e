"""What self-contained pages begin with: nothing fetched, no script but one named by its hash."""

from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


def page_head(title: str, style: str, script: str = "") -> str:
    """From the doctype to ``<body>``.

    Args:
        title: escaped.
        style: the page's style sheet.
        script: the one script that may run; none if empty.
    """
    allowed = ""
    if script:
        allowed = f"script-src 'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'; "
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
style-src 'unsafe-inline'; {allowed}base-uri 'none'; form-action 'none'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
"""


def template_environment() -> "Environment":
    """The templates of pages: all values escaped, a name that is not there is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("serve.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
