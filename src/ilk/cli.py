"""The command `ilk`: the verbs, with a family's options as flags. Results go to stdout, progress and errors to stderr."""
from __future__ import annotations

import errno
import io
import json
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, CycloptsError, Group, Parameter

from . import __version__, registry
from .errors import IlkError, ResourceError, UsageError, printable
from .files import not_written

Axis = Literal["families", "modalities", "metrics", "decoding", "samplers", "nets", "exporters", "quantities", "data", "presets"]
COMMON = Group("Common options", sort_key=9)
Json = Annotated[bool, Parameter(name="--json", negative="", group=COMMON, help="Print one JSON object (docs/json.md) instead of text.")]
Seed = Annotated[int, Parameter(help="The same seed gives the same result.")]
SAID = ('A rule such as "age > 60 and sex == \'F\'", a mapping as JSON, how a text begins, or a call: "Towards(\'age\', 2)", "Avoid(Label(3))", '
        '"Like(\'face.png\', .7)", "Label(3, weight=2)". Several compose.')
Given = Annotated[tuple[str, ...], Parameter(name="--given", negative="", help=SAID)]

ITEMS = "Items of the same kind: a file, or a name of `ilk list data`."
Item = Annotated[tuple[int, ...], Parameter(name="--item", negative="", help="Only this item, counted from 0. Several compose; by default all.")]
Label = Annotated[str | None, Parameter(help="A label, for models that were fitted with labels.")]
Prompt = Annotated[str | None, Parameter(help="What pictures shall show, for models that were fitted with captions.")]
RULED = ('What every item has to obey, such as "start <= end", "a + b == 100", "unique id", "zip -> city", "sum(1) == 5"; `discovered`: all that the data obey. '
         "Several compose.")
Obey = Annotated[tuple[str, ...], Parameter(name="--obey", negative="", help=RULED)]
Out = Annotated[Path | None, Parameter(name=["--out", "-o"], help="A file to write; its suffix says the format. By default items are printed.")]


@dataclass
class Shell:
    """What all commands share: how to answer, whether to show tracebacks, what was said, and whether written items keep that (--no-lineage: they don't)."""

    as_json: bool = False
    debug: bool = False
    lineage: bool = True
    words: tuple[str, ...] = ()


SHELL = Shell()
OPTIONS: dict[str, Any] = {}   # flags of the family, modality and way of drawing that the command line names


def _say(answer: Mapping[str, Any], text: str) -> None:
    """The result: JSON, or text (without control characters where a terminal would obey them)."""
    out = _json(_plain(answer)) if SHELL.as_json else printable(text) if sys.stdout and sys.stdout.isatty() else text
    _out(out if out.endswith("\n") else out + "\n")


def _out(text: str) -> None:
    """To standard output; ResourceError if that is closed or full."""
    try:
        if sys.stdout is None:
            raise OSError(errno.EBADF, "closed")
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as why:
        sys.stdout = None
        raise not_written(Path("standard output"), why) from None


def _json(value: Any) -> str:
    """JSON in plain letters of any script, but with all control characters escaped."""
    return re.sub(r"[\x7f-\x9f\u2028-\u202e\u2066-\u2069]", lambda c: f"\\u{ord(c[0]):04x}", json.dumps(value, ensure_ascii=False, allow_nan=False))


