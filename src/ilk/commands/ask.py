"""Commands: questions to a library of one's own documents."""
from __future__ import annotations

from pathlib import Path
from typing import Annotated

from annotated_types import Interval
from cyclopts import Parameter

from ilk.commands._shared import Json, say


def ask(
    library: Annotated[Path, Parameter(help="A folder that `ilk index` made.")],
    question: Annotated[str, Parameter(help="What you want to know.")],
    *,
    k: Annotated[int, Interval(ge=1, le=1000), Parameter(name=["--k", "-k"], help="Passages to look at.")] = 5,
    model: Annotated[str | None, Parameter(help="A model that words the answer, such as gguf:smollm2-135m-instruct. By default the best sentence is quoted.")] = None,
    where: Annotated[str | None, Parameter(help="Only documents whose facts obey this rule, such as \"year > 1990 and author == 'Li Bai'\".")] = None,
    bar: Annotated[float, Interval(ge=0, le=1), Parameter(help="How well a passage has to fit the question, 0 to 1: up to this there is no answer.")] = 0.5,
    show_context: Annotated[bool, Parameter(negative="", help="Print the passages that were looked at, too.")] = False, json: Json = False,
) -> None:
    """Answer a question from a library, with the places that the answer stands on; or say that it can't be answered.

    Every sentence is followed by numbers of citations: a file, the characters in it, and what stands there. A model's sentences that no passage supports are left
    out; passages that don't fit into its window are, too, and both are told.

    Examples: `ilk ask papers.library "When was the bridge built?"`, `ilk ask poems.library 床前明月光的作者是谁？ --show-context`.
    """
    from ilk.console.ask import ask_command

    say(*ask_command(library, question, model, where, {"k": k, "bar": bar}, show_context))
