# fault: unshifted_target
import torch
from torch import nn
import torch.nn.functional as F


class LSTMLanguageModel(nn.Module):
    def __init__(self, vocab_size, dim=256):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, dim)
        self.rnn = nn.LSTM(dim, dim, batch_first=True)
        self.head = nn.Linear(dim, vocab_size)

    def forward(self, tokens):
        h, _ = self.rnn(self.emb(tokens))
        return self.head(h)


def train(model, loader, vocab_size, epochs=5):
    opt = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(epochs):
        for tokens in loader:
            logits = model(tokens)
            loss = F.cross_entropy(logits.view(-1, vocab_size), tokens.view(-1))
            opt.zero_grad()
            loss.backward()
            opt.step()
        print(epoch, loss.item())
