"""Text to image, learned here: scenes of two shapes for "a red circle left of a blue triangle", with pairs of colour and shape that were never shown."""
from __future__ import annotations

import time
from typing import Any

import numpy as np

import ilk
from benchmarks.figures import _shapes as shapes
from ilk.dataset import Dataset
from ilk.metrics._caption_net import Matching, found, matching
from ilk.model import Model
from ilk.verbs.evaluate import prompted

N, SCENES, AMONG, STEPS = 320, 6000, 32, 5000
FAMILY = ilk.Diffusion(reads=2, guidance=2.0)


def figure(seed: int) -> dict[str, Any]:
    """Fit without the held-out pairs; the judge has learned from training scenes of all pairs, and from no made one."""
    data = shapes.scenes(seed, {"train": SCENES, "valid": 300, "test": 4 * N})
    judge = matching(data.train, shapes.texts_of(data, "train"))
    start = time.monotonic()
    model = ilk.fit(shapes.without(shapes.without(data, "train", shapes.HELD_OUT), "valid", shapes.HELD_OUT), FAMILY, seed=seed, budget=ilk.Steps(STEPS))
    fit = time.monotonic() - start
    seen, unseen = asked(data)
    told, real = judged(judge, data, model, seen, seed), judged(judge, data, None, seen, seed)
    new, real_new = judged(judge, data, model, unseen, seed + 1), judged(judge, data, None, unseen, seed)
    return {"value": told["retrieval"], "unit": "share of made scenes whose own caption is found among 32", "retrieval": told["retrieval"], "held_out": new["retrieval"],
            "order": told["order"], "held_out_pair": new["pair"], "ceiling": real["retrieval"], "held_out_ceiling": real_new["retrieval"], "order_ceiling": real["order"],
            "held_out_pair_ceiling": real_new["pair"], "floor": 1 / AMONG, "fit_seconds": fit, "n": N, "judge": judge.digest()[:8], "published": None,
            "protocol": f"two of easy-VQA's shapes side by side, cut out and shrunk to 16 x 32, {SCENES} scenes less those with {', '.join(shapes.HELD_OUT)}; prompts are captions of {N} test scenes "
                        f"without and {N} with one of these; judge: contrastive network of all training scenes; ceiling: real test scenes; order: own caption above the one with "
                        "both shapes swapped; pair: the right one of 24 in the place of the held-out shape"}


def asked(data: Dataset[Any]) -> tuple[list[int], list[int]]:
    """Which test scenes have no held-out pair, and which have one; N of each."""
    assert data.captions is not None
    texts, index = data.captions.texts, data.index("test").tolist()
    with_one = [i for i in index if set(shapes.HELD_OUT) & set(shapes.halves(texts[i]))]
    return [i for i in index if i not in set(with_one)][:N], with_one[:N]


def judged(judge: Matching, data: Dataset[Any], model: Model | None, index: list[int], seed: int) -> dict[str, float]:
    """How well made scenes (real ones without a model) show what was asked."""
    import torch

    assert data.captions is not None
    texts = [data.captions.texts[i] for i in index]
    items = data.items[index] if model is None else prompted(model, data, torch.tensor(index), seed)
    return read_off(judge, items, texts, sorted(set(data.captions.texts)))


def read_off(judge: Matching, items: Any, texts: list[str], among: list[str]) -> dict[str, float]:
    """Shares of pictures whose own caption is the best: of 32, of itself and its mirror image, of all 24 pairs in one place."""
    import torch

    seen, own = judge.seen(items), judge.said(texts)
    turned = judge.said([shapes.caption(*reversed(shapes.halves(t))) for t in texts])
    likeness, pairs = (seen * own).sum(1), sorted({half for t in among for half in shapes.halves(t)})
    others = [[shapes.caption(p, right) if left in shapes.HELD_OUT else shapes.caption(left, p) for p in pairs] for left, right in map(shapes.halves, texts)]
    best = torch.stack([(judge.said(row) @ x).argmax() for row, x in zip(others, seen, strict=True)])
    right = np.array([row[int(b)] == t for row, b, t in zip(others, best, texts, strict=True)])
    differ = np.array([len(set(shapes.halves(t))) > 1 for t in texts])
    return {"retrieval": float(found(judge, items, texts, among, ilk.Rng(0).child("judge"), AMONG).mean()), "pair": float(right.mean()),
            "order": float((likeness > (seen * turned).sum(1)).numpy()[differ].mean())}
