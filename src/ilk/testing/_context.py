"""What every family that learns from a context must do, and what must hold of the law of each label where densities are exact."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from ..batch import Batch
from ..distribution import Conditions, Draws, HasBound, HasLogProb, Samples, Translates
from ..given import About
from ..rng import Rng
from ..run import Run, Steps
from ..space import Space
from ._conditions import check_conditions
from ._evidence import pieces
from ._fitted import BESIDE, LABEL, Fitted
from ._laws import check_law, check_total, repeated, require_steps
from ._same import require, require_alike

SLACK = 1e-5


def check_context(f: Fitted) -> None:
    """A family that learns from a context: fitted with one it samples, is given one, and scores with and without."""
    for about in (LABEL, BESIDE):
        if f.recipe.refuses_context(about) is None:
            _check_context(f, about)


def _check_context(f: Fitted, about: Mapping[str, Space]) -> None:
    body, data = f.recipe.build(f.lift.space, Rng(1), about), f.beside(about)
    body.fit(data, Run(seed=1, budget=Steps(10)))
    if isinstance(body, Translates):
        return
    require(isinstance(body, Samples) and isinstance(body, Draws), f"{f.name} learns from a context but can't be sampled with one")
    assert isinstance(body, Samples) and isinstance(body, Draws)
    told = data.batch.cut(1, 2).context
    found = body.given(About(told), Rng(0)) if isinstance(body, Conditions) else None
    require(found is not None, f"{f.name} learns from a context but can't be given one")
    assert found is not None
    rows = data.batch.cut(0, 20)
    require(f.lift.space.holds(body.draw(20, Rng(0), rows.context)), f"{f.name} with a context each: a sample is outside the space")
    require(f.lift.space.holds(found.sample(20, Rng(0))), f"{f.name} given a context: a sample is outside the space")
    require_alike(found.sample(5, Rng(0).at(2)), found.sample(9, Rng(0)).cut(2, 7), f"{f.name} given a context: a block that begins at row 2")
    for one, items in ((body, rows), (found, replace(rows, context={}))):
        _require_scored(one, items, f"{f.name} with a context")
    if about is LABEL:
        require(f.lift.space.holds(body.sample(20, Rng(0))), f"{f.name} with labels: a sample is outside the space")
        _require_scored(body, replace(rows, context={}), f"{f.name} with labels, items without")


def _require_scored(body: object, items: Batch, what: str) -> None:
    found = body.log_prob(items) if isinstance(body, HasLogProb) else body.log_prob_bound(items, Rng(0)) if isinstance(body, HasBound) else torch.zeros(len(items))
    require(found.shape == (len(items),) and bool(found.isfinite().all()), f"{what}: no score")


def check_told(f: Fitted) -> None:
    """A label known is p(x | label), unknown the mixture of these: each is a law as any other, to be conditioned further in any order."""
    if not f.exact or f.recipe.refuses_context(LABEL) is not None:
        return
    body, data = f.recipe.build(f.lift.space, Rng(1), LABEL), f.beside(LABEL)
    body.fit(data, Run(seed=1, budget=Steps(40)))
    labels = [{"label": Batch(torch.tensor([value]))} for value in (0, 1)]
    told = [_said(body, label, f.name) for label in labels]
    for view in (replace(f, body=body), replace(f, body=told[1])):
        check_total(view)
        check_law(view)
    check_conditions(replace(f, body=body))
    require_steps(replace(f, body=body), labels[1])
    _check_mixture(f, body, told, float((data.batch.context["label"].tensor == 0).double().mean()))
    _check_order(f, body, told[1], labels[1])


def _said(body: Any, label: Mapping[str, Batch], what: str) -> Any:
    found = body.given(About(label), Rng(0)) if isinstance(body, Conditions) else None
    require(found is not None, f"{what} can't be given a label")
    return found


def _check_mixture(f: Fitted, body: Any, told: list[Any], share: float) -> None:
    """Items with a label score as by its law, those without as the mixture: by the same weights for all, near the shares of the data."""
    each = [f.log_prob(law, f.items) for law in told]
    for value, nats in enumerate(each):
        beside = replace(f.items, context=repeated({"label": Batch(torch.tensor([value]))}, len(f.items)))
        require(torch.allclose(f.log_prob(body, beside), nats, atol=SLACK), f"{f.name}: items with label {value} do not score as given it")
    one, other = (nats.exp() for nats in each)
    require(float((each[0] - each[1]).abs().max()) > 0.1, f"{f.name}: the label is not heard")
    whole, gap = f.log_prob(body, f.items).exp(), one - other
    weight = float(((whole - other) * gap).sum() / gap.square().sum())
    require(abs(weight - share) < 0.02, f"{f.name}: a label of share {share} weighs {weight}")
    require(torch.allclose(whole, other + weight * gap, rtol=SLACK, atol=SLACK), f"{f.name}: items without a label do not score as the mixture")


def _check_order(f: Fitted, body: Any, told: Any, label: Mapping[str, Batch]) -> None:
    """A label after evidence is the evidence after the label, where both can be said."""
    for what, known in pieces(f.space):
        first, second = replace(f, body=body).given(known, Rng(0)), replace(f, body=told).given(known, Rng(0))
        both = first.given(About(label), Rng(0)) if isinstance(first, Conditions) else None
        if both is None or second is None:
            continue
        gap = abs(both.met.log_mass - second.met.log_mass)
        require(gap < 1e-4, f"{f.name}: {what} and a label have log_mass {both.met.log_mass}, in the other order {second.met.log_mass}")
        require(torch.allclose(f.log_prob(both, f.items), f.log_prob(second, f.items), atol=1e-4), f"{f.name}: {what} and a label are another law in the other order")
