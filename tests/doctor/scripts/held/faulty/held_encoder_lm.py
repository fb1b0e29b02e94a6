# fault: missing_causal_mask
import torch
from torch import nn


class MelodyModel(nn.Module):
    def __init__(self, n_notes=130, d=256, n_layers=4):
        super().__init__()
        self.embed = nn.Embedding(n_notes, d)
        self.position = nn.Parameter(torch.zeros(1, 512, d))
        layer = nn.TransformerEncoderLayer(d, 8, 4 * d, batch_first=True, norm_first=True)
        self.stack = nn.TransformerEncoder(layer, n_layers)
        self.out = nn.Linear(d, n_notes)

    def forward(self, notes):
        h = self.embed(notes) + self.position[:, : notes.shape[1]]
        return self.out(self.stack(h))


def train(model, songs, epochs=10):
    opt = torch.optim.Adam(model.parameters(), lr=3e-4)
    ce = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        model.train()
        for song in songs:
            logits = model(song[:, :-1])
            loss = ce(logits.transpose(1, 2), song[:, 1:])
            opt.zero_grad()
            loss.backward()
            opt.step()
