from __future__ import annotations

import torch
from torch import Tensor, nn, autograd


class Critic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(784, 512), nn.LeakyReLU(0.2), nn.Linear(512, 256), nn.LeakyReLU(0.2), nn.Linear(256, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class Gen(nn.Module):
    def __init__(self, width: int = 256) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 784), nn.Sigmoid())

    def forward(self, z: Tensor) -> Tensor:
        return self.body(z)


def gradient_penalty(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    alpha = torch.rand(real.size(0), 1, device=real.device)
    mixed = (alpha * real + (1 - alpha) * fake).requires_grad_(True)
    scores = critic(mixed)
    (grads,) = autograd.grad(outputs=scores, inputs=mixed, grad_outputs=torch.ones_like(scores), create_graph=True, retain_graph=True)
    return ((grads.norm(2, dim=1) - 1) ** 2).mean()


def train(loader, epochs: int = 50, lam: float = 10.0, n_critic: int = 5) -> Gen:
    gen, critic = Gen(), Critic()
    opt_g = torch.optim.Adam(gen.parameters(), 1e-4, (0.0, 0.9))
    opt_c = torch.optim.Adam(critic.parameters(), 1e-4, (0.0, 0.9))
    for _ in range(epochs):
        for k, (x, _) in enumerate(loader):
            x = x.view(x.size(0), -1)
            z = torch.randn(x.size(0), 64)
            with torch.no_grad():
                fake = gen(z)
            c_loss = critic(fake).mean() - critic(x).mean() + lam * gradient_penalty(critic, x, fake)
            opt_c.zero_grad(set_to_none=True)
            c_loss.backward()
            opt_c.step()
            if k % n_critic == 0:
                g_loss = -critic(gen(z)).mean()
                opt_g.zero_grad(set_to_none=True)
                g_loss.backward()
                opt_g.step()
    return gen
