"""What OpenStack answers when it does not do what was asked, in the words of ``ports.cloud``.

What matters most is told first: whether a request that failed may still have had an effect. A request
that was answered with 4xx had none; one that never left had none; of one answered with 5xx, or not at
all, nothing is known.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from keystoneauth1.exceptions import (
    ClientException,
    ConnectFailure,
    ConnectTimeout,
    HttpError,
    NotFound,
    SSLError,
)
from requests.exceptions import ConnectTimeout as NeverConnected
from requests.exceptions import RequestException
from urllib3.exceptions import NewConnectionError

from chalicelib.ports.cloud import CloudRefused, CloudUnavailable

T = TypeVar("T")

_SENTENCE_MAX = 300
_RETRY_AFTER_MAX = timedelta(hours=1)
_TURNED_AWAY = frozenset({408, 429})  # the server did not take the request up: it was too slow, or too busy
_SERVER_ERROR = 500
_QUOTA = frozenset({403, 413})


def cloud_error(error: ClientException) -> CloudRefused | CloudUnavailable:
    """Return what the failure of a request means to whoever made it."""
    if isinstance(error, HttpError):
        return _answered(error)
    if isinstance(error, ConnectTimeout | ConnectFailure | SSLError):
        return CloudUnavailable(
            "The cloud cannot be reached." if _never_sent(error) else "The cloud did not answer.",
            certainly_not_done=_never_sent(error),
        )
    return CloudUnavailable(f"The cloud's answer makes no sense ({type(error).__name__}).")


def not_asked(reason: str, error: ClientException) -> CloudUnavailable:
    """Return what it means that no token could be had for a request: it was not even made."""
    cause = cloud_error(error)
    return CloudUnavailable(
        f"{reason}: {cause.reason}",
        certainly_not_done=True,
        retry_after=cause.retry_after if isinstance(cause, CloudUnavailable) else None,
    )


def refused(error: HttpError) -> bool:
    """Return whether the service itself says no: 4xx, and not for being busy.

    A 404 without the service's own document comes from something in front of it, and says nothing about
    the thing that was asked for.
    """
    if isinstance(error, NotFound) and _document(error) is None:
        return False
    return error.http_status < _SERVER_ERROR and error.http_status not in _TURNED_AWAY


def sentence(error: HttpError) -> str:
    """Return the cloud's own sentence, else the status.

    Keystone answers ``{"error": {"message": ...}}``, Nova ``{"<kind>": {"message": ...}}``, Heat the same as
    Keystone beside other keys, Aodh ``{"error_message": {"faultstring": ...}}``, Octavia
    ``{"faultcode": ..., "faultstring": ...}`` with nothing around it. What quotes the
    request ("Invalid input for field/attribute user_data. Value: ...") is cut off: it may be secret.
    """
    document = _document(error)
    text = " ".join(_words(document).split()).split(" Value: ")[0] if document else ""
    return text[:_SENTENCE_MAX] or f"HTTP status {error.http_status}"


def error_type(error: HttpError) -> str | None:
    """Return the name of what went wrong inside Heat, which alone tells some errors apart."""
    try:
        body = error.response.json() if error.response is not None else None
    except ValueError:
        return None
    inner = body.get("error") if isinstance(body, dict) else None
    return inner.get("type") if isinstance(inner, dict) else None


def twice(ask: Callable[[], T]) -> T:
    """Return what ``ask`` returns; when its connection breaks it is asked once more.

    A connection kept since the last request may have been closed by the other side while this function was
    frozen. For requests only that do no harm when made twice.
    """
    try:
        return ask()
    except ConnectFailure:
        return ask()


def _answered(error: HttpError) -> CloudRefused | CloudUnavailable:
    reason = sentence(error)
    if refused(error):
        over_quota = error.http_status in _QUOTA and "quota" in reason.lower()
        return CloudRefused(reason, over_quota=over_quota)
    retry_after = min(timedelta(seconds=error.retry_after), _RETRY_AFTER_MAX)
    return CloudUnavailable(
        reason,
        certainly_not_done=error.http_status < _SERVER_ERROR,
        retry_after=retry_after if retry_after > timedelta() else None,
    )


def _document(error: HttpError) -> dict[str, Any] | None:
    """Return the part of the cloud's error document that has its words, or None without such a document."""
    if error.response is None:
        return None
    try:
        body = error.response.json()
    except ValueError:
        return None
    if not isinstance(body, dict):
        return None
    parts = [part for part in body.values() if isinstance(part, dict)]
    flat = [body] if "faultstring" in body else []
    return next((part for part in (*parts, *flat) if _words(part)), None)


def _words(document: dict[str, Any]) -> str:
    """Return what the document says; what Aodh passes on of Gnocchi is a document itself."""
    said = document.get("message") or document.get("faultstring")
    said = said.get("reason") if isinstance(said, dict) else said
    return said if isinstance(said, str) else ""


def _never_sent(error: ClientException) -> bool:
    """Return whether no connection was made.

    keystoneauth raises one exception for a connection refused and for one that broke after the request was
    sent; what it stands for is in the chain: requests' exception around urllib3's.
    """
    cause = error.__context__
    if isinstance(cause, NeverConnected):
        return True
    inner = cause.args[0] if isinstance(cause, RequestException) and cause.args else None
    return isinstance(getattr(inner, "reason", None), NewConnectionError)
