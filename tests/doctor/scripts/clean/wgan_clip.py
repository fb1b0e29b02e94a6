import torch, torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset
from sklearn.datasets import make_moons

points, _ = make_moons(4096, noise=0.05)
loader = DataLoader(TensorDataset(torch.tensor(points, dtype=torch.float32)), batch_size=256, shuffle=True)

def mlp(a, b):
    return nn.Sequential(nn.Linear(a, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, b))

gen, critic = mlp(2, 2), mlp(2, 1)
opt_g = torch.optim.RMSprop(gen.parameters(), lr=5e-5)
opt_c = torch.optim.RMSprop(critic.parameters(), lr=5e-5)

step = 0
while step < 20000:
    for (real,) in loader:
        fake = gen(torch.randn(real.size(0), 2)).detach()
        loss_c = critic(fake).mean() - critic(real).mean()
        opt_c.zero_grad()
        loss_c.backward()
        opt_c.step()
        for p in critic.parameters():
            p.data.clamp_(-0.01, 0.01)
        if step % 5 == 0:
            loss_g = -critic(gen(torch.randn(real.size(0), 2))).mean()
            opt_g.zero_grad()
            loss_g.backward()
            opt_g.step()
        step += 1
