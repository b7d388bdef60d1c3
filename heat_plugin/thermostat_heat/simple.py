"""Credentials, launch configurations and webhooks: there once they are made."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from heat.engine import attributes, translation

from .base import ThermostatResource, live
from .schema import properties_schema
from .shapes import CREDENTIAL, LAUNCH_CONFIGURATION, WEBHOOK

_URL, _KEY = "url", "signature_key"


class Credential(ThermostatResource):
    """How the service acts for the owner: by a trust, or by an application credential.

    A trust can only be made with a token of the user's own: who creates or updates the stack must not come by
    an application credential or a trust, and Heat must act with the user's token, which it does unless
    ``reauthentication_auth_method`` is ``trusts``. Only the same user can delete it. Where that will not do,
    make the credential beforehand, and give its id to the template.
    """

    shape = CREDENTIAL
    properties_schema = properties_schema(CREDENTIAL)
    shown = frozenset({"status", "status_reason"})
    attributes_schema = {
        "status": live("ok or broken."),
        "status_reason": live("Why it is broken."),
    }

    def check_document(self, document: Mapping[str, Any]) -> None:
        """Fail where Keystone does not let the service in."""
        self._verify_check_conditions([{"attr": "status", "expected": "ok", "current": document["status"]}])


class LaunchConfiguration(ThermostatResource):
    """What a member is made of. It never changes: a change makes a new one, and the group goes over to it."""

    shape = LAUNCH_CONFIGURATION
    properties_schema = properties_schema(LAUNCH_CONFIGURATION)

    def translation_rules(self, properties: Any) -> list[Any]:
        """Take names for ids of image and flavor."""
        finders = (
            ("flavor", "nova", "find_flavor_by_name_or_id"),
            ("image", "glance", "find_image_by_name_or_id"),
        )
        return [
            translation.TranslationRule(
                properties,
                translation.TranslationRule.RESOLVE,
                ["server", name],
                client_plugin=self.client_plugin(client),
                finder=finder,
            )
            for name, client, finder in finders
        ]

    def new_document(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the document, with the user data as Nova takes it."""
        document = super().new_document(given)
        server = document.get("server", {})
        if "user_data" in server:
            server["user_data"] = base64.b64encode(server["user_data"].encode()).decode()
        return document


class Webhook(ThermostatResource):
    """A URL that executes a policy, for alarm sources. It needs nothing else to be called: it is a secret.

    Heat keeps it encrypted, for the service shows it only once.
    """

    shape = WEBHOOK
    properties_schema = properties_schema(WEBHOOK)
    attributes_schema = {
        _URL: attributes.Schema(
            "The URL: whoever knows it can execute the policy.",
            cache_mode=attributes.Schema.CACHE_NONE,
            type=attributes.Schema.STRING,
        ),
        _KEY: attributes.Schema(
            "The secret that the service made for signatures.",
            cache_mode=attributes.Schema.CACHE_NONE,
            type=attributes.Schema.STRING,
        ),
    }

    def _collection(self) -> str:
        return self.shape.collection.format(policy_id=self.properties["policy_id"])

    def made(self, document: Mapping[str, Any]) -> None:
        """Keep what is shown only now."""
        self.data_set(_URL, document["url"], redact=True)
        self.changed(document)

    def changes(self, prop_diff: dict[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
        """Return what changes; a signature does not by its secret alone, which is not shown."""
        found = super().changes(prop_diff, after)
        if self.recovers and "signature" in found and "signature" not in prop_diff:
            del found["signature"]
        return found

    def changed(self, document: Mapping[str, Any]) -> None:
        """Keep a secret that was made for signatures."""
        signature = document["signature"]
        if signature is None:
            self.data_delete(_KEY)
        elif signature["key"] is not None:
            self.data_set(_KEY, signature["key"], redact=True)

    def attribute(self, name: str) -> Any:
        """Return a secret."""
        return self.data().get(name)


SIMPLE: dict[str, type[ThermostatResource]] = {
    "Thermostat::Credential": Credential,
    "Thermostat::LaunchConfiguration": LaunchConfiguration,
    "Thermostat::Webhook": Webhook,
}
