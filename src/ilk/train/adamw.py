"""AdamW (Loshchilov & Hutter 2019) on torch's fused kernel. torch.optim's own class imports the compiler when it is made,
which costs every fit two seconds; this one costs nothing."""
from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn


class AdamW:
    """First and second moments of some parameters. Vectors (biases, scales) do not decay.

    `rate` is set anew for each step; the state is plain tensors, so that it can be saved and bitwise restored.
    """

    def __init__(self, params: Iterable[nn.Parameter], weight_decay: float, betas: tuple[float, float] = (0.9, 0.99), eps: float = 1e-8) -> None:
        every = list(params)
        self.groups = [([p for p in every if p.ndim >= 2], weight_decay), ([p for p in every if p.ndim < 2], 0.0)]
        self.params = [p for group, _ in self.groups for p in group]
        self.betas, self.eps = betas, eps
        self.one = [torch.zeros_like(p) for p in self.params]
        self.two = [torch.zeros_like(p) for p in self.params]
        self.steps = [torch.zeros((), dtype=torch.float32, device=p.device) for p in self.params]

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """One update of every parameter that has a gradient."""
        place = {id(p): i for i, p in enumerate(self.params)}
        for group, decay in self.groups:
            live: list[Tensor] = [p for p in group if p.grad is not None]
            if not live:
                continue
            at = [place[id(p)] for p in live]
            steps = [self.steps[i] for i in at]
            torch._foreach_add_(steps, 1)
            torch._fused_adamw_(live, [p.grad for p in live], [self.one[i] for i in at], [self.two[i] for i in at], [], steps,  # type: ignore[misc]
                                lr=rate, beta1=self.betas[0], beta2=self.betas[1], weight_decay=decay, eps=self.eps, amsgrad=False, maximize=False)

    def forget_gradients(self) -> None:
        """Before the next backward pass."""
        for p in self.params:
            p.grad = None

    def state(self) -> dict[str, Tensor]:
        """Moments and step counts by place."""
        slots = {"one": self.one, "two": self.two, "steps": self.steps}
        return {f"{i}/{name}": t for name, tensors in slots.items() for i, t in enumerate(tensors)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Takes them back."""
        for name, tensors in (("one", self.one), ("two", self.two), ("steps", self.steps)):
            for i, t in enumerate(tensors):
                t.copy_(state[f"{i}/{name}"])
