"""What every family must do. `CHECKS` hold for any fitted family; those that need a capability pass where it is lacking."""
from __future__ import annotations

from dataclasses import fields, replace
from typing import Protocol

import torch
from torch import Tensor

from ..batch import Batch
from ..distribution import Encodes, Family, HasBound, HasEstimate, Samples, Translates
from ..errors import UsageError
from ..rng import Rng
from ..space import Discrete, Space
from ._coding import check_codes
from ._conditions import check_conditions, check_impossible
from ._context import check_context, check_told
from ._fitted import LABEL, Fitted, taken
from ._laws import check_law, check_next_token, check_total
from ._learning import check_options, check_restore, check_resume, check_same_fit, check_statistics, check_strange_states
from ._same import refused, require, require_alike, same, untouched
from ._spaces import SPACES, STRANGE, lattice


class Check(Protocol):
    """One check of one fitted family."""

    __name__: str

    def __call__(self, fitted: Fitted, /) -> None: ...


def check_family(recipe: Family, space: Space | None = None) -> None:
    """All that holds for every family, on every standard space that it takes (or on one space of your own).

    AssertionError names the check, the family and the space. Takes some seconds a space: the family is fitted there.
    """
    check_options(recipe)
    check_refusals(recipe)
    spaces = taken(recipe) if space is None else {"": space}
    require(bool(spaces), f"{type(recipe).__name__} takes none of the standard spaces: name one with space=")
    for one in spaces.values():
        fitted = Fitted.of(recipe, one)
        for check in CHECKS:
            check(fitted)


def check_refusals(recipe: Family) -> None:
    """Spaces that it can't model are refused with a reason, by `refuses` and by `build`; so is a context."""
    for space in (*SPACES.values(), STRANGE):
        why = recipe.refuses(space)
        require(why is None or (isinstance(why, str) and bool(why.strip())), f"refuses({space}) must say why, or None")
        if why is not None:
            with refused(UsageError, f"{type(recipe).__name__}.build({space})"):
                recipe.build(space, Rng(0))
    spaces = list(taken(recipe).values())
    if spaces and recipe.refuses_context(LABEL) is not None and recipe.refuses(spaces[0]) is None:
        with refused(UsageError, f"{type(recipe).__name__}.build with a context"):
            recipe.build(spaces[0], Rng(0), LABEL)


def check_samples(f: Fitted) -> None:
    """Samples are in the space, and the same seed and shape give the same bytes; none at all is a batch too."""
    if not isinstance(f.body, Samples):
        return
    with untouched(f"sample of {f.name}"):
        one, two = (f.body.sample(200, Rng(3)) for _ in range(2))
    require(f.lift.space.holds(one), f"{f.name}: a sample is outside the space")
    require(f.space.holds(f.lift.decode(one)), f"{f.name}: a lifted sample is outside the space")
    require(same(one, two), f"{f.name}: the same seed gave other items")
    require(not same(one, f.body.sample(200, Rng(4))), f"{f.name}: another seed gave the same items")
    require(len(f.body.sample(0, Rng(3))) == 0, f"{f.name}: sample(0) is not empty")


def check_noise(f: Fitted) -> None:
    """Item i's noise depends on neither n nor the block it is drawn in."""
    if not isinstance(f.body, Samples):
        return
    many = f.body.sample(300, Rng(5))
    require_alike(f.body.sample(3, Rng(5)), many.cut(0, 3), f"{f.name}: sample(3) against the first 3 of sample(300)")
    require_alike(f.body.sample(130, Rng(5)), many.cut(0, 130), f"{f.name}: sample(130) against the first of sample(300)")
    require_alike(f.body.sample(100, Rng(5).at(2)), many.cut(2, 102), f"{f.name}: a block that begins at row 2")


