"""Commands: files into a library that can be asked."""
from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ilk.commands._shared import Json, say

EMBEDDER = ("What makes vectors of passages, so that they are found by meaning: an address such as hf:all-minilm-l6-v2, or none. "
            "By default the library's own; a new one has none.")
KIND = "Where vectors are kept (ilk list indexes), with options as in `usearch?links=32`. By default the library's own; a new one compares all of them."


def index(
    *paths: Annotated[Path, Parameter(help="Files and folders: text, Markdown, HTML, PDF, DOCX, CSV, JSONL, code.")],
    out: Annotated[Path, Parameter(name=["--out", "-o"], help="The folder of the library, made if there is none.")],
    embedder: Annotated[str | None, Parameter(help=EMBEDDER)] = None,
    kind: Annotated[str | None, Parameter(help=KIND)] = None,
    size: Annotated[int, Parameter(help="The most characters of a passage, for a new library.")] = 1000,
    overlap: Annotated[int, Parameter(help="How many of them a passage shares with the one before, for a new library.")] = 0,
    near: Annotated[float, Parameter(help="Documents whose runs of words are alike to this share are kept once; 1 for equal texts only.")] = 0.9,
    remove: Annotated[tuple[str, ...], Parameter(name="--remove", negative="", help="Take a document or all of a file out. Several compose.")] = (),
    json: Json = False,
) -> None:
    """Take files into a library that can be asked: what changed is read, what is gone from a folder is taken out.

    It says how each file was taken, and what was left out of it: hidden text, characters without width, duplicates. Who asks meanwhile sees the old library until the new
    one is whole; cut short, the same command goes on.

    Example: `ilk index notes/ handbook.pdf --out library --embedder hf:all-minilm-l6-v2`.
    """
    from ilk.console.index import index_command

    say(*index_command(paths, out, {"embedder": embedder, "kind": kind, "size": size, "overlap": overlap, "near": near, "remove": remove}))
