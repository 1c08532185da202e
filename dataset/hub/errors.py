"""What can go wrong between here and the Hub, said in two lines. No error holds a token."""

import errno
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ingest.errors import UserError

TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
"""HTTP statuses after which the same request may succeed."""

# draft-ietf-httpapi-ratelimit-headers: r requests are left, t seconds to go
_USED_UP = re.compile(r";\s*r=0\s*;\s*t=(\d+)")
_AGAIN = "run the same command again; it goes on where it stopped"


class HubError(UserError):
    """The Hub refused, failed, could not be reached, or holds something else than it should."""


class ConflictError(HubError):
    """Somebody else changed the repository meanwhile, or its tag names something else."""


class UntrustedError(HubError):
    """What a repository holds is not what it says; none of it is kept."""


def caught() -> tuple[type[Exception], ...]:
    """What the Hub's client raises; :func:`explain` sorts it."""
    import httpx2

    # RuntimeError and ValueError: the client wraps failures of large files in these
    return (httpx2.HTTPError, OSError, RuntimeError, ValueError)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was raised from: the client wraps what really happened."""
    seen: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in seen:
        yield at
        seen.append(at)
        at = at.__cause__


def status_of(error: BaseException) -> int | None:
    """The HTTP status that an error of the client comes from, if it comes from one."""
    from huggingface_hub.errors import HfHubHTTPError

    for each in _chain(error):
        if isinstance(each, HfHubHTTPError):
            return each.response.status_code
    return None


def is_transient(error: BaseException) -> bool:
    """Whether the same call may succeed a moment later."""
    import httpx2
    from huggingface_hub.errors import OfflineModeIsEnabled

    status = status_of(error)
    if status is not None:
        return status in TRANSIENT
    kinds = (httpx2.TransportError, json.JSONDecodeError, ConnectionError)
    return any(
        (isinstance(each, kinds) and not isinstance(each, OfflineModeIsEnabled))
        # a download that ended early; the client gives it no class of its own
        or (isinstance(each, OSError) and "Consistency check failed" in str(each))
        for each in _chain(error)
    )


def retry_after_s(error: BaseException, now: datetime | None = None) -> float | None:
    """Seconds that the Hub asks to wait: ``Retry-After`` (seconds or date) or ``RateLimit``."""
    from huggingface_hub.errors import HfHubHTTPError

    for each in _chain(error):
        if isinstance(each, HfHubHTTPError):
            headers = each.response.headers
            used_up = _USED_UP.search(headers.get("ratelimit", ""))
            if each.response.status_code == 429 and used_up:
                return float(used_up[1])
            return _seconds(headers.get("retry-after", ""), now or datetime.now(UTC))
    return None


def _seconds(text: str, now: datetime) -> float | None:
    if text.strip().isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def explain(error: Exception, repo: str, endpoint: str) -> HubError | None:
    """The error as the user should read it; None for one that is a bug of ours.

    Args:
        error: what the client raised.
        repo: the repository that was asked for.
        endpoint: the Hub that was asked.
    """
    for each in _chain(error):
        found = _of_answer(each, repo, endpoint) or _of_connection(each, repo, endpoint)
        if found is None and isinstance(each, OSError):
            found = _of_disk(each, repo)
        if found is not None:
            return found
    return None


def _of_answer(error: BaseException, repo: str, endpoint: str) -> HubError | None:
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RevisionNotFoundError

    if isinstance(error, GatedRepoError):
        return HubError(
            f"{repo}: this repository is gated and your account has no access yet (403)",
            f"ask for access at {endpoint}/datasets/{repo}",
        )
    if isinstance(error, RevisionNotFoundError):
        return HubError(f"{repo}: has no such revision (404)", "see its tags on the Hub")
    if isinstance(error, HfHubHTTPError):
        return _of_status(error.response.status_code, repo)
    if "LFS batch API returned errors" in str(error):
        return HubError(f"{repo}: the Hub does not take the files", _AGAIN)
    return None


def _of_connection(error: BaseException, repo: str, endpoint: str) -> HubError | None:
    import httpx2
    from huggingface_hub.errors import FileMetadataError, OfflineModeIsEnabled

    if isinstance(error, OfflineModeIsEnabled):
        return HubError(
            f"{repo}: the Hub is not asked, HF_HUB_OFFLINE is set", "unset HF_HUB_OFFLINE"
        )
    if isinstance(error, httpx2.HTTPError | ConnectionError | json.JSONDecodeError):
        return HubError(f"{repo}: the connection to {endpoint} failed or broke off", _AGAIN)
    if isinstance(error, FileMetadataError):
        return HubError(f"{repo}: {endpoint} does not answer like a Hub", "check HF_ENDPOINT")
    return None


def _of_disk(error: OSError, repo: str) -> HubError | None:
    if "Consistency check failed" in str(error):
        return HubError(f"{repo}: a download ended early", _AGAIN)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return HubError(f"{repo}: the disk is full", f"free some space, then {_AGAIN}")
    if error.errno is not None and error.filename:
        return HubError(f"{error.filename}: {error.strerror}", _AGAIN)
    return None


def _of_status(status: int, repo: str) -> HubError:
    login = "log in with 'hf auth login', set HF_TOKEN, or pass --token-file"
    said: dict[int, tuple[str, str]] = {
        401: ("the Hub wants a valid token (401)", login),
        403: ("your token may not do this (403)", "use one with write access to it"),
        404: ("there is no such repository, or your token may not see it (404)", login),
        409: ("it is in conflict with what is there (409)", _AGAIN),
        412: ("somebody else changed it meanwhile (412)", _AGAIN),
        413: ("the Hub finds a file too large (413)", "split the dataset"),
        422: ("a file did not arrive as it was sent (422)", _AGAIN),
        429: ("the Hub asks to slow down (429)", f"wait some minutes, then {_AGAIN}"),
        507: ("the Hub has no room for it (507)", "see your storage on the Hub"),
    }
    if status >= 500 and status not in said:
        return HubError(f"{repo}: the Hub is out of order ({status})", _AGAIN)
    what, hint = said.get(status, (f"the Hub refused the request ({status})", _AGAIN))
    kind = ConflictError if status in (409, 412) else HubError
    return kind(f"{repo}: {what}", hint)
