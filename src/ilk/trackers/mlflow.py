"""mlflow: runs in MLflow's store, by default a folder here."""
from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..tracker import Tracker, flat
from ._library import library

MOST = 500   # letters of a parameter's value


class MLflow(Tracker):
    """A run of an experiment (`pip install 'ilk[mlflow]'`), in the store `uri`: MLFLOW_TRACKING_URI, else the folder `mlruns`."""

    def __init__(self, experiment: str = "ilk", uri: str | None = None) -> None:
        super().__init__()
        self.experiment, self._library = experiment, library("mlflow", "mlflow")
        self.uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or Path("mlruns").absolute().as_uri()
        if self.uri.startswith("file:"):
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")   # newer ones want a database unless this is said; mlflow-skinny has none

    def begin(self, what: str) -> None:
        """A run, by the client: nothing of mlflow's global state is touched."""
        self._client: Any = self._library.MlflowClient(self.uri)
        known = self._client.get_experiment_by_name(self.experiment)
        at = self._client.create_experiment(self.experiment) if known is None else known.experiment_id
        self._id = self._client.create_run(at, run_name=what).info.run_id

    def know(self, facts: Mapping[str, Any]) -> None:
        """Its parameters, which never change; its tags where they do."""
        for key, value in flat(facts):
            self._client.set_tag(self._id, key, str(value)[:MOST]) if key in ("asked", "model") else self._client.log_param(self._id, key, str(value)[:MOST])

    def point(self, curve: str, step: int, loss: float) -> None:
        """A metric."""
        self._client.log_metric(self._id, curve, loss, step=step)

    def measure(self, figures: Mapping[str, float]) -> None:
        """A metric each; letters that mlflow takes in no name become dashes."""
        for name, value in figures.items():
            self._client.log_metric(self._id, "".join(c if c.isalnum() or c in "_-. /" else "-" for c in name), value)

    def end(self, how: str, message: str) -> None:
        """Finished, killed or failed."""
        if message:
            self._client.set_tag(self._id, "message", message[:MOST])
        self._client.set_terminated(self._id, {"done": "FINISHED", "stopped": "KILLED"}.get(how, "FAILED"))

    def abandon(self) -> None:
        """Failed."""
        self._client.set_terminated(self._id, "FAILED")
