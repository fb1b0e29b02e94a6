# fault: loss_keeps_graph, no_grad_forgotten, softmax_before_cross_entropy
import torch
from torch import nn

net = nn.Sequential(nn.Linear(100, 50), nn.ReLU(), nn.Linear(50, 4), nn.Softmax(dim=1))
objective = nn.CrossEntropyLoss()
optimiser = torch.optim.Adam(net.parameters())


def validate(batches):
    net.eval()
    hits, seen = 0, 0
    for x, y in batches:
        hits += int((net(x).argmax(1) == y).sum())
        seen += len(y)
    net.train()
    return hits / seen


def train(batches, held, rounds=20):
    for r in range(rounds):
        history = []
        for x, y in batches:
            cost = objective(net(x), y)
            optimiser.zero_grad()
            cost.backward()
            optimiser.step()
            history.append(cost)
        print(r, sum(history) / len(history), validate(held))
