"""Training in bfloat16 with float32 masters (Micikevicius et al. 2018), where this machine is faster at it."""
from __future__ import annotations

import copy
import time
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

WORTH = 2.0


@cache
def fast_bfloat16(device: str) -> bool:
    """Whether bfloat16 matrix products take less than half the time of float32 ones here: on most machines far less, or far more."""
    found = []
    for kind in (torch.float32, torch.bfloat16):
        a = torch.linspace(0, 1, 512 * 512, device=device).reshape(512, 512).to(kind)
        found.append(min(_seconds(a) for _ in range(5)))
    return found[0] > WORTH * found[1]


def _seconds(a: Tensor) -> float:
    start = time.perf_counter()
    for _ in range(4):
        (a @ a).sum().item()
    return time.perf_counter() - start


class Shadow:
    """A bfloat16 copy of a module that computes gradients for the float32 one, which is what learns."""

    def __init__(self, master: nn.Module) -> None:
        self.copy: Any = copy.deepcopy(master).to(torch.bfloat16)
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
