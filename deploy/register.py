"""Register the service in Keystone's catalogue: ``python -m deploy.register --url https://... [--remove]``.

The cloud is the entry of clouds.yaml that OS_CLOUD names, or else the OS_* variables: an administrator's.
What is registered already is left as it is, or corrected; so it may be done again at any time.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from typing import Any

from keystoneauth1.adapter import Adapter
from keystoneauth1.exceptions import ClientException
from openstack.config import OpenStackConfig
from openstack.exceptions import ConfigException

SERVICE_TYPE, SERVICE_NAME = "autoscaling", "thermostat"
INTERFACES = ("public", "internal")
_DESCRIPTION = "Autoscaling as a service"
_URL = re.compile(r"https?://[^\s/?#@]+(/[^\s?#@]*)?")


class Refused(Exception):
    """Nothing can be registered; the text says why."""


class Catalogue:
    """The services and endpoints of a Keystone, as its administrator sees them.

    Raises:
        ClientException: Keystone does not answer, or does not allow it.
    """

    def __init__(self, identity: Adapter) -> None:
        """Act through ``identity``, whose base is Keystone's ``/v3``."""
        self._identity = identity

    def register(self, url: str, region: str) -> list[str]:
        """Have the catalogue name ``url``, the root of the service, in a region; return what was done."""
        address = root_of(url)
        service_id, done = self._service(), []
        if service_id is None:
            service_id = self._made(
                "service",
                {"type": SERVICE_TYPE, "name": SERVICE_NAME, "description": _DESCRIPTION, "enabled": True},
            )
            done.append(f"service {SERVICE_TYPE} made")
        for interface in INTERFACES:
            done += self._endpoint(service_id, region, interface, address)
        return done

    def remove(self, region: str) -> list[str]:
        """Have the catalogue name nothing in a region, and no service without any; return what was done."""
        service_id = self._service()
        if service_id is None:
            return []
        done = []
        for endpoint in self._endpoints(service_id, region_id=region):
            self._identity.delete(f"/endpoints/{endpoint['id']}")
            done.append(f"{endpoint['interface']} endpoint removed")
        if not self._endpoints(service_id):
            self._identity.delete(f"/services/{service_id}")
            done.append(f"service {SERVICE_TYPE} removed")
        return done

    def _service(self) -> str | None:
        found = self._listed("services", type=SERVICE_TYPE, name=SERVICE_NAME)
        return str(found[0]["id"]) if found else None

    def _endpoint(self, service_id: str, region: str, interface: str, url: str) -> list[str]:
        """Have exactly one endpoint; return what was done."""
        found = self._endpoints(service_id, region_id=region, interface=interface)
        for surplus in found[1:]:
            self._identity.delete(f"/endpoints/{surplus['id']}")
        if not found:
            wanted = {"service_id": service_id, "region_id": region, "interface": interface, "url": url}
            self._made("endpoint", {**wanted, "enabled": True})
            return [f"{interface} endpoint made"]
        if (found[0]["url"], found[0]["enabled"]) == (url, True):
            return []
        self._identity.patch(f"/endpoints/{found[0]['id']}", json={"endpoint": {"url": url, "enabled": True}})
        return [f"{interface} endpoint changed"]

    def _endpoints(self, service_id: str, **filters: str) -> list[dict[str, Any]]:
        return self._listed("endpoints", service_id=service_id, **filters)

    def _listed(self, nouns: str, **filters: str) -> list[dict[str, Any]]:
        """Return a list, which Keystone gives whole."""
        found: list[dict[str, Any]] = self._identity.get(f"/{nouns}", params=filters).json()[nouns]
        return found

    def _made(self, noun: str, document: dict[str, Any]) -> str:
        return str(self._identity.post(f"/{noun}s", json={noun: document}).json()[noun]["id"])


def root_of(url: str) -> str:
    """Return the URL that goes into the catalogue: the root, below which clients find ``/v1``.

    Raises:
        Refused: it is none, or names the version.
    """
    address = url.rstrip("/")
    if not _URL.fullmatch(address):
        raise Refused(f"{url!r} is no URL of a service: give https://host, or https://host/path.")
    if address.endswith("/v1"):
        raise Refused("Give the root of the service, without /v1.")
    return address


def main() -> int:
    """Register what the command line names; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.register")
    parser.add_argument("--url", help="the root of the service, without /v1")
    parser.add_argument("--region", help="by default that of the cloud's entry")
    parser.add_argument("--remove", action="store_true", help="take it out of the catalogue")
    arguments = parser.parse_args()
    if not arguments.remove and not arguments.url:
        parser.error("give --url, or --remove")
    try:
        cloud = OpenStackConfig().get_one(cloud=os.environ.get("OS_CLOUD"))
        region = arguments.region or cloud.config.get("region_name") or "RegionOne"
        identity = Adapter(cloud.get_session(), service_type="identity", interface="public", version="3")
        catalogue = Catalogue(identity)
        done = catalogue.remove(region) if arguments.remove else catalogue.register(arguments.url, region)
    except (Refused, ConfigException, ClientException) as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(done) or "nothing to do")
    return 0


if __name__ == "__main__":
    sys.exit(main())
