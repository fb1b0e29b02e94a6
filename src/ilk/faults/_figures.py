"""What faults of figures share."""
from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from ilk.fault import Fault, Figure, Figures, Found


class FigureFault(Fault):
    """A fault that a figure has by itself."""

    looks_at: ClassVar[type] = Figures

    def find(self, thing: Figures) -> Iterator[Found]:
        """The figures that have it."""
        for figure in thing.figures:
            said = self.said(figure, thing)
            if said is not None:
                yield self.found(named(figure), *said)

    @abstractmethod
    def said(self, figure: Figure, among: Figures) -> tuple[str, str] | None:
        """Why it is one, and the remedy; None where it is none."""


def named(figure: Figure) -> str:
    """The figure, and the model if it is told."""
    return f"{figure.name} of {figure.model}" if figure.model else figure.name


def like(figure: Figure, *names: str) -> bool:
    """Whether it is one of these, however it is written."""
    plain = figure.name.lower().replace("-", "_").replace(" ", "_")
    return any(plain == name or plain.startswith(f"{name}_") or plain.endswith(f"_{name}") for name in names)


def rank(figure: Figure) -> int:
    """1 where higher is better, -1 where lower is, 0 where neither is."""
    return {"higher": 1, "lower": -1}.get(figure.better, 0)
