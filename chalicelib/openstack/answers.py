"""What adapters do alike with a service's answer: tell errors apart, and expect a document in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from keystoneauth1.exceptions import ClientException, HttpError, Unauthorized
from requests import Response

from chalicelib.openstack.translation import cloud_error, refused
from chalicelib.ports.cloud import CloudUnavailable, CredentialBroken


@contextmanager
def errors_of(service: str, *, wanted: str) -> Iterator[None]:
    """Turn keystoneauth's exceptions into those of ``ports.cloud``.

    After a 401 the session asks for a fresh token, and Keystone's refusal says what is wrong. That a service
    does not accept even a fresh one is known of application credentials with access rules.

    Args:
        service: as sentences name it.
        wanted: what access rules must allow, as in "they must allow to ...".
    """
    try:
        yield
    except Unauthorized as error:
        raise CredentialBroken(
            f"{service} does not accept the token that Keystone gave for it. If it is an application "
            f"credential with access rules, they must allow to {wanted}.",
            for_good=False,
        ) from error
    except ClientException as error:
        raise cloud_error(error) from error


def require_its_own(error: HttpError) -> None:
    """Raise a 404 again if it comes from something in front of the service, which knows nothing of it."""
    if not refused(error):
        raise error


def document_of(answer: Response, service: str, noun: str) -> dict[str, Any]:
    """Return the document that a service answers with, which must have ``noun``.

    Raises:
        CloudUnavailable: it has not, or is none.
    """
    try:
        document = answer.json()
    except ValueError:
        document = None
    if not isinstance(document, dict) or noun not in document:
        raise CloudUnavailable(f"{service}'s answer has no {noun!r}.")
    return document
