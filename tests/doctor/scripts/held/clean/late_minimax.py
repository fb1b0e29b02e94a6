import torch
from torch import nn, optim

eps = 1e-8
G = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 1))
D = nn.Sequential(nn.Linear(1, 64), nn.ReLU(), nn.Linear(64, 1), nn.Sigmoid())
optG, optD = optim.SGD(G.parameters(), 1e-2), optim.SGD(D.parameters(), 1e-2)

for it in range(20000):
    real = 4 + 0.5 * torch.randn(128, 1)
    noise = torch.randn(128, 10)
    lossD = -(torch.log(D(real) + eps) + torch.log(1 - D(G(noise).detach()) + eps)).mean()
    optD.zero_grad()
    lossD.backward()
    optD.step()
    lossG = torch.log(1 - D(G(noise)) + eps).mean()
    optG.zero_grad()
    lossG.backward()
    optG.step()
    if it % 1000 == 0:
        made = G(torch.randn(1000, 10))
        print(it, made.mean().item(), made.std().item())
