"""The way into an owner's project: an adapter for any service of the cloud, which acts as the owner."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from keystoneauth1.adapter import Adapter
from keystoneauth1.exceptions import CatalogException
from keystoneauth1.plugin import BaseAuthPlugin
from keystoneauth1.session import Session

from chalicelib.core.credential import Credential
from chalicelib.openstack.delegation import Delegations
from chalicelib.openstack.endpoints import is_allowed
from chalicelib.openstack.session import ServiceUser
from chalicelib.ports.cloud import CloudUnavailable


def owners_adapter(
    service_user: ServiceUser,
    delegations: Delegations,
    credential: Credential,
    service_type: str,
    request_id: str,
    *,
    microversion: str | None = None,
) -> Adapter:
    """Return an adapter of the service in the credential's project, once Keystone lets us in.

    Args:
        service_type: as Keystone's catalog calls it, ``compute`` for example.
        request_id: ``req-`` and a UUID; services log it, and ignore any other form.

    Raises:
        CredentialBroken, CloudUnavailable: Keystone does not let us in, or does not answer.
        NotInCatalog: the cloud has no such service.
    """
    adapter = Adapter(
        session=service_user.session,
        auth=Delegated(delegations, credential, service_user.endpoint_hosts),
        service_type=service_type,
        interface=service_user.interface,
        region_name=service_user.region_name,
        default_microversion=microversion,
        global_request_id=request_id,
    )
    adapter.get_endpoint()
    return adapter


class NotInCatalog(CloudUnavailable):
    """The cloud has no such service, as far as the token's catalog tells."""


class Delegated(BaseAuthPlugin):
    """Authenticates requests with the credential's token; its errors are those of ``ports.cloud``."""

    def __init__(
        self, delegations: Delegations, credential: Credential, endpoint_hosts: Collection[str]
    ) -> None:
        super().__init__()
        self._delegations = delegations
        self._credential = credential
        self._endpoint_hosts = endpoint_hosts

    def get_token(self, session: Session) -> str | None:  # noqa: ARG002  the plugin's interface
        """Return the token for a request."""
        return self._delegations.access(self._credential).auth_token

    def get_endpoint(
        self,
        session: Session,  # noqa: ARG002  the plugin's interface
        *,
        service_type: str | None = None,
        interface: str | list[str] | None = None,
        region_name: str | None = None,
        **_: Any,
    ) -> str | None:
        """Return the service's URL from the token's own catalog, where it may name the project."""
        catalog = self._delegations.access(self._credential).service_catalog
        try:
            url = catalog.url_for(service_type=service_type, interface=interface, region_name=region_name)
        except CatalogException as error:
            raise NotInCatalog(
                f"Keystone's catalog has no {interface} endpoint for {service_type}"
                f" in region {region_name or '(any)'}.",
                certainly_not_done=True,
            ) from error
        if not is_allowed(str(url), self._endpoint_hosts):
            raise NotInCatalog(
                f"The {interface} endpoint for {service_type} in Keystone's catalog is none that may be asked"
                " (OS_ENDPOINT_HOSTS).",
                certainly_not_done=True,
            )
        return url

    def invalidate(self) -> bool:
        """Forget the token, which was not accepted; return that another can be asked for."""
        self._delegations.forget(self._credential)
        return True
