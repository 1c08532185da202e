"""The parts of an API message: text, thinking, calls, results, files, in every provider's names."""

from typing import Any

from ingest.importers.fields import name_of, object_of, text_of
from ingest.importers.media import media_kind
from ingest.importers.records import as_text
from ingest.message import Attachment, ToolCall

_TEXTS = {"text", "input_text", "output_text", "summary_text"}
_THOUGHTS = {"reasoning", "thinking", "reasoning_content"}
_CALLS = {"tool_call", "tool_use", "function_call", "custom_tool_call"}
_RESULTS = {"tool_call_response", "tool_result", "function_call_output", "custom_tool_call_output"}
_FILES = {"image_url", "image", "input_image", "file", "input_file", "document", "uri", "blob",
          "input_audio", "audio", "video_url"}  # fmt: skip


def numbered(value: Any) -> list[Any]:
    """The elements of a list, also one that is an object with indices as keys: 10 after 9."""
    if isinstance(value, dict):
        keys = sorted((key for key in value if key.isdecimal()), key=int)
        return [value[key] for key in keys]
    return value if isinstance(value, list) else []


class Parts:
    """Takes the parts of one message.

    Args:
        at: the message's place among those of its call.
    """

    def __init__(self, at: int) -> None:
        self._at = at
        self.texts: list[str] = []
        self.thoughts: list[str] = []
        self.calls: list[ToolCall] = []
        self.results: list[tuple[str | None, str]] = []
        self.attachments: list[Attachment] = []
        self.unknown: list[Any] = []

    def take(self, content: Any) -> None:
        """Content: text, a part, or several."""
        if isinstance(content, str):
            if content:
                self.texts.append(content)
        elif isinstance(content, dict) and not any(key.isdecimal() for key in content):
            self._part(content)
        elif isinstance(content, dict | list):
            for part in numbered(content):
                if isinstance(part, str):
                    self.texts.append(part)
                else:
                    self._part(part)
        elif content is not None:
            self.unknown.append(content)

    def think(self, value: Any) -> None:
        """Thinking: text, or an object with it."""
        if isinstance(value, dict):
            value = value.get("content")
        if text_of(value):
            self.thoughts.append(value)

    def call(self, source: Any) -> None:
        """A call of a tool; one without a name is kept as it is."""
        outer = object_of(source)
        inner = object_of(outer.get("tool_call")) or outer
        function = object_of(inner.get("function")) or inner
        name = text_of(function.get("name"))
        if name is None:
            self.unknown.append(source)
            return
        arguments = next(
            (
                function[key]
                for key in ("arguments", "input", "args")
                if function.get(key) is not None
            ),
            "{}",
        )
        made_up = f"call_{self._at}_{len(self.calls) + 1}"
        key = name_of(inner.get("call_id")) or name_of(inner.get("id")) or made_up
        self.calls.append(ToolCall(key, name, as_text(arguments) or "{}"))

    def _part(self, part: Any) -> None:
        source = object_of(part)
        source = object_of(source.get("message_content")) or source
        kind = source.get("type")
        if kind is None:
            kind = next((key for key in ("text", "functionCall", "functionResponse", "inlineData",
                                         "fileData") if key in source), "")  # fmt: skip
        if not isinstance(kind, str):
            kind = ""
        text = source.get("text") if source.get("text") is not None else source.get("content")
        if kind in _TEXTS and isinstance(text, str):
            target = self.thoughts if source.get("thought") is True else self.texts
            target.append(text)
        elif kind in _THOUGHTS and (thought := _thought(source, text)):
            self.thoughts.append(thought)
        elif kind in _CALLS:
            self.call(source)
        elif kind == "functionCall":
            self.call(source["functionCall"])
        elif kind in _RESULTS or kind == "functionResponse":
            self._result(object_of(source.get("functionResponse")) or source)
        elif kind in _FILES or kind in ("inlineData", "fileData"):
            self.attachments.append(_file(kind, source))
        else:
            self.unknown.append(part)

    def _result(self, source: dict[str, Any]) -> None:
        key = next((name for k in ("tool_use_id", "tool_call_id", "call_id", "id")
                    if (name := name_of(source.get(k)))), None)  # fmt: skip
        given = next((source[k] for k in ("response", "result", "output", "content")
                      if source.get(k) is not None), "")  # fmt: skip
        inner = Parts(self._at)
        if isinstance(given, list):
            inner.take(given)
        plain = inner.texts and not (inner.unknown or inner.attachments or inner.calls)
        self.results.append((key, "\n".join(inner.texts) if plain else as_text(given)))


def _thought(source: dict[str, Any], text: Any) -> str:
    inner = Parts(0)
    for value in (source.get("thinking"), text, source.get("summary")):
        inner.take(value)
    return "\n".join(inner.texts)


def _file(kind: str, source: dict[str, Any]) -> Attachment:
    """A reference to a file: the bytes of one are left out."""
    inner = next((source[key] for key in (kind, "image_url", "source", "image", "file")
                  if isinstance(source.get(key), dict)), source)  # fmt: skip
    if isinstance(inner.get("image"), dict):  # OpenInference nests it once more
        inner = inner["image"]
    found = next((text for key in ("url", "uri", "image_url", "file_id", "file_url", "fileUri",
                                   "id") if (text := text_of(inner.get(key)))), None)  # fmt: skip
    mime = next((text for key in ("mime_type", "media_type", "mimeType")
                 if (text := text_of(inner.get(key)))), None)  # fmt: skip
    if found and found.startswith("data:"):
        mime, found = found[5:].partition(";")[0] or mime, None
    name = text_of(inner.get("filename")) or text_of(inner.get("name"))
    stated = text_of(source.get("modality")) or kind.removeprefix("input_").partition("_")[0]
    guess = media_kind(name or found, mime)
    known = stated in ("image", "audio", "video")
    return Attachment(stated if known else guess, name, found, mime)
