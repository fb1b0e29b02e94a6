# fault: missing_causal_mask
import math

import torch
from torch import nn
from torch.nn import functional as F


class Attention(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.q, self.k, self.v = nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Linear(dim, dim)

    def forward(self, x):
        q, k, v = self.q(x), self.k(x), self.v(x)
        att = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))
        return F.softmax(att, dim=-1) @ v


class TinyGPT(nn.Module):
    def __init__(self, vocab, dim=128, layers=2, window=64):
        super().__init__()
        self.tok, self.pos = nn.Embedding(vocab, dim), nn.Embedding(window, dim)
        self.blocks = nn.ModuleList(Attention(dim) for _ in range(layers))
        self.head = nn.Linear(dim, vocab)

    def forward(self, ids):
        x = self.tok(ids) + self.pos(torch.arange(ids.size(1)))
        for b in self.blocks:
            x = x + b(x)
        return self.head(x)


def step(model, opt, batch):
    inputs, targets = batch[:, :-1], batch[:, 1:]
    loss = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
    opt.zero_grad()
    loss.backward()
    opt.step()
    return loss.item()
