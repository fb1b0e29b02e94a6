"""What every family must do. `CHECKS` hold for any fitted family; those that need a capability pass where it is lacking."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Protocol

import torch
from torch import Tensor

from ..batch import Batch
from ..distribution import Conditions, Draws, Encodes, Family, HasBound, HasEstimate, HasLogProb, NextToken, Samples, Translates
from ..errors import UsageError
from ..given import About
from ..rng import Rng
from ..run import Run, Steps
from ..space import Discrete, Many, Space
from ._conditions import check_conditions, check_impossible
from ._fitted import BESIDE, LABEL, Fitted, taken
from ._learning import check_options, check_restore, check_resume, check_same_fit, check_statistics, check_strange_states
from ._same import chi_square, refused, require, require_alike, same, untouched
from ._spaces import SPACES, STRANGE, bins, lattice

DRAWN = 5000


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


def check_total(f: Fitted) -> None:
    """The density sums (or integrates) to 1 over the whole space, is float64, and does not depend on the batch."""
    found = lattice(f.space)
    if not f.exact:
        return
    with untouched(f"log_prob of {f.name}"):
        nats = f.log_prob(f.body, f.items)
    require(nats.shape == (len(f.items),), f"{f.name}: log_prob has shape {tuple(nats.shape)}")
    require(f.body.log_prob(f.data.batch).dtype == torch.double, f"{f.name}: log_prob is not float64")  # type: ignore[attr-defined]
    require(not bool(nats.isnan().any()), f"{f.name}: log_prob is NaN")
    alone = torch.cat([f.log_prob(f.body, f.items.cut(i, i + 1)) for i in range(5)])
    require(torch.allclose(alone, nats[:5], atol=1e-4), f"{f.name}: log_prob depends on what else is in the batch")
    if found is not None:
        total = float((f.log_prob(f.body, found.items) + found.log_volume).exp().sum())
        require(abs(total - 1) < found.within, f"{f.name}: the density sums to {total}")


def check_law(f: Fitted) -> None:
    """Samples follow the density: chi-square over all values, or over boxes of a grid."""
    found = lattice(f.space)
    if found is None or not f.exact or not isinstance(f.body, Samples):
        return
    p = (f.log_prob(f.body, found.items) + found.log_volume).exp()
    place, many = bins(f.space, found.items)
    made, _ = bins(f.space, f.draw(f.body, DRAWN, Rng(6)))
    expected = torch.zeros(many, dtype=torch.double).index_add_(0, place, p) * DRAWN
    value = chi_square(torch.bincount(made, minlength=many), expected, f.name)
    require(value > 1e-4, f"{f.name}: samples do not follow log_prob (chi-square p = {value:.2g})")


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


def check_next_token(f: Fitted) -> None:
    """Step laws multiply to log_prob, whatever the batch; `pick` and `cut` of a cache stand where they say."""
    if not isinstance(f.body, NextToken) or not f.exact or not isinstance(f.space, Many) or not isinstance(f.space.of, Discrete):
        return
    size, at_most, body = f.space.of.each[0], f.space.at_most, f.body
    for length in range(at_most + 1):
        found = lattice(f.space)
        assert found is not None
        items = found.items.take(found.items.lengths == length)
        tokens = items.padded(0)
        cache, total = body.begin(_beginning(tokens, 0)), torch.zeros(len(items), dtype=torch.double)
        for t in range(min(length + 1, at_most)):
            law = body.step(cache, None if t == 0 else tokens[:, t - 1])
            require(law.shape == (len(items), size + 1), f"{f.name}: step gave {tuple(law.shape)}, wanted {(len(items), size + 1)}")
            goes = tokens[:, t] if t < length else torch.full((len(items),), size)
            total += law.double().log_softmax(1).gather(1, goes[:, None])[:, 0]
        require(torch.allclose(total, f.log_prob(body, items), atol=1e-4), f"{f.name}: steps do not multiply to log_prob at length {length}")
    pair = torch.tensor([[0, 1], [size - 1, 0]])
    straight = body.step(body.begin(_beginning(pair, 2)), None)
    cache = body.begin(_beginning(pair, 1))
    body.step(cache, pair[:, 1])
    picked = body.step(cache.pick(torch.tensor([1, 0, 1])), None)
    require(torch.allclose(picked, straight[[1, 0, 1]], atol=1e-4), f"{f.name}: a picked cache stands elsewhere")
    body.step(cache, pair[:, 0])
    require(torch.allclose(body.step(cache.cut(2), None), straight, atol=1e-4), f"{f.name}: a cut cache stands elsewhere")


def _beginning(tokens: Tensor, many: int) -> Batch:
    return Batch(Batch(tokens[:, :many].flatten()), length=torch.full((len(tokens),), many))


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


CHECKS: tuple[Check, ...] = (
    check_samples, check_noise, check_total, check_law, check_bound, check_estimate, check_encodes, check_translates, check_next_token, check_context, check_conditions,
    check_impossible, check_restore, check_strange_states, check_same_fit, check_resume, check_statistics)
