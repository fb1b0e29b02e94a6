# fault: negative_scale
import torch
from torch import nn
import torch.distributions as D


class MDN(nn.Module):
    """Mixture density network."""

    def __init__(self, n_in, n_mix=5):
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(n_in, 50), nn.Tanh())
        self.pi = nn.Linear(50, n_mix)
        self.mean = nn.Linear(50, n_mix)
        self.std = nn.Linear(50, n_mix)

    def forward(self, x):
        h = self.hidden(x)
        mix = D.Categorical(logits=self.pi(h))
        return D.MixtureSameFamily(mix, D.Normal(self.mean(h), self.std(h)))


def fit(x, y, steps=1000):
    net = MDN(x.shape[1])
    opt = torch.optim.Adam(net.parameters())
    for _ in range(steps):
        loss = -net(x).log_prob(y).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return net
