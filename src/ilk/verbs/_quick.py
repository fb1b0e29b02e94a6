"""The cheap part of an audit, which goes with every fit: its sizes follow from counts, never from the clock, so that the same seed gives the same card."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from ilk import registry
from ilk.attack import Finding, Target, Unmeasured, carried
from ilk.dataset import Dataset
from ilk.distribution import Counted, Denoises, HasBound, HasLogProb, Neural, NextToken, Samples, Unfolds
from ilk.errors import IlkError
from ilk.model import Model
from ilk.rng import Rng
from ilk.run import Run
from ilk.verbs._nearby import points
from ilk.verbs._sides import FEW, PIECE, Sides, scored, sides
from ilk.verbs.sample import sample

MOST, FEWEST = 500, 50           # items of each side
PASS, COUNT, STEP = 128, 1024, 128   # for each that is looked at: items learned from, where they are but counted, and seen in the steps of training
WORK = 4_000_000                 # items x rounds x numbers learned for each


def quick(model: Model, data: Dataset[Any], run: Run) -> dict[str, Any]:
    """What a card says: a line, and the figures with their intervals."""
    n, rng = _many(model, data, run), Rng(run.seed).child("audit")
    if "test" not in data.splits or not len(data.index("test")):
        return _told((), "no held-out items")
    both = sides(data, rng, n, n) if n >= FEWEST else None
    if both is None or both.held < FEWEST:
        return _told((), "too few items, or too short a fit, for a quick look")
    try:
        target = _target(model, data, both, run.seed)
        answers = [carried(registry.get("attacks", name)(), target, rng.child(name)) for name in ("membership", "nearest_record")]
    except IlkError as why:
        return _told((), why.message[:200])
    return _told([f for answer in answers if not isinstance(answer, Unmeasured) for f in answer], "the model neither scores nor makes such items quickly")


def _told(found: Sequence[Finding], why: str) -> dict[str, Any]:
    """The line, and behind it value, lower and upper end by name."""
    if not found:
        return {"audit": f"not measured: {why}"}
    flagged = [f.name for f in found if f.flagged]
    text = ", ".join(f"{f.name} {f.value:.3f} ({f.low:.3f} to {f.high:.3f}; {f.null:.2g} if nothing was learned by heart)" for f in found)
    figures = {f.name: [round(x, 4) for x in (f.value, f.low, f.high)] for f in found}
    return {"audit": f"{'LEAKS' if flagged else 'no sign of a leak'} at a quick look: {text}", "audit_figures": {**figures, "flagged": flagged}}


def _many(model: Model, data: Dataset[Any], run: Run) -> int:
    """How many items of each side are looked at, so that it takes little beside the fit."""
    whole = sum(len(data.items[i]) for i in data.index("train").tolist()) // PIECE if isinstance(data.items, list) and len(data.index("train")) < FEW else 0
    items, body, steps = max(whole, len(data.index("train"))), model.body, int(model.card["steps"])
    if isinstance(body, Counted):
        return min(MOST, items // COUNT)
    if not isinstance(body, Neural):
        return min(MOST, max(items // PASS, items * steps * sum(t.numel() for t in body.state().tensors.values()) // WORK))
    return min(MOST, steps * (run.batch or body.plan(items).batch) // STEP)


def _target(model: Model, data: Dataset[Any], both: Sides, seed: int) -> Target:
    """What is quickly had: scores where one pass gives them, made items where they come all at once."""
    kind = registry.name_of("modalities", model.modality)
    seen = data.modality.take(both.known, torch.arange(both.held))
    found = Target(kind, model, None, both.known, seen, both.unseen)
    slow = isinstance(model.body, Unfolds | Denoises)
    if isinstance(model.body, HasLogProb | HasBound) and not slow:
        found = replace(found, scores=lambda: scored(model, data, both, both.held, 1))
    if isinstance(model.body, Samples) and kind != "text" and not slow and not isinstance(model.body, NextToken | Counted):
        made = sample(model, both.held, seed).items
        placed = points(model, [made, both.known, both.unseen])
        found = replace(found, made=made, points=None if placed is None else tuple(placed[0]))
    return found

