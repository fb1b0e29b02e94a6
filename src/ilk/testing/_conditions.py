"""Conditionals held against the joint law: the chain rule, the mass, the law of the samples, what obeys."""
from __future__ import annotations

from math import exp, inf, isnan

import torch
from torch import Tensor

from ..batch import Batch
from ..distribution import HasLogProb, Posterior
from ..errors import UsageError
from ..given import Weigh
from ..lift import Known
from ..rng import Rng
from ..space import Discrete
from ._evidence import fixed_of, pieces, weight_of, whole
from ._fitted import Fitted
from ._same import chi_square, require, require_alike, same, untouched
from ._spaces import bins, lattice

DRAWN, SURE = 4000, 1e-4


def check_conditions(f: Fitted) -> None:
    """Every piece of evidence that the family takes: what it calls exact is exact, what it makes obeys."""
    for label, known in pieces(f.space):
        with untouched(f"given of {f.name}"):
            found = f.given(known, Rng(0))
        if found is None:
            continue
        what = f"{f.name} given {label} ({found.met.sort})"
        made = _check_draws(f, found, known, what)
        if f.exact and found.met.sort in ("exact", "estimate"):
            _check_chain(f, found, known, what)
            _check_law(f, found, known, made, what)


def _check_draws(f: Fitted, found: Posterior, known: Known, what: str) -> Batch:
    with untouched(f"sample of {what}"):
        made, again = (found.sample(DRAWN, Rng(4)) for _ in range(2))
    require(f.lift.space.holds(made), f"{what}: a sample is outside the space")
    require(same(made, again), f"{what}: the same seed gave other items")
    require_alike(found.sample(50, Rng(4)), made.cut(0, 50), f"{what}: sample(50) against the first of {DRAWN}")
    require_alike(found.sample(50, Rng(4).at(2)), made.cut(2, 52), f"{what}: a block that begins at row 2")
    outer = f.lift.decode(made)
    share = float((weight_of(f.space, whole(f.space, known), outer) > -inf).double().mean())
    require(share == 1.0 or (found.met.sort == "guided" and share >= found.met.obeys - 0.05), f"{what}: {share:.4f} of the samples obey")
    return outer


def _check_chain(f: Fitted, found: Posterior, known: Known, what: str) -> None:
    """log p(x) + weight(x) = log_mass + log p(x | evidence), and -inf where x is ruled out."""
    if not isinstance(found, HasLogProb):
        return
    grid = lattice(f.space, fixed_of(known))
    items = f.items if grid is None else grid.items.take(Rng(1).shuffle(len(grid.items))[:20_000])
    weight = weight_of(f.space, whole(f.space, known), items)
    joint, rest = f.log_prob(f.body, items) + weight, f.log_prob(found, items)
    can = weight > -inf
    require(bool((rest[~can] == -inf).all()), f"{what}: an item that breaks the evidence has a density")
    gap = (joint - rest - found.met.log_mass)[can & joint.isfinite()]
    slack = SURE + 5 * found.met.log_mass_error
    require(not len(gap) or float(gap.abs().max()) < slack, f"{what}: log p(x) is off log_mass + log p(x | evidence) by {float(gap.abs().max() if len(gap) else 0)}")


def _check_law(f: Fitted, found: Posterior, known: Known, made: Batch, what: str) -> None:
    """log_mass is the sum over what obeys, and samples follow p(x) / p(kept)."""
    grid = lattice(f.space, fixed_of(known))
    if grid is None:
        return
    joint = f.log_prob(f.body, grid.items) + grid.log_volume + weight_of(f.space, whole(f.space, known), grid.items)
    truth, slack = float(joint.logsumexp(0)), 5 * found.met.log_mass_error
    require(abs(truth - found.met.log_mass) < slack + grid.within + SURE or exp(max(truth, found.met.log_mass)) < 1e-12,
            f"{what}: log_mass is {found.met.log_mass}, the sum says {truth}")
    if found.met.sort == "exact":
        value = _p_value(f, grid.items, (joint - truth).exp(), made, what)
        require(value > 1e-4, f"{what}: samples do not follow p(x)/p(kept) (chi-square p = {value:.2g})")


def _p_value(f: Fitted, items: Batch, p: Tensor, made: Batch, what: str) -> float:
    place, many = bins(f.space, items)
    seen, _ = bins(f.space, made)
    expected = torch.zeros(many, dtype=torch.double).index_add_(0, place, p) * len(made)
    return chi_square(torch.bincount(seen, minlength=many), expected, what)


def check_impossible(f: Fitted) -> None:
    """Evidence that rules everything out has mass 0 (or is refused), never NaN."""
    if not isinstance(f.space, Discrete):
        return
    size = f.space.each[-1]
    try:
        found = f.given({"": Weigh({len(f.space.each) - 1: torch.full((size,), -inf, dtype=torch.double)})}, Rng(0))
    except UsageError:
        return
    if found is not None:
        require(found.met.log_mass == -inf and not isnan(found.met.log_mass), f"{f.name}: impossible evidence has log_mass {found.met.log_mass}")
