"""The simulated cloud as one thing: the services over one world, behind one server."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from email.message import Message
from pathlib import Path
from types import TracebackType
from typing import Self

from dev.simcloud import store
from dev.simcloud.aodh import aodh
from dev.simcloud.backstage import Backstage
from dev.simcloud.clock import utc_now
from dev.simcloud.control import control
from dev.simcloud.faults import Effect, Fault, Faults
from dev.simcloud.glance import glance
from dev.simcloud.heat import engine, heat, stack_name
from dev.simcloud.journal import Entry, Journal
from dev.simcloud.keystone import keystone
from dev.simcloud.messages import Document, Request, Response, Service
from dev.simcloud.nova import nova, server_name
from dev.simcloud.octavia import octavia
from dev.simcloud.server import LoopbackServer
from dev.simcloud.world import PASSWORD, World

_NOT_PERFORMED = frozenset({Effect.ANSWER, Effect.DROP})
_DROPPED = frozenset({Effect.DROP, Effect.PERFORM_THEN_DROP})
_READS = frozenset({"GET", "HEAD"})


class SimCloud:
    """Keystone, Nova, Glance, Aodh, Heat and Octavia on one loopback port, between ``start`` and ``stop``.

    Attributes:
        world: the state and how long things take; ``world.build_seconds`` may be changed at any time.
        faults: what is made to go wrong.
        backstage: what happens behind the services' backs.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        state: Path | None = None,
        now: Callable[[], datetime] = utc_now,
        build_seconds: float = 0.0,
        delete_seconds: float = 0.0,
        balancing_seconds: float = 0.0,
        token_seconds: float = 3600.0,
        token_cache_seconds: float = 0.0,
        heat_seconds: float = 0.0,
    ) -> None:
        """Listen on ``port``, a free one if 0, and take up the ``state`` of a file if it exists."""
        self.world = World(
            now=now,
            build_seconds=build_seconds,
            delete_seconds=delete_seconds,
            balancing_seconds=balancing_seconds,
            token_seconds=token_seconds,
            token_cache_seconds=token_cache_seconds,
            heat_seconds=heat_seconds,
        )
        self._state = state
        if state is not None and state.exists():
            store.load(self.world, state)
        else:
            self.world.seed()
        self._lock = threading.RLock()
        self._journal = Journal()
        self.faults = Faults(self._lock)
        self.backstage = Backstage(world=self.world, lock=self._lock)
        self._server = LoopbackServer(port, self._answer)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._stopped = threading.Event()
        self._control = control(self.faults, self.backstage, self._journal)
        self._engine = engine(self.world, self.faults, self.url)
        self._services = {
            "/v3": keystone(self.world, self.url),
            "/compute": nova(self.world, self.faults, self.url),
            "/image": glance(self.world, self.url),
            "/alarming": aodh(self.world, self.url),
            "/load-balancer": octavia(self.world, self.url),
            "/orchestration": heat(self.world, self.faults, self._engine, self.url),
        }

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where all of it is served."""
        return self._server.url

    @property
    def auth_url(self) -> str:
        """What clients know as OS_AUTH_URL."""
        return f"{self.url}/v3"

    @property
    def requests(self) -> tuple[Entry, ...]:
        """The requests to the services so far, oldest first."""
        with self._lock:
            return self._journal.entries()

    def token(self, user: str, project: str | None = None) -> str:
        """Return a token for a seeded user, scoped to ``project`` if given; no fault or journal sees it."""
        domain = {"id": "default"}
        password = {"user": {"name": user, "domain": domain, "password": PASSWORD}}
        auth: Document = {"identity": {"methods": ["password"], "password": password}}
        if project is not None:
            auth["scope"] = {"project": {"name": project, "domain": domain}}
        body = json.dumps({"auth": auth}).encode()
        path = "/v3/auth/tokens"
        request = Request(method="POST", path=path, query={}, headers=Message(), body=body)
        response = self._perform(self._service_for(path), request)
        if response.status != 201:
            raise LookupError(f"No token for {user} on {project}: {response.body}")
        return response.headers["X-Subject-Token"]

    def start(self) -> None:
        """Begin to serve, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """End serving; connections kept alive are dropped at their next request."""
        self._stopped.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        with self._lock:
            self._save()

    def _answer(self, request: Request) -> Response | None:
        if self._stopped.is_set():
            return None
        service = self._service_for(request.path)
        if service is self._control:
            return self._perform(service, request)
        with self._lock:
            concerned = server_name(self.world, request), stack_name(self.world, request)
            fault = self.faults.for_request(service.name, request, *concerned)
        response = self._perform(service, request) if fault is None else self._play(fault, service, request)
        entry = Entry(
            service=service.name,
            method=request.method,
            path=request.path,
            status=None if response is None else response.status,
            request_id=request.headers.get("X-Openstack-Request-Id"),
        )
        with self._lock:
            self._journal.add(entry)
        return response

    def _service_for(self, path: str) -> Service:
        for prefix, service in self._services.items():
            if f"{path}/".startswith(f"{prefix}/"):
                return service
        return self._control

    def _perform(self, service: Service, request: Request) -> Response:
        with self._lock:
            self.world.forget()
            self._engine.settle()
            response = service.answer(request)
            if request.method not in _READS:
                self._save()
        return replace(response, headers=response.headers | {"x-openstack-request-id": f"req-{uuid.uuid4()}"})

    def _play(self, fault: Fault, service: Service, request: Request) -> Response | None:
        """Answer as ``fault`` will have it; None drops the connection."""
        time.sleep(fault.delay_seconds)
        performed = None if fault.what in _NOT_PERFORMED else self._perform(service, request)
        if fault.what in _DROPPED:
            return None
        return performed if fault.what is Effect.DELAY else _failure(fault, service)

    def _save(self) -> None:
        if self._state is not None:
            store.save(self.world, self._state)


def _failure(fault: Fault, service: Service) -> Response:
    response = service.error(fault.status, "Simulated fault")
    if fault.retry_after_seconds is not None:
        response = replace(response, headers={"Retry-After": str(fault.retry_after_seconds)})
    return response if fault.body is None else replace(response, body=fault.body)
