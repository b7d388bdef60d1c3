"""What the operator sets: environment variables, read once into one frozen value and passed on.

OpenStack's service user is named by the variables of an openrc file. Lambda sets AWS_REGION itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from chalicelib.core.quota import Quota
from chalicelib.core.rates import Rates
from chalicelib.ports import Limits
from chalicelib.ports.alarms import ALARMS_OF_GROUP_MAX
from chalicelib.ports.samples import SAMPLES_SHARDS_MAX
from chalicelib.ports.storage import MEMBERS_MAX_IN_ONE_WRITE

T = TypeVar("T")


class Misconfigured(Exception):
    """The environment does not do; every problem is named at once.

    Attributes:
        problems: one sentence for each variable that is missing or malformed, without its value.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("The environment is not complete: " + "; ".join(problems) + ".")
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceUserSettings:
    """The user in Keystone that owners delegate to, and where its cloud is.

    Attributes:
        auth_url: Keystone's, ending in ``/v3``.
        username, user_id: one of them is set; so it is with the project's.
        password, password_secret: exactly one is set; the latter names a secret in AWS Secrets Manager
            that holds the password.
        interface: public, internal or admin: which endpoints of the catalog are used.
        endpoint_hosts: the only hosts, with all below them, that the catalog may lead to; none is any.
        cacert: the path of a bundle of certificates to trust instead of the usual ones.
    """

    auth_url: str
    username: str | None = None
    user_id: str | None = None
    password: str | None = field(default=None, repr=False)
    password_secret: str | None = None
    project_name: str | None = None
    project_id: str | None = None
    user_domain_name: str = "Default"
    project_domain_name: str = "Default"
    region_name: str | None = None
    interface: str = "public"
    cacert: str | None = None
    endpoint_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that can be set.

    Attributes:
        table_prefix: what the names of our tables begin with: ``deploy.resources`` names them so.
        kms_key: id, ARN or alias of the key that seals secrets.
        public_url: what webhooks' URLs begin with; None takes it from each request.
        region: of AWS.
        history_days: how long executions and activities are kept.
        metrics: whether log lines are made so that CloudWatch makes metrics of them.
    """

    stage: str
    table_prefix: str
    queue_url: str
    kms_key: str
    public_url: str | None
    region: str
    service_user: ServiceUserSettings
    limits: Limits
    history_days: int
    log_level: str
    metrics: bool = True


def read(environ: Mapping[str, str]) -> Settings:
    """Return the settings in ``environ``.

    Raises:
        Misconfigured: variables are missing or malformed; all of them are named.
    """
    reader = _Reader(environ)
    stage = reader.text("STAGE", _name)
    settings = Settings(
        stage=stage,
        table_prefix=f"thermostat-{stage}-",
        queue_url=reader.text("QUEUE_URL", _url),
        kms_key=reader.text("KMS_KEY"),
        public_url=reader.optional("PUBLIC_URL", _url),
        region=reader.either("AWS_REGION", "AWS_DEFAULT_REGION"),
        service_user=_service_user(reader),
        limits=_limits(reader),
        history_days=reader.number("HISTORY_DAYS", 90),
        log_level=reader.optional("LOG_LEVEL", _log_level) or "INFO",
        metrics=reader.optional("METRICS", _metrics) != "none",
    )
    if reader.problems:
        raise Misconfigured(tuple(reader.problems))
    return settings


def _service_user(reader: _Reader) -> ServiceUserSettings:
    reader.either("OS_USERNAME", "OS_USER_ID")
    reader.either("OS_PROJECT_NAME", "OS_PROJECT_ID")
    reader.either("OS_PASSWORD", "OS_PASSWORD_SECRET", only_one=True)
    return ServiceUserSettings(
        auth_url=reader.text("OS_AUTH_URL", _keystone_url),
        username=reader.optional("OS_USERNAME"),
        user_id=reader.optional("OS_USER_ID"),
        password=reader.optional("OS_PASSWORD"),
        password_secret=reader.optional("OS_PASSWORD_SECRET"),
        project_name=reader.optional("OS_PROJECT_NAME"),
        project_id=reader.optional("OS_PROJECT_ID"),
        user_domain_name=reader.optional("OS_USER_DOMAIN_NAME") or "Default",
        project_domain_name=reader.optional("OS_PROJECT_DOMAIN_NAME") or "Default",
        region_name=reader.optional("OS_REGION_NAME"),
        interface=reader.optional("OS_INTERFACE", _interface) or "public",
        cacert=reader.optional("OS_CACERT"),
        endpoint_hosts=tuple((reader.optional("OS_ENDPOINT_HOSTS", _hosts) or "").split()),
    )


def _limits(reader: _Reader) -> Limits:
    limits = Limits(
        quota=Quota(
            groups=reader.number("QUOTA_GROUPS", 100),
            members=reader.number("QUOTA_MEMBERS", 1000),
            policies=reader.number("QUOTA_POLICIES", 500),
            webhooks=reader.number("QUOTA_WEBHOOKS", 1000),
            launch_configurations=reader.number("QUOTA_LAUNCH_CONFIGURATIONS", 200),
            credentials=reader.number("QUOTA_CREDENTIALS", 50),
            alarms=reader.number("QUOTA_ALARMS", 100),
            schedules=reader.number("QUOTA_SCHEDULES", 125),
        ),
        rates=Rates(
            webhook=reader.number("RATE_WEBHOOK", 120),
            intake=reader.number("RATE_INTAKE", 6000),
            project_webhooks=reader.number("RATE_PROJECT_WEBHOOKS", 3000),
            project_samples=reader.number("RATE_PROJECT_SAMPLES", 30_000),
            project_calls=reader.number("RATE_PROJECT_CALLS", 6000),
        ),
        shards=reader.number("SHARDS", 8),
        steps_max=reader.number("STEPS_MAX", 50),
        round_seconds=reader.number("ROUND_SECONDS", 25),
        lease_seconds=reader.number("LEASE_SECONDS", 75),
        adoption_seconds=reader.number("ADOPTION_SECONDS", 60),
        tick_seconds=reader.number("TICK_SECONDS", 60),
        samples_days=reader.number("SAMPLES_DAYS", 15),
        samples_shards=reader.number("SAMPLES_SHARDS", 4),
    )
    if limits.steps_max > MEMBERS_MAX_IN_ONE_WRITE:
        reader.problems.append(f"STEPS_MAX must be at most {MEMBERS_MAX_IN_ONE_WRITE}")
    if limits.samples_shards > SAMPLES_SHARDS_MAX:
        reader.problems.append(f"SAMPLES_SHARDS must be at most {SAMPLES_SHARDS_MAX}")
    if limits.quota.alarms > ALARMS_OF_GROUP_MAX:
        reader.problems.append(f"QUOTA_ALARMS must be at most {ALARMS_OF_GROUP_MAX}")
    if limits.lease_seconds <= limits.round_seconds:
        reader.problems.append("LEASE_SECONDS must be more than ROUND_SECONDS")
    return limits


class _Reader:
    """Reads variables one by one and collects what is wrong; an empty one counts as missing."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def optional(self, name: str, parse: Callable[[str], str] = str) -> str | None:
        """Return the variable, or None when it is missing or malformed."""
        return self._parsed(name, parse) if self._environ.get(name) else None

    def text(self, name: str, parse: Callable[[str], str] = str) -> str:
        """Return the variable, which must be set; "" stands for one that is not or is malformed."""
        if not self._environ.get(name):
            self.problems.append(f"{name} is missing")
            return ""
        return self._parsed(name, parse) or ""

    def either(self, name: str, other: str, *, only_one: bool = False) -> str:
        """Return the first of the two that is set; at least one must be, or exactly one."""
        found = [self._environ[each] for each in (name, other) if self._environ.get(each)]
        if not found:
            self.problems.append(f"{name} or {other} is missing")
        if only_one and len(found) > 1:
            self.problems.append(f"of {name} and {other} only one may be set")
        return found[0] if found else ""

    def number(self, name: str, default: int) -> int:
        """Return the variable, an integer of at least 1, or the default when it is missing."""
        parsed = self._parsed(name, _positive) if self._environ.get(name) else None
        return default if parsed is None else parsed

    def _parsed(self, name: str, parse: Callable[[str], T]) -> T | None:
        try:
            return parse(self._environ[name])
        except ValueError as error:
            self.problems.append(f"{name} {error}")
            return None


