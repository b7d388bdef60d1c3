"""The resource types there are, and what each may be given."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from dev.simcloud.heat.errors import invalid
from dev.simcloud.messages import Document
from dev.simcloud.world import FLAVORS, IMAGE_ID, IMAGE_NAME

GROUP = "OS::Heat::AutoScalingGroup"
NONE = "OS::Heat::None"
POLICY = "OS::Heat::ScalingPolicy"
RANDOM = "OS::Heat::RandomString"
RESOURCE_GROUP = "OS::Heat::ResourceGroup"
SERVER = "OS::Nova::Server"
TEST = "OS::Heat::TestResource"

_ADJUSTMENTS = ("change_in_capacity", "exact_capacity", "percent_change_in_capacity")


class Later(str):
    """Stands for a property's value that only the resources themselves will tell."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A resource type.

    Attributes:
        optional: the properties it may have, ``required`` those it must have; any if both are null.
        in_place: those that may change without the resource being replaced.
        integers: those that are whole numbers.
        check: refuses what is wrong with its properties together.
    """

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] | None = ()
    in_place: tuple[str, ...] = ()
    integers: tuple[str, ...] = ()
    check: Callable[[str, Document], None] = lambda _name, _properties: None


def is_file(kind: str) -> bool:
    """Tell whether a type is the name of a file: a template of its own."""
    return kind.endswith((".yaml", ".yml", ".json", ".template"))


def check_type(kind: str, files: Iterable[str]) -> None:
    """Refuse a type that there is not, here."""
    if kind not in KINDS and not (is_file(kind) and kind in files):
        raise invalid(f"The Resource Type ({kind}) could not be found.")


def check_properties(name: str, kind: str, properties: Document) -> None:
    """Refuse properties, resolved, that a resource of the type ``kind`` does not take."""
    allowed = KINDS.get(kind)
    if allowed is None or allowed.optional is None:
        return
    for each in properties:
        if each not in (*allowed.required, *allowed.optional):
            raise invalid(f"Property error: : resources.{name}.properties: : Unknown Property {each}")
    for each in allowed.required:
        if properties.get(each) is None:
            raise invalid(f"ValueError: : resources.{name}: : Property {each} not assigned")
    for each in allowed.integers:
        if properties.get(each) is not None and not isinstance(properties[each], Later):
            integer(name, properties[each])
    if not any(isinstance(value, Later) for value in properties.values()):
        allowed.check(name, properties)


def integer(name: str, value: Any) -> int:
    """Return a property that is a whole number, given as a number or as text."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise invalid(f"ValueError: : resources.{name}: : Value '{value}' is not an integer") from None
    if number != int(number):
        raise invalid(f"ValueError: : resources.{name}: : Value '{value}' is not an integer")
    return int(number)


def _check_server(name: str, properties: Document) -> None:
    where = f"Property error: : resources.{name}.properties"
    flavor, image = properties["flavor"], properties.get("image")
    if flavor not in FLAVORS:
        why = f"No Flavor matching {{'name': '{flavor}'}}. (HTTP 404)"
        raise invalid(f"{where}.flavor: : Error validating value '{flavor}': {why}")
    if image is not None and image not in (IMAGE_ID, IMAGE_NAME):
        why = f"No images matching {{'name': '{image}'}}."
        raise invalid(f"{where}.image: : Error validating value '{image}': {why}")


def _check_group(name: str, properties: Document) -> None:
    low, high = integer(name, properties["min_size"]), integer(name, properties["max_size"])
    if high < low:
        raise invalid("MinSize can not be greater than MaxSize")
    if low < 0:
        raise invalid("The size of AutoScalingGroup can not be less than zero")
    desired = properties.get("desired_capacity")
    if desired is not None and not low <= integer(name, desired) <= high:
        raise invalid("DesiredCapacity must be between MinSize and MaxSize")


def _check_policy(name: str, properties: Document) -> None:
    kind = properties["adjustment_type"]
    if kind not in _ADJUSTMENTS:
        allowed = ", ".join(_ADJUSTMENTS)
        where = f"Property error: : resources.{name}.properties.adjustment_type"
        raise invalid(f'{where}: : "{kind}" is not an allowed value [{allowed}]')
    if kind != "percent_change_in_capacity" and properties.get("min_adjustment_step") is not None:
        message = "min_adjustment_step property should only be specified for adjustment_type with value"
        raise invalid(f"{message} percent_change_in_capacity.")


KINDS: dict[str, Kind] = {
    GROUP: Kind(
        required=("max_size", "min_size", "resource"),
        optional=("cooldown", "desired_capacity", "rolling_updates"),
        integers=("max_size", "min_size", "cooldown", "desired_capacity"),
        check=_check_group,
    ),
    NONE: Kind(optional=None),
    POLICY: Kind(
        required=("auto_scaling_group_id", "scaling_adjustment", "adjustment_type"),
        optional=("cooldown", "min_adjustment_step"),
        in_place=("scaling_adjustment", "adjustment_type", "cooldown", "min_adjustment_step"),
        check=_check_policy,
    ),
    RANDOM: Kind(
        optional=("length", "sequence", "character_classes", "character_sequences", "salt"),
        integers=("length",),
    ),
    RESOURCE_GROUP: Kind(
        required=("resource_def",),
        optional=("count", "index_var"),
        integers=("count",),
    ),
    SERVER: Kind(
        required=("flavor",),
        optional=(
            "admin_pass",
            "availability_zone",
            "block_device_mapping_v2",
            "config_drive",
            "image",
            "key_name",
            "metadata",
            "name",
            "networks",
            "scheduler_hints",
            "security_groups",
            "software_config_transport",
            "tags",
            "user_data",
            "user_data_format",
        ),
        in_place=("flavor", "metadata", "name", "tags"),
        check=_check_server,
    ),
    TEST: Kind(
        optional=("action_wait_secs", "fail", "update_replace", "value", "wait_secs"),
        in_place=("fail", "value", "wait_secs"),
        integers=("wait_secs",),
    ),
}
