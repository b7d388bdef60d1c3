"""Routes of Nova: each call's token is validated and its microversion read before its handler sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from dev.simcloud.keystone.tokens import Caller, DeadToken, inspect, unauthenticated
from dev.simcloud.messages import Request, Response, Routes
from dev.simcloud.nova.call import Call, version_of
from dev.simcloud.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """Adds routes whose handlers take a ``Call`` in place of a ``Request``."""

    world: World
    routes: Routes
    _validated: dict[str, tuple[Caller, datetime]] = field(default_factory=dict)

    def add(self, method: str, path: str, handler: Callable[..., Response]) -> None:
        """Let ``handler`` answer, called with the call and the segments of the path below ``/v2.1``."""
        self.routes.add(method, f"/v2.1{path}", partial(self._serve, handler))

    def _serve(self, handler: Callable[..., Response], request: Request, **segments: str) -> Response:
        caller = self._caller(request.headers.get("X-Auth-Token", ""))
        return handler(Call(request=request, caller=caller, version=version_of(request)), **segments)

    def _caller(self, token_id: str) -> Caller:
        """Return whom a token speaks for, or spoke for when it was last validated.

        Keystonemiddleware caches validations, so a token outlives its trust in Nova: see
        ``World.token_cache_seconds``.
        """
        now = self.world.now()
        cached, until = self._validated.get(token_id, (None, now))
        if cached is not None and now < min(until, cached.token.expires_at):
            return cached
        try:
            caller = inspect(self.world, token_id)
        except DeadToken as dead:
            raise unauthenticated() from dead
        self._validated[token_id] = caller, now + timedelta(seconds=self.world.token_cache_seconds)
        return caller
