"""One rule on four families over a law whose conditional is known: x > 1 of two numbers with correlation .7."""
from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.stats import kstest, norm

import ilk

N, CORRELATION, EDGE = 2000, 0.7, 1.0


def drawn(n: int, seed: int) -> np.ndarray[Any, Any]:
    x, rest = ilk.Rng(seed).child("known").normal(n, 2).numpy().T
    return np.stack([x, CORRELATION * x + (1 - CORRELATION**2) ** 0.5 * rest], 1)


def below_x(x: Any) -> Any:
    return (norm.cdf(x) - norm.cdf(EDGE)) / norm.sf(EDGE)


def below_y(y: Any) -> Any:
    """By the trapezoid rule over x."""
    x = np.linspace(EDGE, 9, 801)
    inner = norm.pdf(x) * norm.cdf((np.asarray(y)[:, None] - CORRELATION * x) / (1 - CORRELATION**2) ** 0.5)
    return np.trapezoid(inner, x) / norm.sf(EDGE)


def judged(family: Any, seed: int, n: int, budget: Any = None, array: bool = False) -> tuple[str, Any, Any]:
    """How the rule was met, and the tests of x and y."""
    points = drawn(n, seed)
    model = ilk.fit(points if array else pl.DataFrame({"x": points[:, 0], "y": points[:, 1]}), family, seed=seed, budget=budget)
    asked = model.given(f"{'`0`' if array else 'x'} > {EDGE}")
    made = asked.sample(N // 10 if array else N, seed=seed + 1000)
    x, y = made.T if array else (made["x"].to_numpy(), made["y"].to_numpy())
    assert x.min() > EDGE
    return asked.met.met.sort, kstest(x, below_x), kstest(y, below_y)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("family", [ilk.GMM(components=1), ilk.Circuit(hidden=48)], ids=["gmm", "circuit"])
def test_exact_conditions_follow_the_analytic_law(family: Any, seed: int) -> None:
    sort, x, y = judged(family, seed, 20_000)
    assert sort == "exact" and x.pvalue > 0.01 and y.pvalue > 0.01


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_a_masked_network_does_too_as_far_as_it_has_learned(seed: int) -> None:
    sort, x, y = judged(ilk.MADE(width=128), seed, 40_000, ilk.Steps(1500))
    assert sort in ("exact", "estimate") and max(x.statistic, y.statistic) < 0.06   # .036 is p = .01


@pytest.mark.slow
def test_guidance_obeys_but_says_that_it_is_guided() -> None:
    """Diffusion is put into the range at every step: numbers pile up near its edge, which the name of the way warns of."""
    sort, x, y = judged(ilk.Diffusion(), 0, 10_000, ilk.Steps(300), array=True)
    assert sort == "guided" and x.statistic < 0.7 and y.statistic < 0.5
