"""Times a plain float32 training loop of a small GPT on a file of characters, as people write it first.

    PEERS_PYTHON benchmarks/peers/gpt_loop.py TEXT BATCH STEPS

nanoGPT's CPU setting: 4 layers, 4 heads, width 128, context 64, learned positions, layer norms, GELU, torch's fused attention, torch's
AdamW, random windows. Needs torch. Prints one JSON line: tokens a second without the first steps, and the mean loss of the last 50.
"""
from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LAYERS, HEADS, WIDTH, CONTEXT, WARM = 4, 4, 128, 64, 10


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH, bias=False), nn.Linear(WIDTH, WIDTH, bias=False)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH, bias=False), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        b, t, _ = x.shape
        q, k, v = (y.view(b, t, HEADS, -1).transpose(1, 2) for y in self.qkv(self.one(x)).chunk(3, -1))
        x = x + self.out(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, t, -1))
        return x + self.mlp(self.two(x))


class GPT(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.token, self.place = nn.Embedding(size, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks, self.last = nn.Sequential(*[Block() for _ in range(LAYERS)]), nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, size, bias=False)
        self.apply(lambda m: nn.init.normal_(m.weight, std=0.02) if isinstance(m, nn.Linear | nn.Embedding) else None)
        self.head.weight = self.token.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.last(self.blocks(self.token(x) + self.place.weight[:x.shape[1]])))


def main(path: str, batch: int, steps: int) -> None:
    torch.manual_seed(0)
    text = Path(path).read_text(encoding="utf-8")
    place = {c: i for i, c in enumerate(sorted(set(text)))}
    code = torch.tensor([place[c] for c in text])
    net = GPT(len(place))
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-3, betas=(0.9, 0.99), weight_decay=0.1)
    losses, times = [], []
    for _ in range(steps):
        began = time.perf_counter()
        at = torch.randint(len(code) - CONTEXT - 1, (batch,))[:, None] + torch.arange(CONTEXT + 1)
        window = code[at]
        loss = F.cross_entropy(net(window[:, :-1]).flatten(0, 1), window[:, 1:].flatten())
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        losses.append(loss.item())
        times.append(time.perf_counter() - began)
    kept = times[WARM:]
    print(json.dumps({"tokens_per_second": batch * CONTEXT * len(kept) / sum(kept), "loss": sum(losses[-50:]) / len(losses[-50:]), "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: gpt_loop.py TEXT BATCH STEPS")
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
