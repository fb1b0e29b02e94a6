# fault: unconstrained_critic
import torch
from torch import nn

G = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 1))
D = nn.Sequential(nn.Linear(1, 64), nn.ReLU(), nn.Linear(64, 1))
opt_G = torch.optim.RMSprop(G.parameters(), lr=5e-5)
opt_D = torch.optim.RMSprop(D.parameters(), lr=5e-5)

for it in range(10000):
    for _ in range(5):
        x = torch.cat([torch.randn(64, 1) - 2, torch.randn(64, 1) + 2])
        z = torch.randn(128, 8)
        loss_D = -(D(x).mean() - D(G(z).detach()).mean())
        opt_D.zero_grad()
        loss_D.backward()
        opt_D.step()
    z = torch.randn(128, 8)
    loss_G = -D(G(z)).mean()
    opt_G.zero_grad()
    loss_G.backward()
    opt_G.step()
