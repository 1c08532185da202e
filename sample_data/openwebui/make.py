"""Writes webui.db, Open WebUI's database, with one chat; standard library only."""

import json
import sqlite3
from pathlib import Path

CHAT = {
    "title": "Weather at the mill",
    "models": ["small-model"],
    "history": {
        "currentId": "w2",
        "messages": {
            "w1": {
                "id": "w1",
                "parentId": None,
                "childrenIds": ["w2"],
                "role": "user",
                "content": [
                    {"type": "text", "text": "Will it rain?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                ],
                "timestamp": 1770100000,
            },
            "w2": {
                "id": "w2",
                "parentId": "w1",
                "childrenIds": [],
                "role": "assistant",
                "content": '<details type="reasoning">twice</details>It will rain.',
                "model": "small-model",
                "timestamp": 1770100005,
                "done": True,
                "output": [
                    {
                        "type": "reasoning",
                        "id": "r1",
                        "content": [{"type": "output_text", "text": "Clouds."}],
                        "summary": None,
                    },
                    {
                        "type": "function_call",
                        "id": "fc1",
                        "call_id": "call_9",
                        "name": "sky",
                        "arguments": '{"at":"mill"}',
                    },
                    {
                        "type": "function_call_output",
                        "id": "fo1",
                        "call_id": "call_9",
                        "output": [{"type": "input_text", "text": "grey"}],
                    },
                    {
                        "type": "message",
                        "id": "ms1",
                        "role": "assistant",
                        "content": [{"type": "output_text", "text": "It will rain."}],
                    },
                ],
            },
        },
    },
}

path = Path(__file__).parent / "webui.db"
path.unlink(missing_ok=True)
with sqlite3.connect(path) as db:
    db.execute(
        'CREATE TABLE "chat" ("id" VARCHAR(255) NOT NULL, "user_id" VARCHAR(255) NOT NULL, '
        '"title" TEXT NOT NULL, "share_id" VARCHAR(255), "archived" INTEGER NOT NULL, '
        '"created_at" DATETIME NOT NULL, "updated_at" DATETIME NOT NULL, chat JSON, '
        "pinned BOOLEAN, meta JSON DEFAULT '{}' NOT NULL, folder_id TEXT)"
    )
    db.execute('CREATE TABLE "auth" ("id" VARCHAR(255), "email" TEXT, "password" TEXT)')
    db.execute(
        "INSERT INTO chat VALUES (?, ?, ?, NULL, 0, ?, ?, ?, 0, '{}', ?)",
        ("ow-4", "u", CHAT["title"], 1770100000, 1770100005, json.dumps(CHAT), "fo-1"),
    )
db.close()
