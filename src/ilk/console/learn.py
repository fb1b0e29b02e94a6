"""Behind the commands: fits."""
from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from ilk import recipe, registry
from ilk.console._preview import watches
from ilk.console._shared import Answer, tracked
from ilk.dataset import Dataset, split_dataset
from ilk.distribution import Family, Samples, Translates
from ilk.errors import DataError, PolicyError, Stopped, UsageError, printable
from ilk.files import atomic
from ilk.flags import recipe_named
from ilk.model import Model, load
from ilk.progress import Log, Progressing
from ilk.run import Ended, Event, Measured, Run, Saved, Steps, Switch, budget
from ilk.store import forget_folder
from ilk.verbs._own import alike
from ilk.verbs.fit import default_family, fit
from ilk.verbs.read import read
from ilk.verbs.score import Score, affordable, score

HELD_OUT = 2000


@dataclass
class Count:
    """Remembers how many steps a fit took."""

    steps: int = 0

    def __call__(self, event: Event) -> None:
        if isinstance(event, Ended):
            self.steps = event.steps


def fit_command(data: str, family: str | None, modality: str | None, options: Mapping[str, Any], asked: Mapping[str, Any]) -> Answer:
    """Reads, fits, saves, and scores what was held out."""
    out = _out(data, asked["out"])
    begin = None if asked["start"] is None else _begin(asked["start"], family, modality, options)
    said = options.get("modalities", {})
    kind = recipe.made(registry.get("modalities", modality or _kind(data)), said) if modality or said else None
    found = split_dataset(read(data, kind) if begin is None else alike(begin, data))
    if begin is not None:
        made = _recipe(family, options.get("families", {})) if family else begin.body.family
    else:
        made = _recipe(family, options.get("families", {})) if family else recipe.made(type(default_family(found)), options.get("families", {}))
    count = Count()
    start = time.monotonic()
    trackers = tracked(asked["track"])
    with Progressing() as bar, _log(asked["log"]) as log:
        run = Run(seed=asked["seed"], budget=Steps(asked["steps"]) if asked["steps"] is not None else budget(asked["budget"]), batch=asked["batch"], rate=asked["rate"],
                  device=asked["device"], checkpoint=out.with_name(out.name + ".ckpt"), resume=asked["resume"], listeners=(bar, count, *log, *trackers),
                  watches=watches())
        _check(run, asked)
        with run.opened("fit"):
            with stopping(run.switch, run):
                model = fit(found, made, run=run, start=begin)
            model.save(out)
            run.emit(Saved(str(out)))
            _forget(run)
            scored = _held_out(model, found if len(found.index("test")) else None)
            run.emit(Measured({} if scored is None else {f"nats {scored.sort}": scored.mean}))
    answer = {"model": str(out), "family": registry.name_of("families", model.body.family), "seconds": round(time.monotonic() - start, 2), "steps": count.steps,
              "nats": None if scored is None else scored.mean, "sort": None if scored is None else scored.sort,
              "audit": model.card["audit"]}
    return answer, printable(_fit_text(model, found, answer, scored))


def _begin(at: str, family: str | None, modality: str | None, options: Mapping[str, Any]) -> Model:
    """The model to start from, which says by itself how data are read and what is fitted."""
    if modality or options.get("modalities") or (options.get("families") and not family):
        raise UsageError("the model to start from says how items are read and what is fitted", param="start", remedy="leave these options out")
    return load(at)


def _recipe(name: str, options: Mapping[str, Any]) -> Family:
    """The recipe of a family or a preset, with some options of its own."""
    base: Family = recipe_named(name)
    return recipe.made(type(base), {f.name: getattr(base, f.name) for f in fields(base)} | dict(options))


def _kind(data: str) -> str:
    from ilk.flags import _guess

    return _guess(data)


def _check(run: Run, asked: Mapping[str, Any]) -> None:
    if asked["steps"] is not None and asked["budget"] is not None:
        raise UsageError("--steps and --budget are two ways to say the same", remedy="give one of them", param="steps")
    if run.batch is not None and not 1 <= run.batch <= 10**7:
        raise UsageError(f"--batch is {run.batch}", remedy="1 to 10000000", param="batch")
    if run.rate is not None and not 0 < run.rate <= 10:
        raise UsageError(f"--rate is {run.rate}", remedy="above 0, to 10", param="rate")
    if run.device != "cpu":
        import torch

        kinds = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
        if not kinds.get(run.device.split(":")[0], False):
            raise UsageError(f"there is no device {run.device!r} here", remedy="--device cpu", param="device")


def _out(data: str, asked: Path | None) -> Path:
    out: Path = asked or Path(Path(data.rstrip("/")).name.split(".")[0] + ".ilk")
    if os.path.exists(out) and not os.path.exists(out / "ilk.json"):
        raise UsageError(f"{out} is there already and is not a model", remedy="choose another name with --out", code="OUT", param="out")
    if not (parent := out.absolute().parent).exists():
        raise UsageError(f"there is no folder {parent}", remedy="make it, or choose another name with --out", code="OUT", param="out")
    return out


def _forget(run: Run) -> None:
    if run.checkpoint is not None:
        forget_folder(run.checkpoint)


