"""Digits and their inverted outlines, from two halves that share no digit: is a translated digit still the digit it was?"""
from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import max_pool2d

import ilk
from ilk.metrics._picture_net import Trained
from ilk.rng import Rng
from ilk.verbs.read import read

TEST = 1000
STEPS = int(os.environ.get("ILK_FIGURE_STEPS", "0"))   # 0: the default
SHEETS = Path(__file__).parents[1] / "results"
DOMAINS = ("digit", "outline")


def twin(pictures: Any) -> Any:
    """The outline of a digit, dark on light: the brightest pixel around each minus the darkest one, inverted."""
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
    edge = max_pool2d(x, 3, 1, 1) + max_pool2d(-x, 3, 1, 1)
    return (255 - edge).byte().permute(0, 2, 3, 1).numpy()


def sheet(rows: list[Any], path: Path) -> None:
    """Rows of pictures, (n, height, width, 1), as one picture file."""
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.concatenate([np.concatenate(list(r[..., 0]), 1) for r in rows])).save(path)


def figure(seed: int) -> dict[str, Any]:
    """The value is the smaller share of the two directions."""
    digits = read("mnist")
    assert digits.labels is not None
    classes = digits.labels.codes.numpy()
    order = Rng(0).child("division").shuffle(len(digits)).numpy()
    test, halves = order[:TEST], np.array_split(order[TEST:], 2)
    known = [digits.items[halves[0]], twin(digits.items[halves[1]])]
    label = torch.arange(2).repeat_interleave(torch.tensor([len(k) for k in known]))
    data = replace(digits, items=np.concatenate(known), labels=ilk.Labels(label, DOMAINS), splits={"train": torch.arange(len(label)), "valid": torch.arange(0)})
    start = time.monotonic()
    model = ilk.fit(data, ilk.CycleGAN(), seed=seed, budget=ilk.Steps(STEPS) if STEPS else None)
    seconds = time.monotonic() - start
    real = [digits.items[test], twin(digits.items[test])]
    made = [ilk.translate(model, real[1 - to], DOMAINS[to]) for to in range(2)]
    back = [ilk.translate(model, made[to], DOMAINS[1 - to]) for to in range(2)]
    found: dict[str, Any] = {}
    for to, name in enumerate(DOMAINS):
        judge = Trained(known[to], classes[halves[to]], Rng(0).child("judge", to))
        share = {what: float((judge.classes(x) == classes[test]).mean()) for what, x in (("translated", made[to]), ("real", real[to]), ("untranslated", real[1 - to]))}
        apart = [float(np.abs(x.astype(float) - y).mean()) for x, y in ((made[to], real[to]), (real[1 - to], real[to]), (back[1 - to], real[to]))]
        found[name] = {**share, "grey_levels_from_twin": apart[0], "untranslated_from_twin": apart[1], "cycle": apart[2]}
    sheet([x[:16] for pair in ((real[0], made[1], back[1]), (real[1], made[0], back[0])) for x in pair], SHEETS / "cyclegan_mnist.png")
    return {"value": min(f["translated"] for f in found.values()), "unit": "share of translated digits that keep their class", "floor": max(f["untranslated"] for f in found.values()),
            "ceiling": min(f["real"] for f in found.values()), **found, "fit_seconds": seconds, "n": TEST, "published": None,
            "protocol": "catalogue mnist: 1,000 test digits by a fixed seed, the others halved: digits, and inverted outlines of other digits; default recipe; one CNN a domain trained on its real "
                        "pictures with classes; floor: digits that are not translated; ceiling: the true twins"}
