"""What LINE itself writes, in the languages of its exports: titles, media, days, half-days."""

import re

_EN = r"Chat history (?:with|in) (?P<en>.+)"
_JA = r"(?P<ja>.+?)と?のトーク履歴"
_ZH = r"[与與]?(?P<zh>.+?)的聊天[记記][录錄]"
_TH = r"ประวัติการสนทนากับ ?(?P<th>.+)"
_TITLE = re.compile(rf"^(?:\[LINE\] ?)?(?:{_EN}|{_JA}|{_ZH}|{_TH})\s*$")
_LABELLED = re.compile(r"^\[LINE\] ?(?P<name>.+?)\s*$")

_MEDIA = {
    "image": "Photo|写真|照片|圖片|图片|รูป|사진",
    "video": "Video|動画|影片|视频|วิดีโอ|동영상",
    "audio": "Voice message|Audio|ボイスメッセージ|語音訊息|语音信息",
    "sticker": "Sticker|スタンプ|貼圖|贴图|สติกเกอร์|스티커",
    "file": "File|ファイル|檔案|文件",
    "location": "Location|位置情報|位置",
    "contact": "Contact|連絡先|聯絡資訊",
    "album": "Albums|アルバム|相簿",
    "note": "Notes|ノート|記事本|记事本",
}
_KINDS = {word: kind for kind, words in _MEDIA.items() for word in words.split("|")}
_BARE = {"image", "video", "audio", "sticker"}  # their tag is all that the export says
_TAG = re.compile(r"^\[(?P<word>[^\]\n]{1,30})\](?P<rest>[\s\S]*)$")

DAY = re.compile(
    r"^(?:(?P<y>\d{4})[./](?P<m>\d{1,2})[./](?P<d>\d{1,2})"
    r"(?:\s?[(（][^()\d]{1,12}[)）]|\s[^\W\d]{2,12}|周[一-鿿]|"
    r"星期[一-鿿])?"
    r"|(?P<weekday>[A-Za-z]{3,9}),? (?P<a>\d{1,2})[./](?P<b>\d{1,2})[./](?P<year>\d{4}))\s*$"
)
CLOCK = (
    r"(?P<before>上午|下午|午前|午後|오전|오후)? ?"
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?P<after> ?[AaPp]\.?[Mm]\.?(?=\t)|[AaPp][Mm](?= ))?"
)
_AFTERNOON = {"下午", "午後", "오후"}
_EVENT = re.compile(
    r"^.{1,80}(?: joined the (?:group|chat)| left the (?:group|chat)| unsent a message|"
    r" added .+ to the group| changed the group (?:name|profile)|"
    r"がグループに参加|がグループを退会|"
    r"がメッセージの送信を取り消|"
    r"已?收回訊息|加入群組|離開群組)"
)


def title_of(line: str) -> str | None:
    """The chat's name in the first line of an export; None if that is no title."""
    line = line.lstrip("\ufeff")
    if match := _TITLE.match(line):
        return next(name for name in match.groupdict().values() if name).strip()
    match = _LABELLED.match(line)
    return match["name"] if match else None


def media_tag(text: str) -> tuple[str, str] | None:
    """(kind, what follows) of a text that is a tag such as ``[Photo]``; None for speech."""
    match = _TAG.match(text)
    kind = _KINDS.get(match["word"]) if match else None
    if match is None or kind is None:
        return None
    rest = match["rest"].strip()
    return None if rest and kind in _BARE else (kind, rest)


def hour_of(match: re.Match[str]) -> int:
    """The hour, 0 to 23, of a match of :data:`CLOCK`."""
    hour = int(match["hour"])
    half = match["before"] or (match["after"] or "").strip().lower()
    if not half or hour > 12:
        return hour
    return hour % 12 + (12 if half in _AFTERNOON or half.startswith("p") else 0)


def is_event(text: str) -> bool:
    """Whether a text without a stated speaker is what LINE reports: joined, left, unsent."""
    return _EVENT.match(text) is not None
