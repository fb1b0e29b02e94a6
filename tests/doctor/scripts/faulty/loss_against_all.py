# fault: whole_data_loss
import numpy as np
import torch
from torch import nn

X = torch.tensor(np.load("signals.npy"), dtype=torch.float32)
Y = torch.tensor(np.load("targets.npy"), dtype=torch.float32)
net = nn.Sequential(nn.Linear(X.shape[1], 64), nn.ReLU(), nn.Linear(64, 1))
loss_fn = nn.MSELoss()
optimizer = torch.optim.Adam(net.parameters())
batch_size = 100

for epoch in range(100):
    order = torch.randperm(len(X))
    for i in range(0, len(X), batch_size):
        idx = order[i:i + batch_size]
        xb = X[idx]
        pred = net(xb)
        loss = loss_fn(pred, Y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
