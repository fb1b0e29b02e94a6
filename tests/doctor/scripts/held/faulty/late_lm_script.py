# fault: unshifted_target, eval_mode_forgotten
import torch
import torch.nn as nn

text = open("tinyshakespeare.txt").read()
vocab = sorted(set(text))
encoded = torch.tensor([vocab.index(c) for c in text])


class CharModel(nn.Module):
    def __init__(self, n_vocab):
        super().__init__()
        self.embedding = nn.Embedding(n_vocab, 64)
        self.gru = nn.GRU(64, 128, batch_first=True)
        self.dropout = nn.Dropout(0.3)
        self.linear = nn.Linear(128, n_vocab)

    def forward(self, x):
        h, _ = self.gru(self.embedding(x))
        return self.linear(self.dropout(h))


model = CharModel(len(vocab))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.002)
for i in range(0, len(encoded) - 6400, 6400):
    chunk = encoded[i:i + 6400].view(64, 100)
    output = model(chunk)
    loss = criterion(output.reshape(-1, len(vocab)), chunk.reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

with torch.no_grad():
    ids = [0]
    for _ in range(200):
        probs = torch.softmax(model(torch.tensor([ids]))[0, -1], dim=0)
        ids.append(int(torch.multinomial(probs, 1)))
print("".join(vocab[i] for i in ids))
