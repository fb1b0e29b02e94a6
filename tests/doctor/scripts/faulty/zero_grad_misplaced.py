# fault: zero_grad_after_backward
import torch
from torch import nn, optim

x = torch.linspace(-3, 3, 512)[:, None]
y = torch.sin(x) + 0.1 * torch.randn_like(x)
net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = optim.Adam(net.parameters(), lr=1e-2)
mse = nn.MSELoss()
for epoch in range(500):
    pred = net(x)
    loss = mse(pred, y)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    if epoch % 100 == 0:
        print(epoch, loss.item())
