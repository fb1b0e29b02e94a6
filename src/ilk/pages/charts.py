"""Charts as inline PNG: real beside made. A CJK-capable font is used where one is installed."""
from __future__ import annotations

import base64
import io
import warnings
from typing import Any

import matplotlib
import numpy as np
import polars as pl

matplotlib.use("Agg")
from matplotlib import font_manager, pyplot

CJK = ("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "PingFang SC", "Hiragino Sans GB",
       "Microsoft YaHei", "SimHei", "Droid Sans Fallback")
FALLBACK = "DejaVu Sans"
REAL, MADE = "#3b6ea5", "#e07b39"


def font() -> tuple[str, str | None]:
    """The font of charts, and what to say when Chinese can't be drawn."""
    there = {f.name for f in font_manager.fontManager.ttflist}
    found = next((n for n in CJK if n in there), None)
    if found is not None:
        return found, None
    return FALLBACK, f"no CJK font is installed (looked for {CJK[0]} and others); charts use {FALLBACK}, which has no Chinese characters"


def _png(figure: Any) -> str:
    into = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # glyphs that the fallback font lacks
        figure.savefig(into, format="png", dpi=110, bbox_inches="tight", metadata={"Software": None})
    pyplot.close(figure)
    return base64.b64encode(into.getvalue()).decode()


def marginals(real: pl.DataFrame, made: pl.DataFrame, most: int = 12) -> str:
    """Every column of a table, real beside made."""
    names = [n for n in real.columns if n in made.columns][:most]
    across = min(4, len(names))
    down = -(-len(names) // across)
    with pyplot.rc_context({"font.family": [font()[0], FALLBACK], "font.size": 8}):
        figure, axes = pyplot.subplots(down, across, figsize=(2.6 * across, 1.9 * down), squeeze=False)
        for axis in axes.flat[len(names):]:
            axis.axis("off")
        for axis, name in zip(axes.flat, names, strict=False):
            _marginal(axis, real[name], made[name])
            axis.set_title(name)
        axes.flat[0].legend(fontsize=7)
        figure.tight_layout()
        return _png(figure)


def _marginal(axis: Any, real: pl.Series, made: pl.Series) -> None:
    if real.dtype.is_numeric():
        a, b = (s.drop_nulls().to_numpy().astype(float) for s in (real, made))
        low, high = np.quantile(np.concatenate([a, b]), [0.002, 0.998]) if len(a) and len(b) else (0.0, 1.0)
        bins = np.linspace(low, high if high > low else low + 1, 25)
        axis.hist(a, bins=bins, density=True, color=REAL, alpha=0.55, label="real")
        axis.hist(b, bins=bins, density=True, histtype="step", color=MADE, linewidth=1.6, label="made")
    else:
        counts = [s.cast(pl.String).fill_null("missing").value_counts(normalize=True) for s in (real, made)]
        values = counts[0].sort("proportion", descending=True)[real.name].to_list()[:8]
        shares = [dict(zip(f[real.name].to_list(), f["proportion"].to_list(), strict=True)) for f in counts]
        place = np.arange(len(values))
        axis.bar(place - 0.2, [shares[0].get(v, 0) for v in values], 0.4, color=REAL, alpha=0.7, label="real")
        axis.bar(place + 0.2, [shares[1].get(v, 0) for v in values], 0.4, color=MADE, label="made")
        axis.set_xticks(place, [str(v)[:10] for v in values], rotation=40, ha="right")
    axis.set_yticks([])


def pair(real: pl.DataFrame, made: pl.DataFrame, x: str, y: str) -> str:
    """Two columns against each other, real beside made."""
    with pyplot.rc_context({"font.family": [font()[0], FALLBACK], "font.size": 8}):
        figure, axes = pyplot.subplots(1, 2, figsize=(7, 3), sharex=True, sharey=True)
        for axis, frame, color, title in zip(axes, (real, made), (REAL, MADE), ("real", "made"), strict=True):
            axis.scatter(frame[x].to_numpy(), frame[y].to_numpy(), s=9, alpha=0.6, color=color, edgecolors="none")
            axis.set(title=title, xlabel=x)
        axes[0].set_ylabel(y)
        figure.tight_layout()
        return _png(figure)
