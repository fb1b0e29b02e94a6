"""Commands: models kept, changed in form, and what there is."""
from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ilk import registry
from ilk.commands._shared import SHELL, Axis, Json, say
from ilk.commands.models import list_models
from ilk.errors import UsageError

LISTED = ("families, modalities, metrics, decoding, samplers, nets, exporters, quantities, faults, attacks, trackers, backends, tunings, readers, indexes, data, models "
          "or presets.")


def forget(
    model: Annotated[str, Parameter(help="The folder of a fitted model of a family that keeps counts: chow_liu, ngram.")], /, *,
    rows: Annotated[str | None, Parameter(help="What is forgotten: a file of items, or numbers of items in the data of the fit, counted from 0: 3,17,100-200.")] = None,
    data: Annotated[str | None, Parameter(help="The data of the fit, where numbers are given. By default the data that the model names.")] = None,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"], help="Where the model goes. By default it takes the place of the one it was.")] = None,
    json: Json = False,
) -> None:
    """Make a model as if it had never seen some items: exactly what a fit without them would give, in the same coding.

    Examples: `ilk forget people.ilk --rows leavers.csv`, `ilk forget people.ilk --rows 3,17,100-200 --data people.csv`.
    """
    from ilk.console.keep import forget_command

    say(*forget_command(model, rows, data, out))


def export(
    model: Annotated[str, Parameter(help="The folder of a fitted model.")], /, *,
    to: Annotated[str, Parameter(help="The form to write (ilk list exporters).")],
    out: Annotated[Path, Parameter(name=["--out", "-o"], help="The folder to make.")],
    json: Json = False,
) -> None:
    """Write a model in the form that another library reads.

    Example: `ilk export digits.ilk --to diffusers --out digits`.
    """
    from ilk.console.keep import export_command

    say(*export_command(model, to, out))


def list_(
    what: Annotated[Axis, Parameter(help=LISTED)], /, *,
    map: Annotated[bool, Parameter(negative="", help="Families as a map: by the density they have, and by what they are made of.")] = False,
    full: Annotated[bool, Parameter(negative="", help="Families with the spaces they take, what they learn from, and what they can do.")] = False,
    json: Json = False,
) -> None:
    """List what there is: built in, and installed as plug-ins."""
    if map or full:
        _concepts(what, full)
        return
    if what == "models":
        list_models()
        return
    if what == "data":
        from ilk import catalogue

        rows = [(n, catalogue.summary(n)) for n in catalogue.names()]
    elif what == "presets":
        from ilk import presets

        rows = [(n, presets.summary(n)) for n in presets.names()]
    else:
        rows = [(n, registry.summary(what, n)) for n in registry.names(what)]
    width = max((len(n) for n, _ in rows), default=0)
    say({what: [{"name": n, "summary": s} for n, s in rows]}, "\n".join(f"{n.ljust(width)}  {s}" for n, s in rows))


def _concepts(what: Axis, full: bool) -> None:
    if what != "families":
        raise UsageError(f"--map and --full are about families, not {what}", param="map", remedy="ilk list families --map")
    from dataclasses import asdict

    from ilk.concepts import known, learners, table, tree

    rows = [known(name) for name in learners()]
    say({"families": [asdict(row) for row in rows]}, table(rows) if full else tree(rows))


def fetch(name: Annotated[str, Parameter(help="A name of `ilk list data`.")], /, *, json: Json = False) -> None:
    """Fetch a data set: its pinned files, checked by hash, into the cache."""
    from ilk import catalogue

    files = catalogue.fetch(name)
    say({"name": name, "files": {k: str(p) for k, p in files.items()}}, "\n".join(f"{k}  {p}" for k, p in files.items()) or f"{name} needs no file")


def demo(out: Annotated[Path, Parameter(name=["--out", "-o"], help="The folder for the report.")] = Path("demo"), *, json: Json = False) -> None:
    """Run the main job on a table and a text: fit, sample with conditions, fill missing cells, evaluate, report. Two minutes, offline."""
    from ilk.demo import run

    say(*run(out, quiet=SHELL.as_json))
