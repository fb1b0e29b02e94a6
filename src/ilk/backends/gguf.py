"""gguf: a GGUF file by its path, or a model that ilk knows by name, run in this process by llama.cpp (through xllamacpp)."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import Interval

from ..backend import Backend
from ..catalogue import PRETRAINED, entry, names, pretrained
from ..chat import Chat
from ..errors import UsageError, nearest
from ._gguf_header import header
from ._llama import Llama


@dataclass(frozen=True, kw_only=True)
class GGUF(Backend):
    """`window` tokens at most are read and made (by default the model's own, at most 4096); more `threads` than free cores slow it down by much.

    `reuse=true` keeps what was read for the next question that begins alike: faster, but the last digits of its numbers may then differ.
    `slots` answers are made side by side, each what it is alone; the memory of a window is taken for every slot.
    """

    window: Annotated[int, Interval(ge=32)] = 4096
    threads: Annotated[int, Interval(ge=1, le=256)] = 1
    reuse: bool = False
    slots: Annotated[int, Interval(ge=1, le=64)] = 1

    def names(self) -> Sequence[str]:
        """Those that come from a package registry; any other is the path of a file."""
        return [name for name in names(PRETRAINED) if entry(name, PRETRAINED).reading.form == "gguf"]

    def open(self, name: str) -> Chat:
        """The file's header is checked first."""
        file = self.pull(name)
        said = header(file)
        return Llama(f"gguf:{name}", file, said, min(self.window, said.context or self.window), self.threads, self.reuse, self.slots)

    def pull(self, name: str) -> Path:
        """The file; one that ilk knows is fetched if it is not on this machine."""
        if name in self.names():
            return next(pretrained(name).glob("*.gguf"))
        at = Path(name).expanduser()
        if not name or not at.is_file():
            raise UsageError(f"there is no file and no model {name[:80]!r}", code="UNKNOWN_MODEL", param="model",
                             remedy=f"the path of a GGUF file; {nearest(name, self.names())}")
        return at