def _plain(value: Any) -> Any:
    """JSON without NaN or infinity (they become null)."""
    from math import isfinite

    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value


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
    device: Annotated[str, Parameter(help="cpu, cuda or mps.")] = "cpu",
    start: Annotated[str | None, Parameter(help="The folder of a model of related data to go on from, in its coding and with its recipe.")] = None,
    json: Json = False,
) -> None:
    """Learn what the data are like: fit a model.

    The options of a family are flags too: `ilk fit people.csv --family gmm --help` lists them.

    Examples: `ilk fit people.csv`, `ilk fit poems.txt --family ngram --order 8`, `ilk fit iris --family gmm --components 3`.
    """
    from .console import fit_command

    answer, text = fit_command(data, family, modality, OPTIONS, {"budget": budget, "steps": steps, "batch": batch, "rate": rate, "seed": seed,
                                                                "out": out, "resume": resume, "log": log, "device": device, "start": start})
    _say(answer, text)


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
    from .console import Asked, obey_command, sample_command

    asked = Asked(given, label, prompt)
    _say(*(obey_command(model, n, asked, obey, data, how, OPTIONS, seed, out) if obey else sample_command(model, n, asked, how, OPTIONS, seed, out)))


def edit(
    model: Annotated[str, Parameter(help="The folder of a fitted model.")],
    items: Annotated[str, Parameter(help=ITEMS)], /, *,
    redo: Annotated[str | None, Parameter(help="What is made anew: box:TOP,LEFT,BOTTOM,RIGHT of a picture, or mask:FILE, white there; outside:REGION for all but that, "
                                               "after:PLACE or between:PLACE,PLACE of a text, or columns: age,income (odd names in `backticks`).")] = None,
    item: Item = (),
    n: Annotated[int, Parameter(name=["--n", "-n"], help="How many of each item.")] = 1,
    given: Given = (),
    label: Label = None, prompt: Prompt = None,
    how: Annotated[str | None, Parameter(help="A way to draw (ilk list decoding); its options are flags too.")] = None,
    seed: Seed = 0, out: Out = None, json: Json = False,
) -> None:
    """Make part of items anew; the rest of them is kept to the bit.

    Counts begin at 0: `box:8,0,16,28` is rows 8 to 15 and columns 0 to 27, `after:40` keeps 40 characters, `between:10,20` all but the
    ten from 10 on, in whose stead as many come as it takes.

    Examples: `ilk edit people.ilk people.csv --redo age,income --out other.csv`, `ilk edit faces.ilk face.png --redo box:8,8,24,24 -n 9 --out sheet.png`,
    `ilk edit faces.ilk face.png --redo outside:box:8,8,24,24`, `ilk edit poems.ilk poem.txt --redo after:40 --how top_p --p .9`.
    """
    from .console import Asked, edit_command

    _say(*edit_command(model, items, redo, item, n, Asked(given, label, prompt), how, OPTIONS, seed, out))


def vary(
    model: Annotated[str, Parameter(help="The folder of a fitted model of a family with codes: vae, autoencoder, flow, diffusion, flow_matching, latent.")],
    items: Annotated[str, Parameter(help=ITEMS)], /, *,
    strength: Annotated[float, Parameter(help="From 0, the item itself as the model decodes it, to 1, any other item.")] = 0.5,
    item: Item = (),
    n: Annotated[int, Parameter(name=["--n", "-n"], help="How many of each item.")] = 1,
    seed: Seed = 0, out: Out = None, json: Json = False,
) -> None:
    """Make variations of items.

    Example: `ilk vary faces.ilk face.png --strength .3 -n 9 --out sheet.png`.
    """
    from .console import vary_command

    _say(*vary_command(model, items, item, strength, n, seed, out))


def interpolate(
    model: Annotated[str, Parameter(help="The folder of a fitted model of a family with codes: vae, autoencoder, flow, diffusion, flow_matching, latent.")],
    items: Annotated[str, Parameter(help=ITEMS)], /, *,
    item: Item = (),
    n: Annotated[int, Parameter(name=["--n", "-n"], help="How many items, the two ends among them.")] = 8,
    seed: Seed = 0, out: Out = None, json: Json = False,
) -> None:
    """Make the way from one item to another: both ends and what lies between.

    Example: `ilk interpolate digits.ilk digits.npz --item 3 --item 7 --out way.png`.
    """
    from .console import interpolate_command

    _say(*interpolate_command(model, items, item, n, seed, out))


