"""Commands: files as the bytes that a model's nats claim, and back."""
from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ilk.commands._shared import Json, say

MODEL = "The folder of a fitted model with an exact likelihood, or a bound by codes."


def pack(
    model: Annotated[str, Parameter(help=MODEL)],
    file: Annotated[str, Parameter(help="A file of items of the same kind.")], /, *,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"], help="The pack to write. By default FILE.ilkpack.")] = None,
    json: Json = False,
) -> None:
    """Pack a file without loss in about as many bytes as the model's nats claim: nats / (8 ln 2).

    It says what every byte is for, and what `xz -9` makes of the same file. The pack is unpacked once to be sure; it takes the very same model to unpack it.

    Example: `ilk pack people.ilk held_out.csv`, then `ilk unpack people.ilk held_out.csv.ilkpack -o again.csv`.
    """
    from ilk.console.pack import pack_command

    say(*pack_command(model, file, out))


def unpack(
    model: Annotated[str, Parameter(help="The model that it was packed with.")],
    packed: Annotated[str, Parameter(help="What `ilk pack` wrote.")], /, *,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"], help="The file to write. By default the pack's name without .ilkpack.")] = None,
    json: Json = False,
) -> None:
    """Unpack what `ilk pack` wrote: the identical file, or (where the pack says so) equal items written anew.

    Refused for another model, other versions of what laws are worked out by, and packs that were changed.

    Example: `ilk unpack people.ilk held_out.csv.ilkpack -o again.csv`.
    """
    from ilk.console.pack import unpack_command

    say(*unpack_command(model, packed, out))
