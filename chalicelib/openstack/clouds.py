"""The way into an owner's cloud, by the kind of members that are to live there."""

from __future__ import annotations

from chalicelib.core.credential import Credential
from chalicelib.core.launch import LaunchType
from chalicelib.openstack.delegation import Delegations
from chalicelib.openstack.entrance import owners_adapter
from chalicelib.openstack.nova import MICROVERSION, Nova
from chalicelib.openstack.session import ServiceUser
from chalicelib.openstack.stacks import Stacks
from chalicelib.ports.cloud import Cloud


class OwnersClouds:
    """``ports.cloud.Clouds``: asked with the owner's credential through the service user's session."""

    def __init__(self, service_user: ServiceUser, delegations: Delegations) -> None:
        self._service_user = service_user
        self._delegations = delegations

    def enter(self, credential: Credential, kind: LaunchType, request_id: str) -> Cloud:
        """Return the credential's project, once Keystone lets us in.

        Args:
            request_id: ``req-`` and a UUID; Nova logs it, and ignores any other form.

        Raises:
            CredentialBroken, CloudUnavailable: as every call of Cloud.
        """
        match kind:
            case LaunchType.SERVER:
                adapter = owners_adapter(
                    self._service_user,
                    self._delegations,
                    credential,
                    "compute",
                    request_id,
                    microversion=MICROVERSION,
                )
                return Nova(adapter)
            case LaunchType.STACK:
                return Stacks(
                    owners_adapter(
                        self._service_user, self._delegations, credential, "orchestration", request_id
                    )
                )
