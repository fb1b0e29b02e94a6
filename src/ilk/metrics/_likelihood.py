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


def scored(model: Model, items: Any, rng: Rng, labels: Labels | None = None) -> Score | NotApplicable:
    """Nats per item (of some, where there is only a bound), or why the model has none."""
    from ilk.verbs.score import score

    rows = torch.arange(len(items) if isinstance(model.body, HasLogProb) else min(FEW, len(items)))
    told = None if labels is None or set(labels.names) - set(model.labels) else Labels(torch.tensor([model.labels.index(n) for n in labels.names])[labels.codes], model.labels)
    try:
        return score(model, Dataset(model.modality, items, {"test": rows}, told), rng.key() % 2**63, None if isinstance(model.body, HasLogProb) else DRAWS)
    except UsageError as why:
        if why.code == "NO_SCORE":
            return NotApplicable(str(why))
        raise
