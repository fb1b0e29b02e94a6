import torch
from torch import nn

torch.manual_seed(0)


class Velocity(nn.Module):
    def __init__(self, d=2, h=128):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(d + 1, h), nn.SiLU(), nn.Linear(h, h), nn.SiLU(), nn.Linear(h, d))

    def forward(self, x, t):
        return self.net(torch.cat([x, t], -1))


def spiral(n):
    a = 3 * torch.pi * torch.rand(n).sqrt()
    return torch.stack([a * a.cos(), a * a.sin()], -1) / 5 + 0.05 * torch.randn(n, 2)


field = Velocity()
opt = torch.optim.AdamW(field.parameters(), lr=1e-3)
for it in range(4000):
    x1 = spiral(512)
    x0 = torch.randn_like(x1)
    t = torch.rand(len(x1), 1)
    xt = (1 - t) * x0 + t * x1
    loss = (field(xt, t) - (x1 - x0)).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()

with torch.no_grad():
    x = torch.randn(1000, 2)
    for k in range(100):
        x = x + field(x, torch.full((1000, 1), k / 100)) / 100
print(x[:5])
