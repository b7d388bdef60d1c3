"""The properties of the resource types: groups, launch configurations, credentials, webhooks, schedules.

Those of policies and alarms, which watch metrics, are in ``watching.py``.
"""

from __future__ import annotations

from .fields import ANY, BOOLEAN, INTEGER, LIST, MAP, STRING, Field, Shape

_DAY = 86_400
_SIZE_MAX = 10_000


def named(noun: str, *, updatable: bool = True) -> Field:
    """Return the property ``name``, which most have."""
    return Field(
        kind=STRING, says=f"A name for the {noun}; by default one made of the stack's.", updatable=updatable
    )


def text(says: str) -> Field:
    """Return a plain string inside a map."""
    return Field(kind=STRING, says=says)


GROUP_ID = Field(
    kind=STRING, says="The group it is for.", required=True, updatable=False, constraint="thermostat.group"
)
ENABLED = Field(kind=BOOLEAN, says="Whether it does anything.", default=True)

CREDENTIAL = Shape(
    noun="credential",
    collection="/v1/credentials",
    fields={
        "name": named("credential", updatable=False),
        "type": Field(
            kind=STRING,
            says="A trust, made from the caller's token; or an application credential, handed over.",
            default="trust",
            values=("trust", "application_credential"),
            updatable=False,
        ),
        "roles": Field(
            kind=LIST, says="The roles that a trust delegates.", items=text("A role."), updatable=False
        ),
        "redelegation": Field(
            kind=BOOLEAN,
            says="Whether the trust may be passed on, as members that are stacks need it.",
            updatable=False,
        ),
        "application_credential_id": Field(
            kind=STRING, says="The id of the application credential.", updatable=False
        ),
        "application_credential_secret": Field(
            kind=STRING, says="Its secret: give it as a hidden parameter.", updatable=False
        ),
    },
)

_NOVA_DOCUMENT = Field(kind=MAP, says="As Nova takes it.")

_SERVER = Field(
    kind=MAP,
    says="What each server is made of.",
    updatable=False,
    fields={
        "image": Field(kind=STRING, says="Name or id of the image.", constraint="glance.image"),
        "flavor": Field(
            kind=STRING, says="Name or id of the flavor.", required=True, constraint="nova.flavor"
        ),
        "networks": Field(
            kind=ANY, says="none, auto, or a list of networks and ports as Nova takes it.", default="none"
        ),
        "key_name": Field(kind=STRING, says="The key pair.", constraint="nova.keypair"),
        "security_groups": Field(kind=LIST, says="Names of security groups.", items=text("A name.")),
        "user_data": text("User data, as it is: the plug-in encodes it."),
        "config_drive": Field(kind=BOOLEAN, says="Whether there is a config drive."),
        "metadata": Field(kind=MAP, says="Metadata: texts by key."),
        "tags": Field(kind=LIST, says="Tags.", items=text("A tag.")),
        "scheduler_hints": _NOVA_DOCUMENT,
        "block_device_mapping_v2": Field(kind=LIST, says="Block devices.", items=_NOVA_DOCUMENT),
        "intake_in_user_data": Field(
            kind=BOOLEAN, says="Whether ${THERMOSTAT_INTAKE_URL} in user_data is replaced."
        ),
    },
)

_STACK = Field(
    kind=MAP,
    says="The stack that each member is.",
    updatable=False,
    fields={
        "template": Field(kind=ANY, says="The template, as a text or a map.", required=True),
        "parameters": Field(kind=MAP, says="Its parameters."),
        "files": Field(kind=MAP, says="The files it refers to, by name."),
        "environment": Field(kind=MAP, says="Its environment."),
        "timeout_minutes": Field(kind=INTEGER, says="How long a stack may take.", least=1, most=1440),
        "tags": Field(kind=LIST, says="Tags.", items=text("A tag.")),
    },
)

LAUNCH_CONFIGURATION = Shape(
    noun="launch configuration",
    collection="/v1/launch-configurations",
    fields={
        "name": named("launch configuration", updatable=False),
        "type": Field(
            kind=STRING,
            says="What a member is.",
            default="server",
            values=("server", "stack"),
            updatable=False,
        ),
        "server": _SERVER,
        "stack": _STACK,
    },
)

