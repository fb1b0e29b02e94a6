import torch
from torch import nn


class CharRNN(nn.Module):
    def __init__(self, vocab, hidden=256):
        super().__init__()
        self.embed = nn.Embedding(vocab, 64)
        self.lstm = nn.LSTM(64, hidden, num_layers=2, dropout=0.2, batch_first=True)
        self.out = nn.Linear(hidden, vocab)

    def forward(self, x, state=None):
        h, state = self.lstm(self.embed(x), state)
        return self.out(h), state


def batches(ids, batch, length):
    n = (len(ids) - 1) // (batch * length)
    x = ids[: n * batch * length].view(batch, -1)
    y = ids[1 : n * batch * length + 1].view(batch, -1)
    for i in range(0, x.size(1), length):
        yield x[:, i : i + length], y[:, i : i + length]


def fit(model, ids, epochs=20):
    opt = torch.optim.Adam(model.parameters(), lr=2e-3)
    loss_fn = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        model.train()
        state, total = None, 0.0
        for x, y in batches(ids, 32, 100):
            logits, state = model(x, state)
            state = tuple(s.detach() for s in state)
            loss = loss_fn(logits.flatten(0, 1), y.flatten())
            opt.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            opt.step()
            total += loss.detach()
        print(epoch, total.item())


def sample(model, start, n, temperature=0.8):
    model.eval()
    ids, state = list(start), None
    x = torch.tensor([ids])
    with torch.inference_mode():
        for _ in range(n):
            logits, state = model(x, state)
            p = torch.softmax(logits[0, -1] / temperature, 0)
            ids.append(int(torch.multinomial(p, 1)))
            x = torch.tensor([[ids[-1]]])
    return ids


text = open("poems.txt").read()
vocab = sorted(set(text))
ids = torch.tensor([vocab.index(c) for c in text])
model = CharRNN(len(vocab))
fit(model, ids)
print("".join(vocab[i] for i in sample(model, ids[:10].tolist(), 300)))
