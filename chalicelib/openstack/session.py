"""Thermostat's own user in Keystone, and the one session through which all of OpenStack is asked."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable

from keystoneauth1.access import AccessInfo
from keystoneauth1.exceptions import ClientException, Unauthorized
from keystoneauth1.identity import v3
from keystoneauth1.plugin import BaseAuthPlugin
from keystoneauth1.session import Session

from chalicelib.openstack.endpoints import stay_there
from chalicelib.openstack.translation import not_asked, twice
from chalicelib.settings import ServiceUserSettings

TIMEOUT_SECONDS = 20
"""How long is waited for a connection, and then for an answer. What takes longer by nature says so itself."""


class ServiceUser(BaseAuthPlugin):
    """Thermostat's own user in Keystone: a token that is renewed in time, for any number of threads.

    Attributes:
        session: authenticates as this user, unless told otherwise; it repeats no request, save one that
            was answered with 401, under a fresh token.
        keystone: the URL of Keystone's v3 API.
        region_name, interface: which endpoints are used.
        endpoint_hosts: on which hosts alone; none is any.
    """

    def __init__(self, settings: ServiceUserSettings, password: Callable[[], str]) -> None:
        super().__init__()
        self.keystone = settings.auth_url
        self.region_name = settings.region_name
        self.interface = settings.interface
        self.endpoint_hosts = settings.endpoint_hosts
        self.session = Session(
            auth=self,
            verify=settings.cacert or True,
            timeout=TIMEOUT_SECONDS,
            user_agent="thermostat",
            connect_retries=0,
        )
        self.session.session.hooks["response"].append(stay_there)
        self._settings = settings
        self._read_password = password
        self._renewing = threading.Lock()

    @functools.cached_property
    def _password(self) -> _Password:
        """How this user authenticates; made when first needed, for reading the password may take a call."""
        settings = self._settings
        return _Password(
            settings.auth_url,
            password=self._read_password(),
            username=settings.username,
            user_id=settings.user_id,
            user_domain_name=None if settings.user_id else settings.user_domain_name,
            project_name=None if settings.project_id else settings.project_name,
            project_id=settings.project_id,
            project_domain_name=None if settings.project_id else settings.project_domain_name,
        )

    def access(self) -> AccessInfo:
        """Return a token, with what it comprises, that lives for some minutes yet.

        A password that is not accepted is read anew for the next call: it may have been rotated since.

        Raises:
            CloudUnavailable: Keystone refuses the user (which is ours to mend), or does not answer; or the
                password cannot be read.
        """
        try:
            return twice(lambda: self._password.get_access(self.session))
        except ClientException as error:
            if isinstance(error, Unauthorized):
                self.__dict__.pop("_password", None)
            raise not_asked("Keystone gives Thermostat's own service user no token", error) from error

    def renew(self, instead_of: AccessInfo) -> AccessInfo:
        """Return a token other than ``instead_of``, which was not accepted; raises as ``access``."""
        with self._renewing:
            if self._password.auth_ref is instead_of:
                self._password.invalidate()
            return self.access()

    def get_token(self, session: Session) -> str | None:  # noqa: ARG002  the plugin's interface
        """Return the token for a request of ``session``."""
        return self.access().auth_token

    def invalidate(self) -> bool:
        """Forget the token, which was not accepted; return that another can be had."""
        return self._password.invalidate()


class _Password(v3.Password):
    """As it is, but renewed earlier: tokens made from this one end when it ends."""

    MIN_TOKEN_LIFE_SECONDS = 300