_LOAD_BALANCER = Field(
    kind=MAP,
    says="A pool that members in service are added to.",
    fields={
        "pool_id": Field(kind=STRING, says="The pool.", required=True),
        "protocol_port": Field(
            kind=INTEGER, says="The port of the members.", required=True, least=1, most=65_535
        ),
        "subnet_id": text("The subnet of the members' addresses."),
        "network": text("The network whose address is taken."),
        "weight": Field(kind=INTEGER, says="The weight of each member.", default=1, least=1, most=256),
        "drain_seconds": Field(
            kind=INTEGER,
            says="How long a member drains before it is removed.",
            default=60,
            least=0,
            most=3600,
        ),
    },
)

ROLLING = Field(
    kind=MAP,
    says="Members are replaced a batch at a time, and the update waits for them.",
    fields={
        "batch_size": Field(kind=INTEGER, says="How many at a time.", default=1, least=1, most=_SIZE_MAX),
        "min_in_service": Field(
            kind=INTEGER, says="How many serve meanwhile, at least.", least=0, most=_SIZE_MAX
        ),
        "pause_seconds": Field(
            kind=INTEGER, says="How long to wait between batches.", default=0, least=0, most=_DAY
        ),
    },
)

_HEAT = Field(
    kind=MAP,
    says="In place of launch_configuration_id: the group of a stack, adjusted from outside.",
    updatable=False,
    fields={
        "stack": Field(kind=STRING, says="The stack's name or id.", required=True),
        "resource": Field(kind=STRING, says="The group's name in its template.", required=True),
        "adjust": Field(
            kind=STRING, says="How it is adjusted.", required=True, values=("parameter", "signal")
        ),
        "parameter": text("The parameter that sets the size."),
        "policies": Field(
            kind=LIST,
            says="The stack's scaling policies.",
            items=Field(
                kind=MAP,
                says="A policy.",
                fields={
                    "resource": Field(kind=STRING, says="Its name in the template.", required=True),
                    "adjustment": Field(kind=INTEGER, says="By how much it scales.", required=True),
                },
            ),
        ),
    },
)

GROUP = Shape(
    noun="group",
    collection="/v1/groups",
    fields={
        "name": named("group"),
        "launch_configuration_id": Field(
            kind=STRING, says="What members are made of.", constraint="thermostat.launch_configuration"
        ),
        "heat": _HEAT,
        "credential_id": Field(
            kind=STRING,
            says="How the service acts for the owner.",
            required=True,
            constraint="thermostat.credential",
        ),
        "min_size": Field(kind=INTEGER, says="At least so many members.", default=0, least=0, most=_SIZE_MAX),
        "max_size": Field(
            kind=INTEGER, says="At most so many members.", required=True, least=0, most=_SIZE_MAX
        ),
        "desired_capacity": Field(
            kind=INTEGER,
            says="How many members to begin with; later it is set only when the template changes it.",
            least=0,
            most=_SIZE_MAX,
        ),
        "cooldown": Field(
            kind=INTEGER, says="Seconds between changes by policies.", default=300, least=0, most=_DAY
        ),
        "removal_order": Field(
            kind=STRING,
            says="Which member goes first.",
            reset="oldest",
            values=("oldest", "newest", "oldest_configuration"),
        ),
        "availability_zones": Field(
            kind=LIST, says="The zones that members are spread over.", reset=[], items=text("A zone.")
        ),
        "build_timeout": Field(
            kind=INTEGER, says="Seconds that a member may take to build.", reset=600, least=30, most=_DAY
        ),
        "load_balancers": Field(
            kind=LIST, says="Pools that members are added to.", reset=[], items=_LOAD_BALANCER
        ),
        "wait_for": Field(
            kind=STRING,
            says="How many members in service complete the creation, and an update that sets a size.",
            default="desired_capacity",
            values=("none", "min_size", "desired_capacity"),
            own=True,
        ),
        "update_policy": Field(
            kind=MAP,
            says="How members are replaced when the launch configuration changes; by default they are not, "
            "and only new ones are made of the new one.",
            own=True,
            fields={"rolling": ROLLING},
        ),
    },
)

