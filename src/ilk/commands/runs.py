"""Commands: records of runs."""
from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from ilk.commands._shared import Json, say

RUN = "The name of a run (ilk runs list): its beginning or its end is enough; `last` is the latest."


def runs_list(
    *,
    what: Annotated[str | None, Parameter(help="Only runs of this command: fit, evaluate, ...")] = None,
    data: Annotated[str | None, Parameter(help="Only runs on data of this name.")] = None,
    n: Annotated[int, Parameter(name=["--n", "-n"], help="The latest so many; 0 for all.")] = 20,
    json: Json = False,
) -> None:
    """List runs, the latest last: when, what, data, family, seconds, least loss on held-out items, figures.

    Example: `ilk runs list --what fit`.
    """
    from ilk.console.runs import list_command

    say(*list_command(what, data, n))


def runs_show(run: Annotated[str, Parameter(help=RUN)] = "last", /, *, json: Json = False) -> None:
    """Say all that is known of a run: how it was asked for, on what, where, how it went and ended, what it cost.

    Example: `ilk runs show last`.
    """
    from ilk.console.runs import show_command

    say(*show_command(run))


def compare(
    first: Annotated[str, Parameter(help=RUN)],
    second: Annotated[str, Parameter(help=RUN)],
    *more: Annotated[str, Parameter(help="More runs.")],
    json: Json = False,
) -> None:
    """Put runs side by side: the options in which they differ, their figures, and what they cost.

    Example: `ilk runs compare 1f24cd 9be001`.
    """
    from ilk.console.runs import compare_command

    say(*compare_command((first, second, *more)))


def remove(
    runs: Annotated[tuple[str, ...], Parameter(help=RUN, negative="")], /, *,
    json: Json = False,
) -> None:
    """Remove records of runs; models are left where they are.

    Example: `ilk runs remove 1f24cd`.
    """
    from ilk.console.runs import remove_command

    say(*remove_command(runs))