def translate(
    model: Annotated[str, Parameter(help="The folder of a fitted model of a family that translates: cyclegan.")],
    items: Annotated[str, Parameter(help=ITEMS)], /, *,
    to: Annotated[str | None, Parameter(help="The label of the domain to translate into; all items are taken to be of the other one.")] = None,
    item: Item = (),
    seed: Seed = 0, out: Out = None, json: Json = False,
) -> None:
    """Make items of one domain into items of another.

    Example: `ilk translate horses.ilk horse.jpg --to zebra --out zebra.png`.
    """
    from .console import translate_command

    _say(*translate_command(model, items, to, item, seed, out))


def attribute(
    model: Annotated[str, Parameter(help="The folder of a fitted model of a family with codes: vae, autoencoder, flow, diffusion, flow_matching, latent.")],
    items: Annotated[str, Parameter(help=ITEMS)], /, *,
    to: Annotated[str | None, Parameter(help="What items shall be: a label of the model or of the examples, or a rule.")] = None,
    examples: Annotated[str | None, Parameter(help="Items, with labels or not, that a direction is learned from and that say how well it went.")] = None,
    keep: Annotated[tuple[str, ...], Parameter(negative="", help="A rule that shall hold of items as before. Several compose.")] = (),
    strength: Annotated[float, Parameter(help="How far along a learned direction: 1 is as far as the classes are apart.")] = 1.0,
    item: Item = (),
    seed: Seed = 0, out: Out = None, json: Json = False,
) -> None:
    """Change one attribute of items and leave the rest; say how often it went, and what else it changed.

    Examples: `ilk attribute digits.ilk digits.npz --item 3 --to 7 --out seven.png`, `ilk attribute faces.ilk face.png --to smiling --examples faces/ --out smile.png`.
    """
    from .console import attribute_command

    _say(*attribute_command(model, items, to, examples, keep, strength, item, seed, out))


def transfer(
    items: Annotated[str, Parameter(help="Pictures: a file, a folder, or a name of `ilk list data`.")], /, *,
    like: Annotated[str | None, Parameter(help="Pictures whose style is taken: their mean.")] = None,
    strength: Annotated[float, Parameter(help="From 0, as they are, to 1, nothing but the style.")] = 0.8,
    examples: Annotated[str | None, Parameter(help="More pictures to learn features from.")] = None,
    item: Item = (),
    seed: Seed = 0, out: Out = None, json: Json = False,
) -> None:
    """Set pictures into the style of others, what they show kept. No model is needed.

    Example: `ilk transfer house.jpg --like waves.jpg --out painted.png`.
    """
    from .console import transfer_command

    _say(*transfer_command(items, like, strength, examples, item, seed, out))


def background(
    model: Annotated[str, Parameter(help="The folder of a fitted model of pictures.")],
    items: Annotated[str, Parameter(help=ITEMS)], /, *,
    item: Item = (),
    n: Annotated[int, Parameter(name=["--n", "-n"], help="How many of each picture.")] = 1,
    given: Given = (),
    label: Label = None, prompt: Prompt = None,
    how: Annotated[str | None, Parameter(help="A way to draw (ilk list samplers); its options are flags too.")] = None,
    seed: Seed = 0, out: Out = None, json: Json = False,
) -> None:
    """Make the background of pictures anew; what stands out from it by colour is kept to the bit.

    Example: `ilk background scenes.ilk cat.png -n 4 --out sheet.png`.
    """
    from .console import Asked, background_command

    _say(*background_command(model, items, item, n, Asked(given, label, prompt), how, OPTIONS, seed, out))


