# fault: schedule_not_reshaped
import torch
from torch import nn


class Diffusion:
    def __init__(self, steps=1000):
        beta = torch.linspace(1e-4, 0.02, steps)
        self.steps = steps
        self.alpha_bar = torch.cumprod(1.0 - beta, dim=0)

    def noise_images(self, x, t):
        eps = torch.randn_like(x)
        return self.alpha_bar[t].sqrt() * x + (1 - self.alpha_bar[t]).sqrt() * eps, eps

    def draw(self, n):
        return torch.randint(1, self.steps, size=(n,))


def train(unet, images, lr=3e-4):
    diffusion = Diffusion()
    mse = nn.MSELoss()
    opt = torch.optim.AdamW(unet.parameters(), lr=lr)
    for batch, _ in images:
        t = diffusion.draw(batch.shape[0])
        x_t, noise = diffusion.noise_images(batch, t)
        loss = mse(unet(x_t, t), noise)
        opt.zero_grad()
        loss.backward()
        opt.step()
