"""Scenes of two of easy-VQA's shapes side by side, 16 x 32, with captions in which the order of words counts."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import PIL.Image as pil
import torch

import ilk
from ilk.captions import Captions
from ilk.dataset import Dataset
from ilk.verbs.read import read

HELD_OUT = ("red triangle", "blue circle", "green rectangle", "yellow triangle")   # never in the pictures that the generator learns from
SIDE = 16


def caption(left: str, right: str) -> str:
    return f"a {left} left of a {right}"


def halves(text: str) -> tuple[str, str]:
    """What a caption says of the left and of the right shape."""
    left, right = text.removeprefix("a ").split(" left of a ")
    return left, right


def cut(items: Any, rng: ilk.Rng) -> Any:
    """Squares of at least half a picture that hold its shape, anywhere in them, shrunk to 16 x 16."""
    made, place = [], rng.uniform(len(items), 2).numpy()
    for x, share in zip(items, place, strict=True):
        shape = np.argwhere(np.abs(x.astype(int) - np.median(x.reshape(-1, 3), 0)).max(2) > 40)
        low, high = shape.min(0), shape.max(0) + 1
        side = int(max(2 * SIDE, (high - low).max()))
        least, most = np.maximum(high - side, 0), np.minimum(low, len(x) - side)
        top, left = (least + share * (most - least + 1)).astype(int).clip(least, most)
        made.append(np.asarray(pil.fromarray(x[top:top + side, left:left + side]).resize((SIDE, SIDE), pil.Resampling.BOX)))
    return np.stack(made)


def scenes(seed: int, many: dict[str, int]) -> Dataset[Any]:
    """Scenes by split, each of two pictures of easy-VQA's own split, cut out and shrunk by two: (n, 16, 32, 3); no picture is in two splits."""
    data = read("shapes")
    assert data.labels is not None
    items, texts, splits = [], [], {}
    for split, n in many.items():
        index, rng = data.index("test" if split == "test" else "train"), ilk.Rng(seed).child("scenes", split)
        left, right = (index[rng.child(side).integers(n, len(index))] for side in ("left", "right"))
        splits[split] = torch.arange(len(texts), len(texts) + n)
        items.append(np.concatenate([cut(data.items[side.numpy()], rng.child(name)) for side, name in ((left, "left cut"), (right, "right cut"))], 2))
        names = [str(name) for name in data.labels.names]
        texts += [caption(names[a], names[b]) for a, b in zip(data.labels.codes[left].tolist(), data.labels.codes[right].tolist(), strict=True)]
    made = ilk.read(np.concatenate(items))
    return replace(made, splits=splits, captions=Captions.of(texts))


def without(data: Dataset[Any], split: str, pairs: Iterable[str]) -> Dataset[Any]:
    """The data, a split of them without the scenes that show one of these."""
    assert data.captions is not None
    gone = set(pairs)
    kept = torch.tensor([not gone & set(halves(data.captions.texts[i])) for i in data.index(split).tolist()])
    return replace(data, splits={**data.splits, split: data.index(split)[kept]})


def texts_of(data: Dataset[Any], split: str) -> list[str]:
    assert data.captions is not None
    return [data.captions.texts[i] for i in data.index(split).tolist()]
