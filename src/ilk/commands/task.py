"""Commands: tasks done by a language model and checked by code, and answers marked."""
from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from ilk.commands._shared import Json, Seed, say


def task(
    name: Annotated[str, Parameter(help="What is to be done (ilk list tasks); `ilk task NAME --help` says its options.")],
    inputs: Annotated[tuple[str, ...], Parameter(help="What it is done to: each a file, or a text.")], /, *,
    model: Annotated[str | None, Parameter(help="The address of a model. By default the embedded one.")] = None,
    floor: Annotated[bool, Parameter(negative="", help="No model: what needs none, where the task has such.")] = False,
    tries: Annotated[int, Parameter(help="How often a model may answer, told what was wrong with the answer before.")] = 3,
    n: Annotated[int | None, Parameter(name=["--n", "-n"], help="Instead: so many answers to each input that know nothing of each other, and pass@k of them.")] = None,
    temperature: Annotated[float | None, Parameter(help="By default 0.2, and 0.8 with --n.")] = None,
    tokens: Annotated[int, Parameter(help="How long an answer may be; one that breaks off does not pass.")] = 1024,
    seed: Seed = 0, json: Json = False,
) -> None:
    """Have a language model do something, and check by code that it did: only an answer that passed every check is printed as one.

    Examples: `ilk task summary paper.txt`, `ilk task report people.csv --about ages --model openai:NAME`, `ilk task code add.json -n 10`.
    """
    from ilk.console.task import passing_command, task_command, wanted

    if n is not None:
        say(*passing_command(name, inputs, model, n, wanted(temperature, tokens, seed, many=True)))
    else:
        say(*task_command(name, inputs, None if floor else model or "", tries, wanted(temperature, tokens, seed, many=False)))


def mark(
    keys: Annotated[str, Parameter(help="A file with a key on each line.")],
    answers: Annotated[str, Parameter(help="A file with an answer on each line.")], /, *,
    tolerance: Annotated[float, Parameter(help="How far a number may be off, as a share of the key.")] = 0.0,
    enough: Annotated[float, Parameter(help="The F1 of words from which an answer is right.")] = 0.8,
    json: Json = False,
) -> None:
    """Mark free answers against keys, line by line: numbers by value, all else by the words they share.

    Example: `ilk mark keys.txt answers.txt`.
    """
    from ilk.console.task import mark_command

    say(*mark_command(keys, answers, tolerance, enough))
