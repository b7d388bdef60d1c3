"""What Nova offers: flavors and availability zones."""

from __future__ import annotations

from dataclasses import dataclass

from dev.simcloud.messages import Document, Refused, Response
from dev.simcloud.nova import documents
from dev.simcloud.nova.call import Call
from dev.simcloud.nova.routing import Router
from dev.simcloud.records import Flavor
from dev.simcloud.world import FLAVORS, ZONES


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavors:
    """The resources of flavors and availability zones, which never change."""

    base_url: str

    def add_to(self, router: Router) -> None:
        """Add what this answers to ``router``."""
        router.add("GET", "/flavors", self.brief)
        router.add("GET", "/flavors/detail", self.detailed)
        router.add("GET", "/flavors/{flavor_id}", self.show)
        router.add("GET", "/os-availability-zone", self.zones)

    def brief(self, _call: Call) -> Response:
        """List ids and names."""
        flavors = [
            {"id": flavor.id, "name": flavor.id, "links": self._links(flavor), "description": None}
            for flavor in FLAVORS.values()
        ]
        return Response(status=200, body={"flavors": flavors})

    def detailed(self, _call: Call) -> Response:
        """List flavors with their sizes."""
        return Response(status=200, body={"flavors": [self._document(each) for each in FLAVORS.values()]})

    def show(self, _call: Call, flavor_id: str) -> Response:
        """Show a flavor."""
        if flavor_id not in FLAVORS:
            raise Refused(404, f"Flavor {flavor_id} could not be found.")
        return Response(status=200, body={"flavor": self._document(FLAVORS[flavor_id])})

    def zones(self, _call: Call) -> Response:
        """List the availability zones."""
        zones = [{"zoneName": name, "zoneState": {"available": True}, "hosts": None} for name in ZONES]
        return Response(status=200, body={"availabilityZoneInfo": zones})

    def _document(self, flavor: Flavor) -> Document:
        return {
            "id": flavor.id,
            "name": flavor.id,
            "ram": flavor.ram_mib,
            "disk": 1,
            "swap": 0,
            "OS-FLV-EXT-DATA:ephemeral": 0,
            "OS-FLV-DISABLED:disabled": False,
            "vcpus": flavor.vcpus,
            "os-flavor-access:is_public": True,
            "rxtx_factor": 1.0,
            "links": self._links(flavor),
            "description": None,
            "extra_specs": {},
        }

    def _links(self, flavor: Flavor) -> list[Document]:
        return documents.links(self.base_url, "flavors", flavor.id)
