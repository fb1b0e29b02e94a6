"""Commands: new items."""
from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from ilk.commands._shared import OPTIONS, Given, Json, Label, Obey, Out, Prompt, Seed, say


def sample(
    model: Annotated[str, Parameter(help="The folder of a fitted model.")], /, *,
    n: Annotated[int, Parameter(name=["--n", "-n"], help="How many items.")] = 10,
    given: Given = (),
    label: Label = None, prompt: Prompt = None, obey: Obey = (),
    data: Annotated[str | None, Parameter(help="With --obey, the data to learn from and to judge by. By default those that the model was fitted on.")] = None,
    how: Annotated[str | None, Parameter(help="A way to draw (ilk list decoding); its options are flags too.")] = None,
    seed: Seed = 0, out: Out = None, json: Json = False,
) -> None:
    """Make more of its kind: draw new items, given what is known, and mended so that they obey.

    Examples: `ilk sample people.ilk -n 1000 --out new.csv`, `ilk sample people.ilk --given "age > 60 and city == 'Lyon'"`,
    `ilk sample poems.ilk -n 3 --given "The " --how top_p --p .9`,
    `ilk sample sums.ilk --how form --pattern "[0-9]+ = [0-9]+"`, `ilk sample trips.ilk -n 1000 --obey "start <= end" --obey "unique id"`.
    """
    from ilk.console._shared import Asked
    from ilk.console.make import obey_command, sample_command

    asked = Asked(given, label, prompt)
    say(*(obey_command(model, n, asked, obey, data, how, OPTIONS, seed, out) if obey else sample_command(model, n, asked, how, OPTIONS, seed, out)))


def impute(
    model: Annotated[str, Parameter(help="The folder of a fitted model of a table.")],
    rows: Annotated[str, Parameter(help="A file of rows with missing cells.")], /, *,
    best: Annotated[bool, Parameter(negative="", help="The single best guess at each cell instead of draws: the most probable category, the median of a number.")] = False,
    n: Annotated[int, Parameter(name=["--n", "-n"], help="How many of each row.")] = 1,
    given: Given = (),
    label: Label = None, prompt: Prompt = None,
    seed: Seed = 0, out: Out = None, json: Json = False,
) -> None:
    """Fill the missing cells of every row, given the cells that it has; those stay as they are.

    Cells are taken to be missing at random: that one is missing tells nothing of its value but what the others tell.

    Examples: `ilk impute people.ilk people.csv --best --out full.csv`, `ilk impute people.ilk people.csv -n 5 --out five.csv`.
    """
    from ilk.console._shared import Asked
    from ilk.console.make import impute_command

    say(*impute_command(model, rows, best, n, Asked(given, label, prompt), seed, out))


def discover(data: Annotated[str, Parameter(help="A table, or arrays: a file, a folder, or a name of `ilk list data`.")], /, *, json: Json = False) -> None:
    """Find what all items of some data obey: equations, inequalities, dependencies, keys, constant sums; nothing that may be chance.

    Example: `ilk discover people.csv`; `ilk sample people.ilk --obey discovered` makes items that obey all of it.
    """
    from ilk.console.make import discover_command

    say(*discover_command(data))


def steps(
    model: Annotated[str, Parameter(help="The folder of a fitted model.")], /, *,
    n: Annotated[int, Parameter(name=["--n", "-n"], help="How many items.")] = 1,
    at: Annotated[int | None, Parameter(help="Go on from this step alone: step 0 is before anything is decided.")] = None,
    branch: Annotated[int, Parameter(help="With --at: how many continuations of each item.")] = 1,
    branch_seed: Annotated[int, Parameter(help="With --at: the seed of the continuations.")] = 1,
    given: Given = (),
    label: Label = None, prompt: Prompt = None,
    how: Annotated[str | None, Parameter(help="A way to draw (ilk list decoding); its options are flags too.")] = None,
    seed: Seed = 0, out: Out = None, json: Json = False,
) -> None:
    """Show items while they are made, step by step; the last step is what `ilk sample` gives. Or draw other continuations from one step.

    Examples: `ilk steps digits.ilk -n 16 --out step.png` writes step-000.png and on, `ilk steps digits.ilk --at 4 --branch 9 --out sheet.png`.
    """
    from ilk.console._shared import Asked
    from ilk.console.make import steps_command

    say(*steps_command(model, n, (at, branch, branch_seed), Asked(given, label, prompt), how, OPTIONS, seed, out))
