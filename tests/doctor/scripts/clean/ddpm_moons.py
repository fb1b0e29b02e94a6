import torch as th
from sklearn.datasets import make_moons

steps, batch = 200, 512
beta = th.linspace(1e-4, 0.05, steps)
alpha_bar = (1 - beta).cumprod(0)
data = th.tensor(make_moons(5000, noise=0.05)[0], dtype=th.float32)
net = th.nn.Sequential(th.nn.Linear(3, 128), th.nn.SiLU(), th.nn.Linear(128, 128), th.nn.SiLU(), th.nn.Linear(128, 2))
opt = th.optim.Adam(net.parameters(), lr=1e-3)
history = []
for i in range(3000):
    x0 = data[th.randint(len(data), (batch,))]
    t = th.randint(0, steps, (batch,))
    ab = alpha_bar[t].view(-1, 1)
    eps = th.randn_like(x0)
    xt = ab.sqrt() * x0 + (1 - ab).sqrt() * eps
    pred = net(th.cat([xt, t[:, None] / steps], 1))
    loss = ((pred - eps) ** 2).mean()
    opt.zero_grad(); loss.backward(); opt.step()
    history.append(float(loss))
with th.no_grad():
    x = th.randn(1000, 2)
    for k in range(steps - 1, -1, -1):
        e = net(th.cat([x, th.full((1000, 1), k / steps)], 1))
        x = (x - beta[k] / (1 - alpha_bar[k]).sqrt() * e) / (1 - beta[k]).sqrt()
        if k:
            x = x + beta[k].sqrt() * th.randn_like(x)
print(x.mean(0), x.std(0))
