import torch
from torch import nn
import torch.nn.functional as F


class Quantizer(nn.Module):
    def __init__(self, n=512, d=64, beta=0.25):
        super().__init__()
        self.book = nn.Embedding(n, d)
        self.book.weight.data.uniform_(-1 / n, 1 / n)
        self.beta = beta

    def forward(self, z):
        flat = z.permute(0, 2, 3, 1).reshape(-1, z.size(1))
        dist = flat.pow(2).sum(1, keepdim=True) - 2 * flat @ self.book.weight.t() + self.book.weight.pow(2).sum(1)
        idx = dist.argmin(1)
        q = self.book(idx).view(z.size(0), z.size(2), z.size(3), -1).permute(0, 3, 1, 2)
        loss = F.mse_loss(q, z.detach()) + self.beta * F.mse_loss(q.detach(), z)
        usage = torch.bincount(idx, minlength=self.book.num_embeddings).float()
        p = usage / usage.sum()
        perplexity = torch.exp(-(p * torch.log(p + 1e-10)).sum())
        return z + (q - z).detach(), loss, perplexity


class VQVAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Sequential(nn.Conv2d(3, 64, 4, 2, 1), nn.ReLU(), nn.Conv2d(64, 64, 4, 2, 1))
        self.q = Quantizer()
        self.dec = nn.Sequential(nn.ConvTranspose2d(64, 64, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(64, 3, 4, 2, 1))

    def forward(self, x):
        z, loss, ppl = self.q(self.enc(x))
        return self.dec(z), loss, ppl


def fit(loader, epochs=20):
    model = VQVAE()
    opt = torch.optim.Adam(model.parameters(), lr=2e-4)
    for ep in range(epochs):
        for x, _ in loader:
            out, vq_loss, ppl = model(x)
            recon_error = F.mse_loss(out, x)
            loss = recon_error + vq_loss
            opt.zero_grad()
            loss.backward()
            opt.step()
        print(ep, recon_error.item(), ppl.item())
