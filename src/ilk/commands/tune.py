"""Commands: pretrained text models tuned, and how far a form of one is from what it was."""
from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ilk.commands._shared import OPTIONS, Json, Seed, Track, say


def tune(
    model: Annotated[str, Parameter(help="The address of a model of transformers (hf:smollm2-135m-instruct), its folder, or that of a transformer of texts fitted by ilk.")],
    data: Annotated[str, Parameter(help="Texts, or a table or JSON lines: questions with answers, conversations (messages), choices (prompt, chosen, rejected).")], /, *,
    tuning: Annotated[str, Parameter(help="What learns (ilk list tunings); its options are flags too.")] = "lora",
    columns: Annotated[str | None, Parameter(help="The columns of question and answer (or question, better, worse): term,gloss. Usual names are tried by default.")] = None,
    length: Annotated[int | None, Parameter(help="Tokens of an example at most. By default the model's window.")] = None,
    long: Annotated[Literal["refuse", "cut", "drop"], Parameter(help="What becomes of longer examples.")] = "refuse",
    pack: Annotated[bool, Parameter(negative="", help="Several examples to a row, blind to each other: faster where they are short and of unlike lengths.")] = False,
    beta: Annotated[float, Parameter(help="Of choices: how closely the model is held to where it began.")] = 0.1,
    epochs: Annotated[int, Parameter(help="Passes over the examples, where neither --steps nor --budget is given.")] = 3,
    budget: Annotated[str | None, Parameter(help="Wall-clock time: 60s, 10m, 1h.")] = None,
    steps: Annotated[int | None, Parameter(help="Optimiser steps instead of a time: reproducible to the bit.")] = None,
    batch: Annotated[int | None, Parameter(help="Examples a step. By default 8.")] = None,
    micro: Annotated[int | None, Parameter(help="Examples computed at a time, their gradients added up: the same steps in less memory.")] = None,
    rate: Annotated[float | None, Parameter(help="Learning rate. By default 0.0005.")] = None,
    precision: Annotated[Literal["auto", "float32", "bfloat16"], Parameter(help="What the network computes in; what learns is float32.")] = "auto",
    seed: Seed = 0,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"], help="Where the tuned model goes. By default DATA.ilk here.")] = None,
    resume: Annotated[bool, Parameter(negative="", help="Go on from the checkpoint of an interrupted run.")] = False,
    log: Annotated[Path | None, Parameter(help="Write every event as a line of JSON.")] = None,
    track: Track = (),
    json: Json = False,
) -> None:
    """Teach a pretrained text model from examples. What is learned of them is shown first: only what the assistant says.

    A tenth of the examples chooses the best weights, a tenth judges: nats a token before and after. The options of a way of tuning are flags:
    `ilk tune MODEL DATA --tuning adapter --help` lists them.

    Example: `ilk tune hf:smollm2-135m-instruct glosses.csv --columns term,gloss --rank 8 --out glosses.ilk`.
    """
    from ilk.console.tune import tune_command

    say(*tune_command(model, data, tuning, OPTIONS, {"columns": columns, "length": length, "long": long, "pack": pack, "beta": beta, "epochs": epochs, "budget": budget,
                                                     "steps": steps, "batch": batch, "micro": micro, "rate": rate, "precision": precision, "seed": seed, "out": out,
                                                     "resume": resume, "log": log, "track": track}))


def drift(
    model: Annotated[str, Parameter(help="The folder of a tuned model.")], /, *,
    served: Annotated[str | None, Parameter(help="The address of another form of it, such as gguf:out/model.gguf or openai:NAME. By default the model itself.")] = None,
    int8: Annotated[bool, Parameter(negative="", help="The model with its matrices rounded to 8 bits, row by row.")] = False,
    json: Json = False,
) -> None:
    """Ask a form of a tuned model the questions that travel with it: is it still what was trained?

    Examples: `ilk drift glosses.ilk --served gguf:out/model.gguf`, `ilk drift glosses.ilk --int8`.
    """
    from ilk.console.tune import drift_command

    say(*drift_command(model, served, int8))
