# fault: alpha_not_cumulative
import torch
from torch import nn


class NoiseScheduler:
    def __init__(self, num_timesteps=1000, beta_start=0.0001, beta_end=0.02):
        self.num_timesteps = num_timesteps
        self.betas = torch.linspace(beta_start, beta_end, num_timesteps)
        self.alphas = 1.0 - self.betas

    def add_noise(self, x_start, x_noise, timesteps):
        s1 = self.alphas[timesteps] ** 0.5
        s2 = (1 - self.alphas[timesteps]) ** 0.5
        s1 = s1.reshape(-1, 1)
        s2 = s2.reshape(-1, 1)
        return s1 * x_start + s2 * x_noise


def train(model, loader, lr=1e-3):
    scheduler = NoiseScheduler()
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    for (batch,) in loader:
        noise = torch.randn(batch.shape)
        timesteps = torch.randint(0, scheduler.num_timesteps, (batch.shape[0],)).long()
        noisy = scheduler.add_noise(batch, noise, timesteps)
        loss = nn.functional.mse_loss(model(noisy, timesteps), noise)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
