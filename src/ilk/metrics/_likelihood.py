"""The score of test items, for the metrics that rest on it."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from ilk.dataset import Dataset, Labels
from ilk.distribution import HasLogProb
from ilk.errors import UsageError
from ilk.metric import NotApplicable
from ilk.rng import Rng

if TYPE_CHECKING:
    from ilk.model import Model
    from ilk.verbs.score import Score


FEW, DRAWS = 256, 4  # items and draws of a bound, which costs many network calls an item


def some(model: Model, items: Any) -> Any:
    """The first items, at most so many as a bound is worked out for."""
    return model.modality.take(items, torch.arange(min(FEW, len(items))))


def scored(model: Model, items: Any, rng: Rng, labels: Labels | None = None) -> Score | NotApplicable:
    """Nats per item (of some, where there is only a bound), or why the model has none."""
    from ilk.verbs.score import score

    exact = isinstance(model.body, HasLogProb)
    judged = items if exact else some(model, items)
    if labels is not None and not set(labels.names) - set(model.labels):
        codes = torch.tensor([model.labels.index(name) for name in labels.names])[labels.codes[:len(judged)]]
        judged = Dataset(model.modality, judged, {"test": torch.arange(len(judged))}, Labels(codes, model.labels))
    try:
        return score(model, judged, rng.key() % 2**63, None if exact else DRAWS)
    except UsageError as why:
        if why.code == "NO_SCORE":
            return NotApplicable(str(why))
        raise
