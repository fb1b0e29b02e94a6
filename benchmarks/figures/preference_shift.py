"""A planted preference, learned from pairs and leant towards: the share of made digits that it likes before and after, and what variety is lost."""
from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.svm import SVC

import ilk
from ilk.model import Model
from ilk.run import Steps

SHOWN, PAIRS, N, STRENGTHS, SPREAD = 400, 300, 1000, (0.5, 1.0, 2.0), 1.737
Numbers = NDArray[np.float64]


def top_heavy(items: Numbers) -> Numbers:
    """The ink above the middle less that below, in standard deviations of real digits."""
    half = items.reshape(len(items), 2, 32).mean(2, dtype=np.float64)
    return (half[:, 0] - half[:, 1]) / SPREAD


def pairs(liked: Numbers, n: int, rng: ilk.Rng) -> list[tuple[int, int]]:
    """A person who prefers one item to another with the odds exp(2 x difference): the winner first."""
    chosen = rng.child("pairs").integers(2 * n, len(liked)).reshape(n, 2).numpy()
    wins = rng.child("wins").uniform(n).numpy() < 1 / (1 + np.exp(-2 * (liked[chosen[:, 0]] - liked[chosen[:, 1]])))
    return [(int(a), int(b)) if w else (int(b), int(a)) for (a, b), w in zip(chosen, wins, strict=True)]


def variety(items: Numbers, judge: SVC) -> float:
    """How many kinds of digits there are, as told by a classifier of real ones: exp of the entropy."""
    share = np.bincount(judge.predict(items), minlength=10) / len(items)
    return float(np.exp(-(share[share > 0] * np.log(share[share > 0])).sum()))


def leant(model: Model, at: Path, strength: float, bar: float, judge: SVC, seed: int) -> dict[str, float]:
    """What a strength does: share liked, kinds of digits, draws an item."""
    found = ilk.sample(model.given(ilk.Towards(str(at), strength)), N, seed=seed)
    return {"liked": float((top_heavy(found.items) > bar).mean()), "kinds": variety(found.items, judge), "draws": found.cost}


def figure(seed: int) -> dict[str, Any]:
    """Share liked at strength 1, liking being more than the median of what the model makes by itself."""
    model = ilk.fit(load_digits().images[..., None].reshape(-1, 64), ilk.VAE(codes=16), seed=seed, budget=Steps(3000))
    plain = ilk.sample(model, N, seed=seed).items
    judge = SVC().fit(*load_digits(return_X_y=True))
    bar = float(np.median(top_heavy(plain)))
    shown = ilk.sample(model, SHOWN, seed=seed + 1000).items
    taste = ilk.prefer(model, pairs(top_heavy(shown), PAIRS, ilk.Rng(seed).child("person")), shown, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        at = taste.save(Path(folder) / "taste")
        found = {f"strength_{s}": leant(model, at, s, bar, judge, seed) for s in STRENGTHS}
        undone = bool(np.array_equal(ilk.sample(model.given(ilk.Towards(str(at), 0.0)), N, seed=seed).items, plain))
    before = float((top_heavy(ilk.sample(model, N, seed=seed + 2000).items) > bar).mean())
    return {"value": found["strength_1.0"]["liked"], "unit": "share of made digits that the planted preference likes", "floor": before, "ceiling": 0.8413,
            "kinds_before": variety(plain, judge), **found, "undone_at_0": undone, "accuracy": taste.accuracy, "accuracy_interval": [taste.facts["low"], taste.facts["high"]], "features": taste.features, "n": N,
            "protocol": f"scikit-learn's digits, vae of 16 codes, 3,000 steps; {PAIRS} noisy pairs of {SHOWN} made digits; liked is more ink above than below the middle than the median "
                        "made digit has; floor: other draws without the taste; ceiling: Phi(1), the share where the taste is normal and known exactly; kinds is exp of the "
                        "entropy of the digits that a support vector machine sees in them"}