def _held_out(model: Model, data: Dataset[Any] | None) -> Score | None:
    if data is None:
        return None
    held = data.index("test")[:HELD_OUT]
    many = affordable(model, model.modality.take(data.items, held))
    try:
        return score(model, replace(data, splits={**data.splits, "test": held[:many]}))
    except (UsageError, DataError):
        return None


def _fit_text(model: Model, data: Dataset[Any], answer: Mapping[str, Any], scored: Score | None) -> str:
    sizes = ", ".join(f"{len(i)} {n}" for n, i in data.splits.items())
    lines = [f"{answer['family']} of {registry.name_of('modalities', model.modality)}: {sizes} items, {answer['seconds']} s, {answer['steps']} steps"]
    lines += [f"  {note}" for note in data.origin.notes]
    lines += [f"  {c.name}: {c.describe()}{', sometimes missing' if c.maybe else ''}" for c in getattr(data.modality, "columns", ())]
    if scored is not None:
        lines.append(f"held out: {scored}")
    lines.append(f"audit: {model.card['audit']}")
    return "\n".join([*lines, f"saved in {answer['model']}; {_next(model, answer['model'])}"])


def _next(model: Model, at: str) -> str:
    """What to do with a new model."""
    if isinstance(model.body, Translates):
        return f"next: ilk translate {at} ITEMS --to {model.labels[-1]}"
    if not isinstance(model.body, Samples):
        return "it makes no items: it is a code for --family latent"
    return f"next: ilk sample {at} -n 5, ilk evaluate {at}"


@contextmanager
def _log(to: Path | None) -> Iterator[tuple[Any, ...]]:
    if to is None:
        yield ()
        return
    with Log(to) as log:
        yield (log,)


@contextmanager
def stopping(switch: Switch, run: Run) -> Iterator[None]:
    """Ctrl-C and SIGTERM stop a fit at its next safe point, checkpoint kept; a second one stops at once."""

    def handler(number: int, frame: Any) -> None:
        code = 130 if number == signal.SIGINT else 143
        if switch.exit_code or not run.ticking:
            raise Stopped("stopped before the first safe point", code)
        switch.exit_code = code

    before = {s: signal.signal(s, handler) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for s, old in before.items():
            signal.signal(s, old)


def augment_command(data: str, by: str, family: str | None, options: Mapping[str, Any], asked: Mapping[str, Any]) -> Answer:
    """Judges, and writes real and made items; PolicyError where it can't be shown that they help."""
    from ilk.verbs.augment import augment  # not above: it takes in scikit-learn

    if asked["steps"] is not None and asked["budget"] is not None:
        raise UsageError("--steps and --budget are two ways to say the same", remedy="give one of them", param="steps")
    said, out = options.get("modalities", {}), asked["out"]
    found = read(data, recipe.made(registry.get("modalities", _kind(data)), said) if said else None)
    _can_mark(found, out)
    name = family or {"table": "circuit", "image": "copula"}.get(registry.name_of("modalities", found.modality), "gmm")
    spent = Steps(asked["steps"]) if asked["steps"] is not None else asked["budget"]
    told = augment(found, by, _recipe(name, options.get("families", {})), repeats=asked["repeats"], force=asked["force"], seed=asked["seed"], budget=spent)
    if not told.helps and not asked["force"]:
        raise PolicyError(f"made items don't help: balanced accuracy {told.balanced}, recall of {told.rare} {told.recalls[told.rare]}; nothing is written", code="NO_GAIN",
                          remedy="another --family, or --force")
    answer = {"by": by, "helps": told.helps, "made": {str(c): m for c, m in zip(told.classes, told.many, strict=True)}, "rare": told.rare, "balanced": asdict(told.balanced),
              "recalls": {str(c): asdict(gain) for c, gain in told.recalls.items()}, "accuracy": asdict(told.accuracy), "out": None if out is None else str(out)}
    if out is not None:
        _write_marked(found, told, out)
    return answer, printable(repr(told) + (f"\n{len(told.codes)} items in {out}" if out is not None else "\nadd --out FILE for the items"))


def _can_mark(data: Dataset[Any], out: Path | None) -> None:
    """UsageError for a file that can't hold which items are made, before anything is made."""
    from ilk.modalities._reading import SUFFIXES

    suffixes = SUFFIXES if registry.name_of("modalities", data.modality) == "table" else (".npz",)
    if out is not None and out.suffix.lower() not in suffixes:
        raise UsageError(f"augmented items can't be written as {out.name}", code="FORMAT", param="out", remedy=f"use one of {', '.join(suffixes)}")


def _write_marked(data: Dataset[Any], told: Any, out: Path) -> None:
    """Real and made items in a file, the made ones marked."""
    if hasattr(told.items, "with_columns"):
        import polars as pl

        mark = next(name for name in ("synthetic", *(f"synthetic_{i}" for i in range(len(told.items.columns)))) if name not in told.items.columns)
        data.modality.write(told.items.with_columns(pl.Series(mark, told.synthetic.numpy())), out)
        return
    import numpy as np

    with atomic(out) as file:
        np.savez_compressed(file, x=told.items, y=np.array(told.classes)[told.codes.numpy()], synthetic=told.synthetic.numpy())
