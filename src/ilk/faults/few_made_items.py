"""Far fewer made items than real ones: variety can't be seen in a handful."""
from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from ilk.fault import Fault, Figures, Found

SHARE = 0.1


class FewMadeItems(Fault):
    """A tenth of the test items, or less."""

    looks_at: ClassVar[type] = Figures

    def find(self, thing: Figures) -> Iterator[Found]:
        """How many of both."""
        made, test = thing.facts.get("made"), thing.facts.get("test")
        if isinstance(made, int) and isinstance(test, int) and 0 < made <= SHARE * test:
            yield self.found("the made items", f"{made} made items beside {test} test items: a tenth of what shows how varied they are",
                             f"ilk evaluate MODEL -n {test}")
