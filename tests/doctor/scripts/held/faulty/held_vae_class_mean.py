# fault: mean_in_elbo
import torch
from torch import nn


class ConvVAE(nn.Module):
    def __init__(self, nz=32):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, 32, 4, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 4, 2, 1), nn.ReLU(), nn.Flatten())
        self.to_mean = nn.Linear(64 * 49, nz)
        self.to_logvar = nn.Linear(64 * 49, nz)
        self.start = nn.Linear(nz, 64 * 49)
        self.decoder = nn.Sequential(nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(32, 1, 4, 2, 1), nn.Sigmoid())

    def encode(self, x):
        h = self.encoder(x)
        return self.to_mean(h), self.to_logvar(h)

    def decode(self, z):
        return self.decoder(self.start(z).view(-1, 64, 7, 7))

    def forward(self, x):
        mean, logvar = self.encode(x)
        std = (logvar / 2).exp()
        return self.decode(mean + std * torch.randn_like(std)), mean, logvar

    def loss(self, x):
        x_hat, mean, logvar = self(x)
        reconstruction = ((x_hat - x) ** 2).flatten(1).sum(1).mean()
        divergence = (-0.5 * (1 + logvar - mean.square() - logvar.exp())).mean()
        return reconstruction + divergence

    @torch.no_grad()
    def sample(self, n):
        return self.decode(torch.randn(n, self.start.in_features))
