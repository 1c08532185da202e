"""Writes an invented answer of DeepSeek's API and what it should become: ``python make.py``."""

import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ingest.message import Conversation, Message, conversation_id

HERE = Path(__file__).parent
M = Message
START = 1_770_000_000.5


def at(second):
    return datetime.fromtimestamp(START + second, UTC)


def message(number, parent, role, second, *fragments, status="FINISHED"):
    return {
        "message_id": number, "parent_id": parent, "model": "", "role": role,
        "thinking_enabled": True, "ban_edit": False, "status": status, "files": [],
        "inserted_at": START + second,
        "fragments": [{"id": at, "type": kind, "content": text}
                      for at, (kind, text) in enumerate(fragments, 1)],
    }


EXPORT = {"code": 0, "msg": "", "data": {"biz_code": 0, "biz_msg": "", "biz_data": {
    "chat_session": {"id": "s-1", "title": "Wheel", "title_type": "SYSTEM",
                     "current_message_id": 2, "inserted_at": START, "updated_at": START + 60},
    "chat_messages": [
        message(1, None, "USER", 1, ("REQUEST", "What turns the wheel?")),
        message(2, 1, "ASSISTANT", 2, ("THINK", "A river mill."), ("RESPONSE", "The Wendel.")),
        message(3, 1, "ASSISTANT", 3, ("RESPONSE", "The wi"), status="INCOMPLETE"),
    ],
}}}
EXPECTED = Conversation(
    id=conversation_id("deepseek", "s-1"), importer="deepseek", source_id="s-1", title="Wheel",
    created_at=at(0),
    messages=(
        M("user", "What turns the wheel?", created_at=at(1), source_id="1"),
        M("assistant", "The Wendel.", reasoning="A river mill.", created_at=at(2), source_id="2",
          parent_id="1"),
        # the newest, but the export says where the talk stands
        M("assistant", "The wi", created_at=at(3), source_id="3", parent_id="1", on_path=False,
          train=False, extra={"status": "INCOMPLETE"}),
    ),
)


def main(out=HERE):
    text = json.dumps(EXPORT, indent=1)
    (out / "history_messages.json").write_text(text, encoding="utf-8")
    (out / "expected.jsonl").write_bytes(msgspec.json.encode(EXPECTED) + b"\n")


if __name__ == "__main__":
    main()
