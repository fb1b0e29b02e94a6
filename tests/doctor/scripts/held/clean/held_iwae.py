import torch
from torch import nn
from torch.distributions import Bernoulli, Independent, Normal


class IWAE(nn.Module):
    def __init__(self, d=784, z=32, h=200):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(d, h), nn.Tanh(), nn.Linear(h, 2 * z))
        self.dec = nn.Sequential(nn.Linear(z, h), nn.Tanh(), nn.Linear(h, d))
        self.register_buffer("zero", torch.zeros(z))

    def posterior(self, x):
        mu, raw = self.enc(x).chunk(2, -1)
        return Independent(Normal(mu, nn.functional.softplus(raw) + 1e-4), 1)

    def bound(self, x, k):
        q = self.posterior(x)
        z = q.rsample((k,))
        prior = Independent(Normal(self.zero, torch.ones_like(self.zero)), 1)
        log_w = Independent(Bernoulli(logits=self.dec(z)), 1).log_prob(x) + prior.log_prob(z) - q.log_prob(z)
        return torch.logsumexp(log_w, 0) - torch.log(torch.tensor(float(k)))


def epoch(model, loader, opt, k=5):
    for x, _ in loader:
        x = torch.bernoulli(x.view(len(x), -1))
        opt.zero_grad()
        (-model.bound(x, k).mean()).backward()
        opt.step()
