# fault: single_example_batches
import numpy as np
import torch
from torch import nn

data = np.loadtxt("wine.csv", delimiter=",", skiprows=1)
features = torch.tensor(data[:, :-1], dtype=torch.float32)
labels = torch.tensor(data[:, -1], dtype=torch.long)
clf = nn.Sequential(nn.Linear(features.shape[1], 32), nn.ReLU(), nn.Linear(32, 3))
opt = torch.optim.SGD(clf.parameters(), lr=0.01)
criterion = nn.CrossEntropyLoss()

for epoch in range(20):
    for i in range(len(features)):
        out = clf(features[i].unsqueeze(0))
        loss = criterion(out, labels[i].unsqueeze(0))
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(epoch, loss.item())
