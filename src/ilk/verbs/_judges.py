"""Classifiers that judge edits: learned from examples in raw units, so that they know nothing of a model's codes."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ilk.metrics._features import pictures
from ilk.metrics._judge import classifier
from ilk.metrics._picture_net import Trained
from ilk.model import Model
from ilk.rng import Rng
from ilk.verbs.condition import flat

Judge = Callable[[Any], Tensor]


def judge(model: Model, items: Any, classes: Tensor, rng: Rng) -> Judge:
    """What takes raw items to their classes, (n,): a convolutional network for pictures, gradient-boosted trees for everything else."""
    known, place = classes.unique(return_inverse=True)
    if len(known) < 2:
        return lambda other: known.repeat(len(other))
    if pictures(items):
        net = Trained(items, place.numpy(), rng)
        return lambda other: known[torch.from_numpy(net.classes(other))]
    seen = rng.child("code")
    chances = classifier(_numbers(model, items, seen), place.numpy(), np.zeros(0, dtype=bool), rng)
    return lambda other: known[torch.from_numpy(chances(_numbers(model, other, seen)).argmax(1))]


def _numbers(model: Model, items: Any, rng: Rng) -> Any:
    return flat(model, items, rng).tensor.flatten(1).double().numpy()
