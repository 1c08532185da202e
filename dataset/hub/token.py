"""Where the Hub's token comes from. It is a ``SecretStr`` until the client gets it."""

from pathlib import Path

from pydantic import SecretStr

from dataset.hub.errors import HubError
from ingest.settings import Settings


def find_token(file: Path | None = None) -> SecretStr | None:
    """The token to use: of a file, else ``HF_TOKEN``, else the one ``hf auth login`` stored.

    Raises:
        HubError: the file cannot be read, or what was found cannot be a token.
    """
    from huggingface_hub import get_token

    if file is not None:
        try:
            return _checked(file.read_text("utf-8"), str(file))
        except OSError as error:
            raise HubError(
                f"{file}: {error.strerror}", "name a file that holds nothing but the token"
            ) from None
        except UnicodeDecodeError:
            raise HubError(f"{file}: holds no token", "it must be one line of ASCII") from None
    named = Settings().hf_token
    if named is not None and named.get_secret_value().strip():
        return _checked(named.get_secret_value(), "HF_TOKEN")
    stored = get_token()
    return None if stored is None else _checked(stored, "the token of 'hf auth login'")


def _checked(text: str, where: str) -> SecretStr:
    """The token without the space around it.

    One that cannot stand in an HTTP header is refused here: the HTTP library's own error would
    quote it.
    """
    token = text.strip()
    if not token or not all("!" <= char <= "~" for char in token):
        raise HubError(f"{where}: holds no token", "it must be one line of ASCII without spaces")
    return SecretStr(token)
