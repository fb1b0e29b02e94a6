"""Characters that cannot be seen: rests of terminals, files and pages, which a model learns to write."""
from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar

from ilk.dataset import Dataset
from ilk.fault import Fault, Found
from ilk.faults._columns import share
from ilk.faults._data import strings

UNSEEN = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069\u0080-\u0084\u0086-\u009f]")


class ControlCharacters(Fault):
    """Control characters other than ends of lines, tabs and pages; spaces of no width, marks of byte order, changes of direction."""

    looks_at: ClassVar[type] = Dataset

    def find(self, thing: Dataset[Any]) -> Iterator[Found]:
        """How many texts have them, and which they are."""
        for where, found in strings(thing):
            hits = [text for text in found if UNSEEN.search(text)]
            if hits:
                marks = sorted({f"U+{ord(c):04X}" for text in hits[:1000] for c in UNSEEN.findall(text)})
                yield self.found(where, f"{share(len(hits), len(found))} hold {', '.join(marks[:6])}",
                                 r"take them out: re.sub('[\x00-\x08\x0b\x0e-\x1f\x7f\u200b\ufeff]', '', text)")
