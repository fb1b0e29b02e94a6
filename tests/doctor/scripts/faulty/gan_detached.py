# fault: detached_generator
import torch
from torch import nn
import torch.nn.functional as F

generator = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 2))
discriminator = nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))
g_optim = torch.optim.Adam(generator.parameters(), lr=1e-3)
d_optim = torch.optim.Adam(discriminator.parameters(), lr=1e-3)


def ring(n):
    a = torch.rand(n) * 6.2832
    return torch.stack([a.cos(), a.sin()], 1) + 0.02 * torch.randn(n, 2)


for step in range(5000):
    real = ring(256)
    fake = generator(torch.randn(256, 16)).detach()
    d_optim.zero_grad()
    d_loss = F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(fake)).mean()
    d_loss.backward()
    d_optim.step()
    g_optim.zero_grad()
    g_loss = F.softplus(-discriminator(fake)).mean()
    g_loss.backward()
    g_optim.step()
