# fault: one_timestep_per_batch
import random

import torch
from torch.nn.functional import mse_loss

STEPS = 500
beta = torch.linspace(1e-4, 0.03, STEPS)
alpha_bar = torch.cumprod(1 - beta, 0)


def fit(net, loader, epochs=100):
    opt = torch.optim.Adam(net.parameters(), lr=1e-4)
    for epoch in range(epochs):
        for x, _ in loader:
            t = random.randint(0, STEPS - 1)
            noise = torch.randn_like(x)
            noised = alpha_bar[t] ** 0.5 * x + (1 - alpha_bar[t]) ** 0.5 * noise
            out = net(noised, torch.full((x.size(0),), t))
            loss = mse_loss(out, noise)
            opt.zero_grad()
            loss.backward()
            opt.step()
