# fault: sigmoid_twice
import torch
from torch import nn

model = nn.Sequential(
    nn.Linear(30, 64),
    nn.ReLU(),
    nn.Linear(64, 1),
    nn.Sigmoid(),
)
loss_fn = nn.BCEWithLogitsLoss()
opt = torch.optim.Adam(model.parameters(), lr=1e-3)


def train(loader, epochs=5):
    for _ in range(epochs):
        for x, y in loader:
            logits = model(x)
            loss = loss_fn(logits, y.float().unsqueeze(1))
            opt.zero_grad()
            loss.backward()
            opt.step()
