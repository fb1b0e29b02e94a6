# fault: sample_without_gradient
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence


class VAE(nn.Module):
    def __init__(self, d, z):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(d, 100), nn.ReLU(), nn.Linear(100, 2 * z))
        self.dec = nn.Sequential(nn.Linear(z, 100), nn.ReLU(), nn.Linear(100, d))
        self.prior = Normal(torch.zeros(z), torch.ones(z))

    def posterior(self, x):
        mu, raw = self.enc(x).chunk(2, -1)
        return Normal(mu, nn.functional.softplus(raw) + 1e-5)

    def loss(self, x):
        q = self.posterior(x)
        z = q.sample()
        log_px = Normal(self.dec(z), 1.0).log_prob(x).sum(-1)
        return (kl_divergence(q, self.prior).sum(-1) - log_px).mean()

    def make(self, n):
        return self.dec(self.prior.sample((n,)))
