"""Importers by name: the built-in ones and those of installed plugins."""

from collections.abc import Callable
from difflib import get_close_matches
from functools import cache
from importlib.metadata import entry_points

from ingest.archive import Export, shown
from ingest.errors import ExportError
from ingest.importers.ai_studio import AIStudio
from ingest.importers.alpaca import Alpaca
from ingest.importers.base import Importer
from ingest.importers.characterai import CharacterAI
from ingest.importers.chatgpt import ChatGPT
from ingest.importers.claude import Claude
from ingest.importers.claude_code import ClaudeCode
from ingest.importers.codex import Codex
from ingest.importers.copilot import Copilot
from ingest.importers.deepseek import DeepSeek
from ingest.importers.discord import Discord
from ingest.importers.discord_package import DiscordPackage
from ingest.importers.gemini import Gemini
from ingest.importers.gemini_cli import GeminiCLI
from ingest.importers.googlechat import GoogleChat
from ingest.importers.grok import Grok
from ingest.importers.imessage import IMessage
from ingest.importers.intercom import Intercom
from ingest.importers.irc import Irc
from ingest.importers.langfuse import Langfuse
from ingest.importers.lechat import LeChat
from ingest.importers.librechat import LibreChat
from ingest.importers.line import LineChat
from ingest.importers.litellm import LiteLLM
from ingest.importers.lmstudio import LMStudio
from ingest.importers.mail import Mail
from ingest.importers.mapped import Mapped
from ingest.importers.messenger import Messenger
from ingest.importers.oasst import Oasst
from ingest.importers.openai_messages import OpenAIMessages
from ingest.importers.openai_stored import OpenAIStored
from ingest.importers.openwebui import OpenWebUI
from ingest.importers.otel import OTel
from ingest.importers.perplexity import Perplexity
from ingest.importers.preference import Preference
from ingest.importers.prompt_completion import PromptCompletion
from ingest.importers.sharegpt import ShareGPT
from ingest.importers.signal import Signal
from ingest.importers.sillytavern import SillyTavern
from ingest.importers.slack import Slack
from ingest.importers.teams import Teams
from ingest.importers.telegram import Telegram
from ingest.importers.wechat import WeChat
from ingest.importers.whatsapp import WhatsApp
from ingest.importers.zendesk import Zendesk
from ingest.unrecognised import describe

_BUILT_IN: tuple[Callable[[], Importer], ...] = (
    ChatGPT,
    Grok,
    Gemini,
    DeepSeek,
    Claude,
    AIStudio,
    WhatsApp,
    Slack,
    Discord,
    DiscordPackage,
    Telegram,
    Messenger,
    OpenAIMessages,
    ShareGPT,
    Alpaca,
    Preference,
    PromptCompletion,
    Oasst,
    ClaudeCode,
    Codex,
    GeminiCLI,
    CharacterAI,
    Copilot,
    LeChat,
    LibreChat,
    LMStudio,
    OpenWebUI,
    Perplexity,
    SillyTavern,
    GoogleChat,
    IMessage,
    Irc,
    LineChat,
    Mail,
    Signal,
    Teams,
    WeChat,
    Zendesk,
    Intercom,
    OpenAIStored,
    LiteLLM,
    Langfuse,
    OTel,
    Mapped,
)

ENTRY_POINTS = "turnmill.importer"


@cache
def importers() -> dict[str, Importer]:
    """Every importer by name; a plugin cannot take a built-in's name."""
    found: dict[str, Importer] = {}
    for point in entry_points(group=ENTRY_POINTS):
        plugin: Importer = point.load()()
        found[plugin.name] = plugin
    for make in _BUILT_IN:
        built_in = make()
        found[built_in.name] = built_in
    return found


def importer(name: str) -> Importer:
    """The importer called ``name``.

    Raises:
        ExportError: there is none.
    """
    try:
        return importers()[name]
    except KeyError:
        near = get_close_matches(name.lower(), importers(), n=1)
        raise ExportError(
            f"no importer is called {name!r}",
            (f"did you mean {near[0]}? " if near else "")
            + f"there are: {', '.join(sorted(importers()))}",
        ) from None


def sniff(export: Export) -> list[tuple[float, Importer]]:
    """Importers that recognise the export, surest first."""
    marks = [(kind.sniff(export), kind) for kind in importers().values()]
    return sorted((mark for mark in marks if mark[0] > 0), key=lambda mark: -mark[0])


def unrecognised(export: Export) -> ExportError:
    """The error that says what a file is that no importer recognises, or why it cannot be read."""
    faults = [member.fault for member in export.members if member.fault is not None]
    if faults:
        return faults[0]
    what, hint = describe(export)
    return ExportError(
        f"{shown(str(export.path))}: no importer recognises this"
        f" {'folder' if export.is_folder else 'file'}{': ' if what else ''}{what}",
        hint,
    )


def choose(export: Export, name: str = "auto") -> Importer:
    """The importer for an export.

    Raises:
        ExportError: none recognises it, or ``name`` is unknown.
    """
    if name != "auto":
        return importer(name)
    marks = sniff(export)
    if not marks:
        raise unrecognised(export)
    return marks[0][1]
