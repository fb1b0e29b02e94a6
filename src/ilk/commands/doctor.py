"""Commands: what is wrong with a script, data, a model, or what is installed."""
from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from ilk.commands._shared import Json, say


def doctor(
    thing: Annotated[str | None, Parameter(help="A script (.py), notebook (.ipynb), page (.md), data, or the folder of a model. By default what is installed.")] = None, /, *,
    json: Json = False,
) -> None:
    """Name the known faults of a script, of data, of a model or of the installation: where, why, what helps, and where to read on.

    Scripts are parsed and never run.

    Examples: `ilk doctor train.py`, `ilk doctor people.csv`, `ilk doctor digits.ilk`, `ilk doctor`.
    """
    from ilk.console.doctor import doctor_command

    say(*doctor_command(thing))
