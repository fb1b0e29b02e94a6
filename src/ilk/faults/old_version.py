"""A package or Python older than ilk needs."""
from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from ilk.fault import Fault, Found, Installation
from ilk.faults._machine import below

PYTHON = "3.11"


class OldVersion(Fault):
    """Below the least version that ilk asks for, or not there at all."""

    looks_at: ClassVar[type] = Installation

    def find(self, thing: Installation) -> Iterator[Found]:
        """Which, and the least."""
        if below(thing.machine.get("python"), PYTHON):
            yield self.found(f"Python {thing.machine['python']}", f"ilk needs {PYTHON}", f"python{PYTHON} -m venv .venv, or uv venv --python {PYTHON}; then install ilk there")
        for name, least in thing.machine.get("needs", {}).items():
            found = thing.versions.get(name)
            if found is None or below(found, least):
                yield self.found(f"{name} {found or 'is absent'}", f"ilk needs {name} {least} or later", f"pip install -U '{name}>={least}'")
