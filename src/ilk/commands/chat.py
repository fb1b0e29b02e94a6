"""Commands: talking with a model."""
from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ilk.commands._shared import Json, Seed


def chat(
    question: Annotated[str | None, Parameter(help="What to ask. Without it a conversation starts; where input is no terminal, all of it is the question.")] = None, /, *,
    model: Annotated[str | None, Parameter(help="A model's address, scheme:name (ilk list backends). By default gguf:smollm2-135m-instruct, which speaks English.")] = None,
    system: Annotated[str, Parameter(help="Who the model shall be, and how it shall answer.")] = "",
    temperature: Annotated[float, Parameter(help="0 takes the likeliest token each time; 1 draws as the model has it.")] = 0.0,
    most: Annotated[int, Parameter(help="How many tokens an answer may have.")] = 512,
    stop: Annotated[tuple[str, ...], Parameter(negative="", help="A text that ends an answer and is left out of it. Several compose.")] = (),
    seed: Seed = 0,
    schema: Annotated[Path | None, Parameter(help="A file with a JSON Schema that answers have to obey.")] = None,
    pattern: Annotated[str | None, Parameter(help="A regular expression that answers have to match from end to end.")] = None,
    too_long: Annotated[Literal["refuse", "drop-oldest"], Parameter(help="What is done with a conversation that the model can't look at as a whole.")] = "refuse",
    save: Annotated[Path | None, Parameter(help="Keep the conversation in this file (JSON). If it is there, it is gone on with.")] = None,
    replay: Annotated[Path | None, Parameter(help="Ask for all answers of a kept conversation again, and say which differ. Nothing else is asked.")] = None,
    json: Json = False,
) -> None:
    """Talk with a model: one question and its answer, or a conversation in the terminal (/help says what it knows; Ctrl-C stops an answer, Ctrl-D ends).

    Examples: `ilk chat "What is the capital of France?"`, `ilk chat --system "Answer in one word."`, `ilk chat "Who?" --model openai:ollama/llama3.2`,
    `ilk chat --replay talk.json`.
    """
    from ilk.console.chat import Asking, chat_command

    wishes = {"temperature": temperature, "most": most, "stop": stop, "seed": seed}
    chat_command(question, Asking(model, system, wishes, schema, pattern, too_long == "drop-oldest"), save, replay)
