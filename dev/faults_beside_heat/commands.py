"""What stops and starts the cloud's services: commands from the environment, for each cloud has its own."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Commands:
    """Commands for a shell, by their variables: KILL_ENGINE, START_ENGINE, STOP_NOVA and so on."""

    by_name: Mapping[str, str]

    def has(self, *names: str) -> bool:
        """Return whether all of them are there."""
        return all(self.by_name.get(name) for name in names)

    def begin(self, name: str) -> subprocess.Popen[bytes]:
        """Start one; what it prints is thrown away, but for its complaints."""
        return subprocess.Popen(self.by_name[name], shell=True, stdout=subprocess.DEVNULL)

    def run(self, name: str) -> None:
        """Run one to its end; RuntimeError if it fails."""
        code = self.begin(name).wait()
        if code:
            raise RuntimeError(f"{name} failed with {code}: {self.by_name[name]}")
