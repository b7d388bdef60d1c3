from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.core.credential import Credential
from chalicelib.core.errors import Forbidden, Invalid, Unauthenticated, Unavailable
from chalicelib.openstack.delegation import Delegations
from chalicelib.openstack.keystone import Keystone
from chalicelib.openstack.session import ServiceUser
from chalicelib.ports.cloud import CloudUnavailable, CredentialBroken
from dev.simcloud import PASSWORD, Effect, Fault, SimCloud
from tests.openstack.site import Clock, Owner, PlainVault, Site

ADMIN = Owner(name="admin", password=PASSWORD, project="admin")
READER = Owner(name="reader", password=PASSWORD, project="demo")


def asked_about_tokens(cloud: SimCloud) -> int:
    return sum((entry.method, entry.path) == ("GET", "/v3/auth/tokens") for entry in cloud.requests)


def test_a_token_tells_who_calls(site: Site) -> None:
    token = site.token()
    caller = site.keystone().authenticate(token)
    assert "member" in caller.roles
    assert caller.user_id
    assert caller.project_id
    assert caller.token == token
    assert token not in repr(caller)


@pytest.mark.parametrize("token", ["unknown", "gAAAAABunknown", "x" * 4000])
def test_a_token_that_keystone_does_not_know_is_not_let_in(site: Site, token: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        site.keystone().authenticate(token)
    assert caught.value.code == "autoscaling.token.invalid"


@pytest.mark.parametrize("token", ["", "a b", "a\nb", "a\x00", "\u017eeton", "a" * 8193, "token\n"])
def test_what_cannot_be_a_token_is_not_asked_about(sim: Site, cloud: SimCloud, token: str) -> None:
    with pytest.raises(Unauthenticated):
        sim.keystone().authenticate(token)
    assert cloud.requests == ()


def test_a_token_of_no_project_is_not_let_in(site: Site) -> None:
    with pytest.raises(Forbidden) as caught:
        site.keystone().authenticate(site.token(scoped=False))
    assert caught.value.code == "autoscaling.token.not_project_scoped"


def test_keystone_is_asked_once_in_half_a_minute_about_a_token(sim: Site, cloud: SimCloud) -> None:
    clock, token = Clock(), sim.token()
    keystone = sim.keystone(clock)
    first = keystone.authenticate(token)
    clock.seconds += 29
    assert keystone.authenticate(token) == first
    assert asked_about_tokens(cloud) == 1
    clock.seconds += 1
    keystone.authenticate(token)
    assert asked_about_tokens(cloud) == 2


def test_a_revoked_token_is_noticed_after_half_a_minute(sim: Site, cloud: SimCloud) -> None:
    clock, token = Clock(), sim.token()
    keystone = sim.keystone(clock)
    keystone.authenticate(token)
    cloud.backstage.disable_user("demo")
    clock.seconds += 30
    with pytest.raises(Unauthenticated):
        keystone.authenticate(token)


def test_no_token_is_let_in_beyond_its_end_though_keystone_was_asked_a_moment_ago(sim: Site) -> None:
    now = datetime.now(UTC)
    times = iter([now, now + timedelta(hours=2)])
    keystone, token = sim.keystone(now=lambda: next(times)), sim.token()
    keystone.authenticate(token)
    with pytest.raises(Unauthenticated):
        keystone.authenticate(token)


def test_two_tokens_are_two_callers(sim: Site) -> None:
    keystone = sim.keystone()
    assert keystone.authenticate(sim.token()).user_id != keystone.authenticate(sim.token(ADMIN)).user_id


def test_a_keystone_in_trouble_lets_nobody_in_and_is_not_remembered(sim: Site, cloud: SimCloud) -> None:
    keystone, token = sim.keystone(), sim.token()
    fault = Fault(what=Effect.ANSWER, service="keystone", method="GET", status=503, retry_after_seconds=7)
    cloud.faults.add(fault)
    with pytest.raises(Unavailable) as caught:
        keystone.authenticate(token)
    assert caught.value.code == "autoscaling.keystone.unavailable"
    assert caught.value.retry_after_seconds == 7
    assert keystone.authenticate(token)


@pytest.mark.parametrize("status", [401, 403, 429, 500, 502])
def test_whatever_keystone_answers_but_yes_lets_nobody_in(sim: Site, cloud: SimCloud, status: int) -> None:
    cloud.faults.add(Fault(what=Effect.ANSWER, service="keystone", method="GET", status=status, times=2))
    with pytest.raises(Unavailable) as caught:
        sim.keystone().authenticate(sim.token())
    assert caught.value.retry_after_seconds


def test_a_404_from_something_before_keystone_does_not_tell_the_caller_off(
    sim: Site, cloud: SimCloud
) -> None:
    fault = Fault(
        what=Effect.ANSWER, service="keystone", method="GET", status=404, body={"html": "no such page"}
    )
    cloud.faults.add(fault)
    with pytest.raises(Unavailable):
        sim.keystone().authenticate(sim.token())


def test_our_own_user_being_refused_lets_nobody_in(sim: Site) -> None:
    service_user = ServiceUser(sim.settings, lambda: "wrong")
    keystone = Keystone(service_user, Delegations(service_user, PlainVault()))
    with pytest.raises(Unavailable, match="own service user"):
        keystone.authenticate(sim.token())


def test_while_our_own_password_cannot_be_read_nobody_is_let_in(sim: Site) -> None:
    passwords = iter([None, sim.password])

    def read() -> str:
        password = next(passwords)
        if password is None:
            raise CloudUnavailable("Its password cannot be read.", certainly_not_done=True)
        return password

    service_user = ServiceUser(sim.settings, read)
    keystone = Keystone(service_user, Delegations(service_user, PlainVault()))
    with pytest.raises(Unavailable, match="cannot be read"):
        keystone.authenticate(sim.token())
    assert keystone.authenticate(sim.token())


def test_our_own_token_being_revoked_is_not_noticed_by_callers(sim: Site, cloud: SimCloud) -> None:
    keystone = sim.keystone(kept_seconds=0)
    keystone.authenticate(sim.token())
    cloud.world.tokens.clear()
    assert keystone.authenticate(sim.token())


def test_a_trust_is_made_from_the_callers_token_and_works(site: Site, trust: Credential) -> None:
    site.keystone().check(trust)


def test_a_check_tells_the_roles_that_a_trust_comes_to_with_those_implied(
    site: Site, trust: Credential
) -> None:
    assert site.keystone().check(trust) == {"member", "reader"}


def test_a_trust_may_be_delegated_on_where_that_is_asked(site: Site, trust_for_stacks: Credential) -> None:
    caller = site.caller()
    path = f"/OS-TRUST/trusts/{trust_for_stacks.reference}"
    assert site.as_caller(caller, "GET", path)["trust"]["redelegation_count"] == 1


def test_a_role_that_the_caller_lacks_cannot_be_delegated(site: Site) -> None:
    with pytest.raises(Invalid, match="you lack one") as caught:
        site.keystone().create_trust(site.caller(), ["admin"])
    assert caught.value.code == "autoscaling.credential.role_missing"


def test_a_role_that_there_is_not_cannot_be_delegated(site: Site) -> None:
    with pytest.raises(Invalid):
        site.keystone().create_trust(site.caller(), ["no-such-role"])


def test_a_trust_without_roles_is_refused(site: Site) -> None:
    with pytest.raises(Forbidden, match="At least one role"):
        site.keystone().create_trust(site.caller(), [])


def test_the_token_of_an_application_credential_makes_no_trust_and_is_told_what_to_do(
    site: Site, application_credential: Credential
) -> None:
    secret = PlainVault().open(
        application_credential.project_id,
        application_credential.id,
        application_credential.sealed_secret or "",
    )
    token = site.token_of_application_credential(application_credential.reference, secret)
    keystone = site.keystone()
    with pytest.raises(Forbidden, match="application_credential") as caught:
        keystone.create_trust(keystone.authenticate(token), ["member"])
    assert caught.value.code == "autoscaling.credential.delegated_token"


def test_the_token_of_a_trust_makes_no_trust_and_is_told_what_to_do(site: Site, trust: Credential) -> None:
    keystone = site.keystone()
    caller = keystone.authenticate(site.token_of_trust(trust.reference))
    with pytest.raises(Forbidden, match="application_credential"):
        keystone.create_trust(caller, ["member"])


def test_a_token_revoked_a_moment_ago_makes_no_trust_and_deletes_none(sim: Site, cloud: SimCloud) -> None:
    caller, keystone = sim.caller(), sim.keystone()
    cloud.world.tokens.clear()
    with pytest.raises(Unauthenticated):
        keystone.create_trust(caller, ["member"])
    with pytest.raises(Unauthenticated):
        keystone.delete_trust(caller, "f" * 32)


def test_a_trust_that_may_have_been_made_is_not_asked_for_again(sim: Site, cloud: SimCloud) -> None:
    caller, keystone = sim.caller(), sim.keystone()
    cloud.faults.add(Fault(what=Effect.PERFORM_THEN_DROP, service="keystone", path="OS-TRUST"))
    with pytest.raises(Unavailable):
        keystone.create_trust(caller, ["member"])
    assert len(cloud.world.trusts) == 1


def test_a_keystone_in_trouble_makes_no_trust(sim: Site, cloud: SimCloud) -> None:
    caller, keystone = sim.caller(), sim.keystone()
    cloud.faults.add(Fault(what=Effect.ANSWER, service="keystone", status=500, times=None))
    with pytest.raises(Unavailable):
        keystone.create_trust(caller, ["member"])
    with pytest.raises(Unavailable):
        keystone.delete_trust(caller, "f" * 32)


def test_deleting_a_trust_twice_is_fine(site: Site) -> None:
    trust = site.trust()
    site.withdraw(trust)
    site.withdraw(trust)


def test_a_trust_whose_deletion_was_answered_into_the_void_is_gone(sim: Site, cloud: SimCloud) -> None:
    trust = sim.trust()
    cloud.faults.add(Fault(what=Effect.PERFORM_THEN_DROP, service="keystone", method="DELETE"))
    sim.withdraw(trust)
    assert not cloud.world.trusts


def test_only_the_trustor_deletes_a_trust(sim: Site) -> None:
    trust = sim.trust()
    with pytest.raises(Forbidden, match="Only the user who made the trust") as caught:
        sim.keystone().delete_trust(sim.caller(READER), trust.reference)
    assert caught.value.code == "autoscaling.credential.not_trustor"


def test_a_check_asks_keystone_however_lately_it_was_asked(sim: Site, cloud: SimCloud) -> None:
    trust, keystone = sim.trust(), sim.keystone()
    keystone.check(trust)
    cloud.backstage.delete_trust(trust.reference)
    with pytest.raises(CredentialBroken):
        keystone.check(trust)


def test_a_check_tells_a_keystone_in_trouble_from_a_broken_credential(sim: Site, cloud: SimCloud) -> None:
    trust, keystone = sim.trust(), sim.keystone()
    cloud.faults.add(Fault(what=Effect.ANSWER, service="keystone", status=500))
    with pytest.raises(CloudUnavailable):
        keystone.check(trust)
