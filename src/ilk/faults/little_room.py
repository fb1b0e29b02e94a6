"""Little memory or disk: fits are killed, and models not written."""
from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from ilk.fault import Fault, Found, Installation
from ilk.faults._machine import GIB

MEMORY, DISK = 1 << 30, 1 << 30


class LittleRoom(Fault):
    """Less than a gigabyte of either."""

    looks_at: ClassVar[type] = Installation

    def find(self, thing: Installation) -> Iterator[Found]:
        """How much is left."""
        memory, disk = thing.machine.get("memory"), thing.machine.get("disk", {})
        if isinstance(memory, int) and memory < MEMORY:
            yield self.found("memory", f"{memory / GIB:.2f} GiB are free", "close other programs; a smaller --batch; data beyond memory are read in pieces from Parquet files")
        for place, free in disk.items():
            if free < DISK:
                yield self.found(f"disk of {place}", f"{free / GIB:.2f} GiB are free", "make room, or another folder: ILK_CACHE for what is fetched, --out for models")
