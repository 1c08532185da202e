"""What kind of file an attachment is: the same on every machine, whatever types that one knows."""

from pathlib import PurePosixPath

_KINDS = {
    "image": "apng avif bmp gif heic heif jfif jpeg jpg png svg tif tiff webp",
    "audio": "aac amr caf flac m4a mp3 oga ogg opus wav wma",
    "video": "3gp avi m4v mkv mov mp4 mpeg mpg webm wmv",
}
_BY_SUFFIX = {f".{suffix}": kind for kind, all_ in _KINDS.items() for suffix in all_.split()}


def media_kind(name: str | None, mime_type: str | None = None) -> str:
    """The kind of an attachment (``image``, ``audio``, ``video``, ``file``) by its type or name."""
    kind = (mime_type or "").partition("/")[0].lower()
    if kind in _KINDS:
        return kind
    return _BY_SUFFIX.get(PurePosixPath(name).suffix.lower(), "file") if name else "file"
