from __future__ import annotations

from collections.abc import Mapping

import pytest

from chalicelib import settings
from chalicelib.core.quota import Quota
from chalicelib.core.rates import Rates
from chalicelib.ports import Limits
from chalicelib.settings import Misconfigured

LEAST: Mapping[str, str] = {
    "STAGE": "prod",
    "QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/1/work",
    "KMS_KEY": "alias/thermostat",
    "AWS_REGION": "eu-central-1",
    "OS_AUTH_URL": "https://keystone.example/identity",
    "OS_USERNAME": "thermostat",
    "OS_PASSWORD_SECRET": "thermostat/keystone",
    "OS_PROJECT_NAME": "service",
}


def problems(environ: Mapping[str, str]) -> tuple[str, ...]:
    with pytest.raises(Misconfigured) as caught:
        settings.read(environ)
    return caught.value.problems


def test_the_least_that_must_be_set_is_enough() -> None:
    read = settings.read(LEAST)
    assert read.table_prefix == "thermostat-prod-"
    assert read.public_url is None
    assert read.history_days == 90
    assert read.log_level == "INFO"
    assert read.limits == Limits(
        quota=Quota(
            groups=100,
            members=1000,
            policies=500,
            webhooks=1000,
            launch_configurations=200,
            credentials=50,
            alarms=100,
            schedules=125,
        ),
        shards=8,
        steps_max=50,
        round_seconds=25,
        lease_seconds=75,
        adoption_seconds=60,
    )
    user = read.service_user
    assert (user.user_domain_name, user.project_domain_name, user.interface) == (
        "Default",
        "Default",
        "public",
    )
    assert user.password_secret == "thermostat/keystone"


def test_everything_missing_is_named_at_once() -> None:
    assert problems({}) == (
        "STAGE is missing",
        "QUEUE_URL is missing",
        "KMS_KEY is missing",
        "AWS_REGION or AWS_DEFAULT_REGION is missing",
        "OS_USERNAME or OS_USER_ID is missing",
        "OS_PROJECT_NAME or OS_PROJECT_ID is missing",
        "OS_PASSWORD or OS_PASSWORD_SECRET is missing",
        "OS_AUTH_URL is missing",
    )


def test_an_empty_variable_counts_as_missing() -> None:
    assert problems({**LEAST, "STAGE": ""}) == ("STAGE is missing",)
    assert settings.read({**LEAST, "PUBLIC_URL": "", "SHARDS": ""}).limits.shards == 8


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STAGE", "my stage"),
        ("QUEUE_URL", "work"),
        ("QUEUE_URL", "https://"),
        ("PUBLIC_URL", "ftp://example"),
        ("PUBLIC_URL", "https://[bad"),
        ("OS_AUTH_URL", "keystone.example:5000"),
        ("OS_INTERFACE", "inside"),
        ("OS_ENDPOINT_HOSTS", "https://cloud.example"),
        ("SHARDS", "0"),
        ("SHARDS", "-1"),
        ("SHARDS", "8.5"),
        ("SHARDS", "many"),
        ("SHARDS", "\u0661"),
        ("HISTORY_DAYS", "9" * 5000),
        ("QUOTA_GROUPS", " 7"),
        ("LOG_LEVEL", "LOUD"),
        ("METRICS", "statsd"),
    ],
)
def test_a_malformed_variable_is_named(name: str, value: str) -> None:
    (problem,) = problems({**LEAST, name: value})
    assert problem.startswith(f"{name} must ")


def test_missing_and_malformed_variables_are_named_together() -> None:
    found = problems({**LEAST, "STAGE": "", "SHARDS": "x", "LOG_LEVEL": "x"})
    assert [problem.split()[0] for problem in found] == ["STAGE", "SHARDS", "LOG_LEVEL"]


def test_a_lease_must_outlast_a_round() -> None:
    assert problems({**LEAST, "ROUND_SECONDS": "75"}) == ("LEASE_SECONDS must be more than ROUND_SECONDS",)


def test_a_group_never_has_more_alarms_than_are_read_at_once() -> None:
    assert problems({**LEAST, "QUOTA_ALARMS": "1001"}) == ("QUOTA_ALARMS must be at most 1000",)


def test_the_password_is_given_or_kept_secret_but_not_both() -> None:
    assert problems({**LEAST, "OS_PASSWORD": "pw"}) == (
        "of OS_PASSWORD and OS_PASSWORD_SECRET only one may be set",
    )


def test_the_password_is_not_shown() -> None:
    environ = {name: value for name, value in LEAST.items() if name != "OS_PASSWORD_SECRET"}
    read = settings.read({**environ, "OS_PASSWORD": "hunter2"})
    assert read.service_user.password == "hunter2"
    assert "hunter2" not in repr(read)


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("https://k.example", "https://k.example/v3"),
        ("https://k.example/identity/", "https://k.example/identity/v3"),
        ("http://127.0.0.1:5000/v3/", "http://127.0.0.1:5000/v3"),
    ],
)
def test_keystone_may_be_named_with_or_without_its_version(given: str, used: str) -> None:
    assert settings.read({**LEAST, "OS_AUTH_URL": given}).service_user.auth_url == used


def test_what_is_set_is_used() -> None:
    read = settings.read(
        {
            **LEAST,
            "PUBLIC_URL": "https://scale.example/",
            "OS_USER_ID": "u1",
            "OS_REGION_NAME": "RegionOne",
            "OS_INTERFACE": "internalURL",
            "OS_ENDPOINT_HOSTS": "Cloud.example, 10.0.0.5",
            "OS_CACERT": "/etc/ca.pem",
            "QUOTA_MEMBERS": "5",
            "RATE_WEBHOOK": "7",
            "STEPS_MAX": "7",
            "SAMPLES_DAYS": "3",
            "SAMPLES_SHARDS": "64",
            "LOG_LEVEL": "debug",
        }
    )
    assert read.public_url == "https://scale.example"
    assert read.log_level == "DEBUG"
    assert (read.limits.quota.members, read.limits.steps_max) == (5, 7)
    assert read.limits.rates == Rates(webhook=7)
    assert read.service_user.endpoint_hosts == ("cloud.example", "10.0.0.5")
    assert (read.limits.samples_days, read.limits.samples_shards) == (3, 64)
    user = read.service_user
    assert (user.user_id, user.region_name, user.interface) == ("u1", "RegionOne", "internal")
    assert user.cacert == "/etc/ca.pem"


def test_a_period_has_so_many_shards_and_no_more() -> None:
    with pytest.raises(settings.Misconfigured, match="SAMPLES_SHARDS must be at most 64"):
        settings.read({**LEAST, "SAMPLES_SHARDS": "65"})


def test_outside_of_lambda_the_region_has_its_other_name() -> None:
    environ = {name: value for name, value in LEAST.items() if name != "AWS_REGION"}
    assert settings.read({**environ, "AWS_DEFAULT_REGION": "eu-west-1"}).region == "eu-west-1"
