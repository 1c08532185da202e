"""Errors that the user can mend. Anything else that escapes is a bug of ours.

UserError
 +-- ExportError     a file that cannot be imported as it is
 +-- StoreError      the workspace's database
 +-- SpecError       a spec file
Floors above add their own below UserError.
"""


class UserError(Exception):
    """Something the user can mend.

    Args:
        message: what is wrong and where, one line, never message text of a conversation.
        hint: what to do about it, one line.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ExportError(UserError):
    """An export that cannot be read as it is."""


class StoreError(UserError):
    """The workspace's database cannot be opened or written."""


class SpecError(UserError):
    """A spec file (TOML) that does not say what it must."""
