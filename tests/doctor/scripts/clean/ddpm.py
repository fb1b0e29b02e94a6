import math

import torch
import torch.nn.functional as F
from torch import nn

T = 1000
betas = torch.linspace(1e-4, 0.02, T)
alphas = 1.0 - betas
alphas_cumprod = torch.cumprod(alphas, dim=0)


class TimeEmbedding(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim

    def forward(self, t):
        half = self.dim // 2
        freq = torch.exp(-math.log(10000) * torch.arange(half, device=t.device) / half)
        ang = t[:, None].float() * freq[None]
        return torch.cat([ang.sin(), ang.cos()], dim=-1)


class Eps(nn.Module):
    def __init__(self, ch=64):
        super().__init__()
        self.emb = nn.Sequential(TimeEmbedding(64), nn.Linear(64, ch), nn.SiLU(), nn.Linear(ch, ch))
        self.inp = nn.Conv2d(3, ch, 3, padding=1)
        self.mid = nn.Conv2d(ch, ch, 3, padding=1)
        self.out = nn.Conv2d(ch, 3, 3, padding=1)

    def forward(self, x, t):
        h = F.silu(self.inp(x) + self.emb(t)[:, :, None, None])
        return self.out(F.silu(self.mid(h)))


def extract(a, t, shape):
    return a.to(t.device).gather(0, t).reshape(len(t), *([1] * (len(shape) - 1)))


def q_sample(x0, t, noise):
    ab = extract(alphas_cumprod, t, x0.shape)
    return ab.sqrt() * x0 + (1 - ab).sqrt() * noise


def p_losses(model, x0):
    t = torch.randint(0, T, (x0.shape[0],), device=x0.device)
    noise = torch.randn_like(x0)
    return F.mse_loss(model(q_sample(x0, t, noise), t), noise)


@torch.no_grad()
def sample(model, shape):
    x = torch.randn(shape)
    for t in reversed(range(T)):
        tt = torch.full((shape[0],), t, dtype=torch.long)
        eps = model(x, tt)
        mean = (x - betas[t] / torch.sqrt(1 - alphas_cumprod[t]) * eps) / torch.sqrt(alphas[t])
        x = mean + (torch.sqrt(betas[t]) * torch.randn_like(x) if t > 0 else 0)
    return x.clamp(-1, 1)


def train(loader, epochs=10):
    model = Eps()
    opt = torch.optim.AdamW(model.parameters(), lr=2e-4)
    for epoch in range(epochs):
        for x, _ in loader:
            loss = p_losses(model, x * 2 - 1)
            opt.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            opt.step()
    return model
