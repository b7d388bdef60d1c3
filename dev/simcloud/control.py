"""The simulated cloud's own HTTP API, beside the services': faults, fate, and the journal.

    POST   /faults              put a fault in force; the fields are those of ``faults.Fault``
    GET    /faults              the faults in force, with the number of their uses
    DELETE /faults[/ID]         end all faults, or one
    GET    /requests            the journal of requests to the services, oldest first
    DELETE /requests            forget them
    POST   /world/ACTION        let something happen; the fields are the arguments of ``Backstage``

    delete_server      server_id                disable_user   user
    set_server_status  server_id, status        enable_user    user
    delete_trust       trust_id                 grant_role     user, project, role
    set_quota          project, instances       revoke_role    user, project, role
    restart_heat                                allow_stacks_by_delegates    allowed

    set_load_balancer_status   load_balancer_id, status    ERROR, PENDING_UPDATE for ever, or ACTIVE again
    set_pool_member_status     member_id, status           ONLINE, OFFLINE, DEGRADED, ERROR ...

Whoever can reach the port can do all this: there is no token to show.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from dev.simcloud.backstage import Backstage
from dev.simcloud.faults import Faults, fault_from
from dev.simcloud.journal import Journal
from dev.simcloud.messages import Refused, Request, Response, Routes, Service, need

_Fields = dict[str, type]


def control(faults: Faults, backstage: Backstage, journal: Journal) -> Service:
    """Return the service that scripts the others."""
    routes = Routes("")
    _add_faults(routes, faults)
    _add_journal(routes, journal)
    _add_world(routes, backstage)
    return Service(name="control", routes=routes, error=_error)


def _add_faults(routes: Routes, faults: Faults) -> None:
    def add(request: Request) -> Response:
        return Response(status=201, body={"id": faults.add(fault_from(request.document()))})

    def show(_request: Request) -> Response:
        return Response(status=200, body={"faults": faults.documents()})

    def clear(_request: Request) -> Response:
        faults.clear()
        return Response(status=204)

    def remove(_request: Request, fault_id: str) -> Response:
        faults.remove(fault_id)
        return Response(status=204)

    routes.add("POST", "/faults", add)
    routes.add("GET", "/faults", show)
    routes.add("DELETE", "/faults", clear)
    routes.add("DELETE", "/faults/{fault_id}", remove)


def _add_journal(routes: Routes, journal: Journal) -> None:
    def show(_request: Request) -> Response:
        return Response(status=200, body={"requests": [asdict(entry) for entry in journal.entries()]})

    def clear(_request: Request) -> Response:
        journal.clear()
        return Response(status=204)

    routes.add("GET", "/requests", show)
    routes.add("DELETE", "/requests", clear)


def _add_world(routes: Routes, backstage: Backstage) -> None:
    actions: dict[str, tuple[Callable[..., None], _Fields]] = {
        "delete_server": (backstage.delete_server, {"server_id": str}),
        "set_server_status": (backstage.set_server_status, {"server_id": str, "status": str}),
        "disable_user": (backstage.disable_user, {"user": str}),
        "enable_user": (backstage.enable_user, {"user": str}),
        "grant_role": (backstage.grant_role, {"user": str, "project": str, "role": str}),
        "revoke_role": (backstage.revoke_role, {"user": str, "project": str, "role": str}),
        "delete_trust": (backstage.delete_trust, {"trust_id": str}),
        "restart_heat": (backstage.restart_heat, {}),
        "allow_stacks_by_delegates": (backstage.allow_stacks_by_delegates, {"allowed": bool}),
        "set_quota": (backstage.set_quota, {"project": str, "instances": int}),
        "set_load_balancer_status": (
            backstage.set_load_balancer_status,
            {"load_balancer_id": str, "status": str},
        ),
        "set_pool_member_status": (backstage.set_pool_member_status, {"member_id": str, "status": str}),
    }

    def act(request: Request, action: str) -> Response:
        if action not in actions:
            raise Refused(404, f"Nothing is called {action}; there are {', '.join(actions)}")
        perform, fields = actions[action]
        document = request.document()
        arguments: dict[str, Any] = {name: need(document, name, kind) for name, kind in fields.items()}
        perform(**arguments)
        return Response(status=204)

    routes.add("POST", "/world/{action}", act)


def _error(status: int, message: str) -> Response:
    return Response(status=status, body={"error": {"code": status, "message": message}})
