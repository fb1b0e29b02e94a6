"""The main job on real input, offline: a table and a text are learned, more of their kind is made, and it is judged."""
from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from .dataset import Dataset, split_dataset
from .given import Label
from .modality import Limits
from .model import Model
from .pages import charts
from .pages.page import Cell, Example, Gallery, Grid, Section, Text, embedded, grid, write
from .region import box
from .rng import Rng
from .run import Run, Steps
from .verbs.edit import edit
from .verbs.evaluate import Evaluation, evaluate
from .verbs.fit import fit
from .verbs.read import read
from .verbs.sample import sample
from .verbs.score import score

RULE, HIDDEN, SEED = "diagnosis == 'malignant' and mean_radius < 15", "mean_area", 7
DIGIT_STEPS, EACH = 900, 20
Say = Callable[[str], None]


def run(out: Path, quiet: bool = False) -> tuple[dict[str, Any], str]:
    """Does the job, says what it does, and writes report.html in `out`. Returns the figures and a closing line."""
    start = time.monotonic()

    def say(text: str) -> None:
        sys.stderr.write(f"[{time.monotonic() - start:5.1f} s] {text}\n") if quiet else print(f"[{time.monotonic() - start:5.1f} s] {text}", flush=True)

    table, section = _table(say)
    text, other = _text(say)
    digits, third = _pictures(say)
    write(out / "report.html", "ilk: more of its kind", "Fitted, sampled, conditioned and judged on this machine, offline, by the command ilk demo.", [section, other, third])
    seconds = round(time.monotonic() - start, 1)
    return {"seconds": seconds, "report": str(out / "report.html"), "table": table, "text": text, "pictures": digits}, f"done in {seconds} s; open {out / 'report.html'}"


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
    from .rules import parse

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


def _pictures(say: Say) -> tuple[dict[str, Any], Section]:
    data = _digits()
    say(f"pictures: {len(data)} handwritten digits of 8 x 8 pixels (scikit-learn's copy), each with its label")
    model = fit(data, _diffusion(), run=Run(seed=SEED, budget=Steps(DIGIT_STEPS)))
    made = {name: sample(model.given(Label(name)), EACH, SEED).items for name in model.labels}
    found = _recognised(data, made)
    say(f"  fitted {model}; {found['own']:.0%} of {EACH * len(made)} made digits are recognised as the one asked for (of real ones that were left out {found['real']:.0%})")
    one = data.test[:1]
    again = edit(model, one, box(0, 4, 8, 8), n=11, seed=SEED)
    kept = bool((again[:, :, :4] == one[:, :, :4]).all())
    say(f"  11 right halves made for one left half; its pixels are {'the same to the bit' if kept else 'CHANGED'}")
    states = [model.codec.decode(model.lift.decode(s.items), Rng(SEED)) for s in model.body.unfold(8, Rng(SEED)) if s.step]  # type: ignore[attr-defined]
    section = Section("Pictures: handwritten digits", [
        Text(f"{model}, conditional on the label. Of {EACH * len(made)} made digits {found['own']:.1%} are recognised as the one asked for, by a classifier that recognises "
             f"{found['real']:.1%} of real digits that were left out."),
        Gallery("Real digits, and made ones: four of each label",
                [_cell("real", model, data.train[:40]), _cell("made", model, np.concatenate([m[:4] for m in made.values()]))]),
        Gallery("Inpainting: a real digit that the model has not seen, and 11 right halves made for its left half", [_cell("", model, np.concatenate([one, again]))]),
        Gallery("From noise to digits: eight of them after steps of the sampler", [_cell(f"step {i + 1}", model, s) for i, s in enumerate(states)], 9)])
    return {"recognised": found["own"], "real_recognised": found["real"], "kept": kept}, section


def _digits() -> Dataset[Any]:
    """scikit-learn's digits as pictures of 256 levels, divided."""
    from .modalities.image import Image

    data = read("digits")
    return split_dataset(replace(Image().read((data.items * 15.9).astype(np.uint8), Limits()), labels=data.labels))


def _diffusion() -> Any:
    from .families.flow_matching import FlowMatching

    return FlowMatching()


def _recognised(data: Dataset[Any], made: Mapping[int | str, Any]) -> dict[str, float]:
    """How many digits a support vector machine takes for what they are: made ones, and real ones that were left out."""
    from sklearn.svm import SVC

    names = data.labels.names if data.labels is not None else ()
    codes = data.labels.codes.numpy() if data.labels is not None else np.zeros(len(data))
    judge = SVC().fit(data.train.reshape(len(data.train), -1), codes[data.index("train").numpy()])
    right = [np.mean(judge.predict(items.reshape(len(items), -1)) == names.index(name)) for name, items in made.items()]
    return {"own": float(np.mean(right)), "real": float(judge.score(data.test.reshape(len(data.test), -1), codes[data.index("test").numpy()]))}


def _cell(caption: str, model: Model, items: Any) -> Cell:
    return Cell(caption, embedded(model.modality.show(items), caption, sharp=True))


def _figures(found: Evaluation) -> Grid:
    def text(value: float | None) -> str:
        return "" if value is None else f"{value:z.4f}"

    rows = tuple((f.name, text(f.value), text(f.se), text(f.floor), text(f.ceiling), f.better, str(f.n)) for f in found.metrics)
    return Grid("Figures beside a trivial model (floor) and real data (ceiling)", ("figure", "value", "standard error", "floor", "ceiling", "better", "n"), rows)
