"""What the commands do: verbs called with what the command line says, and their results as JSON and as text."""
from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from . import recipe, registry
from .constraints import as_constraints
from .dataset import Dataset, Labels, split_dataset
from .distribution import Family, How, Samples, Translates
from .errors import DataError, ModelError, PolicyError, Stopped, UsageError, printable
from .files import atomic
from .flags import recipe_named
from .given import Label, Prompt
from .modality import Modality, Resizes
from .model import Model, load
from .progress import Log, Progressing
from .region import FORMS
from .run import Ended, Event, Run, Steps, Switch, budget
from .space import Reals
from .store import forget_folder, parse_json
from .verbs._own import alike
from .verbs._own import own as own_data
from .verbs.denoise import denoised
from .verbs.edit import edited, interpolate, vary
from .verbs.evaluate import evaluate
from .verbs.export import export
from .verbs.fit import default_family, fit
from .verbs.forget import forget, is_numbers
from .verbs.impute import imputed
from .verbs.invert import decode, invert
from .verbs.lineage import SUFFIX, is_own, lineage, record
from .verbs.prefer import prefer, read_likes
from .verbs.read import read
from .verbs.revise import revised
from .verbs.sample import named, sample
from .verbs.score import Score, affordable, score
from .verbs.show import summary
from .verbs.steps import steps
from .verbs.translate import translate
from .verbs.upscale import beside, upscale

Answer = tuple[dict[str, Any], str]
HELD_OUT, WHOLE = 2000, 1000


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
    with Progressing() as bar, _log(asked["log"]) as log:
        run = Run(seed=asked["seed"], budget=Steps(asked["steps"]) if asked["steps"] is not None else budget(asked["budget"]), batch=asked["batch"], rate=asked["rate"],
                  device=asked["device"], checkpoint=out.with_name(out.name + ".ckpt"), resume=asked["resume"], listeners=(bar, count, *log))
        _check(run, asked)
        with stopping(run.switch, run):
            model = fit(found, made, run=run, start=begin)
    model.save(out)
    _forget(run)
    held = found if len(found.index("test")) else None
    scored = _held_out(model, held)
    answer = {"model": str(out), "family": registry.name_of("families", model.body.family), "seconds": round(time.monotonic() - start, 2), "steps": count.steps,
              "nats": None if scored is None else scored.mean, "sort": None if scored is None else scored.sort}
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
    from .flags import _guess

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


@dataclass(frozen=True)
class Asked:
    """What a command line gives of the items to make: rules, a label, a caption."""

    rules: Sequence[str] = ()
    label: str | None = None
    prompt: str | None = None

    def of(self, at: str) -> Model:
        """The model in a folder with all that given."""
        model = load(at)
        for rule in self.rules:
            model = model.given(_mapping(rule) if rule.lstrip().startswith("{") else rule)
        if self.label is not None:
            known = {str(v): v for v in model.labels}
            model = model.given(Label(known.get(self.label, self.label)))
        return model if self.prompt is None else model.given(Prompt(self.prompt))


