"""The autoscaling service over HTTP, with the token of whoever Heat acts for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from heat.engine.clients import default_client_plugin
from keystoneauth1 import exceptions as keystone
from oslo_config import cfg

from .errors import MAY_PASS, Gone, Unavailable, refusal

SERVICE_TYPE = "autoscaling"

_TIMEOUT_SECONDS = 35
"""Longer than the service's longest answer behind an API gateway (29 s)."""
_CONNECT_RETRIES = 2
_STATUS_RETRIES = 2
_NOT_FOUND = 404
_PAGES_MAX = 20
_PAGE = 500


def endpoint_of(context: Any) -> str:
    """Return the service's URL, from the catalogue.

    Raises:
        keystone.EndpointNotFound: the catalogue has none.
    """
    plugin = default_client_plugin.DefaultClientPlugin(context)
    url = plugin.url_for(service_type=SERVICE_TYPE, endpoint_type=cfg.CONF.clients.endpoint_type)
    return str(url).rstrip("/")


class Service:
    """What the plug-in asks of the service.

    A request is repeated when the connection fails or the service is busy, a few times. Every one may be:
    creations and refreshes carry a ``client_token``, executions an ``event_id``.
    """

    def __init__(self, context: Any) -> None:
        self._context = context

    def get(self, noun: str, path: str) -> dict[str, Any]:
        """Return a document; raises Gone where there is none."""
        return self._call("GET", noun, path)

    def listed(self, noun: str, path: str, key: str) -> Iterator[dict[str, Any]]:
        """Yield all items of a list, page by page, of which there is a limited number."""
        marker = ""
        for _ in range(_PAGES_MAX):
            page = self._call("GET", noun, f"{path}?limit={_PAGE}{marker}")
            yield from page[key]
            if not page[key] or not page["links"]:
                return
            marker = f"&marker={page[key][-1]['id']}"

    def post(self, noun: str, path: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Post a document and return the answer; one that needs something which is not there is Refused."""
        return self._call("POST", noun, path, document)

    def patch(
        self, noun: str, path: str, document: Mapping[str, Any], *, generation: int | None = None
    ) -> dict[str, Any]:
        """Change something and return it; only at the ``generation`` given, if any."""
        headers = {} if generation is None else {"If-Match": f'"{generation}"'}
        return self._call("PATCH", noun, path, document, headers)

    def put(self, noun: str, path: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Put a document and return the answer."""
        return self._call("PUT", noun, path, document)

    def delete(self, noun: str, path: str) -> None:
        """Delete something; raises Gone where it is not there."""
        self._call("DELETE", noun, path)

    def executed(self, path: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Post an event to a policy; return the execution, also where it was held or refused."""
        response = self._request("POST", path, document, {})
        answer = response.json() if response.content else {}
        if "outcome" not in answer:
            raise refusal(response)
        return dict(answer)

    def _call(
        self,
        method: str,
        noun: str,
        path: str,
        document: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        response = self._request(method, path, document, headers or {})
        if response.status_code == _NOT_FOUND and method != "POST":
            raise Gone(noun, path.partition("?")[0].rsplit("/", 1)[-1])
        if response.status_code >= 400:  # noqa: PLR2004
            raise refusal(response)
        return dict(response.json()) if response.content else {}

    def _request(
        self, method: str, path: str, document: Mapping[str, Any] | None, headers: Mapping[str, str]
    ) -> Any:
        """Send a request, and return whatever is answered.

        Raises:
            Unavailable: nobody answers, or the catalogue does not say where.
        """
        body = {} if document is None else {"json": document}
        try:
            return self._context.keystone_session.request(
                endpoint_of(self._context) + path,
                method,
                headers={"X-Openstack-Request-Id": str(self._context.request_id), **headers},
                raise_exc=False,
                redirect=False,
                timeout=_TIMEOUT_SECONDS,
                connect_retries=_CONNECT_RETRIES,
                status_code_retries=_STATUS_RETRIES,
                retriable_status_codes=MAY_PASS,
                **body,
            )
        except keystone.EndpointNotFound as error:
            raise Unavailable(
                f"The catalogue has no service of type {SERVICE_TYPE}: its operator registers it."
            ) from error
        except keystone.ConnectionError as error:
            raise Unavailable(f"The autoscaling service cannot be reached: {error}") from error
