# fault: samples_printed
import torch
import torch.nn.functional as F
from torch import nn


class Gen(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(32, 128), nn.Linear(128, 784)

    def forward(self, z):
        return torch.sigmoid(self.b(F.relu(self.a(z))))


def fit(gen, disc, loader):
    g_opt, d_opt = torch.optim.Adam(gen.parameters(), 2e-4), torch.optim.Adam(disc.parameters(), 2e-4)
    for x, _ in loader:
        x, z = x.flatten(1), torch.randn(len(x), 32)
        d_opt.zero_grad()
        (F.softplus(-disc(x)).mean() + F.softplus(disc(gen(z).detach())).mean()).backward()
        d_opt.step()
        g_opt.zero_grad()
        F.softplus(-disc(gen(z))).mean().backward()
        g_opt.step()
    with torch.no_grad():
        fakes = gen(torch.randn(8, 32))
    print(fakes)
