"""What belongs into each slot between the tokens of a draft, seen from all of them and from which slots are still open."""
from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, pad, silu

from ._decoder import Decoder, Shape


class Slots(nn.Module):
    """Attention that looks both ways over a draft; a slot is known by its two neighbours (Stern et al. 2019).

    Token number `size` stands before a draft, the next one after it and where there is nothing.
    """

    def __init__(self, size: int, shape: Shape) -> None:
        super().__init__()
        self.size, width = size, shape.width
        self.net = Decoder(shape)
        self.open = nn.Embedding(4, width)
        self.between, self.last = nn.Linear(2 * width, width), nn.Linear(width, size + 1)
        nn.init.normal_(self.open.weight, std=0.02)

    def forward(self, draft: Tensor, length: Tensor, open: Tensor, before: Tensor | None = None) -> Tensor:
        """Log weights of what is done in each slot, (B, K + 1, size + 1), the last being to close it: of drafts (B, K) of these lengths,
        whose open slots are true in (B, K + 1). `before` (B, P, width) stands before them."""
        place = torch.arange(draft.shape[1] + 2, device=draft.device)
        inside = (place[1:-1] <= length[:, None]).to(draft.dtype)
        tokens = pad(draft * inside + (self.size + 1) * (1 - inside), (1, 0), value=self.size)
        tokens = pad(tokens, (0, 1), value=self.size + 1)
        sides = pad(open, (1, 1)).long()
        h = self.net.embedded(tokens) + self.open(sides[:, :-1] + 2 * sides[:, 1:])
        lead = 0
        if before is not None:
            h, lead = torch.cat([before.to(h.dtype), h], 1), before.shape[1]
        seen = pad(place <= length[:, None] + 1, (lead, 0), value=True)
        mask = torch.zeros(seen.shape, dtype=h.dtype, device=h.device).masked_fill_(~seen, -torch.inf)[:, None, None, None]
        h = self.net(h, mask)[:, lead:]
        found: Tensor = self.last(silu(self.between(torch.cat([h[:, :-1], h[:, 1:]], -1))))
        return log_softmax(found.float(), -1)
