"""Training in bfloat16 with float32 masters (Micikevicius et al. 2018), where this machine is faster at it."""
from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn


def fast_bfloat16(device: str) -> bool:
    """Whether bfloat16 matrix products are several times faster than float32 ones here: where there are units for them.

    Asked of the machine, not measured: a measurement may turn out otherwise on a busy day, and the same seed would give other bytes.
    """
    kind = device.partition(":")[0]
    if kind == "cpu":
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return kind == "cuda" and torch.cuda.is_bf16_supported()


class Shadow:
    """A bfloat16 copy of a module that computes gradients for the float32 one, which is what learns.

    Buffers stay as they are (scales of data are no weights), and both have the same: what a loss counts there is kept.
    """

    def __init__(self, master: nn.Module) -> None:
        self.copy: Any = copy.deepcopy(master, {id(buffer): buffer for buffer in master.buffers()})
        for p in self.copy.parameters():
            p.data = p.data.to(torch.bfloat16)
        self.pairs = list(zip(self.copy.parameters(), master.parameters(), strict=True))
        self.master_of = {id(low): high for low, high in self.pairs}

    @torch.no_grad()
    def lift(self) -> None:
        """The copy's gradients become the masters'."""
        for low, high in self.pairs:
            high.grad = None if low.grad is None else low.grad.float()
            low.grad = None

    @torch.no_grad()
    def follow(self) -> None:
        """The copy's weights become the masters', rounded."""
        torch._foreach_copy_([low for low, _ in self.pairs], [high for _, high in self.pairs])
