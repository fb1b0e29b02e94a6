"""A file in the working folder with the name of a package: Python imports it instead."""
from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import ClassVar

from ilk.fault import Fault, Found, Installation

USED = ("torch", "numpy", "scipy", "sklearn", "polars", "pandas", "PIL", "matplotlib", "safetensors", "pydantic", "tokenizers", "rich", "ilk", "cyclopts", "jinja2",
        "torchvision", "transformers")


class ShadowedPackage(Fault):
    """random.py, torch.py, or a folder of such a name that is a package."""

    looks_at: ClassVar[type] = Installation

    def find(self, thing: Installation) -> Iterator[Found]:
        """The file."""
        for file in thing.machine.get("modules", ()):
            name = str(file).removesuffix(".py").rstrip("/")
            if name in USED or name in sys.stdlib_module_names - {"this", "antigravity", "test"}:
                yield self.found(str(file), f"`import {name}` from this folder takes it instead of the package", f"mv {file} my_{name}.py, and remove __pycache__")
