# fault: one_timestep_per_batch, schedule_not_reshaped
import numpy as np
import torch
from torch import nn


def linear_schedule(n):
    betas = np.linspace(1e-4, 0.02, n)
    return torch.tensor(np.cumprod(1 - betas), dtype=torch.float32)


def epoch_single(net, opt, images, a_bar):
    for x in images:
        step = np.random.randint(0, len(a_bar))
        noise = torch.randn_like(x)
        noisy = torch.sqrt(a_bar[step]) * x + torch.sqrt(1 - a_bar[step]) * noise
        loss = nn.functional.mse_loss(net(noisy, torch.tensor([step])), noise)
        opt.zero_grad()
        loss.backward()
        opt.step()


def epoch_batch(net, opt, images, a_bar):
    for x in images:
        step = torch.randint(len(a_bar), (x.size(0),))
        noise = torch.randn_like(x)
        noisy = torch.sqrt(a_bar[step]) * x + torch.sqrt(1 - a_bar[step]) * noise
        loss = nn.functional.mse_loss(net(noisy, step), noise)
        opt.zero_grad()
        loss.backward()
        opt.step()
