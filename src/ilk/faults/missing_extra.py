"""Files that an optional package is needed for, which is not there."""
from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from ilk.fault import Fault, Found, Installation

NEEDS = {".gguf": ("gguf", "ilk[gguf]"), ".xlsx": ("fastexcel", "fastexcel"), ".parquet.gz": ("pyarrow", "ilk[table]"), ".feather.lz4": ("pyarrow", "ilk[table]")}


class MissingExtra(Fault):
    """A suffix in the working folder whose package is absent."""

    looks_at: ClassVar[type] = Installation

    def find(self, thing: Installation) -> Iterator[Found]:
        """The file and the package."""
        for file in thing.machine.get("files", ()):
            for suffix, (package, asked) in NEEDS.items():
                if str(file).lower().endswith(suffix) and thing.versions.get(package, "") is None:
                    yield self.found(str(file), f"files such as this need {package}, which is not installed", f"pip install '{asked}'")
