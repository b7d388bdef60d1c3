"""What one stack is made of, as a document."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from chalicelib.api.documents.common import Input, Word, consists_of, deeper_than
from chalicelib.core.errors import Invalid
from chalicelib.core.launch import StackTemplate

_GIVEN_BYTES_MAX = 32 * 1024
"""Of parameters and environment, which lists show, too: a page of them stays below what Lambda answers. All
together is bounded by the request, which has 256 KiB: a row of DynamoDB holds 400."""
_LEVELS_MAX = 32
"""How deep documents may be nested."""
_FILES_MAX = 100
_TAGS_MAX = 20
_OURS = "thermostat:"

HotDocument = Annotated[dict[str, Any], Meta(max_length=100, description="As Heat takes it.")]
HotTemplate = Annotated[str, Meta(min_length=1)] | HotDocument
Files = Annotated[dict[Annotated[str, Meta(min_length=1, max_length=1024)], str], Meta(max_length=_FILES_MAX)]
StackTag = Annotated[str, consists_of(r"[^,\x00-\x1f]+", min_length=1, max_length=80)]


class StackDocument(Input, kw_only=True):
    """What one stack is made of, in Heat's terms: HOT as text or as a document, and what goes with it."""

    template: HotTemplate
    parameters: Annotated[dict[Word, Any], Meta(max_length=1000)] = {}
    files: Files = {}
    environment: HotDocument | None = None
    timeout_minutes: Annotated[int, Meta(ge=1, le=1440)] = 60
    tags: Annotated[list[StackTag], Meta(max_length=_TAGS_MAX)] = []

    def to_template(self) -> StackTemplate:
        """Return the template.

        Raises:
            Invalid: it is larger or nested deeper than we keep it, its environment has defaults that are no
                document, or it has tags by which we find stacks.
        """
        self._require_bounded()
        defaults = (self.environment or {}).get("parameter_defaults") or {}
        if not isinstance(defaults, dict):
            raise Invalid("launch_configuration.environment", "parameter_defaults is a document.")
        if any(tag.startswith(_OURS) for tag in self.tags):
            raise Invalid("launch_configuration.tags", f"Tags that begin with {_OURS} are Thermostat's.")
        return StackTemplate(
            template=self.template,
            parameters=self.parameters,
            files=self.files,
            environment=self.environment,
            timeout_minutes=self.timeout_minutes,
            tags=tuple(self.tags),
        )

    def _require_bounded(self) -> None:
        if deeper_than(_LEVELS_MAX, self.template, self.parameters, self.environment):
            raise Invalid(
                "launch_configuration.too_deep",
                f"What Heat takes is nested at most {_LEVELS_MAX} levels deep.",
            )
        given = len(msgspec.json.encode((self.parameters, self.environment)))
        if given > _GIVEN_BYTES_MAX:
            raise Invalid(
                "launch_configuration.too_large",
                f"parameters and environment have {given} bytes, and may have {_GIVEN_BYTES_MAX}.",
            )


class ShownStack(msgspec.Struct, kw_only=True):
    """What one stack is made of; in a list without ``template`` and ``files``, which may be large."""

    template: HotTemplate | None
    parameters: dict[str, Any]
    files: dict[str, str] | None
    environment: dict[str, Any] | None
    timeout_minutes: int
    tags: list[str]


def shown_stack(template: StackTemplate, *, whole: bool) -> ShownStack:
    """Return what one stack is made of as it is shown by itself (``whole``) or in a list."""
    text = template.template
    return ShownStack(
        template=(text if isinstance(text, str) else dict(text)) if whole else None,
        parameters=dict(template.parameters),
        files=dict(template.files) if whole else None,
        environment=None if template.environment is None else dict(template.environment),
        timeout_minutes=template.timeout_minutes,
        tags=list(template.tags),
    )
