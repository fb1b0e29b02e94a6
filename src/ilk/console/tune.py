"""Behind the commands: pretrained text models tuned."""
from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ilk import recipe, registry
from ilk.backend import chat_at
from ilk.console._shared import Answer, tracked
from ilk.console.learn import _check, _forget, _log, _out, stopping
from ilk.errors import UsageError, printable
from ilk.families.tuned import Adapted
from ilk.model import Model, load
from ilk.progress import Progressing
from ilk.run import Event, Measured, Noted, Run, Saved, Steps, budget
from ilk.verbs._lesson import Lesson
from ilk.verbs.drift import drift, rounded
from ilk.verbs.tune import Gain, tune


@dataclass
class _Notes:
    """Remembers what people were told."""

    texts: list[str] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        if isinstance(event, Noted):
            self.texts.append(event.text)


def tune_command(at: str, data: str, tuning: str, options: Mapping[str, Any], asked: Mapping[str, Any]) -> Answer:
    """Tunes, saves, and says what was gained on held-out examples."""
    out, notes, start = _out(data, asked["out"]), _Notes(), time.monotonic()
    way = recipe.made(registry.get("tunings", tuning), options.get("tunings", {}))
    columns = tuple(c.strip() for c in asked["columns"].split(",")) if asked["columns"] else None
    lesson = recipe.made(Lesson, {"columns": columns, **{k: asked[k] for k in ("length", "long", "pack", "beta", "epochs")}})
    trackers = tracked(asked["track"])
    with Progressing() as bar, _log(asked["log"]) as log:
        run = Run(seed=asked["seed"], budget=Steps(asked["steps"]) if asked["steps"] is not None else budget(asked["budget"]), batch=asked["batch"], micro=asked["micro"],
                  rate=asked["rate"], precision=asked["precision"], checkpoint=out.with_name(out.name + ".ckpt"), resume=asked["resume"],
                  listeners=(bar, notes, *log, *trackers))
        _check(run, asked)
        with run.opened("tune"):
            with stopping(run.switch, run):
                model = tune(at, data, way, lesson, run=run)
            model.save(out)
            run.emit(Saved(str(out)))
            _forget(run)
            told = model.card["tune"]
            run.emit(Measured({"nats before": told["before"], "nats after": told["after"]}))
    answer = {"model": str(out), "tuning": tuning, "seconds": round(time.monotonic() - start, 2), "steps": model.card["steps"], **told, "shown": notes.texts}
    answer |= {"learned": sum(t.numel() for t in model.body.state().tensors.values())}
    return answer, printable(_text(model, answer))


def _text(model: Model, answer: Mapping[str, Any]) -> str:
    gain = Gain(**{k: answer[k] for k in ("before", "after", "less", "se", "examples", "tokens")})
    did = f"{answer['tuning']}: {answer['learned']} numbers learned from {model.card['items']} examples, {answer['steps']} steps, {answer['seconds']} s"
    lines = [*answer["shown"], did, str(gain)]
    if isinstance(model.body, Adapted):
        lines.append(f"probe of {len(model.body.probe)} questions kept with it: ilk drift and ilk export say how far a form of the model is from it")
    return "\n".join([*lines, f"saved in {answer['model']}"])


def drift_command(at: str, served: str | None, int8: bool) -> Answer:
    """The probe put to a form of the model."""
    model = load(at)
    if served is not None and int8:
        raise UsageError("--served and --int8 are two forms", param="int8", remedy="one at a time")
    if not isinstance(model.body, Adapted):
        raise UsageError("no probe travels with this model", code="PROBE", param="model", remedy="only tuned models have one: ilk tune")
    chat = chat_at(served) if served is not None else rounded(model.body.chat) if int8 else model.body.chat
    found = drift(chat, model.body.probe)
    return {"model": at, "form": served or ("int8" if int8 else "itself"), **asdict(found)}, printable(str(found))
