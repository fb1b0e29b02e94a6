"""torchvision or torchaudio of another release than torch: imports fail with operators that do not exist."""
from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from ilk.fault import Fault, Found, Installation
from ilk.faults._machine import version

VISION = 15  # torchvision 0.(n + 15) is of torch 2.n


class TorchMismatch(Fault):
    """Minor versions that do not belong together."""

    looks_at: ClassVar[type] = Installation

    def find(self, thing: Installation) -> Iterator[Found]:
        """Both versions."""
        torch = version(thing.versions.get("torch"))[:2]
        if len(torch) < 2 or torch[0] != 2:
            return
        for name, wanted in (("torchvision", (0, torch[1] + VISION)), ("torchaudio", torch)):
            found = thing.versions.get(name)
            if found and version(found)[:2] != wanted and not (name == "torchaudio" and torch >= (2, 9)):
                said = ".".join(map(str, wanted))
                yield self.found(f"{name} {found}", f"torch is {thing.versions['torch']}, which goes with {name} {said}",
                                 f"pip install '{name}=={said}.*', from where torch was installed")
