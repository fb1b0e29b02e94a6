"""Commands: which family of model suits some data."""
from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ilk.commands._shared import Json, Seed, say


def race(
    data: Annotated[str, Parameter(help="A file, a folder, or a name of `ilk list data`.")], /, *,
    budget: Annotated[str, Parameter(help="Wall-clock time for all together: 90s, 10m, 1h. It is divided evenly among all fits.")] = "10m",
    steps: Annotated[int | None, Parameter(help="Optimiser steps or rounds of each fit instead of a time: the same race every time.")] = None,
    families: Annotated[str, Parameter(help="Who takes part, parted by commas: families and presets. By default all families that fit, and presets if there is time.")] = "",
    memory: Annotated[str, Parameter(help="What each fit may hold in memory: 8G, 500M.")] = "8G",
    jobs: Annotated[int, Parameter(name=["--jobs", "-j"], help="Processes at a time, of one thread each.")] = 1,
    ray: Annotated[str | None, Parameter(help="Run on a Ray cluster: its address, or `local` for --jobs workers here.")] = None,
    trials: Annotated[int, Parameter(help="Other options that each finalist tries, chosen by Optuna.")] = 2,
    seeds: Annotated[int, Parameter(help="Seeds that each finalist runs from.")] = 3,
    finalists: Annotated[int, Parameter(help="How many of the best are tuned and repeated.")] = 3,
    judged: Annotated[int, Parameter(help="Items of the validation and of the test set that judge, at most.")] = 1000,
    seed: Seed = 0,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"], help="The folder of the race, by default DATA.race here. The same command goes on with one.")] = None,
    report: Annotated[Path | None, Parameter(help="The page to write. By default report.html in the folder.")] = None,
    language: Annotated[Literal["en", "zh"], Parameter(help="The language of the page: English or Chinese.")] = "en",
    model: Annotated[Path | None, Parameter(help="Also save the winner as a model of its own there.")] = None,
    json: Json = False,
) -> None:
    """Find out which family of model suits some data: all learn within the same limits, are judged alike, and the best few are tuned.

    A floor, two cheats that copy training items, and real items run too. Losers, time-outs and crashes are shown.

    Examples: `ilk race people.csv --budget 10m -j 2`, `ilk race poems.txt --families ngram,transformer,rnn --report poems.html`.
    """
    from ilk.console.race import race_command

    say(*race_command(data, {"budget": budget, "steps": steps, "families": families, "memory": memory, "jobs": jobs, "ray": ray, "trials": trials, "seeds": seeds,
                             "finalists": finalists, "judged": judged, "seed": seed, "out": out, "report": report, "language": language, "model": model}))
