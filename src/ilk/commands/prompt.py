"""Commands: prompts as files."""
from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ilk.commands._shared import Json, Seed, say

MODEL = "gguf:smollm2-135m-instruct"
File = Annotated[str, Parameter(help="A prompt: a .md file, or FOLDER/NAME or FOLDER/NAME@VERSION.")]
Data = Annotated[str, Parameter(help="Questions: a CSV, JSONL or Parquet file with a column for every variable and one of right answers.")]
Set = Annotated[tuple[str, ...], Parameter(name="--set", negative="", help="A variable: name=value, or name=@FILE for the text in a file. Several compose.")]
Address = Annotated[str, Parameter(name="--model", help="The address of a model, scheme:name (ilk list backends).")]
Way = Annotated[Literal["few_shot", "zero_shot", "chain_of_thought", "self_consistency"],
                Parameter(name="--strategy", help="With the prompt's examples, without, with reasoning first, by a vote of several answers.")]
Shots = Annotated[int | None, Parameter(name="--shots", help="So many examples of those in the prompt. By default all.")]
Chosen = Annotated[Literal["first", "random", "nearest"], Parameter(name="--chosen", help="Which examples those are.")]
Samples = Annotated[int, Parameter(name="--samples", help="Answers that vote (self_consistency).")]
Retries = Annotated[int, Parameter(name="--retries", help="How often an invalid answer is asked for again.")]
Metric = Annotated[Literal["exact", "contains", "schema", "f1", "rouge_l", "chrf"], Parameter(name="--metric", help="What an answer is worth: exact, contains and schema "
                                                                                              "are right or wrong, the others go from 0 to 1.")]
Expected = Annotated[str, Parameter(name="--expected", help="The column of right answers.")]
Cache = Annotated[str | None, Parameter(name="--cache", help="The folder that keeps answers, so that nothing is asked twice; `off`: none. By default the user's own.")]


def prompt_run(
    prompt: File, /, *, set: Set = (), model: Address = MODEL, strategy: Way = "few_shot", shots: Shots = None, chosen: Chosen = "first", samples: Samples = 5,
    retries: Retries = 0, seed: Seed = 0, json: Json = False,
) -> None:
    """Ask a model by a prompt, with values for its variables. Exits with 3 where no answer was valid.

    Example: `ilk prompt run summary.md --set text=@article.txt`.
    """
    from ilk.console.prompt import run_command

    say(*run_command(prompt, set, model, {"name": strategy, "k": shots, "chosen": chosen, "n": samples}, {"seed": seed, "retries": retries}))


def prompt_test(
    prompt: File, data: Data, /, *,
    against: Annotated[str | None, Parameter(help="Another prompt, for the same questions: is it better?")] = None,
    metric: Metric = "exact", expected: Expected = "expected", model: Address = MODEL, strategy: Way = "few_shot", shots: Shots = None, chosen: Chosen = "first",
    samples: Samples = 5, retries: Retries = 0, cache: Cache = None,
    n: Annotated[int | None, Parameter(name=["--n", "-n"], help="Only the first so many questions.")] = None,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"], help="Every answer as a file: .html is a page, .json the whole.")] = None,
    seed: Seed = 0, json: Json = False,
) -> None:
    """Say how good a prompt is on questions with known answers, with an interval; of two, which is better and whether that may be chance.

    Stopped by Ctrl-C, the same command goes on where it was.

    Examples: `ilk prompt test mood.md reviews.csv`, `ilk prompt test mood@1.md reviews.csv --against mood@2.md --out trial.html`.
    """
    from ilk.console.prompt import test_command

    say(*test_command((prompt, *([against] if against else [])), (data, n), (model, cache), {"name": strategy, "k": shots, "chosen": chosen, "n": samples},
                      {"metric": metric, "expected": expected, "retries": retries, "seed": seed}, out))


def prompt_improve(
    prompt: File, data: Data, /, *,
    variants: Annotated[Path | None, Parameter(help="Other instructions to try: a file, one a line.")] = None,
    write: Annotated[int, Parameter(help="So many other instructions are written by the model itself.")] = 0,
    shots: Annotated[int, Parameter(name="--shots", help="At most so many examples of the training part.")] = 4,
    tries: Annotated[int, Parameter(help="So many candidates.")] = 16,
    metric: Metric = "exact", expected: Expected = "expected", model: Address = MODEL, cache: Cache = None,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"], help="Write the best prompt there (.md), as the next version.")] = None,
    seed: Seed = 0, json: Json = False,
) -> None:
    """Look for a better version of a prompt: other instructions, examples from the training part, another order.

    Candidates are chosen on a validation part; what is told is how the chosen one does on a test part that took no part in the choice.

    Example: `ilk prompt improve mood.md reviews.csv --variants instructions.txt --out mood2.md`.
    """
    from ilk.console.prompt import improve_command

    say(*improve_command(prompt, data, (model, cache), (variants, write), {"shots": shots, "tries": tries},
                         {"metric": metric, "expected": expected, "seed": seed}, out))


def prompt_list(folder: Annotated[str, Parameter(help="A folder of prompts, each a .md file.")] = ".", /, *, json: Json = False) -> None:
    """List the prompts of a folder: versions, variables, what they answer with.

    Example: `ilk prompt list prompts`.
    """
    from ilk.console.prompt import list_command

    say(*list_command(folder))


def prompt_show(prompt: File, /, *, set: Set = (), json: Json = False) -> None:
    """Show a prompt, checked; with values the turns that a model would be sent.

    Example: `ilk prompt show mood.md --set "text=Not bad at all"`.
    """
    from ilk.console.prompt import show_command

    say(*show_command(prompt, set))


def prompt_diff(first: File, second: File, /, *, json: Json = False) -> None:
    """Say what differs between two prompts, or two versions of one.

    Example: `ilk prompt diff prompts/mood@1 prompts/mood@2`.
    """
    from ilk.console.prompt import diff_command

    say(*diff_command(first, second))
