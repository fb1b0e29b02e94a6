"""What pairs of networks for images share: how often they halve, and which of the two a port asks for."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Interval
from torch import nn

from ilk.distribution import Net, Port
from ilk.errors import UsageError

LEAST = 4   # pixels a side that are not halved any more


def halvings(shape: tuple[int, ...]) -> int:
    """How often an image, (channels, height, width), is halved: its short side keeps at least 4 pixels."""
    count, side = 0, min(shape[1:])
    while side >= 2 * LEAST:
        count, side = count + 1, side // 2
    return count


def smallest(shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width after the halvings, rounded up."""
    step = 2 ** halvings(shape)
    return -(-shape[1] // step), -(-shape[2] // step)


@dataclass(frozen=True, kw_only=True)
class PairNet(Net):
    """A network that draws images from codes and one that views them, `width` channels at full size and twice as many at each halving."""

    drawer: ClassVar[type[nn.Module]]
    viewer: ClassVar[type[nn.Module]]
    width: Annotated[int, Interval(ge=1, le=4096)] = 32

    def __call__(self, port: Port) -> nn.Module:
        """The network for a port; UsageError if there is none."""
        image = {"decode": port.gives, "score": port.takes}.get(port.role)
        if image is None or len(image) != 3 or (port.role == "score" and port.about):
            raise UsageError(f"{type(self).__name__} makes images (channels, height, width) from codes, or scores them; it can't {port.role} {port.takes} to {port.gives}",
                             code="NET", param="net")
        kind = self.drawer if port.role == "decode" else self.viewer
        return kind(port, self.width)
