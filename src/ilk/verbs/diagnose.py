"""diagnose: which of the well-known failures a model shows, each with its evidence and a remedy."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from ilk.dataset import Dataset, split_dataset
from ilk.distribution import How
from ilk.errors import DataError
from ilk.model import Model
from ilk.rng import Rng
from ilk.verbs._detectors import DETECTORS, Case, Finding
from ilk.verbs.read import native
from ilk.verbs.sample import bound


@dataclass(frozen=True)
class Diagnosis:
    """What was found, and the names of the failures that were looked for: others do not apply to this model or these items."""

    findings: tuple[Finding, ...]
    looked: tuple[str, ...]

    def __repr__(self) -> str:
        lines = [f"{f.name}: {f.says} (evidence {f.evidence:.3g}, threshold {f.threshold:.3g})\n  remedy: {f.remedy}" for f in self.findings]
        return "\n".join([*lines, f"looked for: {', '.join(self.looked) or 'nothing that applies'}; found: {len(self.findings)}"])


def diagnose(model: Model, data: Any, seed: int = 0, how: How | None = None) -> Diagnosis:
    """Failures of a model, by held-out items: the test items of a Dataset (its training items are compared with them), or items as they are.

    `how` is the way that new items are drawn.

    >>> import ilk, numpy as np
    >>> rng = np.random.default_rng(0)
    >>> ilk.diagnose(ilk.fit(rng.standard_normal((500, 2)), ilk.GMM(components=1)), rng.standard_normal((300, 2)))
    looked for: mode collapse; found: 0
    """
    case = Case(model, _data(model, data), Rng(seed).child("diagnose"), bound(model, how))
    if not len(case.data.index("test")):
        raise DataError("there are no held-out items to look at", code="EMPTY", remedy="name some with --data")
    answers = {name: detector(case) for name, detector in DETECTORS.items()}
    applied = {name: tuple(found) for name, found in answers.items() if found is not None}
    return Diagnosis(tuple(f for found in applied.values() for f in found), tuple(applied))


def _data(model: Model, data: Any) -> Dataset[Any]:
    if not isinstance(data, Dataset):
        items = native(model.modality, data)
        return Dataset(model.modality, items, {"test": torch.arange(len(items))})
    return data if "test" in data.splits else split_dataset(data)
