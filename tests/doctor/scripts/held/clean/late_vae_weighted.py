import torch
from torch import nn
from torch.nn import functional as F


class VanillaVAE(nn.Module):
    def __init__(self, latent=128):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1), nn.LeakyReLU(), nn.Conv2d(32, 64, 3, 2, 1), nn.LeakyReLU(), nn.Flatten())
        self.fc_mu = nn.Linear(64 * 256, latent)
        self.fc_var = nn.Linear(64 * 256, latent)
        self.first = nn.Linear(latent, 64 * 256)
        self.decoder = nn.Sequential(nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.LeakyReLU(), nn.ConvTranspose2d(32, 3, 4, 2, 1), nn.Tanh())

    def forward(self, x):
        h = self.encoder(x)
        mu, log_var = self.fc_mu(h), self.fc_var(h)
        z = mu + torch.randn_like(mu) * torch.exp(0.5 * log_var)
        return self.decoder(self.first(z).view(-1, 64, 16, 16)), mu, log_var

    def loss_function(self, recons, x, mu, log_var, kld_weight=0.00025):
        recons_loss = F.mse_loss(recons, x)
        kld_loss = torch.mean(-0.5 * torch.sum(1 + log_var - mu ** 2 - log_var.exp(), dim=1), dim=0)
        loss = recons_loss + kld_weight * kld_loss
        return {"loss": loss, "reconstruction": recons_loss.detach(), "kld": kld_loss.detach()}

    def sample(self, n):
        return self.decoder(self.first(torch.randn(n, self.fc_mu.out_features)).view(-1, 64, 16, 16))
