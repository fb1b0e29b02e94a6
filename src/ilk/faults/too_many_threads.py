"""More threads than cores: they wait for one another, and a fit is slower than with one."""
from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from ilk.fault import Fault, Found, Installation


class TooManyThreads(Fault):
    """OMP_NUM_THREADS or its like above the cores that this process may use, or no number."""

    looks_at: ClassVar[type] = Installation

    def find(self, thing: Installation) -> Iterator[Found]:
        """The variable and the cores."""
        cores = thing.machine.get("cores")
        for name, value in thing.machine.get("threads", {}).items():
            if not str(value).strip().isdigit() or int(value) == 0:
                yield self.found(name, f"{value!r} is no number of threads", f"export {name}={cores or 1}")
            elif cores and int(value) > cores:
                yield self.found(name, f"{value} threads on {cores} core{'s' * (cores > 1)} that this process may use",
                                 f"export {name}={cores}, or 1 where several fits run at once")
