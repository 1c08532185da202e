"""Who and what Slack's ids mean: the lists beside the channels, read for names only."""

from typing import Any, NamedTuple

from ingest.archive import Member
from ingest.importers.base import Reject
from ingest.importers.fields import name_of, object_of, text_of
from ingest.importers.records import records
from ingest.shape import Peek, peek


class Channel(NamedTuple):
    """A channel, group or direct message.

    Attributes:
        id: Slack's id.
        title: its name; for a direct message, its members' names.
        is_direct: whether it is between people rather than on a topic.
    """

    id: str
    title: str
    is_direct: bool


class Names:
    """Displayed names by id.

    Attributes:
        by_id: names of users and of channels.
        channels: channels by their folder, which is the name or, in direct messages, the id.
    """

    def __init__(self) -> None:
        self.by_id: dict[str, str] = {"USLACKBOT": "Slackbot"}
        self.channels: dict[str, Channel] = {}
        self._members: dict[str, list[str]] = {}

    def read(self, member: Member) -> None:
        """Take a list of users or channels; other files say nothing here."""
        if not _is_list(peek(member)):
            return
        for item in records(member, dict[str, Any]):
            if not isinstance(item, Reject):  # a name less; messages are elsewhere
                self._take(item.value)

    def _take(self, entry: dict[str, Any]) -> None:
        key, name = text_of(entry.get("id")), text_of(entry.get("name"))
        if key is None:
            return
        if "profile" in entry:
            shown = _shown(entry)
            if shown:
                self.by_id[key] = shown
            return
        if name:
            self.by_id[key] = name
        self.channels[name or key] = Channel(key, name or "", not name)
        members = entry.get("members")
        ids = map(name_of, members) if isinstance(members, list) else ()
        self._members[key] = [id_ for id_ in ids if id_]

    def channel(self, folder: str) -> Channel:
        """The channel of a folder; one that no list names goes by its folder."""
        found = self.channels.get(folder) or Channel(folder, folder, is_direct=False)
        if found.title and not found.title.startswith("mpdm-"):
            return found
        people = [self.by_id.get(each, each) for each in self._members.get(found.id, ())]
        return Channel(found.id, ", ".join(people) or folder, is_direct=True)


def _shown(user: dict[str, Any]) -> str | None:
    profile = object_of(user.get("profile"))
    return (
        text_of(profile.get("display_name"))
        or text_of(profile.get("real_name"))
        or text_of(user.get("real_name"))
        or text_of(user.get("name"))
    )


def _is_list(look: Peek) -> bool:
    first = look.first_of("") if look.kind == "array" else {}
    return "id" in first and "ts" not in first and bool({"profile", "members"} & first.keys())
