"""Charts as inline SVG and HTML: letters are the page's own, so that any script is drawn, and they follow its light or dark colours."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import polars as pl
from markupsafe import Markup
from numpy.typing import NDArray

from ilk.errors import printable
from ilk.pages.page import Cell, number

SIDE, BINS, VALUES, DOTS = 1000, 25, 8, 400  # units of a drawing, bars of a histogram, values of a category, points of a side
Numbers = NDArray[np.float64]


def legend(real: str, made: str) -> Markup:
    """What the two colours mean."""
    return Markup('<i class="key"></i>{}<i class="key of-made"></i>{}').format(real, made)


def marginals(real: pl.DataFrame, made: pl.DataFrame, missing: str = "missing", most: int = 12) -> list[Cell]:
    """Every column of a table, real beside made."""
    names = [n for n in real.columns if n in made.columns][:most]
    return [Cell(name, _marginal(real[name], made[name], missing)) for name in names]


def _marginal(real: pl.Series, made: pl.Series, missing: str) -> Markup:
    if not real.dtype.is_numeric():
        return _bars(*(s.cast(pl.String).fill_null(missing).value_counts(normalize=True) for s in (real, made)))
    a, b = _values(real), _values(made)
    if not len(a) or not len(b):
        return Markup("")
    low, high = np.quantile(np.concatenate([a, b]), [0.002, 0.998])
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    heights = [np.histogram(np.clip(x, edges[0], edges[-1]), edges)[0] / len(x) for x in (a, b)]
    top = max(float(h.max()) for h in heights) or 1.0
    return plot([("fill", _steps(heights[0] / top)), ("made", _steps(heights[1] / top))], number(float(edges[0])), number(float(edges[-1])))


def _values(s: pl.Series) -> Numbers:
    found: Numbers = s.drop_nulls().to_numpy().astype(np.float64)
    return found[np.isfinite(found)]


def _steps(heights: Numbers) -> str:
    """The outline of a histogram of heights in [0, 1]."""
    at = np.linspace(0, SIDE, len(heights) + 1)
    tops = "".join(f"V{_y(h)}H{x:.0f}" for h, x in zip(heights, at[1:], strict=True))
    return f"M0 {SIDE}{tops}V{SIDE}"


def _y(height: float) -> str:
    return f"{SIDE * (1 - height):.0f}"


def _bars(real: pl.DataFrame, made: pl.DataFrame) -> Markup:
    """Shares of the most frequent values."""
    name = real.columns[0]
    order = real.sort("proportion", name, descending=[True, False])[name].to_list()[:VALUES]
    shares = [dict(zip(f[name].to_list(), f["proportion"].to_list(), strict=True)) for f in (real, made)]
    top = max((s.get(v, 0.0) for s in shares for v in order), default=1.0) or 1.0
    rows = [Markup('<span title="{0}">{0}</span><div>{1}</div>').format(printable(v), Markup("").join(
        Markup('<b style="width:{:.1f}%"></b>').format(100 * s.get(v, 0.0) / top) for s in shares)) for v in order]
    return Markup('<div class="plot"><div class="bars">{}</div></div>').format(Markup("").join(rows))


def pairs(real: pl.DataFrame, made: pl.DataFrame, most: int = 2) -> list[tuple[str, str]]:
    """The pairs of numeric columns that lean on each other most in the real table."""
    names = [n for n in real.columns if n in made.columns and real[n].dtype.is_numeric() and real[n].n_unique() > 2][:30]
    known = real.select(names).drop_nulls() if names else real
    if len(known) < 3:
        return []
    with np.errstate(all="ignore"):
        lean = np.abs(np.nan_to_num(np.corrcoef(known.to_numpy().astype(np.float64).T))).reshape(len(names), len(names))
    every = sorted(combinations(range(len(names)), 2), key=lambda p: (-lean[p], p))
    return [(names[i], names[j]) for i, j in every[:most]]


def pair(real: pl.DataFrame, made: pl.DataFrame, x: str, y: str, words: Sequence[str] = ("real", "made")) -> list[Cell]:
    """Two columns against each other, real beside made, on the same scale."""
    sides = [f.select(x, y).drop_nulls().head(DOTS).to_numpy().astype(np.float64) for f in (real, made)]
    whole = np.concatenate(sides)
    if not len(whole):
        return []
    low, high = np.quantile(whole, 0.005, axis=0), np.quantile(whole, 0.995, axis=0)
    scale = np.where(high > low, high - low, 1.0)
    cells = []
    for side, color, word in zip(sides, ("real", "made"), words, strict=True):
        drawing = plot([(f"{color} dots", _dots(np.clip((side - low) / scale, 0, 1)))], number(low[0]), number(high[0]), (number(low[1]), number(high[1])))
        cells.append(Cell(f"{word}: {y} / {x}", drawing))
    return cells


def _dots(at: Numbers) -> str:
    return "".join(f"M{SIDE * x:.0f} {_y(y)}h0" for x, y in at)


def curve(points: Sequence[Sequence[float]]) -> Markup:
    """A loss by step; a dot where it is least."""
    steps, losses = np.array(points, dtype=np.float64).T
    low, high = float(losses.min()), float(losses.max())
    at = (steps - steps[0]) / max(1.0, float(steps[-1] - steps[0]))
    up = (losses - low) / (high - low or 1.0)
    line = "M" + "L".join(f"{SIDE * x:.0f} {_y(y)}" for x, y in zip(at, up, strict=True))
    best = int(losses.argmin())
    return plot([("made", line), ("best", _dots(np.array([[at[best], up[best]]])))], number(float(steps[0])), number(float(steps[-1])), (number(low), number(high)))


def plot(marks: Sequence[tuple[str, str]], first: str, last: str, up: tuple[str, str] | None = None) -> Markup:
    """Paths in a frame, each with its class; the ends of the axis across stand below, those of the axis up at its ends."""
    paths = Markup("").join(Markup('<path class="{}" d="{}"/>').format(kind, d) for kind, d in marks)
    svg = Markup('<svg viewBox="0 0 {0} {0}" preserveAspectRatio="none" aria-hidden="true">{1}</svg>').format(SIDE, paths)
    below = Markup('<div class="ends"><span>{}</span><span>{}</span></div>').format(first, last)
    if up is None:
        return Markup('<div class="plot">{}{}</div>').format(svg, below)
    above = Markup('<div class="ends"><span>↑ {}</span></div>').format(f"{up[0]} … {up[1]}")
    return Markup('<div class="plot" style="--tall:10rem">{}{}{}</div>').format(above, svg, below)


@dataclass(frozen=True)
class Spot:
    """A point with a name, which is written beside it if it is `named`."""

    x: float
    y: float
    name: str
    named: bool = False


def scatter(spots: Sequence[Spot]) -> Markup:
    """Points on two axes, the one across by ratios; those that are named stand out."""
    x, y = np.log(np.array([s.x for s in spots])), np.array([s.y for s in spots])
    at = np.stack([(v - v.min()) / (np.ptp(v) or 1.0) for v in (x, y)], 1)
    named = np.array([s.named for s in spots])
    ends = [number(float(np.exp(v))) for v in (x.min(), x.max())]
    inside = plot([("made dots", _dots(at[~named])), ("best", _dots(at[named]))], ends[0], ends[1], (number(float(y.min())), number(float(y.max()))))
    tags = [Markup('<b class="{}" style="left:{:.1f}%;bottom:{:.1f}%">{}</b>').format("left" if u > 0.6 else "", 100 * u, 8 + 72 * v, s.name)
            for (u, v), s in zip(at, spots, strict=True) if s.named]
    return Markup('<div class="spread">{}{}</div>').format(inside, Markup("").join(tags))
