"""Commands: fits."""
from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ilk.commands._shared import OPTIONS, Json, Seed, Track, say


def fit(
    data: Annotated[str, Parameter(help="A file, a folder, or a name of `ilk list data`.")], /, *,
    family: Annotated[str | None, Parameter(help="The family of model (ilk list families), or a preset (ilk list presets). By default one that suits the data.")] = None,
    modality: Annotated[str | None, Parameter(help="The kind of data (ilk list modalities). By default it is guessed.")] = None,
    budget: Annotated[str | None, Parameter(help="Wall-clock time: 60s, 10m, 1h. By default the family decides.")] = None,
    steps: Annotated[int | None, Parameter(help="Optimiser steps or rounds instead of a time: reproducible to the bit.")] = None,
    batch: Annotated[int | None, Parameter(help="Items a step.")] = None,
    rate: Annotated[float | None, Parameter(help="Learning rate.")] = None,
    seed: Seed = 0,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"], help="Where the model goes. By default DATA.ilk here.")] = None,
    resume: Annotated[bool, Parameter(negative="", help="Go on from the checkpoint of an interrupted fit.")] = False,
    log: Annotated[Path | None, Parameter(help="Write every event as a line of JSON.")] = None,
    track: Track = (),
    device: Annotated[str, Parameter(help="cpu, cuda or mps.")] = "cpu",
    start: Annotated[str | None, Parameter(help="The folder of a model of related data to go on from, in its coding and with its recipe.")] = None,
    json: Json = False,
) -> None:
    """Learn what the data are like: fit a model.

    The options of a family are flags too: `ilk fit people.csv --family gmm --help` lists them.

    Examples: `ilk fit people.csv`, `ilk fit poems.txt --family ngram --order 8`, `ilk fit iris --family gmm --components 3`.
    """
    from ilk.console.learn import fit_command

    answer, text = fit_command(data, family, modality, OPTIONS, {"budget": budget, "steps": steps, "batch": batch, "rate": rate, "seed": seed,
                                                                "out": out, "resume": resume, "log": log, "track": track, "device": device, "start": start})
    say(answer, text)


def augment(
    data: Annotated[str, Parameter(help="A file, a folder, or a name of `ilk list data`.")], /, *,
    balance: Annotated[str, Parameter(help="The class whose rare values get made items: a column, or label.")] = "label",
    family: Annotated[str | None, Parameter(help="What makes the items (ilk list families); its options are flags too. By default circuit; gmm of arrays, "
                                                 "copula of pictures.")] = None,
    budget: Annotated[str | None, Parameter(help="Wall-clock time of each fit: 60s, 10m, 1h. By default the family decides.")] = None,
    steps: Annotated[int | None, Parameter(help="Optimiser steps or rounds of each fit instead of a time.")] = None,
    repeats: Annotated[int | None, Parameter(help="How often all is done anew, from another division of the data. By default 5, 3 for pictures.")] = None,
    force: Annotated[bool, Parameter(negative="", help="Write made items even if it can't be shown that they help.")] = False,
    seed: Seed = 0,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"], help="Where the augmented data go: a table, or .npz. By default they are only judged.")] = None,
    json: Json = False,
) -> None:
    """Make items for classes that have few, if a classifier that learns from them too is better on real items; else refuse.

    Made items are marked in a column `synthetic` (an array of that name in .npz).

    Example: `ilk augment people.csv --balance income --out more.csv`.
    """
    from ilk.console.learn import augment_command

    say(*augment_command(data, balance, family, OPTIONS, {"budget": budget, "steps": steps, "repeats": repeats, "force": force, "seed": seed, "out": out}))
