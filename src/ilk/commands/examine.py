"""Commands: what a language model knows, whether what is said is so, and people who look before it leaves."""
from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ilk.commands._shared import Json, Seed, say

AtQueue = Annotated[Path, Parameter(help="The file of the queue.")]
Number = Annotated[int, Parameter(help="The number of the item.")]
Who = Annotated[str, Parameter(help="Who decides.")]
Why = Annotated[str, Parameter(help="Why.")]


def examine(
    model: Annotated[str, Parameter(help="The address of a language model, such as gguf:smollm2-135m-instruct (ilk list backends).")], /, *,
    suite: Annotated[str, Parameter(help="`basic` (180 questions, English and Chinese), or a file of questions as lines of JSON.")] = "basic",
    text: Annotated[Path | None, Parameter(help="A text file that the model shall foretell: bits per byte.")] = None,
    most: Annotated[int | None, Parameter(help="Questions of each part and language. By default all.")] = None,
    seed: Seed = 0, json: Json = False,
) -> None:
    """Ask a language model questions with known answers: facts, sums, reading, choices, forms. Every figure has its floor and its interval.

    Example: `ilk examine gguf:smollm2-135m-instruct`.
    """
    from ilk.console.examine import examine_command

    say(*examine_command(model, suite, text, most, seed))


def check_text(
    text: Annotated[Path, Parameter(help="A file with the text to check, sentence by sentence.")], /, *,
    table: Annotated[Path | None, Parameter(help="A CSV or Parquet file: means, counts, shares ... are computed again.")] = None,
    knowledge: Annotated[Path | None, Parameter(help="A CSV file with the columns subject, relation, object.")] = None,
    source: Annotated[tuple[Path, ...], Parameter(name="--source", negative="", help="A text file that should bear it out. Several compose.")] = (),
    rule: Annotated[tuple[str, ...], Parameter(name="--rule", negative="", help='A claim about every row of the table, such as "age < 99". Several compose.')] = (),
    json: Json = False,
) -> None:
    """Check the sentences of a text against a table, against known facts, or against the texts that they should come from.

    Example: `ilk check-text report.txt --table people.csv`.
    """
    from ilk.console.examine import check_command

    say(*check_command(text, table, knowledge, source, rule))


def review_add(queue: AtQueue, texts: Annotated[Path, Parameter(help="A file of texts, one a line, or lines of JSON with `text`.")], /, *, who: Who = "model",
               json: Json = False) -> None:
    """Put texts into a queue, where they wait. Makes the queue."""
    from ilk.console.examine import review_add_command

    say(*review_add_command(queue, texts, who))


def review_list(queue: AtQueue, /, *, state: Annotated[Literal["pending", "edited", "approved", "rejected"] | None, Parameter(help="Only those in this state.")] = None,
                json: Json = False) -> None:
    """List the items of a queue."""
    from ilk.console.examine import review_list_command

    say(*review_list_command(queue, state))


def review_show(queue: AtQueue, item: Number, /, *, json: Json = False) -> None:
    """Show an item with all that happened to it."""
    from ilk.console.examine import review_show_command

    say(*review_show_command(queue, item))


def review_approve(queue: AtQueue, item: Number, /, *, who: Who, why: Why = "", json: Json = False) -> None:
    """Approve an item as it stands."""
    from ilk.console.examine import review_step_command

    say(*review_step_command(queue, item, lambda found: found.approve(item, who, why)))


def review_reject(queue: AtQueue, item: Number, /, *, who: Who, why: Why, json: Json = False) -> None:
    """Refuse an item, and say why."""
    from ilk.console.examine import review_step_command

    say(*review_step_command(queue, item, lambda found: found.reject(item, who, why)))


def review_edit(queue: AtQueue, item: Number, text: Annotated[str, Parameter(help="The text in its place, which then waits to be approved.")], /, *, who: Who, why: Why = "",
                json: Json = False) -> None:
    """Put another text in the place of an item's."""
    from ilk.console.examine import review_step_command

    say(*review_step_command(queue, item, lambda found: found.edit(item, text, who, why)))


def review_export(queue: AtQueue, out: Annotated[Path, Parameter(help="A file of lines of JSON.")], /, *, json: Json = False) -> None:
    """Write what was approved, and nothing else."""
    from ilk.console.examine import review_export_command

    say(*review_export_command(queue, out))
