# fault: needless_retain_graph
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(10, 50), nn.ELU(), nn.Linear(50, 2))

    def forward(self, x):
        return self.layers(x)


def run(loader):
    net = Net()
    opt = torch.optim.AdamW(net.parameters())
    for x, y in loader:
        out = net(x)
        loss = nn.functional.cross_entropy(out, y)
        opt.zero_grad()
        loss.backward(retain_graph=True)
        opt.step()
    return net
