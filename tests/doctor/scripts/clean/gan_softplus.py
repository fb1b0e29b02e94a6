"""Non-saturating GAN with logits and functions for the losses."""
import argparse

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms


class Generator(nn.Module):
    def __init__(self, latent, out):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(latent, 256), nn.Linear(256, out)

    def forward(self, z):
        return torch.tanh(self.fc2(F.relu(self.fc1(z))))


class Discriminator(nn.Module):
    def __init__(self, inp):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(inp, 256), nn.Linear(256, 1)

    def forward(self, x):
        return self.fc2(F.leaky_relu(self.fc1(x), 0.2))


def d_loss(D, G, x, z):
    return F.softplus(-D(x)).mean() + F.softplus(D(G(z).detach())).mean()


def g_loss(D, G, z):
    return F.softplus(-D(G(z))).mean()


def main(args):
    data = datasets.MNIST(args.root, train=True, download=True, transform=transforms.ToTensor())
    loader = DataLoader(data, args.batch, shuffle=True, drop_last=True)
    G, D = Generator(args.latent, 784), Discriminator(784)
    g_opt = torch.optim.Adam(G.parameters(), lr=args.lr, betas=(0.5, 0.999))
    d_opt = torch.optim.Adam(D.parameters(), lr=args.lr, betas=(0.5, 0.999))
    for epoch in range(args.epochs):
        for x, _ in loader:
            x = x.flatten(1) * 2 - 1
            z = torch.randn(len(x), args.latent)
            d_opt.zero_grad()
            ld = d_loss(D, G, x, z)
            ld.backward()
            d_opt.step()
            g_opt.zero_grad()
            lg = g_loss(D, G, z)
            lg.backward()
            g_opt.step()
        print(f"{epoch}: d {ld.item():.3f} g {lg.item():.3f}")
    G.eval()
    with torch.no_grad():
        made = G(torch.randn(16, args.latent)).view(16, 28, 28)
    print(made.mean())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", default="data")
    parser.add_argument("--latent", type=int, default=100)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=2e-4)
    parser.add_argument("--epochs", type=int, default=20)
    main(parser.parse_args())
