"""Whether pictures made for a label show it: the share that a classifier of real pictures recognises."""
from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._features import alike, pictures, space_of


class LabelAccuracy(Metric):
    """Share of made pictures that the network behind the features takes for what was asked.

    Needs the labels of made and of training pictures. `parts` has the share of each label (by its number) and, as
    `real`, that of unseen training pictures.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "train")
    modalities: ClassVar[tuple[str, ...]] = ("image",)
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "higher"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The share over all made pictures."""
        asked = case.made_labels
        if why := alike(case.made, case.train) or ("" if pictures(case.made) else "it is about pictures"):
            return NotApplicable(why)
        if asked is None or case.train_labels is None:
            return NotApplicable("no labels were asked for, or the training pictures have none")
        space = space_of(case)
        if isinstance(space, str) or space.net is None or space.classes is None or space.sure is None:
            return NotApplicable(space if isinstance(space, str) else "the training pictures have only one label")
        labels = np.asarray(asked)
        right = space.classes[space.net.classes(case.made)] == labels
        parts = {str(label): float(right[labels == label].mean()) for label in np.unique(labels)} | {"real": space.sure}
        soft = (right.sum() + 1) / (len(right) + 2)
        error = float((soft * (1 - soft) / len(right)) ** 0.5) if case.errors else None
        return Reading(float(right.mean()), error, len(right), parts, f"the classifier of {space.name}; n={len(right)}")
