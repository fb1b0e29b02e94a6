# fault: missing_import
import torch
from torch import nn

def positional(length, width):
    pos = np.arange(length)[:, None]
    freq = np.exp(-np.log(10000.0) * np.arange(0, width, 2) / width)
    table = np.zeros((length, width), dtype="float32")
    table[:, 0::2] = np.sin(pos * freq)
    table[:, 1::2] = np.cos(pos * freq)
    return torch.from_numpy(table)

class Embed(nn.Module):
    def __init__(self, vocab, width, length=512):
        super().__init__()
        self.table = nn.Embedding(vocab, width)
        self.register_buffer("pos", positional(length, width))

    def forward(self, ids):
        return self.table(ids) + self.pos[: ids.size(1)]
