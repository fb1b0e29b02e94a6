"""A race in words: one table by likelihood, one by samples, copying and cost, and who could not take part."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ilk.verbs._standings import Row, ranked

if TYPE_CHECKING:
    from ilk.verbs.race import Race


def text(race: Race) -> str:
    """The tables, aligned."""
    parts = [_table(("by likelihood", "", "nats an item", "+-", "sort", "seeds"), [_likely(rank, r) for rank, r in ranked(race.rows, "likelihood")])]
    if unscored := [r.name for r in race.rows if r.best.refused]:
        parts.append(f"without a likelihood: {', '.join(unscored)}")
    quality = [_good(race, rank, r) for rank, r in ranked(race.rows, "quality")]
    names = sorted({n for r in race.rows for n in race.scale.places(r.best, "test")})
    if quality:
        parts.append(_table(("by samples", "", "quality", "+-", *names, "copies"), quality))
    parts.append(_table(("cost", "seconds", "GiB", "kJ", "numbers", "items/s"), [cost(r) for r in sorted(race.rows, key=lambda r: r.seconds)]))
    lost = [f"{r.name}: {r.best.status}, {r.best.why}" for r in race.rows if r.best.status != "done"]
    copies = [f"{r.name}: {'; '.join(r.flags)}" for r in race.rows if r.flags]
    missed = [r.name for r in race.rows if r.best.kind == "cheat" and not r.flags and r.best.figures]
    parts += ["\n".join(["signs of copying:", *copies])] if copies else []
    parts += [f"copying would not show here: {' and '.join(missed)} went unnoticed"] if missed else []
    parts += ["\n".join(["did not finish:", *lost])] if lost else []
    parts.append(f"take {race.winner.name}: {race.why}" if any(r.runs for r in race.rows) else race.why)
    return "\n\n".join(parts)


def _likely(rank: int, r: Row) -> tuple[str, ...]:
    return r.name, str(rank), f"{'at least ' if r.best.sort == 'bound' else ''}{r.nats:z.4f}", f"{r.error:.4f}", r.best.sort, str(r.seeds)


def _good(race: Race, rank: int, r: Row) -> tuple[str, ...]:
    names = sorted({n for o in race.rows for n in race.scale.places(o.best, "test")})
    figures = r.best.figures.get("test", {})
    values = [f"{figures[n][0]:z.4f}" if n in figures else "-" for n in names]
    place = "out" if r.flags else str(rank) if r.best.kind in ("family", "preset") else r.best.kind
    return r.name, place, f"{r.quality:z.3f}", f"{r.quality_error or 0.0:.3f}", *values, "yes" if r.flags else "no"


def cost(r: Row) -> tuple[str, ...]:
    """What one that took part costs."""
    peak = "-" if r.best.peak is None else f"{r.best.peak / 2**30:.2f}"
    return r.name, f"{r.seconds:.1f}", peak, f"{r.best.joules / 1000:.2f}", f"{r.best.numbers:,}", "-" if r.best.rate is None else f"{r.best.rate:,.0f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    return "\n".join("  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))).rstrip() for row in (head, *rows))
