import torch
import torch.nn as nn
from torch.distributions import MultivariateNormal


class Coupling(nn.Module):
    def __init__(self, dim, hidden, mask):
        super().__init__()
        self.register_buffer("mask", mask)
        self.s = nn.Sequential(nn.Linear(dim, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, dim), nn.Tanh())
        self.t = nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, dim))

    def forward(self, x):
        kept = x * self.mask
        s, t = self.s(kept) * (1 - self.mask), self.t(kept) * (1 - self.mask)
        return kept + (1 - self.mask) * (x * s.exp() + t), s.sum(-1)

    def inverse(self, z):
        kept = z * self.mask
        s, t = self.s(kept) * (1 - self.mask), self.t(kept) * (1 - self.mask)
        return kept + (1 - self.mask) * ((z - t) * (-s).exp())


class Flow(nn.Module):
    def __init__(self, dim=2, layers=6):
        super().__init__()
        masks = [torch.tensor([i % 2, (i + 1) % 2], dtype=torch.float32) for i in range(layers)]
        self.layers = nn.ModuleList(Coupling(dim, 64, m) for m in masks)
        self.prior = MultivariateNormal(torch.zeros(dim), torch.eye(dim))

    def log_prob(self, x):
        total = 0.0
        for layer in self.layers:
            x, ld = layer(x)
            total = total + ld
        return self.prior.log_prob(x) + total

    def sample(self, n):
        z = self.prior.sample((n,))
        for layer in reversed(self.layers):
            z = layer.inverse(z)
        return z


if __name__ == "__main__":
    from sklearn.datasets import make_moons

    flow = Flow()
    opt = torch.optim.Adam(flow.parameters(), lr=1e-3)
    for step in range(2000):
        x = torch.tensor(make_moons(256, noise=0.05)[0], dtype=torch.float32)
        loss = -flow.log_prob(x).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        print(flow.sample(5))
