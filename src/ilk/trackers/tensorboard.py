"""tensorboard: event files for TensorBoard, a folder a run."""
from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ..tracker import Tracker, flat
from ._library import library


class TensorBoard(Tracker):
    """Event files below `to`, by default `runs` here, written by tensorboardX (`pip install 'ilk[track]'`)."""

    def __init__(self, to: str | Path = "runs") -> None:
        super().__init__()
        self.to, self._library = Path(to), library("tensorboardX", "track")

    def begin(self, what: str) -> None:
        """A folder of the time and the verb."""
        self._facts: dict[str, Any] = {}
        self._figures: dict[str, float] = {}
        self._writer = self._library.SummaryWriter(str(self.to / f"{datetime.now():%Y%m%d-%H%M%S-%f}-{what}"))

    def know(self, facts: Mapping[str, Any]) -> None:
        """Kept for the end."""
        self._facts |= facts

    def point(self, curve: str, step: int, loss: float) -> None:
        """A scalar."""
        self._writer.add_scalar(curve, loss, step)

    def measure(self, figures: Mapping[str, float]) -> None:
        """A scalar each."""
        self._figures |= figures
        for name, value in figures.items():
            self._writer.add_scalar(f"figures/{name}", value, 0)

    def end(self, how: str, message: str) -> None:
        """All settings as a text."""
        rows = "\n".join(f"| {k} | {v} |" for k, v in {**dict(flat(self._facts)), "ended": f"{how} {message}".strip()}.items())
        self._writer.add_text("settings", f"| | |\n|---|---|\n{rows}", 0)
        self._writer.close()

    def abandon(self) -> None:
        """Closes the file."""
        self._writer.close()
