# fault: negative_scale
import torch
from torch import nn
from torch.distributions import Normal


class Actor(nn.Module):
    def __init__(self, obs, act):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(obs, 64), nn.Tanh())
        self.mu = nn.Linear(64, act)
        self.sigma = nn.Linear(64, act)

    def forward(self, x):
        h = self.body(x)
        mu = self.mu(h)
        sigma = self.sigma(h)
        return Normal(mu, sigma)


def loss_of(actor, obs, acts, adv):
    dist = actor(obs)
    return -(dist.log_prob(acts).sum(-1) * adv).mean()
