# fault: std_from_logvar
import torch
from torch import nn


class Encoder(nn.Module):
    def __init__(self, n_in, n_z):
        super().__init__()
        self.hidden = nn.Linear(n_in, 200)
        self.mu = nn.Linear(200, n_z)
        self.log_var = nn.Linear(200, n_z)

    def forward(self, x):
        h = torch.tanh(self.hidden(x))
        return self.mu(h), self.log_var(h)


def reparameterize(mu, log_var):
    eps = torch.randn_like(mu)
    return mu + torch.exp(log_var) * eps


def negative_elbo(enc, dec, x):
    mu, log_var = enc(x)
    logits = dec(reparameterize(mu, log_var))
    rec = nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    return rec - 0.5 * (1 + log_var - mu ** 2 - log_var.exp()).sum()
