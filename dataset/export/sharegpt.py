"""ShareGPT: JSON lines ``{"conversations": [{"from", "value"}, ...], "tools"}``."""

from typing import Any

from dataset.export.base import Record, Row
from dataset.export.checks import require_assistant, system_apart, unnamed
from dataset.export.lines import Lines
from dataset.export.turns import SYSTEM, turns


class ShareGPT(Lines):
    """The oldest shape of conversations, with function calls as LLaMA-Factory writes them."""

    name = "sharegpt"
    title = "ShareGPT turns, function calls as JSON text (JSON lines)"
    cannot = frozenset({"train", "reasoning", "text"})

    def record(self, row: Row) -> Record:
        """The turns; a system message is the first of them."""
        require_assistant(row)
        system, messages = system_apart(row)
        said = turns(messages)
        left_out = unnamed(messages)
        if system:
            said.insert(0, {"from": SYSTEM, "value": system["content"]})
            if system["role"] == "developer":
                left_out |= {"developer role (written as system)"}
        value: dict[str, Any] = {"conversations": said}
        if row["tools"]:
            value["tools"] = row["tools"]
        return Record(value, left_out)
