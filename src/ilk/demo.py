"""The main job on real input, offline: a table and a text are learned, more of their kind is made, and it is judged."""
from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from .dataset import Dataset, split_dataset
from .model import Model
from .pages import charts
from .pages.page import Example, Gallery, Grid, Section, Text, grid, write
from .rng import Rng
from .run import Run
from .verbs.evaluate import Evaluation, evaluate
from .verbs.fit import fit
from .verbs.read import read
from .verbs.sample import sample
from .verbs.score import score

RULE, HIDDEN, SEED = "diagnosis == 'malignant' and mean_radius < 15", "mean_area", 7
Say = Callable[[str], None]


def run(out: Path, quiet: bool = False) -> tuple[dict[str, Any], str]:
    """Does the job, says what it does, and writes report.html in `out`. Returns the figures and a closing line."""
    start = time.monotonic()

    def say(text: str) -> None:
        sys.stderr.write(f"[{time.monotonic() - start:5.1f} s] {text}\n") if quiet else print(f"[{time.monotonic() - start:5.1f} s] {text}", flush=True)

    table, section = _table(say)
    text, other = _text(say)
    write(out / "report.html", "ilk: more of its kind", "Fitted, sampled, conditioned and judged on this machine, offline, by the command ilk demo.", [section, other])
    seconds = round(time.monotonic() - start, 1)
    return {"seconds": seconds, "report": str(out / "report.html"), "table": table, "text": text}, f"done in {seconds} s; open {out / 'report.html'}"


def _holes(data: Dataset[pl.DataFrame], rng: Rng) -> Dataset[pl.DataFrame]:
    """The same table with 5 % of its cells missing, as in life."""
    frame = data.items
    gone = rng.uniform(len(frame), frame.width).numpy() < 0.05
    holed = [pl.select(pl.when(pl.Series(~gone[:, i])).then(frame[c])).to_series().alias(c) for i, c in enumerate(frame.columns)]
    return read(pl.DataFrame(holed))


def _table(say: Say) -> tuple[dict[str, Any], Section]:
    data = split_dataset(_holes(read("breast_cancer"), Rng(SEED).child("holes")), Rng(SEED).child("data"))
    say(f"table: Wisconsin breast cancer (scikit-learn's copy), {len(data)} tumours, {data.items.width} columns, 5 % of the cells made missing")
    model = fit(data, run=Run(seed=SEED), family=_gmm())
    say(f"  fitted {model}; held out: {score(model, data)}")
    made = sample(model, len(data.train), SEED).items
    asked = sample(model.given(RULE), 200, SEED)
    obey = float(model.modality.obeys(asked.items, model.modality.checked(_tests(RULE))).double().mean())
    say(f"  200 tumours given {RULE}: met {', '.join(sorted({g.met for g in asked.given}))}, {obey:.0%} obey")
    filled = _fill(model, data)
    say(f"  filled {filled['cells']} hidden cells of {HIDDEN}: mean error {filled['error']:.2f} against {filled['median_error']:.2f} by the column's median")
    judged = evaluate(model, data, seed=SEED)
    say("  " + repr(judged).replace("\n", "\n            "))
    cells = charts.marginals(data.train, made)
    section = Section("A table: 569 tumours", [
        Text(f"{model}: {score(model, data)}"),
        Text(f"{filled['cells']} hidden cells of {HIDDEN} filled from the rest of their rows: mean absolute error "
             f"{filled['error']:.2f}, against {filled['median_error']:.2f} when filled by the median."),
        _figures(judged), grid("Five new tumours", made.head(5)), grid(f"Five given {RULE} ({', '.join(sorted({g.met for g in asked.given}))})", asked.items.head(5)),
        Gallery(charts.legend("real", "made"), cells), Gallery("", charts.pair(data.train, made, "mean_radius", "mean_texture"))])
    return {"nats": score(model, data).mean, "given": {"rule": RULE, "obey": obey}, "filled": filled, "metrics": {f.name: f.value for f in judged.metrics}}, section


def _gmm() -> Any:
    from .families.gmm import GMM

    return GMM()


def _tests(rule: str) -> Any:
    from .given import parse

    return parse(rule)


def _fill(model: Model, data: Dataset[pl.DataFrame], most: int = 40) -> dict[str, Any]:
    """Hides one cell in rows of the test part and fills it by the median of what the model makes of the rest of the row."""
    rows = [r for r in data.test.iter_rows(named=True) if r[HIDDEN] is not None][:most]
    middle = float(data.train[HIDDEN].median() or 0)  # type: ignore[arg-type]
    error = base = 0.0
    for i, row in enumerate(rows):
        known = {k: v for k, v in row.items() if k != HIDDEN and v is not None}
        guess = float(model.given(known).given(f"{HIDDEN} != None").sample(100, seed=i)[HIDDEN].median())
        error, base = error + abs(guess - row[HIDDEN]), base + abs(middle - row[HIDDEN])
    return {"cells": len(rows), "error": error / len(rows), "median_error": base / len(rows)}


def _text(say: Say) -> tuple[dict[str, Any], Section]:
    data = split_dataset(read("topics"), Rng(SEED).child("data"))
    say(f"text: the Python language reference, {len(data)} paragraphs")
    model = fit(data, _ngram(), seed=SEED)
    found = score(model, data)
    say(f"  fitted {model}; held out: {found}")
    begun = model.given("The ").sample(4, seed=SEED)
    say(f"  given 'The ': {begun[0][:160]!r}")
    judged = evaluate(model, data, seed=SEED)
    say("  " + repr(judged).replace("\n", "\n            "))
    section = Section("A text: the Python language reference", [Text(f"{model}: {found}"), _figures(judged), *(Example(t[:600]) for t in begun)])
    return {"nats_per_character": found.per["character"], "metrics": {f.name: f.value for f in judged.metrics}}, section


def _ngram() -> Any:
    from .families.ngram import NGram

    return NGram(order=6)


def _figures(found: Evaluation) -> Grid:
    def text(value: float | None) -> str:
        return "" if value is None else f"{value:z.4f}"

    rows = tuple((f.name, text(f.value), text(f.se), text(f.floor), text(f.ceiling), f.better, str(f.n)) for f in found.metrics)
    return Grid("Figures beside a trivial model (floor) and real data (ceiling)", ("figure", "value", "standard error", "floor", "ceiling", "better", "n"), rows)
