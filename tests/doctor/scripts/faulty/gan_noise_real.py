# fault: noise_as_real, unused_data
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

digits = load_digits()


def train(G, D, steps=1000, batch=64, z_dim=32):
    g_opt = torch.optim.Adam(G.parameters(), lr=2e-4)
    d_opt = torch.optim.Adam(D.parameters(), lr=2e-4)
    for i in range(steps):
        z = torch.randn(batch, z_dim)
        real = torch.randn(batch, 64)
        d_opt.zero_grad()
        loss_d = F.binary_cross_entropy_with_logits(D(real), torch.ones(batch, 1)) \
            + F.binary_cross_entropy_with_logits(D(G(z).detach()), torch.zeros(batch, 1))
        loss_d.backward()
        d_opt.step()
        g_opt.zero_grad()
        loss_g = F.binary_cross_entropy_with_logits(D(G(z)), torch.ones(batch, 1))
        loss_g.backward()
        g_opt.step()
    return G
