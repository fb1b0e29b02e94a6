"""Behind the commands: records of runs."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ilk.errors import UsageError, printable
from ilk.records import Recorded, differing, found, remove, runs
from ilk.tracker import flat

Answer = tuple[dict[str, Any], str]
BARS, WIDE, WIDEST = "▁▂▃▄▅▆▇█", 60, 60   # of a curve; letters of one; of a cell


def list_command(what: str | None, data: str | None, n: int) -> Answer:
    """A line a run."""
    some = [r for r in runs() if what in (None, r.what) and data in (None, r.data)]
    some = some[-n:] if n > 0 else some
    rows = [("run", "when", "what", "data", "family", "seconds", "best", "ended", "figures")]
    rows += [(r.name[-6:], _when(r), r.what, r.data, r.family, _number(r.seconds), _number(r.best), r.status, _figures(r)) for r in some]
    return {"runs": [brief(r) for r in some]}, printable(_table(rows)) if some else "there are no records of runs"


def brief(run: Recorded) -> dict[str, Any]:
    """A run without its settings."""
    return {k: getattr(run, k) for k in ("name", "what", "began", "status", "family", "data", "seconds", "best", "figures", "model")}


def show_command(name: str) -> Answer:
    """All facts, and the curves as bars."""
    run = found(name)
    curves = run.curves()
    lines = [f"{run.name}: {run.status}", *_lines({k: v for k, v in run.facts.items() if k not in ("ilk_run", "status", "figures") and v not in ("", None)})]
    lines += [f"{k}: {v:.6g}" for k, v in run.figures.items()]
    lines += [f"{name} {bars([loss for _, loss in points])} {points[0][1]:.4g} to {points[-1][1]:.4g} in {points[-1][0]} steps" for name, points in curves.items()]
    return {**brief(run), "facts": dict(run.facts), "curves": {k: [list(p) for p in v] for k, v in curves.items()}, "at": str(run.at)}, printable("\n".join(lines))


def bars(losses: Sequence[float]) -> str:
    """A curve in one line of letters, the least at the bottom; the highest is that of the later nine tenths, since losses begin anywhere.

    >>> bars([9.0, 3.0, 2.0, 1.0])
    '██▅▁'
    """
    step = max(1.0, len(losses) / WIDE)
    means = [sum(part) / len(part) for i in range(min(WIDE, len(losses))) if (part := losses[int(i * step):max(int(i * step) + 1, int((i + 1) * step))])]
    low, high = min(means), max(means[max(1, len(means) // 10):] or means)
    return "".join(BARS[min(7, int(8 * (m - low) / ((high - low) or 1.0)))] for m in means)


def compare_command(names: Sequence[str]) -> Answer:
    """What differs, figures and costs, a column a run."""
    some = [found(name) for name in names]
    if len({r.name for r in some}) < len(some):
        raise UsageError("a run is named twice", code="RUN", param="run", remedy="ilk runs list")
    differ = differing(some)
    figures = {k: [r.figures.get(k) for r in some] for k in dict.fromkeys(k for r in some for k in r.figures)}
    cost = {k: [r.facts.get("spent", {}).get(k) for r in some] for k in ("seconds", "cpu_seconds", "peak", "joules")}
    best = {"best held-out loss": [r.best for r in some]}
    rows = [("", *(r.name[-6:] for r in some))]
    rows += [(k, *(_cell(v) for v in row)) for part in (differ, best, figures, cost) for k, row in part.items()]
    unlike = len({r.facts.get("data", {}).get("sha256") for r in some}) > 1
    said = _table(rows) + ("\nthe data differ, so losses and figures of these runs can't be compared" if unlike else "")
    return {"runs": [r.name for r in some], "differ": differ, "best": best["best held-out loss"], "figures": figures, "cost": cost}, printable(said)


def remove_command(names: Sequence[str]) -> Answer:
    """Removes all that are named, or none where one can't be."""
    if not names:
        raise UsageError("no run is named", code="RUN", param="run", remedy="ilk runs list")
    some = [found(name) for name in names]
    for run in some:
        remove(run)
    return {"removed": [r.name for r in some]}, "\n".join(f"removed {r.name}" for r in some)


def _when(run: Recorded) -> str:
    return datetime.fromisoformat(run.began).astimezone().strftime("%Y-%m-%d %H:%M")


def _figures(run: Recorded) -> str:
    few = list(run.figures.items())
    return ", ".join(f"{k} {v:.4g}" for k, v in few[:3]) + (f", {len(few) - 3} more" if len(few) > 3 else "")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"


def _cell(value: Any) -> str:
    said = "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
    return said if len(said) <= WIDEST else said[:WIDEST - 1] + "…"


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def _lines(facts: Mapping[str, Any]) -> list[str]:
    return [f"{k}: {', '.join(f'{a} {b}' for a, b in flat(v)) if isinstance(v, Mapping) else ' '.join(map(str, v)) if isinstance(v, list) else v}" for k, v in facts.items()]
