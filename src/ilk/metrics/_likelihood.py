"""The score of test items, for the metrics that rest on it."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from ilk.dataset import Dataset, Labels
from ilk.errors import UsageError
from ilk.metric import NotApplicable
from ilk.rng import Rng

if TYPE_CHECKING:
    from ilk.model import Model
    from ilk.verbs.score import Score


def scored(model: Model, items: Any, rng: Rng, labels: Labels | None = None) -> Score | NotApplicable:
    """Nats per item (of some, where there is only a bound), or why the model has none."""
    from ilk.verbs.score import affordable, score

    judged = model.modality.take(items, torch.arange(affordable(model, items)))
    if labels is not None and not set(labels.names) - set(model.labels):
        codes = torch.tensor([model.labels.index(name) for name in labels.names])[labels.codes[:len(judged)]]
        judged = Dataset(model.modality, judged, {"test": torch.arange(len(judged))}, Labels(codes, model.labels))
    try:
        return score(model, judged, rng.key() % 2**63)
    except UsageError as why:
        if why.code in ("NO_SCORE", "CONTEXT"):
            return NotApplicable(str(why))
        raise
