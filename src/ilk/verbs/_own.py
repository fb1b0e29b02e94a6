"""The data that a model was fitted on, read again if they are still what they were."""
from __future__ import annotations

import os
from typing import Any

import torch

from ilk.dataset import Dataset, given_splits, split_dataset
from ilk.model import Model
from ilk.verbs.fit import fingerprint
from ilk.verbs.read import read


def alike(model: Model, data: str) -> Dataset[Any]:
    """Data as the model's own modality reads them."""
    from ilk import catalogue

    if not os.path.exists(data) and data in catalogue.names():
        return read(data)
    return read(data, model.modality)


def own(model: Model) -> Dataset[Any] | None:
    """What the card names; None if it can't be read, or has changed."""
    try:
        data = split_dataset(alike(model, str(model.card.get("data", ""))))
    except (ValueError, KeyError, TypeError, OSError):
        return None
    return data if fingerprint(data, model.body.family)["data"] == model.card.get("data_sha256") else None


def judges(model: Model, against: str) -> Dataset[Any]:
    """Held-out items of a file (its test items, if it is divided), and the data of the fit where they are still what they were."""
    found = alike(model, against)
    return beside_own(model, found.split("test") if "test" in found.splits else found.items)


def beside_own(model: Model, items: Any) -> Dataset[Any]:
    """Held-out items, and the data of the fit where they are still what they were."""
    mine = own(model)
    if mine is None:
        return Dataset(model.modality, items, {"test": torch.arange(len(items))})
    parts = {"train": mine.train, "valid": mine.valid, "test": items}
    return given_splits(model.modality, {k: v for k, v in parts.items() if len(v)})
