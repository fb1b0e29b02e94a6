"""Which law items of a space have, given what a decoder says."""
from __future__ import annotations

from math import prod
from typing import Literal

from ilk.families._likelihoods import Bernoulli, Categorical, DiscretisedLogistic, Gaussian, Likelihood, LogisticMixture, Variance
from ilk.space import Discrete, Reals, Space

Sort = Literal["auto", "logistic", "logistics", "categorical"]
MOST, LEAST_SIDE = 65_536, 8   # values of a place; sides of an array that is taken for a picture


def shape_of(space: Space) -> tuple[int, ...]:
    """The shape networks see an atom in: a single number as (1,), an array of 8 rows and columns at least as a picture of one channel."""
    shape = space.shape if isinstance(space, Reals | Discrete) else ()
    return (1, *shape) if len(shape) == 2 and min(shape) >= LEAST_SIDE else shape or (1,)


def likelihood(sort: Sort, space: Space, variance: Variance = "learned") -> Likelihood:
    """The law of items of a space that `refuses` lets pass.

    >>> likelihood("logistics", Discrete(256, (1, 8, 8))).outputs
    (15, 8, 8)
    """
    shape = shape_of(space)
    if not isinstance(space, Discrete):
        return Gaussian(shape, variance)
    if sort == "logistic" or (sort == "auto" and max(space.each) > 2):
        return DiscretisedLogistic(space.each, shape, variance)
    if sort == "logistics":
        return LogisticMixture(max(space.each), shape)
    return Bernoulli(shape) if sort == "auto" and min(space.each) == 2 else Categorical(space.each, shape)


def refuses(sort: Sort, space: Space) -> str | None:
    """Why there is no such law for the items of a space, or None if there is one."""
    whole = isinstance(space, Discrete) and bool(space.shape) and bool(space.each) and max(space.each) <= MOST
    if sort == "auto":
        fits = (isinstance(space, Reals) and prod(space.shape) > 0) or (whole and (isinstance(space.sizes, int) or max(space.sizes) <= 2))  # type: ignore[union-attr]
        return None if fits else "takes Reals, or Discrete of two values or of one size; of several sizes with likelihood='logistic' or 'categorical'"
    if sort == "logistics" and not (whole and len(set(space.each)) == 1 and space.each[0] > 1):  # type: ignore[union-attr]
        return "with the logistics likelihood takes whole numbers (Discrete) of one size for all places"
    return None if whole else f"with the {sort} likelihood takes whole numbers (Discrete)"
