import random

import torch
from torch import nn
import torch.nn.functional as F


class Encoder(nn.Module):
    def __init__(self, vocab, dim):
        super().__init__()
        self.emb = nn.Embedding(vocab, dim, padding_idx=0)
        self.gru = nn.GRU(dim, dim, batch_first=True)

    def forward(self, src):
        return self.gru(self.emb(src))


class Decoder(nn.Module):
    def __init__(self, vocab, dim):
        super().__init__()
        self.emb = nn.Embedding(vocab, dim, padding_idx=0)
        self.gru = nn.GRU(2 * dim, dim, batch_first=True)
        self.out = nn.Linear(dim, vocab)

    def forward(self, token, h, memory):
        score = torch.bmm(h.transpose(0, 1), memory.transpose(1, 2))
        context = F.softmax(score, dim=-1) @ memory
        y, h = self.gru(torch.cat([self.emb(token), context], -1), h)
        return self.out(y), h


def train_pair(enc, dec, opt, src, tgt, forcing=0.5):
    memory, h = enc(src)
    token, loss = tgt[:, :1], 0.0
    for i in range(1, tgt.size(1)):
        logits, h = dec(token, h, memory)
        loss = loss + F.cross_entropy(logits[:, 0], tgt[:, i], ignore_index=0)
        token = tgt[:, i:i + 1] if random.random() < forcing else logits.argmax(-1)
    opt.zero_grad()
    loss.backward()
    opt.step()
    return loss.item() / (tgt.size(1) - 1)


@torch.no_grad()
def translate(enc, dec, src, start, most=40):
    enc.eval(), dec.eval()
    memory, h = enc(src)
    token, out = torch.full((len(src), 1), start), []
    for _ in range(most):
        logits, h = dec(token, h, memory)
        token = logits.argmax(-1)
        out.append(token)
    return torch.cat(out, 1)
