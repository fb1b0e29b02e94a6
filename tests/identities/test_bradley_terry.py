"""Bradley-Terry and Davidson: closed forms, a logistic regression, planted strengths, intervals that cover, and votes that bound nothing."""
from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest
from scipy.optimize import minimize

import ilk
from ilk.errors import DataError, UsageError
from ilk.verbs.bradley_terry import Vote

NAMES = ("a", "b", "c", "d")
TRUE = np.array([1.0, 0.4, -0.3, -1.1])


def drawn(rng: np.random.Generator, n: int, nu: float = 0.0) -> list[tuple[str, str, str | None]]:
    """Votes on pairs at random by planted strengths, ties by Davidson's law."""
    found: list[tuple[str, str, str | None]] = []
    for _ in range(n):
        i, j = rng.choice(len(NAMES), 2, replace=False)
        weights = np.array([np.exp(TRUE[i]), np.exp(TRUE[j]), nu * np.exp((TRUE[i] + TRUE[j]) / 2)])
        found.append((NAMES[i], NAMES[j], (NAMES[i], NAMES[j], None)[rng.choice(3, p=weights / weights.sum())]))
    return found


@pytest.mark.parametrize(("won", "lost"), [(30, 10), (1, 1), (3, 97)])
def test_two_of_them_have_a_closed_form(won: int, lost: int) -> None:
    found = ilk.bradley_terry([("x", "y", "x")] * won + [("y", "x", "y")] * lost)
    value, low, high = found.difference("x", "y")
    assert value == pytest.approx(log(won / lost), abs=1e-8) and (high - low) / 2 == pytest.approx(1.959964 * sqrt(1 / won + 1 / lost), rel=1e-6)
    assert found.chance("x", "y") == pytest.approx(won / (won + lost)) and found["x"].strength == pytest.approx(-found["y"].strength)
    assert (found["x"].wins, found["x"].losses, found["y"].share) == (won, lost, lost / (won + lost)) and found.tie is None and not found.note


def test_two_with_ties_have_a_closed_form() -> None:
    """Davidson's law has as many parameters as two can have outcomes, so it gives the shares themselves: nu = ties / sqrt(won lost)."""
    found = ilk.bradley_terry([("x", "y", "x")] * 20 + [("x", "y", "y")] * 5 + [("x", "y", None)] * 8)
    assert found.difference("x", "y")[0] == pytest.approx(log(20 / 5), abs=1e-8) and found["x"].share == pytest.approx(24 / 33)
    assert found.tie == pytest.approx(log(8 / sqrt(100)), abs=1e-8)


def test_equals_a_logistic_regression() -> None:
    """Without ties: a regression without intercept on the difference of two indicators, its covariance too."""
    sklearn = pytest.importorskip("sklearn.linear_model")
    votes = drawn(np.random.default_rng(0), 500)
    x = np.array([[(n == a) - (n == b) for n in NAMES] for a, b, _ in votes], dtype=float)
    y = np.array([w == a for a, _, w in votes])
    fitted = sklearn.LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-12, max_iter=10_000).fit(x[:, 1:], y)   # a is the anchor
    found = ilk.bradley_terry(votes)
    assert [found.difference(n, "a")[0] for n in NAMES[1:]] == pytest.approx(fitted.coef_[0], abs=1e-5)
    p = fitted.predict_proba(x[:, 1:])[:, 1]
    errors = np.sqrt(np.linalg.inv((x[:, 1:] * (p * (1 - p))[:, None]).T @ x[:, 1:]).diagonal())
    assert [(h - low) / 2 / 1.959964 for _, low, h in (found.difference(n, "a") for n in NAMES[1:])] == pytest.approx(errors, rel=1e-4)


