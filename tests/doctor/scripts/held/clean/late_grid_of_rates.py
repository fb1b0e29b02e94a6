import copy

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


def run(model, loader, valid, lr, epochs=5):
    opt = torch.optim.SGD(model.parameters(), lr=lr)
    for _ in range(epochs):
        for x, y in loader:
            opt.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            opt.step()
    with torch.no_grad():
        return sum(nn.functional.mse_loss(model(x), y).item() for x, y in valid) / len(valid)


x = torch.randn(2000, 8)
data = TensorDataset(x, x.pow(2).sum(1, keepdim=True))
train_part, valid_part = random_split(data, [1600, 400])
start = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 1))
best = (float("inf"), None)
for i, lr in enumerate([1e-3, 1e-2, 1e-1]):
    model = copy.deepcopy(start)
    loss = run(model, DataLoader(train_part, 64, shuffle=True), DataLoader(valid_part, 64), lr)
    if loss < best[0]:
        best = (loss, lr)
print(best)
