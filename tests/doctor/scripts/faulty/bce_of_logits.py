# fault: missing_sigmoid
import torch
import torch.nn as nn


class Spam(nn.Module):
    def __init__(self, words):
        super().__init__()
        self.emb = nn.EmbeddingBag(words, 64)
        self.out = nn.Linear(64, 1)

    def forward(self, ids, offsets):
        h = torch.relu(self.emb(ids, offsets))
        return self.out(h).squeeze(1)


model = Spam(5000)
criterion = nn.BCELoss()
optimizer = torch.optim.Adam(model.parameters())


def step(ids, offsets, y):
    optimizer.zero_grad()
    p = model(ids, offsets)
    loss = criterion(p, y.float())
    loss.backward()
    optimizer.step()
    return loss.item()
