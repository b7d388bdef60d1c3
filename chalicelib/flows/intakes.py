"""Intakes: the capability URL of a group's servers, made, rotated, revoked, and handed to new servers."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from chalicelib.core.errors import Invalid, NotFound
from chalicelib.core.group import Group
from chalicelib.core.ids import GroupId, ProjectId
from chalicelib.core.intake import URL_MAX_CHARACTERS, Intake, intake_url
from chalicelib.core.token import hash_of, issued, rotated
from chalicelib.flows.retry import until_not_stale
from chalicelib.ports import Services
from chalicelib.ports.storage import GroupKey


@dataclass(frozen=True, slots=True)
class Issued:
    """An intake with its newest token, if that was issued just now: it is shown this once."""

    intake: Intake
    token: str | None


def ensure(s: Services, project_id: ProjectId, group_id: GroupId, base: str) -> Issued:
    """Make the group's intake, or return the one that is there, whose token is not shown again.

    Args:
        base: what the URL begins with.

    Raises:
        Invalid: the URL is too long to be handed to a server.
        NotFound: there is no such group.
    """
    known = s.intakes.find(project_id, group_id)
    if known is not None:
        return Issued(known, None)
    now, token = s.now(), s.new_token()
    _require_short(base, token)
    wanted = Intake(
        project_id=project_id,
        group_id=group_id,
        tokens=(issued(token, now),),
        sealed_token=s.vault.seal(project_id, _vault_id(group_id), token),
        base=base,
        created_at=now,
        updated_at=now,
    )
    intake, is_new = s.intakes.create(wanted)
    return Issued(intake, token if is_new else None)


def rotate(
    s: Services,
    project_id: ProjectId,
    group_id: GroupId,
    base: str,
    *,
    keep_previous: timedelta | None,
    rotation: str | None = None,
) -> Issued:
    """Issue a new token, which new servers get; one from before the last rotation ends at once.

    Asked again for the same ``rotation``, the token that it issued ends instead.

    Args:
        keep_previous: how long the last one lives on, for servers that have it; None is until the next
            rotation.
    """

    def attempt() -> Issued:
        was = s.intakes.get(project_id, group_id)
        now, token = s.now(), s.new_token()
        _require_short(base, token)
        new = replace(
            was,
            tokens=rotated(was.tokens, issued(token, now, rotation), now, keep_previous),
            sealed_token=s.vault.seal(project_id, _vault_id(group_id), token),
            base=base,
            updated_at=now,
        )
        return Issued(s.intakes.change(was, new), token)

    return until_not_stale(s, attempt)


def revoke(s: Services, project_id: ProjectId, group_id: GroupId) -> None:
    """Delete the intake with its tokens, also while others change it; NotFound when there is none."""
    until_not_stale(s, lambda: s.intakes.delete(project_id, group_id))


def end(s: Services, project_id: ProjectId, group_id: GroupId) -> None:
    """Take away all that a group has for its samples; what is gone already is a success."""
    with suppress(NotFound):
        revoke(s, project_id, group_id)
    s.meters.forget(GroupKey(project_id=project_id, group_id=group_id))


def group_of_token(s: Services, token: str) -> GroupKey:
    """Return the group whose live token this is.

    Raises:
        NotFound: it is nobody's; nothing tells an unknown token from one that has ended.
    """
    found = s.intakes.by_token(hash_of(token))
    if found is None or (found.expires_at is not None and found.expires_at <= s.now()):
        raise NotFound("intake.unknown", "There is no such intake.")
    return found.key


def url_for_servers(s: Services, group: Group) -> str | None:
    """Return the URL that new servers of the group get; None where the group has no intake.

    Raises:
        CredentialBroken: the token was not sealed by our key.
        Unavailable: secrets cannot be opened now.
    """
    intake = s.intakes.find(group.project_id, group.id)
    if intake is None:
        return None
    return intake_url(intake.base, s.vault.open(group.project_id, _vault_id(group.id), intake.sealed_token))


def _vault_id(group_id: GroupId) -> str:
    return f"intake/{group_id}"


def _require_short(base: str, token: str) -> None:
    if len(intake_url(base, token)) > URL_MAX_CHARACTERS:
        raise Invalid(
            "intake.url_too_long",
            f"The URL of an intake has at most {URL_MAX_CHARACTERS} characters, Nova's limit for metadata.",
        )
