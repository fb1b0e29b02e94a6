"""The embedded language model examined by the suite `basic`: what is right beside its floor, and whether its confidence knows, before and after calibration."""
from __future__ import annotations

from typing import Any

import numpy as np

from ilk.backend import DEFAULT
from ilk.rng import Rng
from ilk.truth.abstain import threshold
from ilk.verbs.examine import Examination, examine

SPLITS, RISK, DELTA = 100, 0.4, 0.1


def abstained(found: Examination, seed: int) -> dict[str, float]:
    """A threshold chosen on half of the English answers, tried on the other half: how often the error among answered kept to the risk, and how much was answered."""
    known = [(a.sure, a.marks["right"]) for a in found.answers if a.sure is not None and a.item.language == "en"]
    sure, right = (np.array(c) for c in zip(*known, strict=True))
    kept, covered = [], []
    for i in range(SPLITS):
        half = Rng(seed).child("split", i).shuffle(len(sure)).numpy() % 2 == 0
        answered = threshold(sure[half], right[half], RISK, DELTA).answers(sure[~half])
        kept.append(not answered.any() or 1 - right[~half][answered].mean() <= RISK)
        covered.append(answered.mean())
    return {"kept": float(np.mean(kept)), "answered": float(np.mean(covered)), "wrong_of_all": float(1 - right.mean())}


def figure(seed: int, model: str = DEFAULT, most: int | None = None) -> dict[str, Any]:
    """`value` is the share of right answers over the English parts; every part with its floor and interval beside."""
    found = examine(model, most=most, seed=seed)
    english = [f for f in found.figures if f.language == "en" and f.name == "right"]
    parts = {f"{f.part} {f.language} {f.name}": [round(f.value, 4), None if f.floor is None else round(f.floor, 4), *(round(v, 4) for v in f.interval)] for f in found.figures}
    sure = {} if found.curve is None or found.told is None or found.calibrated is None else {
        "aurc": found.curve.area, "aurc_unsorted": found.curve.floor, "aurc_best": found.curve.ceiling, "ece": found.told.error, "ece_noise": found.told.noise,
        "ece_calibrated": found.calibrated.error, "ece_calibrated_noise": found.calibrated.noise, "abstained": abstained(found, seed)}
    return {"value": float(np.mean([f.value for f in english])), "unit": "right answers, mean over the English parts", "floor": float(np.mean([f.floor or 0.0 for f in english])),
            "ceiling": 1.0, "n": sum(f.n for f in english), "published": None, "parts": parts, **sure, "notes": list(found.notes),
            "protocol": f"{found.model}, suite basic (180 questions, English and Chinese), greedy, at most 40 tokens, marked by rules; parts are value, floor, low, high; "
                        f"calibration by Platt's scaling fitted on the other half; abstention at an error of {RISK} with confidence {1 - DELTA} over {SPLITS} random halves of the English answers"}