def _mapping(text: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = parse_json(text.encode("utf-8", "replace"), f"--given {text[:60]!r}")
    except ModelError as why:
        raise UsageError(why.message, code="RULE", param="given", remedy='such as {"age": 42}') from None
    return found


def sample_command(at: str, n: int, asked: Asked, how: str | None, options: Mapping[str, Any], seed: int, out: Path | None) -> Answer:
    """Draws, and writes or prints."""
    model = asked.of(at)
    found = sample(model, n, seed, _way(model, how, options))
    said = "".join(f"{g.given}: {_met(g.met)}"
                   f"{f', {g.share:.1%} of draws obey' if g.met == 'rejected' else ''}{f', effective sample size {g.ess:.0f}' if g.ess else ''}\n" for g in found.given)
    said += f"an item takes {found.cost:.3g} draws\n" if found.cost > 1 else ""
    return _handed(model, found.items, out, {"n": found.n, "seed": seed, "how": found.how, "cost": found.cost, "given": [asdict(g) for g in found.given]}, said)


def obey_command(at: str, n: int, asked: Asked, obey: Sequence[str], data: str | None, how: str | None,
                 options: Mapping[str, Any], seed: int, out: Path | None) -> Answer:
    """Draws items that obey, and writes or prints."""
    from .verbs.discover import discover  # not above: they take in scipy's optimisers
    from .verbs.obey import obeying

    model = asked.of(at)
    known = own_data(model) if data is None else split_dataset(alike(model, data))
    if "discovered" in obey and known is None:
        raise DataError("the data that the model was fitted on can't be read or have changed", code="DATA_CHANGED", remedy="name them with --data", param="data")
    rules = [c for text in obey for c in (discover(known).constraints if text == "discovered" else as_constraints(text))]
    found = obeying(model, rules, known).sample(n, seed, _way(model, how, options))
    answer = {"n": n, "seed": seed, "how": found.how, "obey": dict(found.share), "repaired": found.repaired, "moved": found.moved, "redrawn": found.redrawn,
              "fidelity": [asdict(f) for f in found.fidelity]}
    return _handed(model, found.items, out, answer, f"{found}\n")


def discover_command(data: str) -> Answer:
    """Finds constraints."""
    from .verbs.discover import discover

    found = discover(data)
    said = [{"constraint": str(f.constraint), "support": f.support, "log_chance": f.chance} for f in found.found]
    return {"data": data, "found": said}, printable(repr(found))


def edit_command(at: str, data: str, redo: str | None, only: Sequence[int], n: int, asked: Asked, how: str | None,
                 options: Mapping[str, Any], seed: int, out: Path | None) -> Answer:
    """Makes part of every item anew, and writes or prints."""
    if redo is None:
        raise UsageError("nothing is to be made anew", code="REGION", param="redo", remedy=f"--redo {FORMS}")
    model = asked.of(at)
    way = _way(model, how, options)
    found = edited(model, _chosen(model, data, only), redo, n, seed, way)
    answer = {"n": len(found.items), "seed": seed, "how": named(way), "redo": redo, "met": found.met}
    return _handed(model, found.items, out, answer, f"what is kept is {_met(found.met)}\n")


def vary_command(at: str, data: str, only: Sequence[int], strength: float, n: int, seed: int, out: Path | None) -> Answer:
    """Varies every item, and writes or prints."""
    model = load(at)
    made = vary(model, _chosen(model, data, only), strength, n, seed)
    return _handed(model, made, out, {"n": len(made), "seed": seed, "strength": strength})


def interpolate_command(at: str, data: str, only: Sequence[int], n: int, seed: int, out: Path | None) -> Answer:
    """Makes the way from one item to another, and writes or prints."""
    model = load(at)
    ends = _chosen(model, data, only)
    if len(ends) != 2:
        raise UsageError(f"{len(ends)} items; a way has two ends", code="ITEMS", param="item", remedy="choose two: --item 0 --item 1")
    one, other = (model.modality.take(ends, torch.tensor([i])) for i in (0, 1))
    return _handed(model, interpolate(model, one, other, n, seed), out, {"n": n, "seed": seed})


def translate_command(at: str, data: str, to: str | None, only: Sequence[int], seed: int, out: Path | None) -> Answer:
    """Translates every item, and writes or prints."""
    if to is None:
        raise UsageError("no label is named to translate to", code="OPTION", param="to", remedy="--to LABEL")
    model = load(at)
    named = {str(label): label for label in model.labels}.get(to, to)
    made = translate(model, _chosen(model, data, only), named, seed)
    return _handed(model, made, out, {"n": len(made), "seed": seed, "to": named})


def classify_command(at: str, data: str, by: str | None, held: str | None, seed: int, out: Path | None) -> Answer:
    """The chances of every class, as a table; a named data set counts as its test items."""
    from .verbs.classify import classify  # not above: it takes in polars

    model = load(at)
    items, other = (None if name is None else _judged(model, name) for name in (data, held))
    found = classify(model, items, by, other, seed)
    known = bool((found.truth >= 0).any())
    answer = {"by": found.by, "classes": list(found.classes), "n": len(found.truth), "sort": found.sort, "temperature": found.temperature,
              **({"accuracy": found.accuracy, "log_loss": found.log_loss, "calibration_error": found.calibration_error} if known else {})}
    table = {found.by: found.best} | {f"chance of {c}": found.chances[:, i].tolist() for i, c in enumerate(found.classes)}
    return _tabled(table, out, answer, repr(found))


def detect_command(at: str, data: str, normal: str | None, false_alarm: float, parts: bool, seed: int, out: Path | None) -> Answer:
    """The p-value of every item, as a table."""
    from .verbs.detect import detect  # not above: it takes in metrics

    model = load(at)
    found = detect(model, _judged(model, data), _judges(model, normal).test, false_alarm, parts, seed)
    answer = {"n": len(found.p), "alarms": int(found.alarm.sum()), "false_alarm": false_alarm, "by": found.by, "held": found.held, "rate": list(found.rate),
              **({"surprises": {str(i): dict(told) for i, told in found.surprises.items()}} if parts else {})}
    table = {"item": list(range(len(found.p))), "p": found.p.tolist(), "alarm": found.alarm.tolist()}
    strange = [f"  item {i}: {', '.join(f'{name} (p {p:.3g})' for name, p in list(told.items())[:3])}" for i, told in found.surprises.items() if told]
    return _tabled(table, out, answer, "\n".join([repr(found), *strange]))


def _judged(model: Model, data: str) -> Any:
    """Items to be looked at, with their labels: all, or the test items of data that are divided."""
    found = alike(model, data)
    return found if "test" in found.splits else replace(found, splits={"test": torch.arange(len(found))})


def _tabled(columns: Mapping[str, Any], out: Path | None, answer: Mapping[str, Any], said: str) -> Answer:
    """A table of what was found about each item: in the file that is asked for, else in the answer."""
    import polars as pl

    frame = pl.DataFrame(columns)
    if out is not None:
        registry.get("modalities", "table")().write(frame, out)
        return {**answer, "out": str(out)}, printable(f"{said}\n{len(frame)} rows in {out}")
    sys.stderr.write(printable(said) + "\n")
    return {**answer, "items": frame.to_dicts()}, frame.write_csv()


def augment_command(data: str, by: str, family: str | None, options: Mapping[str, Any], asked: Mapping[str, Any]) -> Answer:
    """Judges, and writes real and made items; PolicyError where it can't be shown that they help."""
    from .verbs.augment import augment  # not above: it takes in scikit-learn

    if asked["steps"] is not None and asked["budget"] is not None:
        raise UsageError("--steps and --budget are two ways to say the same", remedy="give one of them", param="steps")
    said, out = options.get("modalities", {}), asked["out"]
    found = read(data, recipe.made(registry.get("modalities", _kind(data)), said) if said else None)
    _can_mark(found, out)
    name = family or {"table": "circuit", "image": "vae"}.get(registry.name_of("modalities", found.modality), "gmm")
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
    from .modalities._reading import SUFFIXES

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


def impute_command(at: str, data: str, best: bool, n: int, asked: Asked, seed: int, out: Path | None) -> Answer:
    """Fills the missing cells, and writes or prints."""
    model = asked.of(at)
    with Progressing() as bar:
        found = imputed(model, alike(model, data).items, n, best, seed, (bar,))
    answer = {"n": len(found.items), "seed": seed, "best": best, "met": found.met, "ess": found.ess, "cells": found.cells, "left": list(found.left)}
    ess = "" if found.ess is None else f", effective sample size {found.ess:.0f} for half of the rows"
    left = f"; missing still, since the model knows nothing of them: {', '.join(found.left)}" if found.left else ""
    return _handed(model, found.items, out, answer, f"{found.cells} cells filled; what is known is {_met(found.met)}{ess}{left}\n")
def steps_command(at: str, n: int, place: tuple[int | None, int, int], asked: Asked, how: str | None, options: Mapping[str, Any], seed: int, out: Path | None) -> Answer:
    """Items while they are made, or continuations of one of their states: `place` is its step, how many of each item, and their seed."""
    model = asked.of(at)
    step, branches, own = place
    found = []
    for state in steps(model, n, seed, _way(model, how, options)):
        if step == state.step:
            items = state.branch(branches, own).finish()
            return _handed(model, items, out, {"n": n, "seed": seed, "at": step, "of": state.of, "branch": branches, "branch_seed": own})
        found.append(state)
    if step is not None:
        raise UsageError(f"there is no step {step}", code="OPTION", param="at", remedy=f"0 to {found[-1].step}")
    answer = {"n": n, "seed": seed, "of": found[-1].step}
    if out is None:
        return {**answer, "steps": [_listed(s.items) for s in found]}, "\n".join(f"step {s.step}\n{_printed(model, s.items)}" for s in found)
    for s in found:
        _written(model, s.items, out.with_stem(f"{out.stem}-{s.step:03d}"), answer)
    return {**answer, "out": str(out)}, printable(f"{len(found)} steps, {out.stem}-000{out.suffix} and on")


def prefer_command(at: str, likes: str, items: str | None, seed: int, out: Path) -> Answer:
    """Learns a taste and saves it."""
    if items is None:
        raise UsageError("the items that were compared are not named", code="OPTION", param="items", remedy="--items FILE")
    model = load(at)
    taste = prefer(model, read_likes(likes), alike(model, items).items, seed)
    if out.exists() and not (out / "taste.json").is_file():
        raise UsageError(f"{out} is there already and is not a taste", remedy="choose another name", code="OUT", param="out")
    taste.save(out)
    answer = {"taste": str(out), "features": taste.features, **{k: taste.facts[k] for k in ("accuracy", "low", "high", "pairs", "ridge")}}
    return answer, printable(f"{taste}\nsaved in {out}; next: ilk sample {at} --given \"Towards('{out}', 1)\"")


def lineage_command(at: str, among: Sequence[str]) -> Answer:
    """The tree of a file."""
    found = lineage(at, among)
    return asdict(found), repr(found)


def upscale_command(at: str, data: str, only: Sequence[int], draws: int, asked: Asked, how: str | None,
                    options: Mapping[str, Any], seed: int, out: Path | None) -> Answer:
    """Enlarges every picture, and writes or prints."""
    model = asked.of(at)
    small = _chosen(replace(model, modality=model.modality.sizeless()) if isinstance(model.modality, Resizes) else model, data, only)
    made = upscale(model, small, draws, seed, _way(model, how, options))
    return _handed(model, made, out, {"n": len(made), "seed": seed, "draws": draws})


def beside_command(at: str, data: str, name: str, only: Sequence[int], n: int, how: str | None,
                   options: Mapping[str, Any], seed: int, out: Path | None) -> Answer:
    """Makes items that go with other items, and writes or prints."""
    model = load(at)
    space = model.body.about.get(name)
    others: Any = _chosen(replace(model, modality=_of_shape(space.shape)), data, only) if isinstance(space, Reals) else ()
    made = beside(model, {name: others}, n, seed, _way(model, how, options))
    return _handed(model, made, out, {"n": len(made), "seed": seed})


def revise_command(at: str, data: str, only: Sequence[int], strength: float, n: int, asked: Asked, how: str | None,
                   options: Mapping[str, Any], seed: int, out: Path | None) -> Answer:
    """Makes every item partly anew, and writes or prints."""
    model = asked.of(at)
    found = revised(model, _chosen(model, data, only), strength, n, seed, _way(model, how, options))
    return _handed(model, found.items, out, {"n": len(found.items), "seed": seed, "strength": strength, "by": found.by})


def denoise_command(at: str, data: str, only: Sequence[int], sigma: float | None, asked: Asked, seed: int, out: Path | None) -> Answer:
    """Restores every item, and writes or prints."""
    model = asked.of(at)
    found = denoised(model, _chosen(model, data, only), sigma, seed)
    noise = None if found.sigma is None else found.sigma.tolist()
    said = f"estimated noise: {min(noise):.4g} to {max(noise):.4g}\n" if noise and sigma is None else ""
    return _handed(model, found.items, out, {"n": len(found.items), "seed": seed, "by": found.by, "sigma": noise}, said)


def invert_command(at: str, data: str, only: Sequence[int], asked: Asked, seed: int, out: Path | None) -> Answer:
    """Finds the code of every item, and writes or prints."""
    model = asked.of(at)
    found = invert(model, _chosen(model, data, only), seed)
    error = found.error.tolist()
    answer = {"out": None if out is None else str(out), "n": len(error), "seed": seed, "error": error}
    said = f"what they decode to is off by {max(error):.3g} at most (root mean square of an item)"
    if out is None:
        return {**answer, "codes": found.codes.tolist()}, f"{found.codes}\n{said}"
    _array().write(found.codes, out)
    return answer, f"{len(error)} codes in {out}; {said}"


def _array() -> Modality[Any]:
    made: Modality[Any] = registry.get("modalities", "array")()
    return made


def _of_shape(shape: tuple[int, ...]) -> Modality[Any]:
    """How items of a shape are read: pictures, channels first, else arrays."""
    picture: Modality[Any] = registry.get("modalities", "image")(shape=(*shape[1:], shape[0])) if len(shape) == 3 and shape[0] in (1, 3, 4) else _array()
    return picture


def decode_command(at: str, data: str, asked: Asked, seed: int, out: Path | None) -> Answer:
    """Makes the items of codes, and writes or prints."""
    model = asked.of(at)
    made = decode(model, read(data, _array()).items, seed)
    return _handed(model, made, out, {"n": len(made), "seed": seed})


def attribute_command(at: str, data: str, to: str | None, examples: str | None, keep: Sequence[str], strength: float, only: Sequence[int],
                      seed: int, out: Path | None) -> Answer:
    """Changes an attribute of every item, and writes or prints."""
    from .verbs.attribute import attribute  # not above: it takes in what other commands can do without

    if to is None:
        raise UsageError("nothing is named to change to", code="OPTION", param="to", remedy="--to LABEL, or --to RULE")
    model = load(at)
    shown = None if examples is None else alike(model, examples)
    named = {str(label): label for label in (*model.labels, *(() if shown is None or shown.labels is None else shown.labels.names))}.get(to, to)
    found = attribute(model, _labelled(model, data, only), named, shown, keep, strength, seed)
    answer = {"n": len(found.items), "seed": seed, "to": named, "way": found.way, "flipped": found.flipped, "others": dict(found.others), "moved": found.moved}
    return _handed(model, found.items, out, answer, f"{found!r}\n")


def transfer_command(data: str, like: str | None, strength: float, examples: str | None, only: Sequence[int], seed: int, out: Path | None) -> Answer:
    """Sets every picture into another style, and writes or prints."""
    from .verbs.transfer import transfer  # not above: it takes in what other commands can do without

    if like is None:
        raise UsageError("no pictures are named whose style to take", code="OPTION", param="like", remedy="--like PICTURES")
    content = read(data, "image")
    colour = registry.get("modalities", "image")(color={1: "grey", 3: "rgb", 4: "rgba"}[content.items.shape[3]])
    items = content.modality.take(content.items, _among(len(content), only, data))
    found = transfer(items, read(like, colour).items, strength, None if examples is None else read(examples, colour).items, seed)
    answer = {"n": len(found.items), "seed": seed, "strength": strength, "style": found.style, "content": found.content}
    return _handed(content, found.items, out, answer, f"{found!r}\n")


def background_command(at: str, data: str, only: Sequence[int], n: int, asked: Asked, how: str | None, options: Mapping[str, Any], seed: int, out: Path | None) -> Answer:
    """Makes the background of every picture anew, and writes or prints."""
    from .verbs.background import background  # not above: it takes in what other commands can do without

    model = asked.of(at)
    way = _way(model, how, options)
    found = background(model, _chosen(model, data, only), n, seed, way)
    answer = {"n": len(found.items), "seed": seed, "how": named(way), "met": found.met, "foreground": [round(float(f.mean()), 4) for f in found.foreground]}
    return _handed(model, found.items, out, answer, f"foreground {found.foreground.mean():.0%} of the pictures; it is {_met(found.met)}\n")


def counterfactual_command(at: str, data: str, want: str | None, keep: Sequence[str], only: Sequence[int], sure: float, plausible: float, given: Sequence[str],
                           seed: int, out: Path | None) -> Answer:
    """Finds a counterfactual of every row, and writes or prints."""
    from .verbs.counterfactual import counterfactual  # not above: it takes in what other commands can do without

    if want is None:
        raise UsageError("no rule is named that shall hold", code="OPTION", param="want", remedy="--want \"income == '>50K'\"")
    model = Asked(given).of(at)
    found = counterfactual(model, _chosen(model, data, only), want, keep, sure, plausible, seed)
    answer = {"n": len(found.items), "seed": seed, "want": want, "of": found.of.tolist(), "changed": found.changed.tolist(), "distance": found.distance.tolist(),
              "sure": found.sure.tolist(), "percentile": found.percentile.tolist()}
    return _handed(model, found.items, out, answer, f"{found!r}\n")


def _way(model: Model, how: str | None, options: Mapping[str, Any]) -> How | None:
    """The way of drawing that is named; of a text that has no end, its beginning."""
    if how is None and getattr(model.modality, "per", "") == "whole":
        sys.stderr.write(f"a whole text has no end: the first {WHOLE} tokens (--how ancestral --most N for more)\n")
        how, options = "ancestral", {"decoding": {"most": WHOLE}}
    axis = next(iter(options), "decoding")
    made: How | None = recipe.made(registry.get(axis, how), options.get(axis, {})) if how else None
    return made


def _met(sort: str) -> str:
    return {"exact": "met exactly", "estimate": "met by an estimate", "guided": "met by guidance", "rejected": "met by rejection"}[sort]


def _handed(model: Model | Dataset[Any], items: Any, out: Path | None, answer: Mapping[str, Any], said: str = "") -> Answer:
    """Made items: in the file that is asked for, else in the answer."""
    whole = {"out": None if out is None else str(out), **answer}
    if out is not None:
        _written(model, items, out, answer)
        return whole, printable(f"{said}{len(items)} items in {out}")
    sys.stderr.write(printable(said))
    return {**whole, "items": _listed(items)}, _printed(model, items)


def _written(model: Model | Dataset[Any], items: Any, out: Path, answer: Mapping[str, Any]) -> None:
    """The file, and its lineage beside it."""
    from .cli import SHELL

    model.modality.write(items, out)
    if not SHELL.lineage:
        out.with_name(out.name + SUFFIX).unlink(missing_ok=True)   # of what was there before
    else:
        files = [word for word in SHELL.words if word != str(out) and os.path.exists(word) and not (os.path.isdir(word) and is_own(Path(word)))]
        record(out, ["ilk", *map(printable, SHELL.words)], model, items, answer.get("seed"), files)


    if SHELL.lineage:
        files = [word for word in SHELL.words if word != str(out) and os.path.isfile(word)]
        record(out, ["ilk", *map(printable, SHELL.words)], model if isinstance(model, Model) else None, items, answer.get("seed"), files)


def _chosen(model: Model, data: str, only: Sequence[int]) -> Any:
    """The items of the data that are meant: all, or those of these numbers. A text that the model knows as one whole is one item."""
    modality: Any = model.modality
    whole = getattr(modality, "per", "") == "whole"
    items = alike(replace(model, modality=replace(modality, per="file")) if whole else model, data).items
    return model.modality.take(items, _among(len(items), only, data))


def _among(many: int, only: Sequence[int], data: str) -> torch.Tensor:
    """The numbers of the items that are meant, all if none is named."""
    if odd := [i for i in only if not 0 <= i < many]:
        raise UsageError(f"there is no item {odd[0]}", code="ITEMS", param="item", remedy=f"0 to {many - 1}: {data} has {many}")
    return torch.tensor(only, dtype=torch.long) if only else torch.arange(many)


def _labelled(model: Model, data: str, only: Sequence[int]) -> Dataset[Any]:
    """The items that are meant, with their labels if they have any."""
    found = alike(model, data)
    rows = _among(len(found), only, data)
    return Dataset(found.modality, found.modality.take(found.items, rows), labels=None if found.labels is None else Labels(found.labels.codes[rows], found.labels.names))


def _listed(items: Any) -> Any:
    return items.to_dicts() if hasattr(items, "to_dicts") else items.tolist() if hasattr(items, "tolist") else items


def _printed(model: Model | Dataset[Any], items: Any) -> str:
    if hasattr(items, "write_csv"):
        return str(items.write_csv())
    if isinstance(items, list):
        return "\n".join(str(i) if len(items) == 1 or "\n" not in str(i) else f"--- {k + 1}\n{i}" for k, i in enumerate(items))
    shown = model.modality.show(items)
    return shown.data.decode("utf-8", "replace") if shown.mime.startswith("text/") else f"{len(items)} items as {shown.mime}: write them with --out\n"


def score_command(at: str, data: str, given: Sequence[str], seed: int) -> Answer:
    """Scores every item of the data, or the test items of a named data set."""
    model = Asked(given).of(at)
    found = alike(model, data)
    scored = score(model, found if "test" in found.splits else found.items, seed)
    return {"nats": scored.mean, "sort": scored.sort, "se": scored.error, "measure": scored.measure, "n": len(scored.nats), "per": dict(scored.per)}, repr(scored)


def evaluate_command(at: str, against: str | None, n: int | None, only: Sequence[str], given: Sequence[str], seed: int) -> Answer:
    """Every metric that applies."""
    model = Asked(given).of(at)
    with Progressing() as bar:
        found = evaluate(model, _judges(model, against), n, seed, only, (bar,))
    return {"metrics": [_figure_json(f) for f in found.metrics], "skipped": dict(found.skipped)}, repr(found)


def _figure_json(figure: Any) -> dict[str, Any]:
    return {k: v for k, v in asdict(figure).items() if k in ("name", "value", "se", "n", "floor", "ceiling", "better", "convention")}


def _judges(model: Model, against: str | None) -> Dataset[Any]:
    """Held-out items, and the data of the fit where they are still what they were."""
    own = own_data(model)
    if against is None:
        if own is None:
            raise DataError(f"the data that the model was fitted on ({model.card.get('data', '')}) can't be read or have changed", code="DATA_CHANGED",
                            remedy="name held-out items with --against")
        return own
    found = alike(model, against)
    test = found.index("test") if "test" in found.splits else None
    items = found.items if test is None else found.split("test")
    if own is None:
        import torch

        return Dataset(model.modality, items, {"test": torch.arange(len(items))})
    from .dataset import given_splits

    parts = {"train": own.train, "valid": own.valid, "test": items}
    return given_splits(model.modality, {k: v for k, v in parts.items() if len(v)})


def diagnose_command(at: str, data: str | None, seed: int) -> Answer:
    """Looks for failures."""
    from .verbs.diagnose import diagnose  # not above: it takes in families

    model = load(at)
    found = diagnose(model, _judges(model, data), seed)
    return {"findings": [asdict(f) for f in found.findings], "looked": list(found.looked)}, printable(repr(found))


def show_command(at: str) -> Answer:
    """Facts and a few items."""
    model = load(at)
    said = summary(model)
    options = ", ".join(f"{k} {v}" for k, v in said.options.items() if v is not None)
    lines = [f"{said.family} of {said.modality} ({options})", f"items: {said.items}; {said.numbers:,} numbers learned", *(f"  {k}: {v}" for k, v in said.parts.items())]
    lines += [f"{k}: {v}" for k, v in said.card.items() if v and not isinstance(v, dict | list)]
    made = ["", _printed(model, sample(model, 3).items)] if isinstance(model.body, Samples) else []
    return asdict(said), printable("\n".join([*lines, *made]))


def report_command(at: str, out: Path, against: str | None, language: str, n: int | None, given: Sequence[str], seed: int) -> Answer:
    """Writes the page; without data that can be read, of the model alone."""
    from .verbs.report import report  # not above: it takes polars and jinja2, which other commands can do without

    model = Asked(given).of(at)
    try:
        data = _judges(model, against)
    except DataError as why:
        if against is not None or why.code != "DATA_CHANGED":
            raise
        sys.stderr.write(printable(f"{why.message}: the page has no real items (--against)\n"))
        data = None
    with Progressing() as bar:
        found = report(model, out, data, language=language, n=n, seed=seed, listeners=(bar,))
    metrics = {} if found.evaluation is None else {f.name: f.value for f in found.evaluation.metrics}
    answer = {"report": str(out), "bytes": out.stat().st_size, "language": language, "sections": list(found.sections), "metrics": metrics}
    return answer, printable(f"{out}: {', '.join(found.sections)}")


def forget_command(at: str, rows: str | None, data: str | None, out: Path | None) -> Answer:
    """Forgets, and saves what is left."""
    if rows is None:
        raise UsageError("nothing is named to forget", code="ROWS", param="rows", remedy="--rows FILE, or --rows 3,17,100-200")
    model = load(at)
    if data is None and not is_numbers(rows):
        left = forget(model, alike(model, rows).items)
    else:
        left = forget(model, rows, alike(model, data or str(model.card.get("data", ""))))
    to = left.save(out or at)
    many = int(model.card["items"]) - int(left.card["items"])
    answer = {"model": str(to), "forgot": many, "items": left.card["items"]}
    return answer, printable(f"forgot {many} of {model.card['items']} items; saved in {to}\nits coding (categories, cells of numbers, alphabet) is as it was learned")


def export_command(at: str, to: str, out: Path) -> Answer:
    """Writes a model for another library."""
    found = export(load(at), to, out)
    files = [str(p) for p in found.files]
    return {"model": at, "to": found.to, "files": files}, printable("\n".join(files))
