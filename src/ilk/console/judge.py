"""Behind the commands: what is said of models and items."""
from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from ilk import registry
from ilk.console._shared import Answer, Asked, printed, tracked
from ilk.dataset import Dataset
from ilk.distribution import Samples
from ilk.errors import DataError, UsageError, printable
from ilk.model import Model
from ilk.progress import Progressing
from ilk.verbs._own import alike, judges
from ilk.verbs._own import own as own_data
from ilk.verbs.evaluate import Figure, evaluate
from ilk.verbs.lineage import lineage
from ilk.verbs.open import model_at
from ilk.verbs.prefer import prefer, read_likes
from ilk.verbs.sample import sample
from ilk.verbs.score import score
from ilk.verbs.show import summary


def classify_command(at: str, data: str, by: str | None, held: str | None, seed: int, out: Path | None) -> Answer:
    """The chances of every class, as a table; a named data set counts as its test items."""
    from ilk.verbs.classify import classify  # not above: it takes in polars

    model = model_at(at)
    items, other = (None if name is None else _judged(model, name) for name in (data, held))
    found = classify(model, items, by, other, seed)
    known = bool((found.truth >= 0).any())
    answer = {"by": found.by, "classes": list(found.classes), "n": len(found.truth), "sort": found.sort, "temperature": found.temperature,
              **({"accuracy": found.accuracy, "log_loss": found.log_loss, "calibration_error": found.calibration_error} if known else {})}
    table = {found.by: found.best} | {f"chance of {c}": found.chances[:, i].tolist() for i, c in enumerate(found.classes)}
    return _tabled(table, out, answer, repr(found))


def detect_command(at: str, data: str, normal: str | None, false_alarm: float, parts: bool, seed: int, out: Path | None) -> Answer:
    """The p-value of every item, as a table."""
    from ilk.verbs.detect import detect  # not above: it takes in metrics

    model = model_at(at)
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


def prefer_command(at: str, likes: str, items: str | None, seed: int, out: Path) -> Answer:
    """Learns a taste and saves it."""
    if items is None:
        raise UsageError("the items that were compared are not named", code="OPTION", param="items", remedy="--items FILE")
    model = model_at(at)
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
        found = evaluate(model, _judges(model, against), n, seed, only, (bar, *tracked()))
    behind = [line for figure in found.metrics if only for line in _behind(figure)]
    return {"metrics": [asdict(f) for f in found.metrics], "skipped": dict(found.skipped)}, printable("\n".join([repr(found), *behind]))


def _behind(figure: Figure) -> list[str]:
    """What a figure that was asked for by name is made of."""
    return [f"{figure.name}: {figure.convention}", *(f"  {name:40} {value:z.4f}" for name, value in figure.parts.items())]


def _judges(model: Model, against: str | None) -> Dataset[Any]:
    """Held-out items, and the data of the fit where they are still what they were."""
    own = own_data(model)
    if against is None:
        if own is None:
            raise DataError(f"the data that the model was fitted on ({model.card.get('data', '')}) can't be read or have changed", code="DATA_CHANGED",
                            remedy="name held-out items with --against")
        return own
    return judges(model, against)


def diagnose_command(at: str, data: str | None, seed: int) -> Answer:
    """Looks for failures."""
    from ilk.verbs.diagnose import diagnose  # not above: it takes in families

    model = model_at(at)
    found = diagnose(model, _judges(model, data), seed)
    return {"findings": [asdict(f) for f in found.findings], "looked": list(found.looked)}, printable(repr(found))


def show_command(at: str) -> Answer:
    """Facts and a few items."""
    model = model_at(at)
    said = summary(model)
    options = ", ".join(f"{k} {v}" for k, v in said.options.items() if v is not None)
    lines = [f"{said.family} of {said.modality} ({options})", f"items: {said.items}; {said.numbers:,} numbers learned", *(f"  {k}: {v}" for k, v in said.parts.items())]
    lines += [f"{k}: {v}" for k, v in said.card.items() if v and not isinstance(v, dict | list)]
    made = ["", printed(model, sample(model, 3).items)] if isinstance(model.body, Samples) else []
    return asdict(said), printable("\n".join([*lines, *made]))


def report_command(at: str, out: Path, against: str | None, language: str, n: int | None, given: Sequence[str], seed: int) -> Answer:
    """Writes the page; without data that can be read, of the model alone."""
    from ilk.verbs.report import report  # not above: it takes polars and jinja2, which other commands can do without

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
