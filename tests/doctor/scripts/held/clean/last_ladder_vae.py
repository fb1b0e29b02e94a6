import numpy as np
import torch
import torch.nn.functional as F
from torch import nn, optim
from torch.distributions import Normal, kl_divergence


class Level(nn.Module):
    def __init__(self, n_in, n_z):
        super().__init__()
        self.h = nn.Sequential(nn.Linear(n_in, 128), nn.ReLU())
        self.loc, self.log_scale = nn.Linear(128, n_z), nn.Linear(128, n_z)

    def forward(self, x):
        h = self.h(x)
        return Normal(self.loc(h), self.log_scale(h).clamp(-7, 3).exp())


class TwoLevels(nn.Module):
    def __init__(self, d=784, z1=32, z2=8):
        super().__init__()
        self.q1, self.q2, self.p1 = Level(d, z1), Level(z1, z2), Level(z2, z1)
        self.out = nn.Sequential(nn.Linear(z1, 128), nn.ReLU(), nn.Linear(128, d))
        self.z2 = z2

    def forward(self, x, beta):
        q1 = self.q1(x)
        z1 = q1.rsample()
        q2 = self.q2(z1)
        z2 = q2.rsample()
        kl = kl_divergence(q2, Normal(torch.zeros(self.z2), torch.ones(self.z2))).sum(-1) + kl_divergence(q1, self.p1(z2)).sum(-1)
        rec = F.binary_cross_entropy_with_logits(self.out(z1), x, reduction="none").sum(-1)
        return (rec + beta * kl).mean(), rec.mean().item(), kl.mean().item()

    @torch.no_grad()
    def generate(self, n):
        z1 = self.p1(torch.randn(n, self.z2)).sample()
        return torch.sigmoid(self.out(z1))


def run(images, epochs=50, size=100):
    model = TwoLevels(images.shape[1])
    opt = optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(epochs):
        for rows in np.array_split(np.random.permutation(len(images)), len(images) // size):
            loss, rec, kl = model(torch.as_tensor(images[rows], dtype=torch.float32), min(1.0, (epoch + 1) / 10))
            opt.zero_grad(set_to_none=True)
            loss.backward()
            opt.step()
        print(f"{epoch:3d} {rec:8.2f} {kl:6.2f}")
    return model
