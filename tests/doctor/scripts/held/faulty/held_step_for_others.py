# fault: no_zero_grad
"""One step of a classifier, to be called by whoever has the data."""
import torch
from torch import nn
from torch.nn import functional as F

net = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 5))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)


def train_step(x: torch.Tensor, y: torch.Tensor) -> float:
    net.train()
    loss = F.cross_entropy(net(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


def accuracy(x: torch.Tensor, y: torch.Tensor) -> float:
    net.eval()
    with torch.no_grad():
        return (net(x).argmax(1) == y).float().mean().item()
