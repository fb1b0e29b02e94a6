"""full: every weight learns, or those whose names a pattern is found in."""
from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from ..errors import UsageError
from ..rng import Rng
from ..tuning import Tuning, freeze, named


@dataclass(frozen=True, kw_only=True)
class Full(Tuning):
    """`targets` is a regular expression found in the names of parameters; by default all learn."""

    targets: str = ""

    def apply(self, net: nn.Module, rng: Rng) -> Mapping[str, nn.Parameter]:
        """Adds nothing."""
        try:
            asked = re.compile(self.targets)
        except re.error as why:
            raise UsageError(f"the targets {self.targets[:60]!r} are no regular expression: {why}", code="TARGETS", param="targets") from None
        freeze(net)
        found = named(net, asked.search)
        if not found:
            raise UsageError(f"no parameter of this network is named like {self.targets[:60]!r}", code="TARGETS", param="targets")
        return found

    def merge(self, net: nn.Module) -> Mapping[str, Tensor]:
        """The weights as they are."""
        return net.state_dict()
