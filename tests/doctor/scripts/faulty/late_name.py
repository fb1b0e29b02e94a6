# fault: undefined_name
import torch
from torch import nn, optim

model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 1))
opt = optim.Adam(model.parameters(), lr=1e-3)


def evaluate():
    with torch.no_grad():
        return criterion(model(x_valid), y_valid).item()


x_train, y_train = torch.randn(500, 20), torch.randn(500, 1)
x_valid, y_valid = torch.randn(100, 20), torch.randn(100, 1)
print("before", evaluate())
criterion = nn.MSELoss()
for epoch in range(50):
    opt.zero_grad()
    loss = criterion(model(x_train), y_train)
    loss.backward()
    opt.step()
print("after", evaluate())
