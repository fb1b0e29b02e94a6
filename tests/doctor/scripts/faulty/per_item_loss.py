# fault: non_scalar_backward
import torch
import torch.nn.functional as F
from torch import nn


class Denoiser(nn.Module):
    def __init__(self, width=128):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 64))

    def forward(self, x):
        return self.net(x)


def train(batches, weights):
    model = Denoiser()
    opt = torch.optim.Adam(model.parameters(), lr=1e-3)
    for x, w in zip(batches, weights):
        noisy = x + 0.1 * torch.randn_like(x)
        loss = F.mse_loss(model(noisy), x, reduction="none") * w
        opt.zero_grad()
        loss.backward()
        opt.step()
    return model
