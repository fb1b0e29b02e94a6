"""bradley_terry: who is preferred, by how much and how surely, from votes on pairs."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import exp, sqrt

import numpy as np
from numpy.typing import NDArray

from ilk.errors import DataError, UsageError

Floats = NDArray[np.float64]
Z, ROUNDS = 1.959963984540054, 100          # of 95 %; Newton's
PRIOR, FAR, FLAT = 2.0, 15.0, 1e-3          # sd of log strengths that votes alone don't bound: they run away, or the likelihood is flat


@dataclass(frozen=True)
class Vote:
    """One or the other of two was preferred, or neither (None). `item` says on which items, `left` which of them stood on the left, `rater` who looked."""

    one: str
    other: str
    winner: str | None
    item: int | None = None
    left: str | None = None
    rater: str = ""


@dataclass(frozen=True)
class Standing:
    """One participant: log strength against the mean of all with its 95 % interval, and what it won. `share` counts a tie as half."""

    name: str
    strength: float
    low: float
    high: float
    wins: int
    ties: int
    losses: int

    @property
    def share(self) -> float:
        """The share of its votes that it won, ties by half."""
        return (self.wins + self.ties / 2) / max(1, self.wins + self.ties + self.losses)


@dataclass(frozen=True)
class Agreement:
    """How often two votes on the same pair of items say the same, of so many pairs of votes; None where there are none."""

    share: float | None
    of: int


@dataclass(frozen=True)
class Strengths:
    """Standings, the strongest first. `tie`: log of Davidson's nu, None where nothing was tied. `left`: the share of decided votes for what stood left.

    `itself`: of a rater with what the same rater said before; `others`: of two raters. `note` says where the votes alone bound no strength.
    """

    standings: tuple[Standing, ...]
    votes: int
    tie: float | None
    covariance: tuple[tuple[float, ...], ...] = field(repr=False)   # of log strengths, in the order of standings
    itself: Agreement = Agreement(None, 0)
    others: Agreement = Agreement(None, 0)
    left: float | None = None
    note: str = ""

    def __getitem__(self, name: str) -> Standing:
        return self.standings[self._place(name)]

    def _place(self, name: str) -> int:
        for place, standing in enumerate(self.standings):
            if standing.name == name:
                return place
        raise UsageError(f"nobody is named {name!r}", code="NAME", param="name", remedy=", ".join(s.name for s in self.standings))

    def difference(self, one: str, other: str) -> tuple[float, float, float]:
        """Log strength of one less that of the other, and its 95 % interval: exp of it is the odds that one is preferred where there is no tie."""
        i, j = self._place(one), self._place(other)
        value = self.standings[i].strength - self.standings[j].strength
        error = Z * sqrt(max(0.0, self.covariance[i][i] + self.covariance[j][j] - 2 * self.covariance[i][j]))
        return value, value - error, value + error

    def chance(self, one: str, other: str) -> float:
        """The chance that one is preferred to the other in a vote that is no tie."""
        return 1 / (1 + exp(-self.difference(one, other)[0]))

    def __repr__(self) -> str:
        rows = [("", "strength", "95 % interval", "won", "tied", "lost", "share")]
        rows += [(s.name, f"{s.strength:+.2f}", f"{s.low:+.2f} to {s.high:+.2f}", str(s.wins), str(s.ties), str(s.losses), f"{s.share:.0%}") for s in self.standings]
        widths = [max(len(r[i]) for r in rows) for i in range(7)]
        lines = ["  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(r, widths, strict=True))) for r in rows]
        said = [f"{self.votes} votes"]
        said += [f"the same rater agrees with itself in {self.itself.share:.0%} of {self.itself.of}"] if self.itself.share is not None else []
        said += [f"two raters agree in {self.others.share:.0%} of {self.others.of}"] if self.others.share is not None else []
        said += [f"left is chosen in {self.left:.0%}"] if self.left is not None else []
        return "\n".join([*lines, "; ".join(said), *([self.note] if self.note else [])])


def bradley_terry(votes: Iterable[Vote | tuple[str, str, str | None]]) -> Strengths:
    """Maximum likelihood of P(i beats j) = s_i / (s_i + s_j) (Bradley and Terry 1952); with ties that of Davidson (1970), who adds nu sqrt(s_i s_j) for a tie.

    Intervals are Wald's and take votes to be independent. Where somebody always won, or votes don't connect all, log strengths get a normal prior
    of sd 2, and `note` says so. A vote is a Vote or (one, other, winner or None).

    >>> found = bradley_terry([("a", "b", "a")] * 30 + [("a", "b", "b")] * 10)
    >>> [round(x, 3) for x in found.difference("a", "b")]   # log(30 / 10)
    [1.099, 0.383, 1.814]
    """
    every = [_checked(v) for v in votes]
    if not every:
        raise DataError("there are no votes", code="EMPTY", remedy="ilk blind A B")
    names = sorted({name for v in every for name in (v.one, v.other)})
    pairs, counts = _counted(every, names)
    tied = bool(counts[:, 2].any())
    strengths, covariance, note = _fitted(pairs, counts if tied else counts[:, :2], len(names))
    order = sorted(range(len(names)), key=lambda i: (-strengths[i], names[i]))
    errors = Z * np.sqrt(covariance.diagonal().clip(0))
    standings = tuple(_standing(names[i], every, float(strengths[i]), float(errors[i])) for i in order)
    decided = [v.winner == v.left for v in every if v.left is not None and v.winner is not None]
    chosen = tuple(tuple(float(covariance[i, j]) for j in order) for i in order)
    return Strengths(standings, len(every), float(strengths[-1]) if tied else None, chosen, _agreement(every, True), _agreement(every, False),
                     sum(decided) / len(decided) if decided else None, note)


def _checked(vote: Vote | tuple[str, str, str | None]) -> Vote:
    vote = vote if isinstance(vote, Vote) else Vote(*vote)
    if vote.one == vote.other or vote.winner not in (vote.one, vote.other, None):
        raise DataError(f"a vote on {vote.one!r} and {vote.other!r} for {vote.winner!r}", code="VOTE", remedy="two different names, and one of them or none")
    return vote


def _counted(votes: Sequence[Vote], names: Sequence[str]) -> tuple[NDArray[np.int64], Floats]:
    """The pairs that were compared, (p, 2), and how often the first won, the second won, neither did, (p, 3)."""
    place = {name: i for i, name in enumerate(names)}
    found = {pair: [0, 0, 0] for pair in combinations(range(len(names)), 2)}
    for v in votes:
        pair = i, j = tuple(sorted((place[v.one], place[v.other])))
        found[i, j][2 if v.winner is None else pair.index(place[v.winner])] += 1
    kept = [pair for pair, counts in found.items() if sum(counts)]
    return np.array(kept), np.array([found[pair] for pair in kept], dtype=np.float64)


def _fitted(pairs: NDArray[np.int64], counts: Floats, k: int) -> tuple[Floats, Floats, str]:
    """Log strengths (sum 0), then the log of nu if there were ties; their covariance; and what was needed to bound them."""
    ties = counts.shape[1] == 3
    features = np.zeros((len(pairs), counts.shape[1], k + ties))
    rows = np.arange(len(pairs))
    for outcome in (0, 1):
        features[rows, outcome, pairs[:, outcome]] = 1.0
        if ties:
            features[rows, 2, pairs[:, outcome]] = 0.5
    if ties:
        features[:, 2, k] = 1.0
    found = _newton(features, counts, 0.0)
    if found is not None:
        return *found, ""
    held = _newton(features, counts, PRIOR ** -2)
    if held is None:
        raise DataError("the votes bound no strengths", code="VOTE")
    return *held, f"somebody always or never won, or was never compared: log strengths have a normal prior of standard deviation {PRIOR:g}"


def _newton(features: Floats, counts: Floats, ridge: float) -> tuple[Floats, Floats] | None:
    """The concave likelihood's maximum and the inverse of its curvature; None where it has none. Features (pairs, outcomes, places)."""
    x, many = np.zeros(features.shape[2]), counts.sum(1)

    def value(x: Floats) -> float:
        told = features @ x
        return float((counts * (told - np.logaddexp.reduce(told, 1)[:, None])).sum() - ridge * x @ x / 2)

    for _ in range(ROUNDS):
        told = features @ x
        chances = np.exp(told - np.logaddexp.reduce(told, 1)[:, None])
        mean = np.einsum("po,pof->pf", chances, features)
        gradient = np.einsum("po,pof->f", counts, features) - many @ mean - ridge * x
        curve = np.einsum("p,po,pof,pog->fg", many, chances, features, features) - np.einsum("p,pf,pg->fg", many, mean, mean) + ridge * np.eye(len(x))
        inverse = np.linalg.pinv(curve, rcond=1e-10, hermitian=True)   # strengths are up to a constant: the sum stays 0
        step = inverse @ gradient
        if np.abs(gradient).max() < 1e-9 * max(1.0, many.sum()):
            return (x, inverse) if ridge or np.linalg.eigvalsh(curve)[1] > FLAT else None
        while value(x + step) < value(x) - 1e-12 * abs(value(x)) and np.abs(step).max() > 1e-14:
            step /= 2
        x = x + step
        if np.abs(x).max() > FAR:
            return None
    return None


def _standing(name: str, votes: Sequence[Vote], strength: float, error: float) -> Standing:
    mine = [v.winner for v in votes if name in (v.one, v.other)]
    wins, ties = mine.count(name), mine.count(None)
    return Standing(name, strength, strength - error, strength + error, wins, ties, len(mine) - wins - ties)


def _agreement(votes: Sequence[Vote], same: bool) -> Agreement:
    """Of every two votes on the same pair of items, by the same rater or by two."""
    by: dict[tuple[object, ...], list[Vote]] = {}
    for v in votes:
        if v.item is not None:
            by.setdefault((v.item, *sorted((v.one, v.other))), []).append(v)
    told = [a.winner == b.winner for group in by.values() for a, b in combinations(group, 2) if (a.rater == b.rater) == same]
    return Agreement(sum(told) / len(told) if told else None, len(told))
