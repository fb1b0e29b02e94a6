"""Every family that samples: what is drawn for several requests at once is what each gets alone, or the family is known not to be drawn so."""
from __future__ import annotations

import pytest

from ilk import registry
from ilk.distribution import Samples
from ilk.rng import Joined
from ilk.serve.ops._draw import Wish, keeps_apart, same
from ilk.testing._fitted import taken

from .conftest import OWN, fitted, recipe

OPENED = {"pretrained", "tuned"}
FAMILIES = sorted(set(registry.names("families")) - OPENED)
CASES = [(family, next(iter((*taken(recipe(family)), *OWN.get(family, {}))))) for family in FAMILIES]
APART: set[str] = set()   # those that draw for one request at a time; a name that no longer belongs here must leave


@pytest.mark.parametrize(("family", "space"), CASES)
def test_together_is_as_alone(family: str, space: str) -> None:
    body = fitted(family, space).body
    if not isinstance(body, Samples):
        pytest.skip("makes no items")
    assert keeps_apart(body) == (family not in APART)
    if family in APART:
        return
    wishes = [Wish(n, 5 * n) for n in (3, 1, 7, 2)]
    both, at = body.sample(13, Joined.of([(w.rng, w.n) for w in wishes]).child("code")), 0
    for wish in wishes:
        assert same(body.sample(wish.n, wish.rng.child("code")), both.cut(at, at + wish.n))
        at += wish.n
