# fault: loss_keeps_graph
import torch
from torch import nn, optim

model = nn.LSTM(32, 64, batch_first=True)
head = nn.Linear(64, 1)
opt = optim.Adam([*model.parameters(), *head.parameters()], lr=1e-3)
loss_fn = nn.MSELoss()


def train(batches, epochs):
    for epoch in range(epochs):
        running_loss = 0
        for x, y in batches:
            out, _ = model(x)
            loss = loss_fn(head(out[:, -1]), y)
            opt.zero_grad()
            loss.backward()
            opt.step()
            running_loss += loss
        print(f"epoch {epoch}: {running_loss / len(batches)}")