def counterfactual(
    model: Annotated[str, Parameter(help="The folder of a fitted model of a table.")],
    rows: Annotated[str, Parameter(help="Rows of the same columns: a file, or a name of `ilk list data`.")], /, *,
    want: Annotated[str | None, Parameter(help="The rule that shall hold.")] = None,
    keep: Annotated[tuple[str, ...], Parameter(negative="", help="A column that can't be changed. Several compose.")] = (),
    sure: Annotated[float, Parameter(help="The least chance that the model gives the rule, by the other columns of a row.")] = 0.5,
    plausible: Annotated[float, Parameter(help="Answers are no less likely than this quantile of the model's own rows.")] = 0.05,
    item: Item = (),
    given: Given = (),
    seed: Seed = 0, out: Out = None, json: Json = False,
) -> None:
    """Find, for rows, the nearest likely rows of which something else holds.

    Example: `ilk counterfactual people.ilk refused.csv --want "loan == 'yes'" --keep age --keep sex --out what_if.csv`.
    """
    from .console import counterfactual_command

    _say(*counterfactual_command(model, rows, want, keep, item, sure, plausible, given, seed, out))


def classify(
    model: Annotated[str, Parameter(help="The folder of a fitted model with a density.")],
    items: Annotated[str, Parameter(help=ITEMS)], /, *,
    by: Annotated[str | None, Parameter(help="The column to tell: one of categories, which the items may lack. By default the label.")] = None,
    held: Annotated[str | None, Parameter(help="Other items of known classes, by which chances are made no surer than they are right.")] = None,
    seed: Seed = 0, out: Out = None, json: Json = False,
) -> None:
    """Say of which class items are, by Bayes' rule: the chances of every class, and how often they are right if the items know.

    Examples: `ilk classify people.ilk new.csv --by income --out told.csv`, `ilk classify digits.ilk held_out.npz`.
    """
    from .console import classify_command

    _say(*classify_command(model, items, by, held, seed, out))


def detect(
    model: Annotated[str, Parameter(help="The folder of a fitted model.")],
    items: Annotated[str, Parameter(help=ITEMS)], /, *,
    false_alarm: Annotated[float, Parameter(help="The share of normal items that may give an alarm.")] = 0.01,
    normal: Annotated[str | None, Parameter(help="Normal items that the model did not learn from. By default the test part of the data it was fitted on.")] = None,
    parts: Annotated[bool, Parameter(negative="", help="Say which parts of an item with an alarm are strange given its others.")] = False,
    seed: Seed = 0, out: Out = None, json: Json = False,
) -> None:
    """Find the items that are not like those that a model learned from, at a stated rate of false alarms.

    Example: `ilk detect people.ilk new.csv --false-alarm .01 --parts`.
    """
    from .console import detect_command

    _say(*detect_command(model, items, normal, false_alarm, parts, seed, out))


