"""Alpaca: JSON lines ``{"instruction", "input", "output", "system"}``, one question, one answer."""

from dataset.export.base import Misfit, Record, Row
from dataset.export.checks import require_assistant, system_apart, unnamed
from dataset.export.lines import Lines


class Alpaca(Lines):
    """Instruction and output: conversations of one turn only."""

    name = "alpaca"
    title = "Alpaca instructions, conversations of one question and one answer (JSON lines)"
    cannot = frozenset({"tail", "train", "reasoning", "tools"})

    def record(self, row: Row) -> Record:
        """Instruction and output, and the system message where there is one."""
        require_assistant(row)
        if any(each["tool_calls"] or each["role"] == "tool" for each in row["messages"]):
            raise Misfit("tool calls")
        system, messages = system_apart(row)
        if [each["role"] for each in messages] != ["user", "assistant"]:
            raise Misfit("not one question and one answer")
        question, answer = (each["content"] for each in messages)
        if not (question and answer):
            raise Misfit("an empty question or answer")
        value = {"instruction": question, "input": "", "output": answer}
        left_out = unnamed(messages)
        if system:
            value["system"] = system["content"]
            if system["role"] == "developer":
                left_out |= {"developer role (written as system)"}
        return Record(value, left_out)
