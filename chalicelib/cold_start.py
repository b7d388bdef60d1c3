"""What shortens a cold start, in one place; nothing of it changes what is computed. app.py imports it first.

On Lambda alone: elsewhere processes live long, may begin in several threads, and are better off if what is
wrong shows at once. docs/benchmarks.md says what each of these gains.
"""

from __future__ import annotations

import builtins
import contextlib
import dataclasses
import functools
import gc
import importlib.util
import marshal
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, cast

T = TypeVar("T")

ON_LAMBDA = "AWS_LAMBDA_FUNCTION_NAME" in os.environ
_HANDLER = os.environ.get("_HANDLER", "")

COMPILED_METHODS = f"methods.{sys.implementation.cache_tag}"
"""The file beside this module in which the bundle has what dataclasses would compile (deploy/methods.py): the
marshalled code of each source text. Named for one Python, as bytecode is; without it nothing is different."""


def begin() -> None:
    """Let the garbage collector wait until there is garbage, and dataclasses take compiled methods."""
    gc.disable()
    with contextlib.suppress(FileNotFoundError):
        methods = marshal.loads(Path(__file__).with_name(COMPILED_METHODS).read_bytes())  # noqa: S302
        compile_methods_by(lambda source: _known(methods, source))


def end() -> None:
    """Take what has been imported for what stays, and collect garbage from now on."""
    gc.freeze()
    gc.enable()


def compile_methods_by(compiled: Callable[[str], Any]) -> None:
    """Have dataclasses run what ``compiled`` makes of the source of a method, or of several.

    It compiles them anew in every process, for each of some 200 classes, and that takes longer than all else
    about a class. ``exec`` is a builtin, which a name of the module's own hides.
    """

    def run(source: str, names: dict[str, Any] | None = None, made: Mapping[str, Any] | None = None) -> None:
        builtins.exec(compiled(source), names, made)  # noqa: S102

    vars(dataclasses)["exec"] = run


def _known(methods: Mapping[str, bytes], source: str) -> Any:
    """Return the code of ``source``; one that is not known is compiled."""
    return marshal.loads(methods[source]) if source in methods else source  # noqa: S302


@contextlib.contextmanager
def imported_when_used(but_by: str | None = None) -> Iterator[None]:
    """Have the modules that the block imports run when something of theirs is first used.

    The block must import modules, not names out of them.

    Args:
        but_by: the handler of a function that needs them anyway: it has more CPU before its first event.
    """
    if not ON_LAMBDA or but_by == _HANDLER:
        yield
        return
    sys.meta_path.insert(0, _Lazily)
    try:
        yield
    finally:
        sys.meta_path.remove(_Lazily)


class _Lazily(MetaPathFinder):
    """Finds what Python would find, and has it run later."""

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where the module is."""
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = importlib.util.LazyLoader(spec.loader)
        return spec


def when_used(build: Callable[[], T]) -> T:
    """Return what ``build`` makes; on Lambda it is made when a method of it is first called."""
    return cast("T", _WhenUsed(build)) if ON_LAMBDA else build()


class _WhenUsed:
    """Stands for what is built later."""

    def __init__(self, build: Callable[[], Any]) -> None:
        self._build = build

    @functools.cached_property
    def _built(self) -> Any:
        return self._build()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._built, name)


if ON_LAMBDA:
    begin()