WEBHOOK = Shape(
    noun="webhook",
    collection="/v1/policies/{policy_id}/webhooks",
    item="/v1/webhooks",
    fields={
        "policy_id": Field(
            kind=STRING,
            says="The policy that it executes.",
            required=True,
            updatable=False,
            own=True,
            constraint="thermostat.policy",
        ),
        "name": named("webhook"),
        "direction": Field(
            kind=STRING, says="Which way it may scale.", default="any", values=("any", "out", "in")
        ),
        "expires_at": Field(kind=STRING, says="When it ends: ISO 8601, with a zone.", reset=None),
        "signature": Field(
            kind=MAP,
            says="How deliveries are signed; without a secret, one is made: the attribute signature_key.",
            reset=None,
            fields={
                "type": Field(
                    kind=STRING,
                    says="Whose way of signing.",
                    required=True,
                    values=("standard_webhooks", "grafana"),
                ),
                "secret": text("The secret: give it as a hidden parameter."),
                "signature_header": text("Of grafana: the header of the signature."),
                "timestamp_header": text("Of grafana: the header of the time."),
            },
        ),
        "sns_topic_arn": Field(kind=STRING, says="The one topic of Amazon SNS that may call it.", reset=None),
        "expected_every": Field(
            kind=INTEGER,
            says="Seconds after which its silence is told.",
            reset=None,
            least=60,
            most=_DAY,
        ),
    },
)

_WITH_ZONE = "ISO 8601, with a zone."

SCHEDULE = Shape(
    noun="schedule",
    collection="/v1/schedules",
    fields={
        "name": named("schedule"),
        "group_id": Field(
            kind=STRING,
            says="The group whose sizes are set.",
            updatable=False,
            constraint="thermostat.group",
        ),
        "policy_id": Field(
            kind=STRING, says="In place of sizes: the policy to execute.", constraint="thermostat.policy"
        ),
        "at": Field(kind=STRING, says=f"Once, at this time: {_WITH_ZONE}"),
        "cron": Field(kind=STRING, says="Again and again: five fields, in place of at."),
        "timezone": Field(kind=STRING, says="The zone of cron; UTC by default."),
        "start": Field(kind=STRING, says=f"From when on cron holds: {_WITH_ZONE}"),
        "end": Field(kind=STRING, says=f"Until when cron holds: {_WITH_ZONE}"),
        "min_size": Field(kind=INTEGER, says="The new min_size.", least=0, most=_SIZE_MAX),
        "max_size": Field(kind=INTEGER, says="The new max_size.", least=0, most=_SIZE_MAX),
        "desired_capacity": Field(kind=INTEGER, says="The new desired_capacity.", least=0, most=_SIZE_MAX),
        "honor_cooldown": Field(kind=BOOLEAN, says="Whether the policy heeds its cooldowns."),
        "enabled": ENABLED,
    },
)


def schedule_patch(changed: dict[str, object], after: dict[str, object]) -> dict[str, object]:
    """Return what is patched of a schedule: a time, or an action, as a whole where any of it changes.

    Args:
        changed: the properties that change, with their new values.
        after: all properties as they are to be.
    """
    document = {name: changed[name] for name in ("name", "enabled") if changed.get(name) is not None}
    if changed.keys() & {"at", "cron", "timezone", "start", "end"}:
        if after.get("cron") is None:
            document["at"] = after.get("at")
        else:
            document |= {"cron": after["cron"], "timezone": after.get("timezone") or "UTC"}
            document |= {"start": after.get("start"), "end": after.get("end")}
    if changed.keys() & {"policy_id", "honor_cooldown", "min_size", "max_size", "desired_capacity"}:
        if after.get("policy_id") is None:
            document |= {name: after.get(name) for name in ("min_size", "max_size", "desired_capacity")}
        else:
            document["policy_id"] = after["policy_id"]
            document["honor_cooldown"] = bool(after.get("honor_cooldown"))
    return document
