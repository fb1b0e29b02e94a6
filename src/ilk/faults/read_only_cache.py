"""A folder for fetched data that can't be written: everything is fetched again, or not at all."""
from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from ilk.fault import Fault, Found, Installation


class ReadOnlyCache(Fault):
    """No right to write where ilk keeps what it fetched."""

    looks_at: ClassVar[type] = Installation

    def find(self, thing: Installation) -> Iterator[Found]:
        """The folder."""
        if thing.machine.get("cache_writable") is False:
            yield self.found(str(thing.machine.get("cache", "the cache")), "this user may not write there", "export ILK_CACHE=FOLDER with a folder of your own")
