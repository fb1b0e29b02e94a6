"""prefer: what somebody likes, learned from pairs of items of which one was preferred."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ilk.errors import DataError, UsageError
from ilk.modality import groups
from ilk.model import Model
from ilk.quantities.preference import FEATURES, Taste, coding, possible
from ilk.rng import Rng
from ilk.store import parse_json
from ilk.verbs.read import native

RIDGES = tuple(10.0 ** (k / 2) for k in range(6, -5, -1))   # the strongest first, so that it is taken where nothing tells them apart
FOLDS, INNER, FEWEST, ROUNDS = 5, 3, 8, 30


def prefer(model: Model, likes: Any, items: Any = None, seed: int = 0) -> Taste:
    """A taste from pairs: `likes` are two collections, winners and losers, or pairs of numbers of `items`, the winner first.

    What features of an item count (its code, its numbers and categories, its runs of letters), and how strong the ridge is, is chosen by
    cross-validation over items, inside the one that tells the accuracy: of every held-out pair an item was not seen.

    >>> import ilk
    >>> x = ilk.Rng(0).normal(200, 2).numpy()
    >>> model = ilk.fit(x, ilk.GMM(components=1))
    >>> pairs = [(i, j) if x[i, 0] > x[j, 0] else (j, i) for i, j in zip(range(100), range(100, 200))]
    >>> ilk.prefer(model, pairs, x).accuracy > 0.9
    True
    """
    won, lost = _pairs(model, likes, items)
    both = model.modality.join([won, lost])
    same = groups(model.modality, both).reshape(2, -1)
    if len(won) < FEWEST or len(same.unique()) < FOLDS:
        raise DataError(f"{len(won)} pairs of {len(same.unique())} different items", code="TOO_FEW",
                        remedy=f"{FEWEST} pairs of {FOLDS} items at least; 100 pairs tell more")
    shown = {name: _standard(FEATURES[name](model, both)) for name in possible(model)}
    gaps = {name: x[:len(won)] - x[len(won):] for name, (x, _, _) in shown.items()}
    rng = Rng(seed).child("prefer")
    right, asked = 0.0, 0
    for number, (train, test) in enumerate(_folds(same, FOLDS, rng.child("outer"))):
        name, ridge = _chosen(gaps, same, train, rng.child("inner", number))
        told = gaps[name][test] @ fitted(gaps[name][train], ridge)
        right, asked = right + float((told > 0).sum()) + 0.5 * float((told == 0).sum()), asked + len(test)
    name, ridge = _chosen(gaps, same, torch.arange(len(won)), rng.child("all"))
    _, center, scale = shown[name]
    share = right / max(1, asked)
    low, high = interval(share, min(asked, len(won)))
    facts = {"accuracy": share, "low": low, "high": high, "pairs": len(won), "ridge": ridge, "of": coding(model, name)}
    return Taste(name, fitted(gaps[name], ridge), center, scale, facts)


def read_likes(at: str | Path) -> list[tuple[int, int]]:
    """Pairs of numbers of items from a CSV file with the columns winner and loser, or lines of JSON with these names; DataError with the line."""
    try:
        lines = Path(at).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as why:
        raise DataError(f"{at} can't be read: {getattr(why, 'strerror', None) or 'it is no text'}", code="NOT_FOUND") from None
    said = lines[0].replace(" ", "").replace('"', "").split(",") if lines else []
    if "winner" in said and "loser" in said:
        rows = [(number, dict(zip(said, line.split(","), strict=False))) for number, line in enumerate(lines[1:], 2) if line.strip()]
    else:
        rows = [(number, parse_json(line.encode(), f"{at}, line {number}")) for number, line in enumerate(lines, 1) if line.strip()]
    return [_like(row, f"{at}, line {number}") for number, row in rows]


def _like(row: Any, place: str) -> tuple[int, int]:
    try:
        won, lost = (row[name] if isinstance(row[name], int) else int(str(row[name])) for name in ("winner", "loser"))
    except (KeyError, TypeError, ValueError):
        raise DataError(f"{place} holds no two numbers of items", code="LIKES", remedy='winner,loser in the first line of a CSV, or {"winner": 3, "loser": 7}') from None
    return won, lost


def _pairs(model: Model, likes: Any, items: Any) -> tuple[Any, Any]:
    """Winners and losers as the modality holds them."""
    if items is None:
        if not isinstance(likes, Sequence) or len(likes) != 2 or len(likes[0]) != len(likes[1]):
            raise UsageError("likes are two collections of as many items, winners and losers", code="LIKES", param="likes", remedy="or pairs of numbers, and `items`")
        won, lost = (native(model.modality, side) for side in likes)
        return won, lost
    known = native(model.modality, items)
    index = torch.as_tensor([[int(a), int(b)] for a, b in likes], dtype=torch.long).reshape(-1, 2)
    if odd := [i for i in index.flatten().tolist() if not 0 <= i < len(known)]:
        raise UsageError(f"there is no item {odd[0]}", code="LIKES", param="likes", remedy=f"0 to {len(known) - 1}")
    return model.modality.take(known, index[:, 0]), model.modality.take(known, index[:, 1])


def _standard(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Features with mean 0 and standard deviation 1, and what was taken off; those that never vary stay 0."""
    center, scale = x.mean(0), x.std(0, correction=0)
    scale = scale.where(scale > 1e-9 * (1 + center.abs()), torch.full_like(scale, torch.inf))
    return (x - center) / scale, center, scale.where(scale.isfinite(), torch.full_like(scale, 1e300))


