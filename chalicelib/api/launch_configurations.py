"""/v1/launch-configurations: what a member is made of."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib.api.context import Call, known_id
from chalicelib.api.documents.common import fingerprint, page_links
from chalicelib.api.documents.launch_configurations import (
    LaunchConfigurationDocument,
    LaunchConfigurationList,
    NewLaunchConfiguration,
    launch_configuration_document,
)
from chalicelib.api.operation import Reply, operation
from chalicelib.core.ids import LaunchConfigurationId

blueprint = Blueprint(__name__)

_PATH = "/v1/launch-configurations"


def _id(value: str) -> LaunchConfigurationId:
    return LaunchConfigurationId(known_id(value, "launch_configuration"))


@operation(blueprint, "GET", _PATH, answers={200: LaunchConfigurationList}, query=("limit", "marker"))
def list_launch_configurations(call: Call) -> Reply:
    """List the project's launch configurations, those of stacks without their templates and files."""
    paging = call.paging()
    page = call.services.launch_configurations.page(call.caller.project_id, paging.limit, paging.marker)
    documents = [launch_configuration_document(item, call.base, whole=False) for item in page.items]
    links = page_links(call.base, _PATH, page, {"limit": paging.limit})
    return Reply(LaunchConfigurationList(launch_configurations=documents, links=links))


@operation(blueprint, "POST", _PATH, body=NewLaunchConfiguration, answers={201: LaunchConfigurationDocument})
def create_launch_configuration(call: Call, body: NewLaunchConfiguration) -> Reply:
    """Create a launch configuration; it never changes afterwards."""
    id_ = call.new_id("launch-configurations", body.client_token)
    wanted = body.to_launch_configuration(call.caller.project_id, id_, call.now, fingerprint(body))
    stored = call.services.launch_configurations.create(wanted, call.services.limits.quota)
    document = launch_configuration_document(stored, call.base)
    return Reply(document, 201, {"Location": document.links[0].href})


@operation(
    blueprint,
    "GET",
    "/v1/launch-configurations/{launch_configuration_id}",
    answers={200: LaunchConfigurationDocument},
)
def show_launch_configuration(call: Call, launch_configuration_id: str) -> Reply:
    """Show a launch configuration."""
    found = call.services.launch_configurations.get(call.caller.project_id, _id(launch_configuration_id))
    return Reply(launch_configuration_document(found, call.base))


@operation(blueprint, "DELETE", "/v1/launch-configurations/{launch_configuration_id}", answers={204: None})
def delete_launch_configuration(call: Call, launch_configuration_id: str) -> Reply:
    """Delete a launch configuration that no group uses."""
    call.services.launch_configurations.delete(call.caller.project_id, _id(launch_configuration_id))
    return Reply(None, 204)
