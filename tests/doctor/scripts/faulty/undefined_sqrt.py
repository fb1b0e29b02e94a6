# fault: undefined_name
import torch
from torch.nn.functional import mse_loss

T = 400
beta = torch.linspace(1e-4, 0.02, T)
abar = torch.cumprod(1 - beta, dim=0)


def loss_at(net, x):
    b = x.shape[0]
    t = torch.randint(0, T, (b,))
    eps = torch.randn_like(x)
    a = abar[t].view(b, 1, 1, 1)
    noisy = sqrt(a) * x + sqrt(1 - a) * eps
    return mse_loss(net(noisy, t), eps)


def fit(net, loader, lr=2e-4):
    opt = torch.optim.Adam(net.parameters(), lr=lr)
    for x, _ in loader:
        opt.zero_grad()
        loss_at(net, x).backward()
        opt.step()