def test_ties_are_davidsons() -> None:
    """The same as a general optimiser finds."""
    votes = drawn(np.random.default_rng(1), 400, nu=0.8)

    def loss(x: np.ndarray) -> float:
        theta = dict(zip(NAMES, (0.0, *x[:3]), strict=True))
        total = 0.0
        for a, b, w in votes:
            tie = (theta[a] + theta[b]) / 2 + x[3]
            total -= (theta[w] if w else tie) - np.log(np.exp(theta[a]) + np.exp(theta[b]) + np.exp(tie))
        return total

    best = minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-7})
    found = ilk.bradley_terry(votes)
    assert [found.difference(n, "a")[0] for n in NAMES[1:]] == pytest.approx(best.x[:3], abs=1e-4) and found.tie == pytest.approx(best.x[3], abs=1e-4)


@pytest.mark.parametrize("nu", [0.0, 0.7])
def test_planted_strengths_come_back(nu: float) -> None:
    found = ilk.bradley_terry(drawn(np.random.default_rng(2), 20_000, nu))
    assert [found[n].strength for n in NAMES] == pytest.approx(TRUE - TRUE.mean(), abs=0.1) and [s.name for s in found.standings] == list(NAMES)
    assert nu == 0 or found.tie == pytest.approx(log(nu), abs=0.1)


@pytest.mark.parametrize("nu", [pytest.param(0.0, marks=pytest.mark.slow), 0.7])
def test_intervals_cover(nu: float) -> None:
    """95 % of intervals hold the truth, of every strength and of a difference, within three standard errors of 400 experiments."""
    inside = np.zeros(5)
    for seed in range(400):
        found = ilk.bradley_terry(drawn(np.random.default_rng(1000 + seed), 150, nu))
        theta = TRUE - TRUE.mean()
        inside[:4] += [found[n].low <= t <= found[n].high for n, t in zip(NAMES, theta, strict=True)]
        _, low, high = found.difference("a", "d")
        inside[4] += low <= TRUE[0] - TRUE[3] <= high
    assert (np.abs(inside / 400 - 0.95) <= 3 * sqrt(0.95 * 0.05 / 400)).all(), inside / 400


def test_order_and_sides_of_votes_change_nothing() -> None:
    votes = drawn(np.random.default_rng(3), 200, 0.5)
    one, other = ilk.bradley_terry(votes), ilk.bradley_terry([(b, a, w) for a, b, w in reversed(votes)])
    assert [s.name for s in one.standings] == [s.name for s in other.standings] and one.votes == other.votes == 200
    assert [s.strength for s in one.standings] == pytest.approx([s.strength for s in other.standings], abs=1e-9)


def test_who_always_won_is_told() -> None:
    """The likelihood has no maximum: a prior bounds it, which is said; the order is right and the interval wide."""
    for votes in ([("a", "b", "a")] * 9, [("a", "b", "a")] * 5 + [("a", "b", None)] * 3, [("a", "b", None)] * 4, [("a", "b", "a"), ("c", "d", "d")]):
        found = ilk.bradley_terry(votes)
        assert "prior" in found.note and all(np.isfinite((s.strength, s.low, s.high)).all() for s in found.standings)
        assert found.difference("a", "b")[0] >= 0 and found.difference("a", "b")[2] - found.difference("a", "b")[1] > 1
    more = [ilk.bradley_terry([("a", "b", "a")] * n).difference("a", "b")[0] for n in (1, 9, 99)]
    assert more == sorted(more)


def test_agreement_and_sides() -> None:
    votes = [Vote("a", "b", "a", 0, "a", "x"), Vote("b", "a", "a", 0, "b", "x"), Vote("a", "b", "b", 0, "a", "y"), Vote("a", "b", None, 1, "b", "x"),
             Vote("a", "b", None, 1, "a", "y"), Vote("a", "b", "b", 2, "b", "y")]
    found = ilk.bradley_terry(votes)
    assert (found.itself.share, found.itself.of) == (1.0, 1) and (found.others.share, found.others.of) == (pytest.approx(1 / 3), 3)
    assert found.left == 2 / 4 and "two raters agree in 33% of 3" in repr(found)


def test_what_is_refused() -> None:
    for wrong in ([], [("a", "a", "a")], [("a", "b", "c")]):
        with pytest.raises(DataError):
            ilk.bradley_terry(wrong)
    with pytest.raises(UsageError, match="nobody"):
        ilk.bradley_terry([("a", "b", "a"), ("a", "b", "b")]).difference("a", "z")
