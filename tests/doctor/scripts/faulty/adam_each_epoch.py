# fault: optimizer_in_loop
import torch
from torch import nn
from torch.nn import functional as F

def run_epoch(model, batches, lr):
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    total = 0.0
    for x, y in batches:
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total

def fit(batches, classes=10, epochs=30):
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, classes))
    for epoch in range(epochs):
        print(epoch, run_epoch(model, batches, 1e-3))
    return model
