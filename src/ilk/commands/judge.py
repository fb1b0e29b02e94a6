"""Commands: what is said of models and items."""
from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ilk.commands._shared import ITEMS, Given, Json, Out, Seed, say


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
    from ilk.console.judge import classify_command

    say(*classify_command(model, items, by, held, seed, out))


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
    from ilk.console.judge import detect_command

    say(*detect_command(model, items, normal, false_alarm, parts, seed, out))


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
    from ilk.console.judge import prefer_command

    say(*prefer_command(model, likes, items, seed, out))


def lineage(
    file: Annotated[str, Parameter(help="A file of items.")], /, *,
    among: Annotated[tuple[str, ...], Parameter(negative="", help="Folders with more records, beside the file's own. Several compose.")] = (),
    json: Json = False,
) -> None:
    """Say how a file of items came about: what was asked, of which model, from which files, back to what was given.

    Items that ilk writes have a record beside them, FILE.lineage.json, unless `--no-lineage` is said. Files are known by content, whatever their name.

    Example: `ilk lineage edited.csv`.
    """
    from ilk.console.judge import lineage_command

    say(*lineage_command(file, among))


def score(
    model: Annotated[str, Parameter(help="The folder of a fitted model.")],
    data: Annotated[str, Parameter(help=ITEMS)], /, *,
    given: Given = (), seed: Seed = 0, json: Json = False,
) -> None:
    """Say how likely items are: nats per raw item, and whether exact, a bound or an estimate.

    Example: `ilk score people.ilk held_out.csv`.
    """
    from ilk.console.judge import score_command

    say(*score_command(model, data, given, seed))


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
    from ilk.console.judge import evaluate_command

    say(*evaluate_command(model, against, n, metric, given, seed))


def diagnose(
    model: Annotated[str, Parameter(help="The folder of a fitted model.")], /, *,
    data: Annotated[str | None, Parameter(help="Held-out items. By default the test part of the data it was fitted on.")] = None,
    seed: Seed = 0, json: Json = False,
) -> None:
    """Look for the well-known failures: posterior and mode collapse, a critic that teaches nothing, over-fitting, exposure bias, blur.

    Says nothing but what it looked for where all is well.

    Example: `ilk diagnose digits.ilk --data held_out.npz`.
    """
    from ilk.console.judge import diagnose_command

    say(*diagnose_command(model, data, seed))


def show(model: Annotated[str, Parameter(help="The folder of a fitted model.")], /, *, json: Json = False) -> None:
    """Say what a model is: family, options, columns, where it came from, and a few items."""
    from ilk.console.judge import show_command

    say(*show_command(model))


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
    from ilk.console.judge import report_command

    say(*report_command(model, out, against, language, n, given, seed))
