"""One conversation in the shape of ChatGPT's export, with the message each node should become.

The raw node and the expected message are written by the same call, from the same arguments, so
the expectation owes nothing to an importer.
"""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

import msgspec

from ingest.message import Attachment, Conversation, Message, Role, ToolCall, conversation_id

MODEL = "sample-large"
THINKING_MODEL = "sample-large-thinking"


@dataclass
class _Node:
    id: str
    parent: str | None
    raw: dict[str, Any] | None
    message: Message | None
    children: list[str] = field(default_factory=list)


def draw_uuid(rng: Random) -> str:
    """A version 4 UUID that depends only on ``rng``."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def moment(seconds: float | None) -> datetime | None:
    """Epoch seconds as an aware time; nothing for null and 0."""
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


class Tree:
    """Builds one conversation node by node.

    ``at`` is the node that the next one hangs under; set it back to branch. Attributes without
    an underscore are values of the export that a sample may change before :meth:`raw`.
    """

    def __init__(self, rng: Random, started: float, *, root: str | None = None) -> None:
        self._rng = rng
        self._clock = started
        self._nodes: dict[str, _Node] = {}
        self.id = draw_uuid(rng)
        self.has_conversation_id = True
        self.title: str | None = "Wendel Mill"
        self.create_time: float | None = started
        self.model: str | None = MODEL
        self.gizmo_id: str | None = None
        self.shuffled = False
        self.at = self._attach(root or draw_uuid(rng), None, None, None)
        self._root = self.at

    def _attach(
        self,
        node_id: str,
        parent: str | None,
        raw: dict[str, Any] | None,
        message: Message | None,
    ) -> str:
        self._nodes[node_id] = _Node(node_id, parent, raw, message)
        if parent is not None:
            self._nodes[parent].children.append(node_id)
        return node_id

    def _tick(self) -> float:
        self._clock = round(self._clock + self._rng.uniform(2, 40), 6)
        return self._clock

    def add(
        self,
        author: str,
        content: dict[str, Any],
        expected: dict[str, Any],
        *,
        author_name: str | None = None,
        metadata: dict[str, Any] | None = None,
        recipient: str = "all",
        status: str = "finished_successfully",
        weight: float = 1.0,
        create_time: float | None = -1.0,
        end_turn: bool | None = None,
    ) -> str:
        """Hang one message under ``at`` and move there.

        Args:
            author: ``author.role`` of the raw message.
            content: ``content`` of the raw message.
            expected: fields of the expected message that this call cannot know by itself.
            author_name: ``author.name``.
            metadata: ``metadata`` of the raw message.
            recipient: ``recipient`` of the raw message.
            status: ``status`` of the raw message.
            weight: ``weight`` of the raw message.
            create_time: epoch seconds or None; -1 takes the conversation's clock.
            end_turn: ``end_turn`` of the raw message.

        Returns:
            The id of the node.
        """
        node_id = draw_uuid(self._rng)
        metadata = metadata or {}
        created = self._tick() if create_time == -1.0 else create_time
        raw = {
            "id": node_id,
            "author": {"role": author, "name": author_name, "metadata": {}},
            "create_time": created,
            "update_time": None,
            "content": content,
            "status": status,
            "end_turn": end_turn,
            "weight": weight,
            "metadata": metadata,
            "recipient": recipient,
            "channel": None,
        }
        extra: dict[str, Any] = {}
        if "model_slug" in metadata:
            extra["model_slug"] = metadata["model_slug"]
        if recipient != "all":
            extra["recipient"] = recipient
        if weight == 0:
            extra["weight"] = 0  # one value for what exports write as 0 and as 0.0
        if status != "finished_successfully":
            extra["status"] = status
        if content["content_type"] != "text":
            extra["content_type"] = content["content_type"]
        if "aggregate_result" in metadata:
            extra["aggregate_result"] = metadata["aggregate_result"]
        fields = {"role": author, "created_at": moment(created), "extra": extra} | expected
        message = Message(source_id=node_id, parent_id=self._message_above(), **fields)
        self.at = self._attach(node_id, self.at, raw, message)
        return node_id

    def _message_above(self) -> str | None:
        node: str | None = self.at
        while node is not None and self._nodes[node].message is None:
            node = self._nodes[node].parent
        return node

    def blank(self) -> str:
        """A node without a message, as old exports have them in mid-tree."""
        self.at = self._attach(draw_uuid(self._rng), self.at, None, None)
        return self.at

    def text(self, author: Role, text: str, *, train: bool | None = None, **raw: Any) -> str:
        """A plain message."""
        content = {"content_type": "text", "parts": [text]}
        return self.add(author, content, {"content": text, "train": train}, **raw)

    def user(self, text: str) -> str:
        """A question."""
        return self.text("user", text)

    def assistant(self, text: str, **raw: Any) -> str:
        """A finished answer."""
        return self.text("assistant", text, metadata={"model_slug": MODEL}, end_turn=True, **raw)

    def interrupted(self, text: str) -> str:
        """An answer that the user stopped."""
        metadata = {"model_slug": MODEL}
        return self.text(
            "assistant", text, train=False, metadata=metadata, status="in_progress", end_turn=False
        )

    def hidden_system(self) -> str:
        """The empty system node that every export starts with."""
        metadata = {"is_visually_hidden_from_conversation": True}
        return self.text(
            "system", "", train=False, metadata=metadata, weight=0.0, create_time=None,
            end_turn=True,
        )  # fmt: skip

    def hidden(self, author: Role, text: str) -> str:
        """A message that the application did not show."""
        metadata = {"is_visually_hidden_from_conversation": True}
        return self.text(author, text, train=False, metadata=metadata)

    def context(self, profile: str, instructions: str) -> str:
        """Custom instructions: role ``user`` in the export, ``system`` in truth."""
        content = {
            "content_type": "user_editable_context",
            "user_profile": profile,
            "user_instructions": instructions,
        }
        texts = [text for text in (profile, instructions) if text]
        expected = {"role": "system", "content": "\n\n".join(texts), "train": False}
        metadata = {
            "is_visually_hidden_from_conversation": True,
            "is_user_system_message": True,
        }
        return self.add("user", content, expected, metadata=metadata, create_time=None)

    def call(self, tool: str, arguments: str, *, content_type: str = "code") -> str:
        """A call of ``tool``; its result is the next node added by :meth:`result`."""
        if content_type == "code":
            content: dict[str, Any] = {
                "content_type": "code", "language": "unknown", "response_format_name": None,
                "text": arguments,
            }  # fmt: skip
        else:
            content = {"content_type": content_type, "parts": [arguments]}
        node_id = self.add(
            "assistant", content, {"content": ""}, recipient=tool,
            metadata={"model_slug": MODEL}, end_turn=False,
        )  # fmt: skip
        node = self._nodes[node_id]
        calls = (ToolCall(id=f"call_{node_id}", name=tool, arguments=arguments),)
        node.message = msgspec.structs.replace(node.message, tool_calls=calls)
        return node_id

    def result(
        self,
        tool: str,
        output: str,
        *,
        content_type: str = "execution_output",
        metadata: dict[str, Any] | None = None,
    ) -> str:
        """The result of the call at ``at``."""
        if content_type == "execution_output":
            content: dict[str, Any] = {"content_type": content_type, "text": output}
        else:
            content = {"content_type": content_type, "parts": [output]}
        expected = {"content": output, "name": tool, "tool_call_id": f"call_{self.at}"}
        return self.add("tool", content, expected, author_name=tool, metadata=metadata)

    def thoughts(self, *pairs: tuple[str, str]) -> str:
        """Thinking, as (summary, content) pairs."""
        thoughts = [{"summary": summary, "content": content} for summary, content in pairs]
        content = {"content_type": "thoughts", "thoughts": thoughts}
        reasoning = "\n\n".join(f"{summary}\n{content}" for summary, content in pairs)
        expected = {"content": "", "reasoning": reasoning, "train": False}
        metadata = {"model_slug": THINKING_MODEL}
        return self.add("assistant", content, expected, metadata=metadata, end_turn=False)

    def recap(self, text: str) -> str:
        """The line that stands for folded thinking."""
        content = {"content_type": "reasoning_recap", "content": text}
        metadata = {"model_slug": THINKING_MODEL}
        expected = {"content": text, "train": False}
        return self.add("assistant", content, expected, metadata=metadata, end_turn=False)

    def image(self, pointer: str, size_bytes: int, *texts: str) -> str:
        """A question with a picture before its text."""
        part = {
            "content_type": "image_asset_pointer", "asset_pointer": pointer,
            "size_bytes": size_bytes, "width": 1024, "height": 768, "fovea": None,
            "metadata": None,
        }  # fmt: skip
        content = {"content_type": "multimodal_text", "parts": [part, *texts]}
        attachment = Attachment(kind="image", uri=pointer, size_bytes=size_bytes)
        expected = {"content": "\n".join(texts), "attachments": (attachment,)}
        return self.add("user", content, expected)

    def raw(self) -> dict[str, Any]:
        """The conversation as the export writes it."""
        nodes = list(self._nodes.values())
        if self.shuffled:
            Random(self.id).shuffle(nodes)
        mapping = {
            node.id: {
                "id": node.id, "message": node.raw, "parent": node.parent,
                "children": node.children,
            }
            for node in nodes
        }  # fmt: skip
        raw: dict[str, Any] = {
            "title": self.title,
            "create_time": self.create_time,
            "update_time": self._clock,
            "mapping": mapping,
            "moderation_results": [],
            "current_node": self.at,
            "plugin_ids": None,
            "conversation_id": self.id,
            "gizmo_id": self.gizmo_id,
            "is_archived": False,
            "is_starred": None,
            "default_model_slug": self.model,
            "voice": None,
            "memory_scope": "global_enabled",
            "is_do_not_remember": None,
            "id": self.id,
        }
        if not self.has_conversation_id:
            del raw["conversation_id"]
        return raw

    def expected(self) -> Conversation:
        """The conversation that an importer should make of :meth:`raw`."""
        path = set()
        node: str | None = self.at
        while node is not None:
            path.add(node)
            node = self._nodes[node].parent
        messages = []
        pending = [self._root]
        while pending:
            here = self._nodes[pending.pop()]
            pending += reversed(here.children)
            if here.message is not None:
                on_path = here.id in path
                messages.append(msgspec.structs.replace(here.message, on_path=on_path))
        metadata = {}
        if self.model is not None:
            metadata["model"] = self.model
        if self.gizmo_id is not None:
            metadata["gizmo_id"] = self.gizmo_id
        return Conversation(
            id=conversation_id("chatgpt", self.id),
            importer="chatgpt",
            source_id=self.id,
            title=self.title,
            created_at=moment(self.create_time),
            messages=tuple(messages),
            metadata=metadata,
        )
