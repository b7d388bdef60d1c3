"""Groups of ours on one stack: each resource has one master, and one stack is resized in one way."""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.core.group import Group
from chalicelib.core.heat import HeatTarget
from chalicelib.core.ids import ProjectId
from chalicelib.ports import Services

_PAGE = 1000


def on_stack(s: Services, project_id: ProjectId, stack_id: str) -> Iterator[Group]:
    """Yield the project's groups that resize a stack; the quota bounds how many groups there are."""
    marker: str | None = None
    while True:
        page = s.groups.page(project_id, _PAGE, marker)
        yield from (group for group in page.items if group.heat and group.heat.stack_id == stack_id)
        if page.marker is None:
            return
        marker = page.marker


def rivals(s: Services, group: Group, target: HeatTarget) -> Iterator[Group]:
    """Yield the other groups that ``group`` could not resize this stack beside."""
    for other in on_stack(s, group.project_id, target.stack_id):
        if other.id == group.id or other.heat is None:
            continue
        if other.heat.resource == target.resource or other.heat.adjust is not target.adjust:
            yield other


def older_rival(s: Services, group: Group) -> Group | None:
    """Return a group that was defined first and resizes the stack yet, in the very same instant perhaps."""
    if group.heat is None:
        return None
    others = rivals(s, group, group.heat)
    return next((each for each in others if each.id < group.id and not each.deleting), None)
