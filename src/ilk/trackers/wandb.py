"""wandb: runs for Weights & Biases, kept in a folder here until they are synced."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..tracker import Tracker
from ._library import library


class WandB(Tracker):
    """A run of a project (`pip install 'ilk[wandb]'`). Offline, in the folder `wandb`, unless `mode` is "online"; `wandb sync` sends it."""

    def __init__(self, project: str = "ilk", mode: str = "offline") -> None:
        super().__init__()
        self.project, self.mode, self._library = project, mode, library("wandb", "wandb")

    def begin(self, what: str) -> None:
        """A run."""
        self._run = self._library.init(project=self.project, mode=self.mode, job_type=what, settings=self._library.Settings(silent=True))

    def know(self, facts: Mapping[str, Any]) -> None:
        """Its config."""
        self._run.config.update(dict(facts), allow_val_change=True)

    def point(self, curve: str, step: int, loss: float) -> None:
        """A loss and its step: steps begin anew in every stage, so they are no step of wandb's."""
        self._run.log({curve: loss, f"{curve}_step": step})

    def measure(self, figures: Mapping[str, float]) -> None:
        """Its summary."""
        self._run.summary.update(dict(figures))

    def end(self, how: str, message: str) -> None:
        """Finished, or failed."""
        self._run.summary.update({"ended": how, "message": message})
        self._run.finish(exit_code=0 if how == "done" else 1)

    def abandon(self) -> None:
        """Finished as failed."""
        self._run.finish(exit_code=1)
