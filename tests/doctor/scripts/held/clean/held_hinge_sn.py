import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils import spectral_norm


class Dis(nn.Module):
    def __init__(self, ch=64, classes=10):
        super().__init__()
        self.c1 = spectral_norm(nn.Conv2d(3, ch, 4, 2, 1))
        self.c2 = spectral_norm(nn.Conv2d(ch, 2 * ch, 4, 2, 1))
        self.emb = spectral_norm(nn.Embedding(classes, 2 * ch))
        self.lin = spectral_norm(nn.Linear(2 * ch, 1))

    def forward(self, x, y):
        h = F.relu(self.c2(F.relu(self.c1(x)))).sum((2, 3))
        return self.lin(h) + (self.emb(y) * h).sum(1, keepdim=True)


def update(G, D, opt_g, opt_d, x, y, nz=128, ema=None):
    z = torch.randn(x.size(0), nz, device=x.device)
    opt_d.zero_grad(set_to_none=True)
    with torch.no_grad():
        x_fake = G(z, y)
    loss_d = F.relu(1.0 - D(x, y)).mean() + F.relu(1.0 + D(x_fake, y)).mean()
    loss_d.backward()
    opt_d.step()

    opt_g.zero_grad(set_to_none=True)
    z = torch.randn(x.size(0), nz, device=x.device)
    loss_g = -D(G(z, y), y).mean()
    loss_g.backward()
    opt_g.step()
    if ema is not None:
        ema.update(G)
    return loss_d.item(), loss_g.item()
