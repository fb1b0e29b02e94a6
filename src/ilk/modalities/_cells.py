"""A number column cut into cells with a known law inside each: a spike, a uniform stretch, exponential tails.

Numbers are in fine units: whole numbers on a grid (counting measure), else the column's own (Lebesgue, atoms counted).
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, inf, isfinite

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ilk.errors import UsageError
from ilk.modalities._spans import Span, numbers
from ilk.rng import Rng, choose

MOST_VALUES, LEAST_BINS, MOST_BINS, OFTEN = 256, 4, 256, 20  # OFTEN: how often a value comes, on average, to have a cell of its own
EDGE, REPEATS = 1e-9, 5
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cells:
    """Cells [edges_i, edges_i+1); the outer two also hold what lies beyond, with mass `below` and `above`.

    `spikes` are points (None: none) of mass `spiked` inside their cell; the rest of a cell is uniform.
    """

    edges: tuple[float, ...]
    spikes: tuple[float | None, ...]
    spiked: tuple[float, ...]
    below: float
    above: float
    tails: tuple[float, float]
    grid: bool

    def __post_init__(self) -> None:
        shares = (*self.spiked, self.below, self.above)
        if len(self.edges) != len(self.spikes) + 1 or len(self.spiked) != len(self.spikes) or any(a > b for a, b in pairwise(self.edges)):
            raise ValueError("cells have rising edges, one more than there are cells")
        if not all(0 <= s <= 1 for s in shares) or not min(self.tails) > 0:
            raise ValueError("the masses of cells are from 0 to 1, and their tails are above 0")

    def __len__(self) -> int:
        return len(self.spikes)

    def code(self, f: Tensor) -> Tensor:
        """The cell of each number."""
        return torch.searchsorted(numbers(self.edges[1:-1]), f.contiguous(), right=True)

    @property
    def spike(self) -> Tensor:
        """The spikes, NaN where there is none."""
        return numbers([float("nan") if s is None else s for s in self.spikes])

    def weights(self) -> Tensor:
        """Mass of spike, uniform stretch, lower tail and upper tail in every cell, (cells, 4)."""
        out = torch.zeros(len(self), 4, dtype=torch.float64)
        out[0, 2], out[-1, 3] = self.below, self.above
        inside = 1 - out.sum(1)
        out[:, 0] = inside * numbers(self.spiked)
        out[:, 1] = inside - out[:, 0]
        return out

    def room(self) -> Tensor:
        """Size of every uniform stretch: its points on a grid (the spike is not one of them), else its width."""
        e = numbers(self.edges).diff()
        return (e - (~self.spike.isnan()).double()).clamp_min(0) if self.grid else e

    def log_density(self, f: Tensor) -> Tensor:
        """log q(number | its cell): per grid point or atom, or per unit."""
        code, w = self.code(f), self.weights()
        uniform = w[:, 1].log() - self.room().clamp_min(1e-300).log()
        low, high = self.edges[0] - f, f - self.edges[-1]
        if self.grid:
            low, high = low - 0.5, high - 0.5
        norms = [float(np.log(-np.expm1(-1 / t))) if self.grid else -float(np.log(t)) for t in self.tails]
        tails = [torch.tensor(m, dtype=torch.float64).log() - b / t + norm for m, b, t, norm in zip((self.below, self.above), (low, high), self.tails, norms, strict=True)]
        out = uniform[code]
        out = tails[0].where(f < self.edges[0], out)
        out = tails[1].where(f >= self.edges[-1], out)
        return w[:, 0].log()[code].where(f == self.spike[code], out)

    def parts(self, span: Span) -> Tensor:
        """P(obeys, by spike, stretch or tail | cell), (cells, 4)."""
        w, e, spike = self.weights(), numbers(self.edges), self.spike
        out = torch.zeros_like(w)
        out[:, 0] = w[:, 0] * span.holds(spike.nan_to_num(inf))
        lo, hi = e[:-1].clamp(span.low, span.high), e[1:].clamp(span.low, span.high)
        inside = (hi - lo).clamp_min(0)
        if self.grid:
            inside = inside - ((spike > span.low) & (spike < span.high)).double()
        out[:, 1] = w[:, 1] * (inside.clamp_min(0) / self.room().clamp_min(1e-300)).clamp_max(1)
        out[0, 2] = self.below * _beyond(-span.high, -span.low, -self.edges[0], self.tails[0])
        out[-1, 3] = self.above * _beyond(span.low, span.high, self.edges[-1], self.tails[1])
        for point in span.without if self.grid else ():
            out = self._less(out, point, span)
        return out

    def _less(self, out: Tensor, point: float, span: Span) -> Tensor:
        if not span.low < point < span.high:
            return out
        f = numbers([point])
        code = int(self.code(f))
        which = 2 if point < self.edges[0] else 3 if point >= self.edges[-1] else 1
        if which != 1 or self.spikes[code] != point:
            out[code, which] = (out[code, which] - self.log_density(f).exp()[0]).clamp_min(0)
            out[code, which] = 0.0 if out[code, which] < 1e-15 else out[code, which]
        return out

    def quantile(self, code: Tensor, level: Tensor) -> Tensor:
        """The number of each cell below which so much of the cell's mass lies."""
        w, room, e = self.weights()[code], self.room()[code], numbers(self.edges)
        spike, lo = self.spike[code], e[code]
        has = ~spike.isnan()
        left = ((spike - lo - 0.5 * self.grid) / room.clamp_min(1e-300)).clamp(0, 1).where(has, 1.0)   # share of the stretch below the spike
        below, at = w[:, 2], level - w[:, 2]
        before = w[:, 1] * left
        at_spike = has & (at >= before) & (at < before + w[:, 0])
        passed = has & (at >= before)
        share = ((at - w[:, 0] * passed) / w[:, 1].clamp_min(1e-300)).clamp(0, 1)
        f = lo + share * (e[code + 1] - lo)
        if self.grid:
            f = lo + 0.5 + (share * room).floor().clamp_max(room - 1).clamp_min(0) + (passed & (share >= left)).double()
        f = spike.where(at_spike | (has & (room <= 0)), f)
        over = ((at - w[:, 0] - w[:, 1]) / w[:, 3].clamp_min(1e-300)).clamp(0, 1)
        f = self._grid(e[-1] - self.tails[1] * (1 - over).clamp_min(1e-300).log()).where((over > 0) & (w[:, 3] > 0), f)
        return self._grid(e[0] + self.tails[0] * (level / below.clamp_min(1e-300)).clamp(1e-300, 1).log()).where((at < 0) & (below > 0), f)

    def _grid(self, f: Tensor) -> Tensor:
        return f.round() if self.grid else f

    def draw(self, code: Tensor, span: Span, rng: Rng) -> Tensor:
        """A number of each cell that obeys the span, from the law of the cell."""
        if span.only is not None:
            return self._draw_only(code, span, rng)
        f = self._draw_once(code, span, rng.child("0"))
        for t in range(1, 1000):
            bad = ~span.holds(f)
            if not bool(bad.any()):
                return f
            f = self._draw_once(code, span, rng.child(t)).where(bad, f)
        raise UsageError(f"no number between {span.low} and {span.high} was found in 1000 tries", code="GIVEN")

    def _draw_once(self, code: Tensor, span: Span, rng: Rng) -> Tensor:
        u = rng.uniform(len(code), 2)
        parts = self.parts(span)
        mass = parts[code].cumsum(1)
        which = (u[:, :1] * mass[:, -1:] >= mass).sum(1).clamp_max(3)
        e = numbers(self.edges)
        lo, hi = e[code].clamp(span.low, span.high), e[code + 1].clamp(span.low, span.high)
        f = lo + u[:, 1] * (hi - lo)
        f = _tailed(u[:, 1], span.low, span.high, self.edges[-1], self.tails[1]).where(which == 3, f)
        f = (-_tailed(u[:, 1], -span.high, -span.low, -self.edges[0], self.tails[0])).where(which == 2, f)
        if self.grid:
            f = self._skipped(f.round().clamp(ceil(span.low) if isfinite(span.low) else -1e300, floor(span.high) if isfinite(span.high) else 1e300),
                              code, which, u[:, 1], span)
        return self.spike[code].where(which == 0, f)

    def _skipped(self, f: Tensor, code: Tensor, which: Tensor, u: Tensor, span: Span) -> Tensor:
        """Uniform over the grid points of the stretch but for the spike."""
        e, spike = numbers(self.edges), self.spike[code]
        lo, hi = e[code].clamp(span.low, span.high), e[code + 1].clamp(span.low, span.high)
        first = lo.ceil()
        has = (spike >= lo) & (spike <= hi)
        count = (hi.floor() - first + 1 - has.double()).clamp_min(1)
        point = first + (u * count).floor().clamp_max(count - 1)
        point = point + (has & (point >= spike)).double()
        return point.where(which == 1, f)

    def _draw_only(self, code: Tensor, span: Span, rng: Rng) -> Tensor:
        points = numbers(sorted(p for p in span.only or () if bool(span.holds(numbers([p])))))
        mass = self.log_density(points)[None].where(self.code(points)[None] == code[:, None], -inf)
        return points[choose(mass, rng.child("only").uniform(len(code)))]

    def mass(self, span: Span) -> Tensor:
        """P(obeys | cell), for every cell."""
        if span.only is None:
            return self.parts(span).sum(1)
        out = torch.zeros(len(self), dtype=torch.float64)
        points = numbers([p for p in dict.fromkeys(span.only) if bool(span.holds(numbers([p])))])
        if not self.grid:
            points = points[torch.isin(points, self.spike)]
        return out.index_add_(0, self.code(points), self.log_density(points).exp())