def check_bound(f: Fitted) -> None:
    """A bound stays below the density (or below 1 in sum), and does not fall when it has more draws."""
    if not isinstance(f.body, HasBound):
        return
    with untouched(f"log_prob_bound of {f.name}"):
        one, two = (f.body.log_prob_bound(f.data.batch, Rng(7)) for _ in range(2))
    require(one.shape == (len(f.data),) and torch.equal(one, two), f"{f.name}: the bound is not one number an item, or not the same twice")
    mean, error = _mean_bound(f.body, f.data.batch)
    if f.exact:
        gap = f.log_prob(f.body, f.items) - mean
        require(bool((gap > -5 * error - 1e-4).all()), f"{f.name}: the bound lies above the density")
    every = lattice(f.lift.space)
    if every is not None and len(every.items) < 5000:
        mean, error = _mean_bound(f.body, every.items)
        total = (mean - error.square() / 2 + every.log_volume).exp()  # exp of a noisy mean is too large by about exp(variance / 2)
        slack = 5 * float((total * error).square().sum()) ** 0.5 + every.within
        require(float(total.sum()) < 1 + slack, f"{f.name}: the bound sums to {float(total.sum())}, more than 1")
    if "draws" in [x.name for x in fields(f.recipe)]:
        _check_draws(f)


def _mean_bound(body: HasBound, items: Batch, repeats: int = 16) -> tuple[Tensor, Tensor]:
    found = torch.stack([body.log_prob_bound(items, Rng(8).child(k)).double() for k in range(repeats)])
    return found.mean(0), found.std(0) / repeats**0.5


def _check_draws(f: Fitted) -> None:
    found = []
    for draws in (1, 4, 16):
        recipe: Family = replace(f.recipe, **{"draws": draws})
        body = recipe.build(f.lift.space, Rng(0))
        body.restore(f.body.state())
        assert isinstance(body, HasBound)
        mean, error = _mean_bound(body, f.data.batch)
        found.append((float(mean.mean()), float(error.square().mean()) ** 0.5 / len(mean) ** 0.5))
    for (few, a), (many, b) in zip(found, found[1:], strict=False):
        require(many - few > -3 * (a * a + b * b) ** 0.5 - 1e-9, f"{f.name}: the bound fell from {few} to {many} with more draws")


def check_estimate(f: Fitted) -> None:
    """An estimate comes with its standard error, and agrees with the density where that is known."""
    if not isinstance(f.body, HasEstimate):
        return
    value, error = f.body.log_prob_estimate(f.data.batch, Rng(7))
    require(value.shape == error.shape == (len(f.data),) and bool((error >= 0).all()), f"{f.name}: an estimate is a value and an error an item")
    if f.exact:
        far = (value - f.log_prob(f.body, f.items)).abs() > 6 * error + 1e-3
        require(float(far.double().mean()) < 0.02, f"{f.name}: the estimate is off by more than its error")


def check_encodes(f: Fitted) -> None:
    """Codes lie in the code space, items decoded from them in the item space, and both are the same twice."""
    if not isinstance(f.body, Encodes):
        return
    with untouched(f"encode and decode of {f.name}"):
        codes, again = (f.body.encode(f.data.batch) for _ in range(2))
        back, twice = (f.body.decode(codes) for _ in range(2))
    require(f.body.code_space().holds(codes) and len(codes) == len(f.data), f"{f.name}: codes are not in {f.body.code_space()}")
    require(f.lift.space.holds(back) and len(back) == len(f.data), f"{f.name}: decoded items are outside the space")
    require(same(codes, again) and same(back, twice), f"{f.name}: encode or decode is not the same twice")


def check_translates(f: Fitted) -> None:
    """Translations into any domain are in the space, the same twice, and each is what it is without the others."""
    if not isinstance(f.body, Translates):
        return
    label = f.recipe.needs["label"]
    assert isinstance(label, Discrete)
    for to in range(label.each[0]):
        with untouched(f"translate of {f.name}"):
            one, two = (f.body.translate(f.data.batch, to) for _ in range(2))
        require(f.lift.space.holds(one) and len(one) == len(f.data) and f.space.holds(f.lift.decode(one)), f"{f.name}: a translation is outside the space")
        require(same(one, two), f"{f.name}: translate is not the same twice")
        require_alike(f.body.translate(f.data.batch.cut(3, 8), to), one.cut(3, 8), f"{f.name}: a translation depends on what else is in the batch")
        require(len(f.body.translate(f.data.batch.cut(0, 0), to)) == 0, f"{f.name}: translations of no items")


CHECKS: tuple[Check, ...] = (
    check_samples, check_noise, check_total, check_law, check_bound, check_estimate, check_encodes, check_translates, check_next_token, check_context, check_told,
    check_conditions, check_impossible, check_codes, check_restore, check_strange_states, check_same_fit, check_resume, check_statistics)
