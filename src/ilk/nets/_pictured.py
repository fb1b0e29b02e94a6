"""What is known beside pictures: other pictures as more channels at the input of a network, all else as one vector."""
from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ilk.batch import Batch
from ilk.nets._context import Partly
from ilk.space import Reals, Space, inner


class Pictured(Partly):
    """Beside pictures of `grid` pixels, whatever is a picture itself is brought to that grid, each channel standardised by itself.

    A row of `told` is the vector of all else (`width` numbers), then those channels, with one more of each picture: 1 where it is not told.
    Beside items that are no pictures (`grid` is empty) there are vectors alone.
    """

    def __init__(self, about: Mapping[str, Space], grid: tuple[int, ...], reads: int = 0) -> None:
        sheets = {name: atom.shape for name, space in about.items() if grid and isinstance(atom := inner(space), Reals) and len(atom.shape) == 3}
        super().__init__({name: space for name, space in about.items() if name not in sheets}, reads)
        self.sheets, self.grid, self.channels = sheets, grid, sum(c + 1 for c, *_ in sheets.values())
        self.parts += len(sheets)
        self.sizes = None if sheets else self.sizes
        for name, (c, *_) in sheets.items():
            self.register_buffer(f"center_{name}", torch.zeros(c, 1, 1))
            self.register_buffer(f"scale_{name}", torch.ones(c, 1, 1))

    def prepare(self, few: Mapping[str, Batch]) -> None:
        """Scales of numbers and of channels, and how common each joint label is, from some items."""
        super().prepare(few)
        for name in self.sheets:
            seen = few[name].seen
            x = (few[name].tensor if seen is None or not bool(seen.any()) else few[name].tensor[seen]).double()
            center, spread = x.mean((0, 2, 3)).reshape(-1, 1, 1), x.std((0, 2, 3), correction=0).reshape(-1, 1, 1)
            getattr(self, f"center_{name}").copy_(center)
            getattr(self, f"scale_{name}").copy_(spread.where(spread > 1e-6 * (1 + center.abs()), torch.ones_like(spread)))

    def said(self, context: Mapping[str, Batch], n: int, keep: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """What is known of n items, a row each, and what was read; what the context lacks, and what `keep` (n, parts) is false for, is not told."""
        first = self.parts - len(self.sheets)
        vectors, words, there = super().said(context, n, None if keep is None else keep[:, :first])
        sheets = [self._sheet(name, context.get(name), n, None if keep is None else keep[:, i]) for i, name in enumerate(self.sheets, first)]
        return torch.cat([vectors, *(sheet.flatten(1) for sheet in sheets)], 1), words, there

    def _sheet(self, name: str, batch: Batch | None, n: int, keep: Tensor | None) -> Tensor:
        """The channels of a picture, and the one that says where it is not told, (n, c + 1, h, w)."""
        device = self.share.device
        there = torch.full((n,), batch is not None, device=device)
        there = there if batch is None or batch.seen is None else batch.seen
        there = (there if keep is None else there & keep.to(device))[:, None, None, None]
        silent = (~there).float().expand(n, 1, *self.grid)
        if batch is None:
            return torch.cat([torch.zeros(n, self.sheets[name][0], *self.grid, device=device), silent], 1)
        x = ((batch.tensor - getattr(self, f"center_{name}")) / getattr(self, f"scale_{name}")).float()
        return torch.cat([regridded(x.where(there, torch.zeros_like(x)), self.grid), silent], 1)

    def beside(self, x: Tensor, told: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Items with the channels of `told` after their own, and its vectors; None where there are none."""
        if told is None or not self.sheets:
            return x, told
        channels = told[:, self.width:].reshape(len(x), self.channels, *self.grid)
        return torch.cat([x, channels], 1), told[:, :self.width] if self.width else None


def regridded(x: Tensor, grid: tuple[int, ...]) -> Tensor:
    """Pictures (n, c, h, w) on another grid: between pixels on the line through them, a pixel of fewer the weighted mean of those that it covers."""
    return x if tuple(x.shape[2:]) == grid else interpolate(x, grid, mode="bilinear", antialias=True)
