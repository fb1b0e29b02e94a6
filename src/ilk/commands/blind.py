"""Commands: comparisons by people."""
from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ilk.commands._shared import Json, Seed, say


def blind(
    *sides: Annotated[str, Parameter(help="Two or more: folders of fitted models, files of items, names of `ilk list data`.")],
    n: Annotated[int, Parameter(name=["--n", "-n"], help="Items of each.")] = 20,
    votes: Annotated[Path, Parameter(help="The file that votes are kept in, each at once. If it is there, the comparison goes on.")] = Path("votes.jsonl"),
    rater: Annotated[str, Parameter(help="Who votes. Each name sees all pairs; several may use one file, one after the other.")] = "",
    again: Annotated[float, Parameter(help="The share of pairs shown a second time, sides changed: does a rater agree with itself?")] = 0.1,
    language: Annotated[Literal["en", "zh"], Parameter(help="The language of the page: English or Chinese.")] = "en",
    port: Annotated[int, Parameter(help="The port on 127.0.0.1. By default any that is free.")] = 0,
    results: Annotated[Path | None, Parameter(help="Only say what the votes in this file come to.")] = None,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"], help="Write standings too: .csv or .json.")] = None,
    seed: Seed = 0, json: Json = False,
) -> None:
    """Let people compare items of several models, or of models and real data, without knowing which is whose.

    Serves a page on this machine: two items side by side, chosen by keys or touch. Ends when all pairs are judged, or by Ctrl-C; then says who is
    preferred, with intervals (Bradley-Terry).

    Examples: `ilk blind a.ilk b.ilk digits -n 30`, `ilk blind --results votes.jsonl --out standings.csv`.
    """
    from ilk.console.blind import blind_command, results_command

    if results is not None:
        say(*results_command(results, sides, out))
    else:
        say(*blind_command(sides, {"n": n, "seed": seed, "again": again}, {"votes": votes, "rater": rater}, (language, port), out))
