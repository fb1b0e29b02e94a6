"""Files that an optional package is needed for, which is not there."""
from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from ilk.fault import Fault, Found, Installation

NEEDS = {".gguf": ("gguf", "ilk[gguf]"), "model_index.json": ("diffusers", "ilk[diffusers]"), "mlruns": ("mlflow-skinny", "ilk[mlflow]"), "wandb": ("wandb", "ilk[wandb]")}


class MissingExtra(Fault):
    """A file or folder in the working folder whose package is absent."""

    looks_at: ClassVar[type] = Installation

    def find(self, thing: Installation) -> Iterator[Found]:
        """The file and the package."""
        for file in thing.machine.get("files", ()):
            for suffix, (package, asked) in NEEDS.items():
                if str(file).lower().endswith(suffix) and thing.versions.get(package, "") is None:
                    yield self.found(str(file), f"files such as this need {package}, which is not installed", f"pip install '{asked}'")