def _beyond(a: float, b: float, edge: float, scale: float) -> float:
    """Mass of an exponential tail that starts at the edge, between a and b."""
    return float(np.exp(-max(a - edge, 0.0) / scale) - np.exp(-max(b - edge, 0.0) / scale))


def _tailed(u: Tensor, a: float, b: float, edge: float, scale: float) -> Tensor:
    """Beyond the edge by an exponential law, between a and b."""
    p, q = np.exp(-max(a - edge, 0.0) / scale), np.exp(-max(b - edge, 0.0) / scale)
    made: Tensor = edge - scale * (p + u * (q - p)).clamp_min(1e-300).log()
    return made


def learn(f: Floats, grid: bool, atoms: Sequence[float], bounds: tuple[float | None, float | None], zero: float | None) -> Cells:
    """Cells for these numbers: frequent values get one each, the rest share quantile bins no narrower than the smallest gap.

    Unseen values between seen ones share the mass of values seen once (Good 1953). A tail gets 1/(n + 2); one beyond an
    extreme that repeats, or below `zero` where nothing is, is taken for an edge and gets 1e-9; a declared bound has none.
    """
    n = max(1, len(f))
    values, counts = np.unique(f, return_counts=True) if len(f) else (np.zeros(1), np.ones(1, dtype=np.int64))
    bins = int(np.clip(round(1.1 * n**0.5), LEAST_BINS, MOST_BINS))
    if not grid:
        heavy = np.isin(values, np.asarray(atoms, dtype=np.float64))
    else:
        few = len(values) <= bins or (len(values) <= MOST_VALUES and n >= OFTEN * len(values))
        heavy = np.ones(len(values), dtype=bool) if few else counts >= max(3, n / (2 * bins))
    edges, spikes = _layout(values, counts, heavy, bins, grid)
    edges[0], edges[-1] = _bounded(edges, *bounds, grid)
    unseen = min(0.5, (int((counts[heavy] == 1).sum()) + 1) / (n + 2))
    width = np.diff(edges) - 1 if grid else np.diff(edges)
    share = np.histogram(f, bins=np.asarray(edges))[0] / n if len(f) else np.ones(len(spikes))
    at = dict(zip(values.tolist(), (counts / n).tolist(), strict=True))
    spiked = tuple(0.0 if s is None else 1.0 if w <= 1e-12 else (1.0 - unseen) * min(1.0, at[s] / max(float(p), 1e-12))
                   for s, w, p in zip(spikes, width, share, strict=True))
    from_zero = float("inf") if zero is None or values[0] < zero else float(values[0] - zero)
    pins = [EDGE if counts[i] >= REPEATS or hard else 1 / (n + 2) for i, hard in ((0, from_zero == 0), (-1, False))]
    below, above = (0.0 if bound is not None else min(0.5, pin / max(float(s), pin)) for bound, pin, s in zip(bounds, pins, (share[0], share[-1]), strict=True))
    least = 0.05 if grid else abs(float(values[0])) * 1e-6 + 1e-12
    spread = max((float(f.std()) if len(f) else 1.0) / 2, 1.0 if grid else least)
    return Cells(tuple(map(float, edges)), tuple(spikes), spiked, below, above, (max(least, min(spread, from_zero / 20)), spread), grid)


