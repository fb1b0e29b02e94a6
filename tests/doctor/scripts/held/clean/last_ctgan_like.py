import numpy as np
import pandas as pd
import torch
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from torch import nn

rows = pd.read_csv("adult.csv")
numbers, kinds = ["age", "hours"], ["workclass", "education", "income"]
scaler, encoder = StandardScaler(), OneHotEncoder(sparse_output=False)
X = np.hstack([scaler.fit_transform(rows[numbers]), encoder.fit_transform(rows[kinds])]).astype("float32")
widths = [len(c) for c in encoder.categories_]


class TableGenerator(nn.Module):
    def __init__(self, z=64):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(z, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, len(numbers) + sum(widths)))

    def forward(self, z):
        out = self.body(z)
        parts = [out[:, : len(numbers)]]
        for chunk in out[:, len(numbers):].split(widths, 1):
            parts.append(nn.functional.gumbel_softmax(chunk, tau=0.2))
        return torch.cat(parts, 1)


G = TableGenerator()
C = nn.Sequential(nn.Linear(X.shape[1], 256), nn.LeakyReLU(0.2), nn.Dropout(0.5), nn.Linear(256, 1))
opt_g, opt_c = (torch.optim.Adam(m.parameters(), lr=2e-4, betas=(0.5, 0.9), weight_decay=1e-6) for m in (G, C))


def slope(real, fake):
    a = torch.rand(len(real), 1)
    x = (a * real + (1 - a) * fake).requires_grad_()
    (grad,) = torch.autograd.grad(C(x).sum(), x, create_graph=True)
    return 10 * ((grad.norm(2, 1) - 1) ** 2).mean()


for epoch in range(300):
    for _ in range(len(X) // 500):
        real = torch.from_numpy(X[np.random.randint(len(X), size=500)])
        fake = G(torch.randn(500, 64)).detach()
        loss_c = C(fake).mean() - C(real).mean() + slope(real, fake)
        opt_c.zero_grad()
        loss_c.backward()
        opt_c.step()
        loss_g = -C(G(torch.randn(500, 64))).mean()
        opt_g.zero_grad()
        loss_g.backward()
        opt_g.step()
G.eval()
with torch.no_grad():
    made = G(torch.randn(1000, 64)).numpy()
table = pd.DataFrame(scaler.inverse_transform(made[:, :2]), columns=numbers)
table[kinds] = encoder.inverse_transform(made[:, 2:])
table.to_csv("made.csv", index=False)
