"""What a fit that starts from another model needs: the same recipe, coding and labels; each that differs is refused with what would work."""
from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import torch

from ilk import recipe, registry
from ilk.dataset import Dataset, Labels, encoded, split_dataset
from ilk.distribution import Adapts, Counted, Family
from ilk.errors import DataError, UsageError, nearest
from ilk.model import Model, differs
from ilk.rng import Rng
from ilk.store import tensors_to_bytes
from ilk.verbs.read import read

PIECE = 4096
UNLIKE = ("DATA_TYPE", "DATA_RANGE", "COLUMN", "MISSING", "SHAPE", "SPACE")   # what a coding says of items that it is not of


def fitting(data: Any, start: Model, family: Family | None, like: Model | None) -> tuple[Dataset[Any], str]:
    """The data as the starting model codes and labels them, and the digest of what it learned."""
    name = registry.name_of("families", start.body.family)
    if not isinstance(start.body, Adapts):
        raise UsageError(f"{name} can't go on from a model: it lacks Adapts", code="CAPABILITY", param="start", remedy=_instead(start))
    if family is not None and recipe.facts("families", family) != recipe.facts("families", start.body.family):
        raise UsageError(f"the model to start from is of another recipe: {name} {recipe.options(start.body.family)}", code="DIFFERENT", param="start",
                         remedy="leave the family and its options out")
    if like is not None and (place := differs(start, like)):
        raise UsageError(f"`start` and `like` code their items differently: they differ in {place}", code="DIFFERENT", param="like", remedy="leave `like` out")
    found = _coded(data, start)
    return found, hashlib.sha256(tensors_to_bytes(start.body.state().tensors)).hexdigest()


def _instead(start: Model) -> str:
    if isinstance(start.body, Counted):
        return "its counts add up: start + ilk.fit(target, like=start)"
    return "families of networks do (made, vae, diffusion, transformer), and gmm, mixture, circuit and hmm"


def _coded(data: Any, start: Model) -> Dataset[Any]:
    try:
        found = split_dataset(data if isinstance(data, Dataset) else read(data, start.modality))
        found = replace(_labelled(found, start), modality=start.modality)
        if len(found.index("train")) < 2:
            raise DataError(f"{len(found.index('train'))} items to learn from", code="TOO_FEW", remedy="at least 2 different items")
        for split in ("train", "valid"):
            for piece in found.pieces(split, PIECE):
                encoded(start.codec, start.lift, piece, Rng(0))
    except DataError as why:
        if why.code not in UNLIKE:
            raise
        raise UsageError(f"the model to start from codes its items differently: {why.message}", code="CODING", param="start",
                         remedy="fit it on data read together with these, so that types, values and shapes are those of both") from None
    return found


def _labelled(data: Dataset[Any], start: Model) -> Dataset[Any]:
    """The data with labels by the numbers that the model knows them by, and told what it is told, no more."""
    wanted = start.body.about
    if "caption" in wanted and (data.captions is None or tuple(data.captions.vocabulary.words) != start.words):
        raise UsageError("the model to start from was told captions in other words", code="DIFFERENT", param="start", remedy="start from a model without captions")
    data = replace(data, captions=data.captions if "caption" in wanted else None, labels=data.labels if "label" in wanted else None)
    if "label" not in wanted:
        return data
    if data.labels is None:
        raise UsageError("the model to start from was fitted with labels, and these data have none", code="DIFFERENT", param="start", remedy="label them, or fit it without")
    used = [data.labels.names[i] for i in data.labels.codes.unique().tolist()]
    if strange := [n for n in used if n not in start.labels]:
        raise UsageError(f"the model to start from knows no label {strange[0]!r}", code="DIFFERENT", param="start", remedy=nearest(str(strange[0]), start.labels))
    place = torch.tensor([start.labels.index(n) if n in start.labels else -1 for n in data.labels.names])
    return replace(data, labels=Labels(place[data.labels.codes], start.labels))
