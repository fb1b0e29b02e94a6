# fault: alpha_not_cumulative
import torch
import torch.nn.functional as F

T = 1000
betas = torch.linspace(1e-4, 0.02, T)
alphas = 1 - betas


def training_loss(model, x0):
    t = torch.randint(0, T, (x0.size(0),))
    noise = torch.randn_like(x0)
    a = alphas[t].reshape(-1, 1, 1, 1)
    xt = torch.sqrt(a) * x0 + torch.sqrt(1 - a) * noise
    return F.mse_loss(model(xt, t), noise)


def train(model, loader, epochs):
    opt = torch.optim.Adam(model.parameters(), lr=2e-4)
    for _ in range(epochs):
        for x, _ in loader:
            loss = training_loss(model, 2 * x - 1)
            opt.zero_grad()
            loss.backward()
            opt.step()
