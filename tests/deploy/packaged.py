"""A packaged template, read as CloudFormation would read it, with stand-ins for what it would create."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ACCOUNT = "000000000000"
REGION = "us-east-1"

_PSEUDO = {"AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": ACCOUNT}


@dataclass(frozen=True, slots=True)
class Grant:
    """One action on one resource."""

    action: str
    resource: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagedFunction:
    """What the template says of a function, with all references filled in."""

    name: str
    handler: str
    timeout_seconds: int
    environment: Mapping[str, str]
    grants: frozenset[Grant]


class PackagedTemplate:
    """``sam.json``; ``references`` are the values of parameters and the Refs of resources, by logical name.

    Args:
        attributes: values of Fn::GetAtt, by ``Name.Attribute``.
    """

    def __init__(
        self,
        path: Path,
        references: Mapping[str, str] | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> None:
        self.document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        self.resources: dict[str, Any] = self.document["Resources"]
        defaults = {
            name: declared["Default"]
            for name, declared in self.document["Parameters"].items()
            if "Default" in declared
        }
        self._references: dict[str, str] = {**_PSEUDO, **defaults, **(references or {})}
        self._attributes = dict(attributes or {})

    def of_type(self, kind: str) -> dict[str, Any]:
        """Return the resources of a type, by their logical names."""
        return {name: each for name, each in self.resources.items() if each["Type"] == kind}

    def statements(self, function: str) -> list[dict[str, Any]]:
        """Return the policy statements of a function's role, as they stand in the template."""
        role = self.resources[function]["Properties"]["Role"]["Fn::GetAtt"][0]
        (attached,) = self.resources[role]["Properties"]["Policies"]
        statements: list[dict[str, Any]] = attached["PolicyDocument"]["Statement"]
        return statements

    def function(self, logical: str) -> PackagedFunction:
        """Return a function by its logical name."""
        properties = self.resources[logical]["Properties"]
        everywhere = self.document["Globals"]["Function"]["Environment"]["Variables"]
        variables = {**everywhere, **properties["Environment"]["Variables"]}
        return PackagedFunction(
            name=properties["FunctionName"],
            handler=properties["Handler"],
            timeout_seconds=properties["Timeout"],
            environment={name: self.resolved(value) for name, value in variables.items()},
            grants=frozenset(
                Grant(action, self.resolved(statement["Resource"]))
                for statement in self.statements(logical)
                for action in statement["Action"]
            ),
        )

    def resolved(self, value: Any) -> str:
        """Return a value with its intrinsic function performed."""
        match value:
            case {"Ref": str(name)}:
                return self._references[name]
            case {"Fn::GetAtt": [str(name), str(attribute)]}:
                return self._attributes[f"{name}.{attribute}"]
            case {"Fn::Sub": str(text)}:
                return re.sub(r"\$\{([^}]+)\}", lambda found: self._references[found[1]], text)
        return str(value)
