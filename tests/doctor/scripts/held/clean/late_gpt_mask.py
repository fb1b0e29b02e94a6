import torch
from torch import nn


class Decoder(nn.Module):
    def __init__(self, vocab=5000, d=256, heads=4, depth=4, window=256):
        super().__init__()
        self.window = window
        self.tok = nn.Embedding(vocab, d)
        self.pos = nn.Embedding(window, d)
        self.layers = nn.TransformerEncoder(nn.TransformerEncoderLayer(d, heads, 4 * d, dropout=0.1, batch_first=True), depth)
        self.lm_head = nn.Linear(d, vocab, bias=False)
        self.lm_head.weight = self.tok.weight

    def forward(self, ids):
        n = ids.size(1)
        mask = nn.Transformer.generate_square_subsequent_mask(n)
        return self.lm_head(self.layers(self.tok(ids) + self.pos(torch.arange(n)), mask=mask))

    @torch.no_grad()
    def greedy(self, ids, n):
        self.eval()
        for _ in range(n):
            ids = torch.cat([ids, self(ids[:, -self.window:])[:, -1:].argmax(-1)], 1)
        return ids

    @torch.no_grad()
    def sample(self, ids, n, temperature=1.0, top_k=40):
        self.eval()
        for _ in range(n):
            logits = self(ids[:, -self.window:])[:, -1] / temperature
            kept, where = logits.topk(top_k)
            ids = torch.cat([ids, where.gather(1, torch.multinomial(kept.softmax(-1), 1))], 1)
        return ids


def epoch(model, opt, batches):
    model.train()
    for ids in batches:
        loss = nn.functional.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
        opt.zero_grad(set_to_none=True)
        loss.backward()
        opt.step()
