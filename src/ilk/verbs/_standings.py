"""What a race came to: sample quality between floor and real items, who copies, who is surely better than whom, and whom to take."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev
from typing import Any

from torch import Tensor

from ilk.verbs._heat import CLOSE, EQUAL, Result

RUNS = ("family", "preset")
SURE = 2.0     # standard errors by which one is better than another
TELLS = 2.0    # standard errors by which a figure tells the floor from real items
COPYING = 3.0  # standard errors by which made items are nearer to the training items than unseen ones are
MATCH: Mapping[str, float] = {"dcr_share": 0.5, "near_train_share": 0.05}   # what unseen real items give


@dataclass(frozen=True)
class Row:
    """How one that took part stands, by its best options: `nats` and `quality` of the test items, means over its seeds with a standard error.

    `quality` is the mean place of its figures between the floor (0) and real items (1); `valid_quality` that of the items that choose.
    """

    best: Result
    seeds: int
    seconds: float
    nats: float | None
    error: float | None
    quality: float | None
    quality_error: float | None
    valid_quality: float | None
    flags: tuple[str, ...]
    each: Mapping[str, Tensor] = field(default_factory=dict)   # nats of every judged item, by split

    @property
    def name(self) -> str:
        """Who it is."""
        return self.best.name

    @property
    def valid_nats(self) -> float | None:
        """The likelihood that chooses."""
        return self.best.nats.get("valid")

    @property
    def spread(self) -> float:
        """The error of its nats that comes of its seeds alone."""
        own = self.best.error.get("test", 0.0)
        return float(max(0.0, (self.error or 0.0) ** 2 - own**2) ** 0.5)

    @property
    def runs(self) -> bool:
        """Whether it can win: a family or a preset that came to an end and does not copy."""
        return self.best.kind in RUNS and self.best.status == "done" and not self.flags


@dataclass(frozen=True)
class Scale:
    """The values of the floor and of real items by split and figure: what makes figures of unlike units one quality."""

    floor: Mapping[str, Mapping[str, Any]]
    real: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, results: Sequence[Result]) -> Scale:
        """The scale of a race."""
        known: dict[str, Any] = {r.kind: r.figures for r in results if r.kind in ("floor", "real") and r.status == "done"}
        return cls(known.get("floor", {}), known.get("real", {}))

    def places(self, result: Result, split: str) -> dict[str, tuple[float, float]]:
        """Every figure's place between floor and real items, and its error; a figure without both, or that does not tell one from the other, is left out."""
        found = {}
        for name, (value, error) in result.figures.get(split, {}).items():
            low, high = (side.get(split, {}).get(name) for side in (self.floor, self.real))
            if name not in (*CLOSE, *EQUAL) and low and high and abs(high[0] - low[0]) > max(1e-9, TELLS * ((low[1] or 0.0) ** 2 + (high[1] or 0.0) ** 2) ** 0.5):
                span = high[0] - low[0]
                found[name] = (max(-1.0, min(1.0, (value - low[0]) / span)), abs((error or 0.0) / span))
        return found

    def quality(self, result: Result, split: str) -> tuple[float, float] | None:
        """The mean place and its error."""
        places = self.places(result, split)
        if not places:
            return None
        return mean(p for p, _ in places.values()), sum(e**2 for _, e in places.values()) ** 0.5 / len(places)


def copying(result: Result) -> tuple[str, ...]:
    """Signs that made items are copies of training items."""
    figures = result.figures.get("test", {})
    found = [f"{name} {figures[name][0]:.3f}, where unseen items give about {null:g}" for name, null in MATCH.items()
             if name in figures and figures[name][0] - COPYING * (figures[name][1] or 0.0) > null + 0.02]
    if EQUAL[0] in figures:
        (made, e), (real, f) = (figures[name] for name in EQUAL)
        if made - real > COPYING * ((e or 0.0) ** 2 + (f or 0.0) ** 2) ** 0.5:
            found.append(f"{made:.1%} equal a training item; of unseen items {real:.1%} do")
    return tuple(found)