def _positive(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < 1:
        raise ValueError("must be a whole number of at least 1")
    return int(text)


def _name(text: str) -> str:
    # It becomes part of the tables' names, where DynamoDB allows these characters only.
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", text):
        raise ValueError("must consist of letters, digits, '-', '_' and '.'")
    return text


def _url(text: str) -> str:
    if not re.fullmatch(r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?(/\S*)?", text):
        raise ValueError("must be an http or https URL")
    return text.rstrip("/")


def _keystone_url(text: str) -> str:
    """Return the URL of Keystone's v3 API; clouds name it with and without the version."""
    url = _url(text)
    return url if url.endswith("/v3") else f"{url}/v3"


def _hosts(text: str) -> str:
    """Return the names, separated by spaces; commas do as well."""
    hosts = text.lower().replace(",", " ").split()
    if not all(re.fullmatch(r"[a-z0-9.-]+|[0-9a-f:]+", host) for host in hosts):
        raise ValueError("must be names of hosts, or addresses, separated by commas")
    return " ".join(hosts)


def _interface(text: str) -> str:
    """Return the interface; old openrc files write publicURL for public."""
    interface = text.removesuffix("URL")
    if interface not in {"public", "internal", "admin"}:
        raise ValueError("must be public, internal or admin")
    return interface


def _log_level(text: str) -> str:
    level = text.upper()
    if level not in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}:
        raise ValueError("must be DEBUG, INFO, WARNING, ERROR or CRITICAL")
    return level


def _metrics(text: str) -> str:
    if text not in {"cloudwatch", "none"}:
        raise ValueError("must be cloudwatch or none")
    return text
