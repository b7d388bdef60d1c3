"""Would Heat make a stack? Found out before a group wants any, and nothing is left behind."""

from __future__ import annotations

from keystoneauth1.adapter import Adapter

from chalicelib.core.credential import Credential
from chalicelib.core.launch import StackTemplate
from chalicelib.core.member import GROUP_KEY, MEMBER_KEY
from chalicelib.openstack.delegation import Delegations
from chalicelib.openstack.entrance import owners_adapter
from chalicelib.openstack.session import ServiceUser
from chalicelib.openstack.stacks import (
    NameIsTaken,
    NoTrustForHeat,
    Stacks,
    creation,
    errors_of_heat,
    told,
)
from chalicelib.ports.cloud import CloudRefused, Order
from chalicelib.ports.stacks import CreationDenied

_EMPTY = StackTemplate(template="heat_template_version: 2015-04-30\nresources: {}\n", timeout_minutes=1)
_TAG = "thermostat:rehearsal"
_TIMEOUT_SECONDS = 8
"""Of each of the requests that take Heat some time, for a caller waits; API Gateway does so for 29 s."""
_NO_ID = "00000000-0000-0000-0000-000000000000"
_SOME_MEMBER = told({GROUP_KEY: _NO_ID, MEMBER_KEY: _NO_ID})


class StackRehearsals:
    """``ports.stacks.Rehearsals``, with the owner's credential through the service user's session."""

    def __init__(self, service_user: ServiceUser, delegations: Delegations) -> None:
        self._service_user = service_user
        self._delegations = delegations

    def rehearse(self, credential: Credential, template: StackTemplate, request_id: str) -> None:
        """Preview such a stack, then create an empty one and delete it.

        A preview does not tell whether Heat can make the trust that it needs for each stack: it makes it
        only when it creates one. The empty stack is named after the credential, so that one that was left
        by a rehearsal that died goes with the next; that it could be made tells the same, and so does a name
        that is still taken although the stack is gone.

        Raises:
            CreationDenied, CloudRefused, CredentialBroken, CloudUnavailable: see ``ports.stacks``.
        """
        adapter = owners_adapter(
            self._service_user, self._delegations, credential, "orchestration", request_id
        )
        name = f"thermostat-rehearsal-{credential.id}"
        _preview(adapter, _order(f"{name}-preview", template.given(_SOME_MEMBER)))
        stacks = Stacks(adapter, creation_timeout_seconds=_TIMEOUT_SECONDS)
        try:
            made = stacks.create(_order(name, _EMPTY))
        except NoTrustForHeat as error:
            raise CreationDenied(error.reason) from error
        except NameIsTaken:
            return
        except CloudRefused as error:
            raise CreationDenied(f"Heat creates no stack with this credential: {error.reason}") from error
        stacks.delete(made)


def _preview(adapter: Adapter, order: Order) -> None:
    with errors_of_heat():
        adapter.post("/stacks/preview", json=creation(order), timeout=_TIMEOUT_SECONDS, log=False)


def _order(name: str, template: StackTemplate) -> Order:
    return Order(template=template, count=1, name=name, availability_zone=None, metadata={}, tags=(_TAG,))
