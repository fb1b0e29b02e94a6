"""export: a model in the form that another library reads."""
from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ilk import registry
from ilk.backend import fresh
from ilk.errors import UsageError
from ilk.exporter import Exporter, Serves
from ilk.model import Model
from ilk.verbs.drift import Drift, drift


@dataclass(frozen=True)
class Exported:
    """Which model was written (its family), in which form, and the files; of a tuned model how far that form is from it, if that form can be run here."""

    model: str
    to: str
    files: tuple[Path, ...]
    drift: Drift | None = None


def export(model: Model, to: str, out: str | Path) -> Exported:
    """Writes the model with an exporter (`ilk list exporters`) into a folder that is not there yet or is empty.

    UsageError, naming who could, if the exporter can't write this model.
    """
    out = Path(out)
    exporter = _exporter(to)
    if why := exporter.refuses(model):
        others = [name for name in registry.names("exporters") if name != to and not _exporter(name).refuses(model)]
        remedy = f"--to {' or '.join(others)}" if others else "no exporter here can write this model"
        raise UsageError(f"{to} {why}; this is {model!r}", code="EXPORT", param="to", remedy=remedy)
    if os.path.lexists(out) and not (out.is_dir() and not any(out.iterdir())):
        raise UsageError(f"{out} is there already", code="OUT", param="out", remedy="choose another name with --out")
    if not out.absolute().parent.is_dir():
        raise UsageError(f"there is no folder {out.absolute().parent}", code="OUT", param="out", remedy="make it, or choose another name with --out")
    files = tuple(exporter.write(model, out))
    return Exported(registry.name_of("families", model.body.family), to, files, _drift(exporter, model, out))


def _drift(exporter: Exporter, model: Model, out: Path) -> Drift | None:
    """What the probe of a tuned model finds in the form that was written; None without a probe or without a library that runs this form."""
    probe = getattr(model.body, "probe", None)
    if not probe or not isinstance(exporter, Serves):
        return None
    try:
        return drift(fresh(exporter.address(out)), probe)
    except UsageError as why:
        if why.code != "MISSING_EXTRA":
            raise
        return None


def _exporter(name: str) -> Exporter:
    made: Exporter = registry.get("exporters", name)()
    return made