def row(results: Sequence[Result], best: Result, scale: Scale, each: Mapping[str, Tensor]) -> Row:
    """One that took part, by the heats that share its best options; `each` are the nats of the best of them."""
    same = list({r.seed: r for r in results if r.status == "done" and r.recipe == best.recipe}.values()) or [best]
    nats = [r.nats["test"] for r in same if "test" in r.nats]
    places = [q for r in same if (q := scale.quality(r, "test"))]
    valid = scale.quality(best, "valid")
    flags = () if best.kind == "real" else tuple(dict.fromkeys(f for r in same for f in copying(r)))
    return Row(best, len(same), mean(r.seconds for r in same), mean(nats) if nats else None, _error(nats, best.error.get("test")),
               mean(q for q, _ in places) if places else None, _error([q for q, _ in places], places[0][1] if places else None), valid and valid[0], flags, each)


def _error(values: Sequence[float], own: float | None) -> float | None:
    """The error over items and, if there are several seeds, over them."""
    if not values or own is None:
        return own
    return float((own**2 + (stdev(values) ** 2 / len(values) if len(values) > 1 else 0.0)) ** 0.5)


def worth(result: Result, scale: Scale, by: str) -> float | None:
    """What chooses, by the validation items: nats or quality; None for one that has none."""
    if result.status != "done":
        return None
    if by == "likelihood":
        return result.nats.get("valid")
    found = scale.quality(result, "valid")
    return found and found[0]


def surely(one: Row, other: Row, split: str = "test") -> bool:
    """Whether the likelihood of one is surely better, by the differences item by item (the same items judge all).

    Against a bound nothing is sure but a better bound.
    """
    if split not in one.each or split not in other.each or (other.best.sort == "bound" and one.best.sort != "bound"):
        return False
    n = min(len(one.each[split]), len(other.each[split]))
    gap = one.each[split][:n] - other.each[split][:n]
    own = float(gap.std()) / n**0.5 if n > 1 else float("inf")
    return bool(float(gap.mean()) > SURE * (own**2 + one.spread**2 + other.spread**2) ** 0.5)


def finer(one: Row, other: Row) -> bool:
    """Whether the sample quality of one is surely better."""
    error = ((one.quality_error or 0.0) ** 2 + (other.quality_error or 0.0) ** 2) ** 0.5
    return bool((one.quality or 0.0) - (other.quality or 0.0) > SURE * error)


def ranked(rows: Sequence[Row], by: str) -> list[tuple[int, Row]]:
    """Rows that have such a figure, best first by the validation items, each with its rank: one more than how many are surely better.

    Bounds come after what is known, and are ranked by themselves.
    """
    if by == "likelihood":
        have = sorted((r for r in rows if r.nats is not None), key=lambda r: (r.best.sort == "bound", -(r.nats or 0.0 if r.valid_nats is None else r.valid_nats), r.name))
        return [(1 + sum(surely(o, r) for o in have if (o.best.sort == "bound") == (r.best.sort == "bound")), r) for r in have]
    good = sorted((r for r in rows if r.quality is not None), key=lambda r: (not r.runs, -(r.valid_quality or 0.0), r.name))
    return [(1 + sum(finer(o, r) for o in good if o.runs), r) for r in good]


def front(rows: Sequence[Row], by: str) -> list[Row]:
    """Those that no other beats in both seconds and what decides."""
    value = {r.name: (r.nats if by == "likelihood" else r.quality) for r in rows if r.runs}
    able = [r for r in rows if value.get(r.name) is not None]
    return [r for r in able if not any((value[o.name] or 0.0) > (value[r.name] or 0.0) and o.seconds <= r.seconds for o in able)]


def likeliest(rows: Sequence[Row]) -> Row | None:
    """The best likelihood on the validation items; of those that can't be told from it, the one with the fewest numbers. Bounds come last."""
    able = [r for _, r in ranked(rows, "likelihood") if r.runs]
    known = [r for r in able if r.best.sort != "bound"] or able
    tied = [r for r in known if not surely(known[0], r, "valid")]
    return min(tied, key=lambda r: r.best.numbers) if tied else None


def recommended(rows: Sequence[Row], by: str) -> tuple[Row | None, str, list[str]]:
    """Whom to take, the reason ("nobody", "likelihood", "samples" or "tied": a string of the page), and who can't be told from it.

    Where samples decide and several are as good, the likelihood says which of these.
    """
    able = [r for _, r in ranked(rows, by) if r.runs]
    if not able:
        return None, "nobody", []
    best = able[0]
    if by == "likelihood":
        best = likeliest(rows) or best
        return best, "likelihood", []
    tied = [r for r in able if not finer(best, r)]
    likely = likeliest([r for r in tied if r.best.sort != "bound"])
    if len(tied) == 1 or likely is None:
        return best, "samples", []
    return likely, "tied", [r.name for r in tied if r.name != likely.name]
