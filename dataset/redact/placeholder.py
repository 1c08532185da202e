"""Values that stand for a secret but are none: examples, variables, masks, calls."""

import re

_WORDS = re.compile(
    r"[*•·.x…_-]{3,}|:\w+:.*|<.*>|\[.*|\$[A-Z_a-z]+(?:\.\w+)?|\$[{(].*|\{.*|%[({]?\w+[)}]?[sd%]?|@\w+@"
    r"|(?:your|insert|enter|replace|dein|votre)(?:[-_ ].*|[a-z]*)"
    r"|(?:my|the|some|new|old)[-_ ][a-z_ -]+"
    r"|none|null|nil|true|false|undefined|string|str|bytes|int|optional|required|empty|example|secret"
    r"|password|passwort|token|redacted|hidden|todo|tbd|n/?a|dummy|placeholder|self|this|any"
    r"|(?:process\.env|os\.(?:environ|getenv)|env|config|settings|secrets|vars?|self|this|args|params"
    r"|options|request|req|data|user|ctx|context|event)[.\[(].*|[\w.:]{1,64}\(.*",
    re.IGNORECASE,
)
_CONSTANT = re.compile(r"[A-Z]{2,}(?:_[A-Z]{2,})+")


def is_placeholder(value: str) -> bool:
    """Whether a value, with or without quotes, is only the name or the mask of one."""
    bare = value.strip("\"'`,;")
    return not bare or bool(_WORDS.fullmatch(bare) or _CONSTANT.fullmatch(bare))
