"""What whoever deploys sets, as the template's parameters: the environment of the service, and a topic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One environment variable that is set when the stack is.

    Attributes:
        of_functions: the functions read it, too; else it is for the template alone.
        needed: a stack cannot be made without it; the others may stay empty, which counts as not set.
        pattern: what a value must look like, empty ones aside.
    """

    variable: str
    says: str
    needed: bool = False
    of_functions: bool = True
    pattern: str = ".*"

    @property
    def name(self) -> str:
        """The name in the template, where underscores are not allowed: OsAuthUrl for OS_AUTH_URL."""
        return "".join(word.capitalize() for word in self.variable.split("_"))

    def declaration(self) -> dict[str, Any]:
        """Return the parameter as CloudFormation takes it."""
        declared = {"Type": "String", "Description": self.says}
        if self.needed:
            return declared | {"AllowedPattern": self.pattern, "MinLength": 1}
        return declared | {"AllowedPattern": f"({self.pattern})?", "Default": ""}


_URL = "https?://[^\\s]+"
_NUMBER = "[1-9][0-9]{0,8}"
_SECRET = "arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[^\\s*]+"  # noqa: S105  (a pattern)
_TOPIC = "arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+"

PARAMETERS = (
    Parameter(variable="OS_AUTH_URL", says="Keystone's URL.", needed=True, pattern=_URL),
    Parameter(variable="OS_USERNAME", says="The service user's name (or else OS_USER_ID)."),
    Parameter(variable="OS_USER_ID", says="The service user's id (or else OS_USERNAME)."),
    Parameter(
        variable="OS_PASSWORD_SECRET",
        says="ARN of the Secrets Manager secret whose text is the service user's password.",
        needed=True,
        pattern=_SECRET,
    ),
    Parameter(variable="OS_PROJECT_NAME", says="The service user's project (or else OS_PROJECT_ID)."),
    Parameter(variable="OS_PROJECT_ID", says="The id of the service user's project."),
    Parameter(variable="OS_USER_DOMAIN_NAME", says="The service user's domain; Default if empty."),
    Parameter(variable="OS_PROJECT_DOMAIN_NAME", says="The project's domain; Default if empty."),
    Parameter(variable="OS_REGION_NAME", says="The region of the cloud; its only one if empty."),
    Parameter(
        variable="OS_INTERFACE",
        says="Which endpoints of the catalog are used; public if empty.",
        pattern="(public|internal|admin)(URL)?",
    ),
    Parameter(
        variable="OS_ENDPOINT_HOSTS",
        says="The only hosts, separated by commas, that the catalog may lead to; any if empty.",
        pattern="[A-Za-z0-9.:, -]+",
    ),
    Parameter(
        variable="PUBLIC_URL",
        says="What webhooks' URLs begin with, for a domain of one's own; as requested if empty.",
        pattern=_URL,
    ),
    Parameter(variable="HISTORY_DAYS", says="How long history is kept; 90 if empty.", pattern=_NUMBER),
    Parameter(variable="SAMPLES_DAYS", says="How long samples are kept; 15 if empty.", pattern=_NUMBER),
    Parameter(
        variable="SAMPLES_SHARDS",
        says="In how many parts samples are written; 4 if empty, more for groups of thousands.",
        pattern=_NUMBER,
    ),
    Parameter(
        variable="SHARDS",
        says="In how many parts all is swept and judged each minute; 8 if empty. May grow, never shrink.",
        pattern=_NUMBER,
    ),
    Parameter(
        variable="LOG_LEVEL",
        says="INFO if empty.",
        pattern="DEBUG|INFO|WARNING|ERROR|CRITICAL",
    ),
    Parameter(
        variable="METRICS",
        says="Whether CloudWatch makes metrics of the logs; cloudwatch if empty.",
        pattern="cloudwatch|none",
    ),
    *(
        Parameter(variable=f"QUOTA_{noun}", says="What each project may have at most.", pattern=_NUMBER)
        for noun in (
            "GROUPS",
            "MEMBERS",
            "POLICIES",
            "WEBHOOKS",
            "LAUNCH_CONFIGURATIONS",
            "CREDENTIALS",
            "ALARMS",
            "SCHEDULES",
        )
    ),
    *(
        Parameter(variable=variable, says=says, pattern=pattern)
        for variable, says, pattern in (
            (
                "HTTPS_PROXY",
                "The proxy through which https URLs are reached, AWS's too; none if empty.",
                _URL,
            ),
            ("HTTP_PROXY", "The proxy through which http URLs are reached; none if empty.", _URL),
            ("NO_PROXY", "Hosts and domains that are reached without, separated by commas.", "[^\\s]+"),
        )
    ),
    Parameter(
        variable="SUBNET_IDS",
        says="Subnets to run in, separated by commas, for a cloud on a private network; none if empty.",
        of_functions=False,
        pattern="subnet-[0-9a-f]+(,subnet-[0-9a-f]+)*",
    ),
    Parameter(
        variable="SECURITY_GROUP_IDS",
        says="Security groups to run in, separated by commas; needed with SUBNET_IDS.",
        of_functions=False,
        pattern="sg-[0-9a-f]+(,sg-[0-9a-f]+)*",
    ),
    *(
        Parameter(variable=f"RATE_{what}", says="How many calls a minute are taken.", pattern=_NUMBER)
        for what in ("WEBHOOK", "INTAKE", "PROJECT_WEBHOOKS", "PROJECT_SAMPLES", "PROJECT_CALLS")
    ),
    Parameter(
        variable="OPERATOR_TOPIC",
        says="ARN of the SNS topic that every alarm tells; none if empty.",
        of_functions=False,
        pattern=_TOPIC,
    ),
)


def declarations() -> dict[str, Any]:
    """Return the template's Parameters."""
    return {parameter.name: parameter.declaration() for parameter in PARAMETERS}


def variables() -> dict[str, Any]:
    """Return the environment that every function gets: the parameters, and the template's own resources."""
    return {
        **{each.variable: {"Ref": each.name} for each in PARAMETERS if each.of_functions},
        "QUEUE_URL": {"Ref": "WorkQueue"},
        "KMS_KEY": {"Fn::GetAtt": ["SecretsKey", "Arn"]},
    }


def missing(environ: Mapping[str, str]) -> list[str]:
    """Return what ``environ`` lacks for a new stack, a line for each."""
    lacking = [p.variable for p in PARAMETERS if p.needed and not environ.get(p.variable)]
    pairs = (("OS_USERNAME", "OS_USER_ID"), ("OS_PROJECT_NAME", "OS_PROJECT_ID"))
    return lacking + [" or ".join(pair) for pair in pairs if not any(environ.get(each) for each in pair)]


def halves(environ: Mapping[str, str]) -> list[str]:
    """Return what ``environ`` names without its other half: subnets, or security groups."""
    network = ("SUBNET_IDS", "SECURITY_GROUP_IDS")
    given = [each for each in network if environ.get(each)]
    return given if len(given) == 1 else []