def _folds(same: Tensor, many: int, rng: Rng) -> Iterator[tuple[Tensor, Tensor]]:
    """Items dealt out: pairs that hold none of a fold's items, and pairs that do."""
    names, place = same.unique(return_inverse=True)
    fold = (rng.shuffle(len(names)) % many)[place]
    for k in range(many):
        here = (fold == k).any(0)
        if bool(here.any()) and not bool(here.all()):
            yield (~here).nonzero()[:, 0], here.nonzero()[:, 0]


def _chosen(gaps: dict[str, Tensor], same: Tensor, rows: Tensor, rng: Rng) -> tuple[str, float]:
    """The features and the ridge under which held-out pairs among these are likeliest."""
    loss = {(name, ridge): 0.0 for name in gaps for ridge in RIDGES}
    for train, test in _folds(same[:, rows], INNER, rng):
        for name, gap in gaps.items():
            turned = _Turned.of(gap[rows[train]])
            for ridge in RIDGES:
                loss[name, ridge] += float(torch.nn.functional.softplus(-(gap[rows[test]] @ turned.fitted(ridge))).sum())
    return min(loss, key=lambda k: loss[k])


def fitted(gap: Tensor, ridge: float) -> Tensor:
    """Weights w that minimise sum log(1 + exp(-gap w)) + ridge / 2 |w|^2, gap (pairs, features): winner less loser."""
    return _Turned.of(gap).fitted(ridge)


@dataclass(frozen=True, eq=False)
class _Turned:
    """The same pairs in as many directions as they have, so that more features than pairs cost nothing."""

    z: Tensor
    back: Tensor

    @classmethod
    def of(cls, gap: Tensor) -> _Turned:
        u, s, v = torch.linalg.svd(gap, full_matrices=False)
        keep = s > 1e-10 * s.max().clamp_min(1e-300)
        return cls(u[:, keep] * s[keep], v[keep].T)

    def fitted(self, ridge: float) -> Tensor:
        """By Newton's method; steps are halved until the loss falls."""
        w = torch.zeros(self.z.shape[1], dtype=torch.double)
        loss = self._loss(w, ridge)
        for _ in range(ROUNDS):
            p = torch.sigmoid(-self.z @ w)
            slope = ridge * w - self.z.T @ p
            move = torch.linalg.solve(self.z.T @ ((p * (1 - p))[:, None] * self.z) + ridge * torch.eye(len(w), dtype=torch.double), slope)
            size = 1.0
            while size > 1e-6 and float(self._loss(w - size * move, ridge)) > float(loss):
                size /= 2
            w, before = w - size * move, loss
            loss = self._loss(w, ridge)
            if float(before - loss) < 1e-10 * (1 + float(before)):
                break
        return self.back @ w

    def _loss(self, w: Tensor, ridge: float) -> Tensor:
        return torch.nn.functional.softplus(-(self.z @ w)).sum() + ridge / 2 * w.square().sum()


def interval(share: float, many: int) -> tuple[float, float]:
    """95 % of a share of so many (Wilson 1927).

    >>> [round(x, 3) for x in interval(0.5, 100)]
    [0.404, 0.596]
    """
    z = 1.959964
    middle, wide = share + z * z / (2 * many), z * sqrt(share * (1 - share) / many + z * z / (4 * many * many))
    return max(0.0, (middle - wide) / (1 + z * z / many)), min(1.0, (middle + wide) / (1 + z * z / many))
