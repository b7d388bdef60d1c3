"""Compiles what dataclasses would compile in every cold start: ``python -I deploy/methods.py TREE``.

TREE is the unpacked bundle. Its own modules are imported with the packages of this environment, for those in
the bundle may be another architecture's; their versions are the same. ``chalicelib/cold_start.py`` uses what
is written here.
"""

from __future__ import annotations

import importlib
import marshal
import pkgutil
import sys
from pathlib import Path
from types import CodeType


def main() -> None:
    """Import every module of the bundle's own, and write the code of all methods that dataclasses made."""
    (tree,) = sys.argv[1:]
    sys.dont_write_bytecode = True
    sys.path.append(tree)
    import chalicelib  # noqa: PLC0415  (the bundle's)
    from chalicelib.cold_start import COMPILED_METHODS, compile_methods_by  # noqa: PLC0415

    methods: dict[str, bytes] = {}

    def compiled(source: str) -> CodeType:
        code = compile(source, "<dataclass>", "exec")
        methods[source] = marshal.dumps(code)
        return code

    compile_methods_by(compiled)
    for module in pkgutil.walk_packages(chalicelib.__path__, "chalicelib."):
        importlib.import_module(module.name)
    Path(tree, "chalicelib", COMPILED_METHODS).write_bytes(marshal.dumps(methods))


if __name__ == "__main__":
    main()
