"""The nouns of the API, and where the paths of each begin.

A container on Lambda imports a noun when the first request for it comes; everywhere else all of them are
there from the beginning, since Chalice packages every route and the local server lists them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from chalice.app import Chalice

from chalicelib.api.operation import OPERATIONS, Operation
from chalicelib.cold_start import ON_LAMBDA, imported_when_used

with imported_when_used():
    from chalicelib.api import (
        activities,
        alarms,
        credentials,
        executions,
        groups,
        hooks,
        intakes,
        launch_configurations,
        members,
        notices,
        policies,
        refreshes,
        samples,
        schedules,
        service,
        stacks,
        webhooks,
    )

_NOUNS: Mapping[str, Any] = {
    "/": service,
    "/v1/credentials": credentials,
    "/v1/launch-configurations": launch_configurations,
    "/v1/groups": groups,
    "/v1/groups/{group_id}/members": members,
    "/v1/groups/{group_id}/intake": intakes,
    "/v1/groups/{group_id}/metrics": samples,
    "/v1/groups/{group_id}/refreshes": refreshes,
    "/v1/policies": policies,
    "/v1/policies/{policy_id}/webhooks": webhooks,
    "/v1/policies/{policy_id}/notifications": hooks,
    "/v1/policies/{policy_id}/executions": executions,
    "/v1/webhooks": webhooks,
    "/v1/hooks": hooks,
    "/v1/hooks/alarms": notices,
    "/v1/alarms": alarms,
    "/v1/executions": executions,
    "/v1/activities": activities,
    "/v1/samples": samples,
    "/v1/intake": samples,
    "/v1/schedules": schedules,
    "/v1/stacks": stacks,
}
"""The modules, by what their paths begin with; of several that fit, the longest counts."""


def register(app: Chalice) -> None:
    """Give the app all routes, or the means to find them."""
    if ON_LAMBDA:
        app.routes = Routes(app)
    else:
        for noun in _all():
            app.register_blueprint(noun.blueprint)


def operations() -> Sequence[Operation]:
    """Return all operations, whether their routes were needed before or not."""
    for noun in _all():
        noun.blueprint  # noqa: B018  (makes sure that it is imported)
    return OPERATIONS


def noun_of(path: str) -> Any:
    """Return the module that answers below a path, which begins with a slash."""
    return _NOUNS[max((each for each in _NOUNS if _is_below(path, each)), key=len)]


class Routes(defaultdict[str, Any]):
    """Chalice's table of routes, in which those of a noun stand once one of them was looked for."""

    def __init__(self, app: Chalice) -> None:
        super().__init__(dict)
        self._app = app
        self._registered: set[str] = set()

    def __missing__(self, path: str) -> Any:
        """Return what is known of a path, after its noun was registered."""
        routes = super().__missing__(path)
        noun = noun_of(path)
        if noun.__name__ not in self._registered:
            self._registered.add(noun.__name__)
            self._app.register_blueprint(noun.blueprint)
        return routes


def _all() -> Sequence[Any]:
    """Return each noun once."""
    return tuple(dict.fromkeys(_NOUNS.values()))


def _is_below(path: str, beginning: str) -> bool:
    return f"{path}/".startswith(f"{beginning.rstrip('/')}/")
