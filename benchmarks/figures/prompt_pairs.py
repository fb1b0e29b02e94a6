"""Two prompts over the same questions: how often the trial finds a planted difference, and how often it claims one that is not there."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import sqrt
from typing import Any

import numpy as np
from scipy import stats

from ilk.chat import Delta, End, Turn, Want
from ilk.prompts import Labels, Template, Variable, trial
from ilk.prompts.paired import Paired, paired
from ilk.prompts.trial import Trial
from ilk.rng import Rng

PAIRS, QUESTIONS, BASE, GAIN = 300, 200, 0.6, 0.08
SHARED = 0.5   # of what decides a question is its own, the same for both prompts
GRADED = 100   # pairs with graded scores, and questions of each


class Planted:
    """A model that is right where a mixture of the question's ease and its own luck is below what the system's turn says."""

    name, window = "planted:", None

    def __init__(self, rng: Rng) -> None:
        self.ease, self.luck = rng.child("ease").uniform(QUESTIONS).numpy(), {v: rng.child("luck", v).uniform(QUESTIONS).numpy() for v in "ab"}

    def chat(self, turns: Sequence[Turn], want: Want) -> Iterator[Delta]:
        """The right label or the other one."""
        chance, side = turns[0].text.split()
        i = int(turns[1].text)
        right = SHARED * self.ease[i] + (1 - SHARED) * self.luck[side][i] < float(chance)
        yield Delta("even" if (i % 2 == 0) == right else "odd")
        yield Delta(end=End("stop", 2, 1))


def figure(seed: int) -> dict[str, Any]:
    """The value is the power at a gain of 8 points; the floor is the share of equal pairs that were told apart, the ceiling certainty. Beside it the test that forgets the pairs."""
    rng = Rng(seed).child("prompt_pairs")
    found = {gain: [_trial(rng.child("pair", gain, i), gain) for i in range(PAIRS)] for gain in (0, 1)}
    power, alarms = (float(np.mean([t.compared is not None and t.compared.better is not None for t in found[gain]])) for gain in (1, 0))
    truth = _share(BASE + _gain()) - _share(BASE)
    covered = float(np.mean([t.compared.low <= truth <= t.compared.high for t in found[1] if t.compared is not None]))
    unpaired = float(np.mean([_unpaired(t) < 0.05 for t in found[1]]))
    graded = [[_graded(rng.child("graded", gain, i), gain) for i in range(GRADED)] for gain in (0.0, 0.1)]
    return {"value": power, "power": power, "unit": "share of pairs", "se": sqrt(power * (1 - power) / PAIRS), "floor": alarms, "false_alarms": alarms, "ceiling": 1.0, "n": PAIRS,
            "interval_covers": covered, "power_unpaired": unpaired, "graded_power": float(np.mean([g.better == "second" for g in graded[1]])),
            "graded_false_alarms": float(np.mean([g.better is not None for g in graded[0]])), "graded_covers": float(np.mean([g.low <= 0.1 <= g.high for g in graded[1]])),
            "protocol": f"{PAIRS} pairs of prompts over {QUESTIONS} questions, right with chances {_share(BASE):.2f} and {_share(BASE + _gain()):.2f} (or equal), half of what decides a "
                        f"question being its own; McNemar's exact test at 5 %, Newcombe's interval; unpaired: Fisher's exact test of the same answers; graded: {GRADED} pairs over {GRADED} "
                        "questions with means 0.1 apart, permutation and bootstrap"}


def _trial(rng: Rng, gain: int) -> Trial:
    sides = [Template(name="p", version=v, system=f"{BASE + gain * (v - 1) * _gain():.6f} {side}", body="{{i}}", variables={"i": Variable()}, output=Labels(("even", "odd")))
             for v, side in ((1, "a"), (2, "b"))]
    rows = [{"i": str(i), "expected": "odd" if i % 2 else "even"} for i in range(QUESTIONS)]
    return trial(sides, rows, Planted(rng))


def _share(below: float) -> float:
    """The chance that the mean of two uniform numbers is below, for bounds above one half."""
    return 1 - 2 * (1 - below) ** 2


def _gain() -> float:
    """By how much the bound rises for the chance to rise by GAIN."""
    return 1 - BASE - sqrt((1 - BASE) ** 2 - GAIN / 2)


def _unpaired(found: Trial) -> float:
    """The p of the two shares as if the questions were others."""
    right = [round(sum(s.scores)) for s in found.sides]
    return float(stats.fisher_exact([[r, QUESTIONS - r] for r in right])[1])


def _graded(rng: Rng, gain: float) -> Paired:
    """Scores that share a part, on the unit interval."""
    shared, own = rng.child("shared").uniform(GRADED).numpy(), rng.child("own").uniform(GRADED, 2).numpy()
    first, second = (0.5 * shared + 0.4 * own[:, k] + gain * k for k in (0, 1))
    return paired(first.tolist(), second.tolist(), True, rng)