def augment(
    data: Annotated[str, Parameter(help="A file, a folder, or a name of `ilk list data`.")], /, *,
    balance: Annotated[str, Parameter(help="The class whose rare values get made items: a column, or label.")] = "label",
    family: Annotated[str | None, Parameter(help="What makes the items (ilk list families); its options are flags too. By default circuit; gmm of arrays, "
                                                 "vae of pictures.")] = None,
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
    from .console import augment_command

    _say(*augment_command(data, balance, family, OPTIONS, {"budget": budget, "steps": steps, "repeats": repeats, "force": force, "seed": seed, "out": out}))


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
    from .console import Asked, impute_command

    _say(*impute_command(model, rows, best, n, Asked(given, label, prompt), seed, out))


def discover(data: Annotated[str, Parameter(help="A table, or arrays: a file, a folder, or a name of `ilk list data`.")], /, *, json: Json = False) -> None:
    """Find what all items of some data obey: equations, inequalities, dependencies, keys, constant sums; nothing that may be chance.

    Example: `ilk discover people.csv`; `ilk sample people.ilk --obey discovered` makes items that obey all of it.
    """
    from .console import discover_command

    _say(*discover_command(data))


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
    from .console import Asked, steps_command

    _say(*steps_command(model, n, (at, branch, branch_seed), Asked(given, label, prompt), how, OPTIONS, seed, out))


def prefer(
    model: Annotated[str, Parameter(help="The folder of a fitted model.")],
    likes: Annotated[str, Parameter(help="Which items were preferred: CSV with the columns winner and loser, or lines of JSON, by numbers of items from 0.")], /, *,
    items: Annotated[str | None, Parameter(help="The items that were compared: a file.")] = None,
    seed: Seed = 0,
    out: Annotated[Path, Parameter(name=["--out", "-o"], help="The folder of the taste.")] = Path("taste"),
    json: Json = False,
) -> None:
    """Learn what somebody likes from pairs of items, to lean a model towards it: `--given "Towards('taste', 1)"`.

    Example: `ilk sample people.ilk -n 60 --out shown.csv`, then `ilk prefer people.ilk likes.csv --items shown.csv --out taste`.
    """
    from .console import prefer_command

    _say(*prefer_command(model, likes, items, seed, out))


def lineage(
    file: Annotated[str, Parameter(help="A file of items.")], /, *,
    among: Annotated[tuple[str, ...], Parameter(negative="", help="Folders with more records, beside the file's own. Several compose.")] = (),
    json: Json = False,
) -> None:
    """Say how a file of items came about: what was asked, of which model, from which files, back to what was given.

    Items that ilk writes have a record beside them, FILE.lineage.json, unless `--no-lineage` is said. Files are known by content, whatever their name.

    Example: `ilk lineage edited.csv`.
    """
    from .console import lineage_command

    _say(*lineage_command(file, among))


def upscale(
    model: Annotated[str, Parameter(help="The folder of a fitted model that enlarges: a cascade.")],
    items: Annotated[str, Parameter(help="Small pictures: a file, a folder, or a name of `ilk list data`.")], /, *,
    draws: Annotated[int, Parameter(help="The mean of so many draws: one is sharp, several are nearer to what was there, and softer.")] = 1,
    item: Item = (),
    given: Given = (),
    label: Label = None, prompt: Prompt = None,
    how: Annotated[str | None, Parameter(help="A way to draw (ilk list samplers); its options are flags too.")] = None,
    seed: Seed = 0, out: Out = None, json: Json = False,
) -> None:
    """Make large pictures of small ones.

    Example: `ilk upscale faces.ilk thumbnail.png --draws 8 --out face.png`.
    """
    from .console import Asked, upscale_command

    _say(*upscale_command(model, items, item, draws, Asked(given, label, prompt), how, OPTIONS, seed, out))


def beside(
    model: Annotated[str, Parameter(help="The folder of a model that was fitted with other items beside its items (`ilk fit photos --beside sketches`).")],
    items: Annotated[str, Parameter(help="Such other items: pictures of the same size, or an array.")], /, *,
    name: Annotated[str, Parameter(help="What they were called in the fit.")] = "beside",
    item: Item = (),
    n: Annotated[int, Parameter(name=["--n", "-n"], help="How many for each.")] = 1,
    how: Annotated[str | None, Parameter(help="A way to draw (ilk list samplers); its options are flags too.")] = None,
    seed: Seed = 0, out: Out = None, json: Json = False,
) -> None:
    """Make items that go with other items, as those of the fit did: pictures of sketches, of edges, of maps.

    Example: `ilk beside photos.ilk sketch.png -n 4 --out sheet.png`.
    """
    from .console import beside_command

    _say(*beside_command(model, items, name, item, n, how, OPTIONS, seed, out))


def revise(
    model: Annotated[str, Parameter(help="The folder of a fitted model with noise levels (diffusion, flow_matching, score), or with codes.")],
    items: Annotated[str, Parameter(help=ITEMS)], /, *,
    strength: Annotated[float, Parameter(help="From 0, the items as they are, to 1, nothing of them.")] = 0.5,
    item: Item = (),
    n: Annotated[int, Parameter(name=["--n", "-n"], help="How many of each item.")] = 1,
    given: Given = (),
    label: Label = None, prompt: Prompt = None,
    how: Annotated[str | None, Parameter(help="A way to draw (ilk list samplers); its options are flags too.")] = None,
    seed: Seed = 0, out: Out = None, json: Json = False,
) -> None:
    """Make items partly anew: noise is put on them and taken away again, given what is given.

    Example: `ilk revise digits.ilk three.png --strength .5 --label 8 -n 9 --out sheet.png`.
    """
    from .console import Asked, revise_command

    _say(*revise_command(model, items, item, strength, n, Asked(given, label, prompt), how, OPTIONS, seed, out))


def denoise(
    model: Annotated[str, Parameter(help="The folder of a fitted model with noise levels (diffusion, flow_matching, score), or with few codes.")],
    items: Annotated[str, Parameter(help=ITEMS)], /, *,
    sigma: Annotated[float | None, Parameter(help="The standard deviation of the noise, in the items' own units (levels of a pixel). By default it is estimated.")] = None,
    item: Item = (),
    given: Given = (),
    label: Label = None, prompt: Prompt = None,
    seed: Seed = 0, out: Out = None, json: Json = False,
) -> None:
    """Take Gaussian noise from items: the expected item, given what is given.

    Example: `ilk denoise faces.ilk grainy.png --sigma 25 --out clean.png`.
    """
    from .console import Asked, denoise_command

    _say(*denoise_command(model, items, item, sigma, Asked(given, label, prompt), seed, out))


def invert(
    model: Annotated[str, Parameter(help="The folder of a fitted model of a family with codes: vae, autoencoder, vqvae, flow, diffusion, flow_matching, score.")],
    items: Annotated[str, Parameter(help=ITEMS)], /, *,
    item: Item = (),
    given: Given = (),
    label: Label = None, prompt: Prompt = None,
    seed: Seed = 0,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"], help="A .npy file for the codes. By default they are printed.")] = None,
    json: Json = False,
) -> None:
    """Find the codes, or the noise, that a model makes items of; says how far what they decode to is off.

    Example: `ilk invert faces.ilk face.png --out face.npy`, then `ilk decode faces.ilk face.npy --out again.png`.
    """
    from .console import Asked, invert_command

    _say(*invert_command(model, items, item, Asked(given, label, prompt), seed, out))


def decode(
    model: Annotated[str, Parameter(help="The folder of the model that the codes are of.")],
    codes: Annotated[str, Parameter(help="A .npy file of codes, as `ilk invert` writes it.")], /, *,
    given: Given = (),
    label: Label = None, prompt: Prompt = None,
    seed: Seed = 0, out: Out = None, json: Json = False,
) -> None:
    """Make items of codes.

    Example: `ilk decode faces.ilk face.npy --out again.png`.
    """
    from .console import Asked, decode_command

    _say(*decode_command(model, codes, Asked(given, label, prompt), seed, out))


def score(
    model: Annotated[str, Parameter(help="The folder of a fitted model.")],
    data: Annotated[str, Parameter(help=ITEMS)], /, *,
    given: Given = (), seed: Seed = 0, json: Json = False,
) -> None:
    """Say how likely items are: nats per raw item, and whether exact, a bound or an estimate.

    Example: `ilk score people.ilk held_out.csv`.
    """
    from .console import score_command

    _say(*score_command(model, data, given, seed))


def evaluate(
    model: Annotated[str, Parameter(help="The folder of a fitted model.")], /, *,
    against: Annotated[str | None, Parameter(help="Held-out items. By default the test part of the data it was fitted on.")] = None,
    n: Annotated[int | None, Parameter(name=["--n", "-n"], help="How many items to make. By default as many as are held out.")] = None,
    metric: Annotated[tuple[str, ...], Parameter(negative="", help="Only these metrics (ilk list metrics).")] = (),
    given: Given = (), seed: Seed = 0, json: Json = False,
) -> None:
    """Judge a model: figures beside a floor (a trivial model) and a ceiling (real against real).

    Example: `ilk evaluate people.ilk --against held_out.csv`.
    """
    from .console import evaluate_command

    _say(*evaluate_command(model, against, n, metric, given, seed))


def diagnose(
    model: Annotated[str, Parameter(help="The folder of a fitted model.")], /, *,
    data: Annotated[str | None, Parameter(help="Held-out items. By default the test part of the data it was fitted on.")] = None,
    seed: Seed = 0, json: Json = False,
) -> None:
    """Look for the well-known failures: posterior and mode collapse, a critic that teaches nothing, over-fitting, exposure bias, blur.

    Says nothing but what it looked for where all is well.

    Example: `ilk diagnose digits.ilk --data held_out.npz`.
    """
    from .console import diagnose_command

    _say(*diagnose_command(model, data, seed))


def show(model: Annotated[str, Parameter(help="The folder of a fitted model.")], /, *, json: Json = False) -> None:
    """Say what a model is: family, options, columns, where it came from, and a few items."""
    from .console import show_command

    _say(*show_command(model))


def report(
    model: Annotated[str, Parameter(help="The folder of a fitted model.")], /, *,
    out: Annotated[Path, Parameter(name=["--out", "-o"], help="The page to write.")] = Path("report.html"),
    against: Annotated[str | None, Parameter(help="Held-out items. By default the test part of the data it was fitted on, if they can still be read.")] = None,
    language: Annotated[Literal["en", "zh"], Parameter(help="The language of the page: English or Chinese.")] = "en",
    n: Annotated[int | None, Parameter(name=["--n", "-n"], help="How many items to make for the figures. By default as many as are held out.")] = None,
    given: Given = (), seed: Seed = 0, json: Json = False,
) -> None:
    """Show a model on one page of HTML: what it is, items beside real ones, curves, figures, nearest neighbours, card.

    Example: `ilk report digits.ilk --against held_out.npz --out digits.html --language zh`.
    """
    from .console import report_command

    _say(*report_command(model, out, against, language, n, given, seed))


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
    from .console import forget_command

    _say(*forget_command(model, rows, data, out))


def export(
    model: Annotated[str, Parameter(help="The folder of a fitted model.")], /, *,
    to: Annotated[str, Parameter(help="The form to write (ilk list exporters).")],
    out: Annotated[Path, Parameter(name=["--out", "-o"], help="The folder to make.")],
    json: Json = False,
) -> None:
    """Write a model in the form that another library reads.

    Example: `ilk export digits.ilk --to diffusers --out digits`.
    """
    from .console import export_command

    _say(*export_command(model, to, out))


def list_(
    what: Annotated[Axis, Parameter(help="families, modalities, metrics, decoding, samplers, nets, exporters, quantities, data or presets.")], /, *,
    map: Annotated[bool, Parameter(negative="", help="Families as a map: by the density they have, and by what they are made of.")] = False,
    full: Annotated[bool, Parameter(negative="", help="Families with the spaces they take, what they learn from, and what they can do.")] = False,
    json: Json = False,
) -> None:
    """List what there is: built in, and installed as plug-ins."""
    if map or full:
        _concepts(what, full)
        return
    if what == "data":
        from . import catalogue

        rows = [(n, catalogue.summary(n)) for n in catalogue.names()]
    elif what == "presets":
        from . import presets

        rows = [(n, presets.summary(n)) for n in presets.names()]
    else:
        rows = [(n, registry.summary(what, n)) for n in registry.names(what)]
    width = max((len(n) for n, _ in rows), default=0)
    _say({what: [{"name": n, "summary": s} for n, s in rows]}, "\n".join(f"{n.ljust(width)}  {s}" for n, s in rows))


def _concepts(what: Axis, full: bool) -> None:
    if what != "families":
        raise UsageError(f"--map and --full are about families, not {what}", param="map", remedy="ilk list families --map")
    from dataclasses import asdict

    from .concepts import known, table, tree

    rows = [known(name) for name in registry.names("families")]
    _say({"families": [asdict(row) for row in rows]}, table(rows) if full else tree(rows))


def fetch(name: Annotated[str, Parameter(help="A name of `ilk list data`.")], /, *, json: Json = False) -> None:
    """Fetch a data set: its pinned files, checked by hash, into the cache."""
    from . import catalogue

    files = catalogue.fetch(name)
    _say({"name": name, "files": {k: str(p) for k, p in files.items()}}, "\n".join(f"{k}  {p}" for k, p in files.items()) or f"{name} needs no file")


def demo(out: Annotated[Path, Parameter(name=["--out", "-o"], help="The folder for the report.")] = Path("demo"), *, json: Json = False) -> None:
    """Run the main job on a table and a text: fit, sample with conditions, fill missing cells, evaluate, report. Two minutes, offline."""
    from .demo import run

    _say(*run(out, quiet=SHELL.as_json))


def build() -> App:
    """The command with its verbs."""
    app = App(name="ilk", help="Learn what your data is like; make more of its kind.", version=__version__, help_format="markdown",
              help_epilogue="`ilk COMMAND --help` says more. Errors exit with 2 (usage), 3 (data), 4 (model), 5 (resources), 6 (refused), 130 and 143 (stopped).")
    for command in (fit, sample, edit, vary, interpolate, translate, attribute, transfer, background, counterfactual, upscale, beside, revise, denoise, invert,
                    decode, classify, detect, augment, steps, prefer, lineage, impute, discover, score, evaluate, diagnose, show, report, forget, export, demo):
        app.command(command)
    app.command(list_, name="list")
    data = App(name="data", help="Data sets by name.")
    data.command(fetch)
    app.command(data)
    return app


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code. Never a traceback, unless asked for with --debug."""
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    SHELL.debug = "--debug" in words
    SHELL.lineage = "--no-lineage" not in words
    words = [w for w in words if w not in ("--debug", "--no-lineage")]
    SHELL.words = tuple(words)
    SHELL.as_json = "--json" in words
    OPTIONS.clear()
    try:
        return _run(words)
    except IlkError as why:
        return _fail(why)
    except CycloptsError as why:
        return _fail(UsageError(_one_line(str(why)), remedy=f"ilk {words[0] if words else ''} --help".replace("  ", " ")))
    except KeyboardInterrupt:
        return _quiet(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as why:  # the last resort: one line for people, the whole for --debug
        if isinstance(why, MemoryError) or "can't allocate memory" in str(why) or "Cannot allocate memory" in str(why):
            return _fail(ResourceError("memory ran out", code="MEMORY", remedy="fewer items (-n), a smaller --batch or a smaller model"))
        if SHELL.debug:
            raise
        return _fail(IlkError(f"{type(why).__name__}: {_one_line(str(why))[:300]}", code="INTERNAL", remedy="this is a fault of ilk: run it with --debug and report it"))


def _run(words: list[str]) -> int:
    from .flags import options

    words, found = options(words)
    OPTIONS.update(found)
    if OPTIONS.pop("_help", None):
        return 0
    signal.signal(signal.SIGPIPE, signal.SIG_DFL) if hasattr(signal, "SIGPIPE") else None
    build()(words or ["--help"], exit_on_error=False, print_error=False, result_action="return_value")
    return 0


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _fail(why: IlkError) -> int:
    if SHELL.debug:
        import traceback

        traceback.print_exception(why)
    if SHELL.as_json:
        with suppress(OSError, IlkError):
            _out(_json(why.as_json()) + "\n")
    with suppress(OSError, AttributeError):
        sys.stderr.write(f"ilk: error[{why.code}]: {why}\n")
    return int(getattr(why, "exit_code", why.exit))


def _quiet(code: int) -> int:
    sys.stderr.write("ilk: stopped\n")
    return code


def entry() -> None:
    """The console script."""
    sys.exit(main())