def _layout(values: Floats, counts: NDArray[np.int64], heavy: NDArray[np.bool_], bins: int, grid: bool) -> tuple[list[float], list[float | None]]:
    if not grid:
        return _atoms_and_bins(values, counts, heavy, bins)
    rest = np.repeat(values[~heavy], counts[~heavy])
    cuts = np.unique(np.floor(np.quantile(rest, np.linspace(0, 1, bins + 1)))) - 0.5 if len(rest) else np.zeros(0)
    points = values[heavy]
    edges = np.unique(np.concatenate([cuts, points - 0.5, points + 0.5, [values[0] - 0.5, values[-1] + 0.5]]))
    filled = np.histogram(np.repeat(values, 1), bins=edges)[0] > 0
    kept: list[float] = []
    spikes: list[float | None] = []
    place = {float(p) - 0.5: float(p) for p in points}
    for start, full in zip(edges[:-1].tolist(), filled.tolist(), strict=True):
        if full or not spikes or spikes[-1] is None:
            kept.append(start)
            spikes.append(place.get(start))
    return [*kept, float(edges[-1])], spikes


def _atoms_and_bins(values: Floats, counts: NDArray[np.int64], heavy: NDArray[np.bool_], bins: int) -> tuple[list[float], list[float | None]]:
    atoms, loose = values[heavy], values[~heavy]
    gap = float(np.diff(values).min()) if len(values) > 1 else max(abs(float(values[0])) * 1e-3, 1e-6)
    rest = np.repeat(loose, counts[~heavy])
    cuts = np.quantile(rest, np.linspace(0, 1, bins + 1)) if len(rest) else np.array([values[0] - gap, values[-1] + gap])
    ends = np.array([min(values[0], cuts[0]) - gap / 2, max(values[-1], cuts[-1]) + gap / 2])
    edges = [float(ends[0])]
    for cut in [*cuts[1:-1].tolist(), float(ends[1])]:
        if cut - edges[-1] >= gap * (1 - 1e-9):
            edges.append(cut)
    edges[-1] = float(ends[1])
    if len(edges) == 1:
        edges.append(float(ends[1]))
    # at most one atom a cell: cut between neighbours that share one
    inside = np.searchsorted(edges[1:-1], atoms, side="right")
    more = [float((a + b) / 2) for a, b, i, j in zip(atoms[:-1], atoms[1:], inside[:-1], inside[1:], strict=True) if i == j]
    edges = sorted({*edges, *more})
    inside = np.searchsorted(edges[1:-1], atoms, side="right")
    spikes: list[float | None] = [None] * (len(edges) - 1)
    for i, atom in zip(inside.tolist(), atoms.tolist(), strict=True):
        spikes[i] = atom
    return edges, spikes


def _bounded(edges: list[float], low: float | None, high: float | None, grid: bool) -> tuple[float, float]:
    half = 0.5 if grid else 0.0
    first = edges[0] if low is None else min(edges[0], low - half) if grid else low
    last = edges[-1] if high is None else max(edges[-1], high + half) if grid else high
    return first, last
