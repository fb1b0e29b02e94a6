# fault: missing_log_softmax
import torch
from torch import nn
import torch.nn.functional as F

net = nn.Sequential(nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 10))
opt = torch.optim.SGD(net.parameters(), lr=0.1)

def fit(loader, epochs):
    for epoch in range(epochs):
        for x, y in loader:
            out = net(x.view(len(x), -1))
            loss = F.nll_loss(out, y)
            opt.zero_grad()
            loss.backward()
            opt.step()
        print(epoch, loss.item())
