from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange


@dataclass
class Config:
    steps: int = 1000
    s: float = 0.008


class CosineDiffusion(torch.nn.Module):
    def __init__(self, model, cfg=Config()):
        super().__init__()
        self.model, self.cfg = model, cfg
        x = np.linspace(0, 1, cfg.steps + 1)
        f = np.cos((x + cfg.s) / (1 + cfg.s) * np.pi / 2) ** 2
        betas = np.clip(1 - f[1:] / f[:-1], 0, 0.999)
        self.register_buffer("abar", torch.tensor(np.cumprod(1 - betas), dtype=torch.float32))

    def loss(self, x):
        t = torch.randint(0, self.cfg.steps, (x.shape[0],), device=x.device)
        a = rearrange(self.abar[t], "b -> b 1 1 1")
        noise = torch.randn_like(x)
        return (self.model(a.sqrt() * x + (1 - a).sqrt() * noise, t) - noise).square().mean()

    @torch.no_grad()
    def ddim(self, shape, n=50):
        self.model.eval()
        x = torch.randn(shape, device=self.abar.device)
        ts = np.linspace(self.cfg.steps - 1, 0, n).astype(int)
        for t, s in zip(ts, [*ts[1:], -1]):
            a, b = self.abar[t], self.abar[s] if s >= 0 else torch.tensor(1.0)
            eps = self.model(x, torch.full((shape[0],), int(t)))
            x0 = (x - (1 - a).sqrt() * eps) / a.sqrt()
            x = b.sqrt() * x0 + (1 - b).sqrt() * eps
        return x
