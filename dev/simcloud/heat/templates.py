"""Templates as they are given: HOT, in YAML or JSON. Only what Heat refuses before it looks at a resource."""

from __future__ import annotations

from typing import Any

import yaml

from dev.simcloud.heat.errors import HeatRefused, bad_request, invalid
from dev.simcloud.messages import Document

VERSION = "heat_template_version"
_VERSIONS = (
    "2013-05-23",
    "2014-10-16",
    "2015-04-30",
    "2015-10-15",
    "2016-04-08",
    "2016-10-14",
    "2017-02-24",
    "2017-09-01",
    "2018-03-02",
    "2018-08-31",
    "2021-04-16",
    "newton",
    "ocata",
    "pike",
    "queens",
    "rocky",
    "wallaby",
)
_SECTIONS = frozenset(
    {VERSION, "description", "parameters", "parameter_groups", "resources", "outputs", "conditions"}
)


_MAPS = frozenset({"parameters", "resources", "outputs"})


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Leaves dates as text, as Heat does."""


_Loader.add_constructor("tag:yaml.org,2002:timestamp", yaml.SafeLoader.construct_yaml_str)


def parsed(text: str, what: str = "Template") -> Document:
    """Return a YAML document, which JSON is one too."""
    try:
        document = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise bad_request(
            f"{what} not in valid format: Error parsing template [root stack] {error}"
        ) from None
    if not isinstance(document, dict):
        raise bad_request(
            f"{what} not in valid format: The {what.lower()} is not a JSON object or YAML mapping."
        )
    return document


def template_in(asked: Document) -> Document | None:
    """Return the template of a request, checked; None if it brings none."""
    given = asked.get("template")
    if given is None:
        return None
    if isinstance(given, str):
        given = parsed(given)
        if VERSION not in given:
            raise bad_request("Template not in valid format: Template format version not found.")
    if not isinstance(given, dict):
        raise bad_request("Template not in valid format: The template is not a JSON object or YAML mapping.")
    check(given)
    return given


def check(template: Document) -> None:
    """Refuse a template of another version, with unknown sections, or whose resources have no type."""
    version = template.get(VERSION)
    if version is None:
        raise _version("Template version was not provided")
    if str(version) not in _VERSIONS:
        known = ", ".join(_VERSIONS)
        raise _version(f'"{VERSION}: {version}". "{VERSION}" should be one of: {known}')
    for section, content in template.items():
        if section not in _SECTIONS:
            raise invalid(f"The template section is invalid: {section}")
        if section in _MAPS and not isinstance(content or {}, dict):
            raise invalid(f'"{section}" must contain a map. Found a [{type(content)}] instead')
    for definition in resources_of(template).values():
        if not isinstance(definition, dict) or not isinstance(definition.get("type"), str):
            raise invalid("Each resource must contain a type key.")


def resources_of(template: Document) -> dict[str, Document]:
    """Return the definitions of the resources, by name."""
    return template.get("resources") or {}


def outputs_of(template: Document) -> dict[str, Document]:
    """Return the definitions of the outputs, by name."""
    return template.get("outputs") or {}


def parameters_of(template: Document) -> dict[str, Document]:
    """Return the schemas of the parameters, by name."""
    return template.get("parameters") or {}


def environment_in(asked: Document) -> Document:
    """Return the environment of a request, an object or YAML."""
    given: Any = asked.get("environment") or {}
    return parsed(given, "Environment") if isinstance(given, str) else given


def _version(why: str) -> HeatRefused:
    return HeatRefused(400, "InvalidTemplateVersion", f"The template version is invalid: {why}")
