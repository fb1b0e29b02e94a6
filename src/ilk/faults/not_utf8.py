"""A locale that is not UTF-8: names and texts in other scripts are read and printed wrongly."""
from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from ilk.fault import Fault, Found, Installation


class NotUtf8(Fault):
    """Another encoding of files, names or the terminal."""

    looks_at: ClassVar[type] = Installation

    def find(self, thing: Installation) -> Iterator[Found]:
        """Which, and where."""
        for place, encoding in thing.machine.get("encodings", {}).items():
            if encoding and str(encoding).lower().replace("-", "").replace("_", "") not in ("utf8", "utf8sig", "cp65001"):
                yield self.found(place, f"its encoding is {encoding}", "export LANG=C.UTF-8 (or PYTHONUTF8=1)")
