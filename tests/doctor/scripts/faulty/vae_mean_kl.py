# fault: mean_in_elbo
import torch
import torch.nn.functional as F
from torch import nn


class BetaVAE(nn.Module):
    def __init__(self, dim=64, codes=8):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(dim, 128), nn.SiLU(), nn.Linear(128, 2 * codes))
        self.dec = nn.Sequential(nn.Linear(codes, 128), nn.SiLU(), nn.Linear(128, dim))

    def forward(self, x):
        mu, logvar = self.enc(x).chunk(2, dim=-1)
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp()
        return self.dec(z), mu, logvar


def loss_fn(x, logits, mu, logvar):
    rec = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1).mean()
    kld = -0.5 * torch.mean(1 + logvar - mu ** 2 - logvar.exp())
    return rec + kld
