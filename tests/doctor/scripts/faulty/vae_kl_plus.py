# fault: kl_sign
import torch
from torch.nn import functional as F


def vae_loss(recon_x, x, mu, log_var, beta=1.0):
    recon_loss = F.mse_loss(recon_x, x, reduction="sum")
    kl = 0.5 * torch.sum(1 + log_var - mu.pow(2) - log_var.exp())
    return recon_loss + beta * kl


def train(model, loader, epochs=10):
    opt = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(epochs):
        for x, _ in loader:
            recon, mu, log_var = model(x)
            loss = vae_loss(recon, x, mu, log_var)
            opt.zero_grad()
            loss.backward()
            opt.step()
        print(epoch, loss.item() / len(x))
