# fault: no_zero_grad
import torch
import torch.nn.functional as F


def fit(G, D, loader, latent=64):
    opt_G = torch.optim.Adam(G.parameters(), lr=1e-4)
    opt_D = torch.optim.Adam(D.parameters(), lr=1e-4)
    for real, _ in loader:
        z = torch.randn(real.size(0), latent)
        fake = G(z)
        opt_D.zero_grad()
        d_loss = F.softplus(-D(real)).mean() + F.softplus(D(fake.detach())).mean()
        d_loss.backward()
        opt_D.step()

        g_loss = F.softplus(-D(fake)).mean()
        g_loss.backward()
        opt_G.step()
    return G
