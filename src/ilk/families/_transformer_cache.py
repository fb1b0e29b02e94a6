"""Where sequences stand while they are drawn: keys and values of their windows, kept in place and moved on one token at a time."""
from __future__ import annotations

from collections.abc import Sequence
from copy import copy

import torch
from torch import Tensor
from torch.nn.functional import layer_norm, pad, silu

from ..nets._decoder import EPS, Decoder, Held, Layer, angles, gram_places, turned

ROOM = 64


def window_start(last: Tensor, context: int) -> Tensor:
    """Where the window begins whose last input is `last`: at the item's beginning, or so that at least half a context is before it."""
    half = context // 2
    return ((last - context).div(half, rounding_mode="floor") + 1).clamp_min(0) * half


class Step:
    """A layer's weights for a few tokens at a time, turned round, the scales of the norms and of attention folded in.

    It goes by h and -h side by side: their layer norm, which is one call, is the root mean square norm of h.
    """

    def __init__(self, layer: Layer) -> None:
        s = layer.shape
        self.heads, self.kv_heads, self.size, self.width = s.heads, s.kv_heads, s.size, s.width
        qkv = layer.qkv.weight * layer.before.weight
        self.qkv = torch.cat([qkv[:s.heads * s.size] * s.size**-0.5, qkv[s.heads * s.size:]]).T.contiguous()
        self.up = (layer.up.weight * layer.between.weight).T.contiguous()
        self.out, self.down = (torch.cat([w, -w]).T.contiguous() for w in (layer.out.weight, layer.down.weight))
        if layer.across is not None:
            self.ask = (layer.across.ask.weight * layer.across.before.weight * s.size**-0.5).T.contiguous()
            self.answer = torch.cat([layer.across.out.weight, -layer.across.out.weight]).T.contiguous()

    def across(self, h: Tensor, held: Held, t: int) -> Tensor:
        """(B * T, 2 width) on, by the keys and values of a source, both (B, kv_heads, S, size)."""
        keys, values = (x.flatten(0, 1) for x in held)
        q = torch.mm(normed(h), self.ask).view(-1, t, self.heads, self.size).transpose(1, 2).reshape(len(keys), -1, self.size)
        found = torch.bmm(torch.bmm(q, keys.transpose(1, 2)).softmax(-1), values).view(-1, self.heads, t, self.size).transpose(1, 2)
        return torch.addmm(h, found.reshape(len(h), -1), self.answer)

    def __call__(self, h: Tensor, turn: tuple[Tensor, Tensor], kept: Held, span: tuple[int, int], mask: Tensor | None, held: Held | None) -> Tensor:
        """(B * T, 2 width) on; keys and values go to the last T places of the span in those kept, both (B * kv_heads, room, size)."""
        (low, high), heads, (keys, values), t = span, self.heads + self.kv_heads, kept, len(turn[0])
        every = torch.mm(normed(h), self.qkv).view(-1, t, heads + self.kv_heads, self.size).transpose(1, 2)
        both = turned(every[:, :heads], *turn)
        keys[:, high - t:high] = both[:, self.heads:].reshape(-1, t, self.size)
        values[:, high - t:high] = every[:, heads:].reshape(-1, t, self.size)
        q = both[:, :self.heads].reshape(len(keys), -1, self.size)
        scores = torch.bmm(keys[:, low:high], q.transpose(1, 2)).transpose(1, 2)
        if mask is not None:
            scores.unflatten(1, (-1, t)).unflatten(0, (-1, self.kv_heads)).add_(mask)
        found = torch.bmm(scores.softmax(-1), values[:, low:high]).view(-1, self.heads, t, self.size).transpose(1, 2)
        h = torch.addmm(h, found.reshape(len(h), -1), self.out)
        if held is not None:
            h = self.across(h, held, t)
        gate, up = torch.mm(normed(h), self.up).chunk(2, -1)
        return torch.addmm(h, silu(gate).mul_(up), self.down)


def normed(h: Tensor) -> Tensor:
    """The root mean square norm of h, from h and -h side by side."""
    return layer_norm(h, h.shape[-1:], None, None, EPS)[:, :h.shape[-1] // 2]


class Stand:
    """Several sequences, each at a place of its own: row i's window fills the places from offset[i] to `high`.

    A full window of `context` tokens starts anew with its last half, which is worked out again, so that each token has the
    same law as when whole items are scored. `law` are the log weights of the next token. What each layer holds of a `source`
    is worked out once.
    """

    @torch.no_grad()
    def __init__(self, net: Decoder, prefix: Tensor, context: int, history: Tensor, length: Tensor, source: Tensor | None = None) -> None:
        self.source, self.held = source, None if source is None else net.held(source)
        self.net, self.prefix, self.context, self.end = net, prefix, context, net.shape.tokens - 1
        self.steps = [Step(layer) for layer in net.layers]  # type: ignore[arg-type]
        self.head = ((net.embed if net.head is None else net.head).weight * net.last.weight).T.contiguous()
        self.history, self.length, b, s = history, length, len(length), net.shape
        self.ended, self.law = torch.zeros(b, dtype=torch.bool), torch.zeros(b, s.tokens)
        self.longest, self.stopped = int(length.max()) if b else 0, False
        self.even = bool((length == self.longest).all())
        self.most = prefix.shape[1] + context + max(1, context // 2)
        used = prefix.shape[1] + length + 1 - window_start(length, context)
        self.high = int(used.max()) if b else 0
        self.offset = self.high - used
        room = min(self.most, self.high + ROOM)
        self.keys, self.values = (torch.zeros(s.layers, b, s.kv_heads, room, s.size) for _ in range(2))
        self.turn = angles(torch.arange(self.most), s.size)
        if b:
            self._fill(torch.arange(b))
        self._mark()

    @torch.no_grad()
    def push(self, token: Tensor) -> None:
        """One more token each."""
        if self.history.shape[1] <= self.longest:
            self.history = pad(self.history, (0, max(ROOM, self.history.shape[1])))
        if self.even:
            self.history[:, self.longest] = token
        else:
            self.history[torch.arange(len(token)), self.length] = token
        self.length, self.longest, self.ended = self.length + 1, self.longest + 1, self.ended | (token == self.end)
        self.stopped = bool(self.ended.any())
        if self.high - self.low < self.prefix.shape[1] + self.context:
            self.law = self._forward(token[:, None])[:, 0]
            return
        rows = self.offset == self.low
        if bool(rows.all()):
            self.high, self.offset = 0, torch.zeros_like(self.offset)
        else:
            self.law = self._forward(token[:, None])[:, 0]
        self._restart(rows.nonzero()[:, 0])

    @property
    def room(self) -> int:
        """How many tokens can come before a window begins anew."""
        return self.prefix.shape[1] + self.context - (self.high - self.low)

    @torch.no_grad()
    def read(self, tokens: Tensor) -> Tensor:
        """Takes (T,) tokens of the only sequence in at once, no more than there is `room`: the log weights after each, (T, end + 1)."""
        t = len(tokens)
        if self.history.shape[1] < self.longest + t:
            self.history = pad(self.history, (0, max(ROOM, t, self.history.shape[1])))
        self.history[0, self.longest:self.longest + t] = tokens
        self.length, self.longest = self.length + t, self.longest + t
        self.laws = self._forward(tokens[None])[0]
        self.law = self.laws[-1:]
        return self.laws

    def back(self, many: int) -> None:
        """As it stood before the last so many tokens of those `read` at last, one at least of which stays."""
        self.high, self.length, self.longest = self.high - many, self.length - many, self.longest - many
        self.laws = self.laws[:len(self.laws) - many]
        self.law = self.laws[-1:]

    def pick(self, rows: Tensor) -> Stand:
        """Some sequences, perhaps several times."""
        other = copy(self)
        for name in ("prefix", "history", "length", "ended", "offset", "law"):
            setattr(other, name, getattr(self, name)[rows])
        other.keys, other.values = self.keys[:, rows], self.values[:, rows]
        if self.source is not None:
            other.source, other.held = self.source[rows], self._held(rows)
        other.longest, other.stopped = int(other.length.max()) if len(rows) else 0, bool(other.ended.any())
        other.even = bool((other.length == other.longest).all())
        other._mark()
        return other

    def joined(self, others: Sequence[Stand]) -> Stand:
        """These sequences and others side by side: windows end at one place, their keys turned there."""
        every, other = (self, *others), copy(self)
        high, wide = max(s.high for s in every), max(s.history.shape[1] for s in every)
        room = max(high, *(s.keys.shape[-2] for s in every))
        other.history = torch.cat([pad(s.history, (0, wide - s.history.shape[1])) for s in every])
        for name in ("prefix", "length", "ended", "law"):
            setattr(other, name, torch.cat([getattr(s, name) for s in every]))
        other.offset = torch.cat([s.offset + (high - s.high) for s in every])
        other.keys, other.values = (torch.cat(side, 1) for side in zip(*(s._moved(high, room) for s in every), strict=True))
        other.high, other.longest, other.stopped = high, max(s.longest for s in every), any(s.stopped for s in every)
        other.even = bool((other.length == other.longest).all())
        other._mark()
        return other

    def _moved(self, high: int, room: int) -> tuple[Tensor, Tensor]:
        """Keys and values of so much room, the windows ending at `high`."""
        by, more = high - self.high, room - high
        cos, sin = self.turn[0][by], self.turn[1][by]
        keys, values = self.keys[..., :self.high, :], self.values[..., :self.high, :]
        return pad(turned(keys, cos, sin) if by else keys, (0, 0, by, more)), pad(values, (0, 0, by, more))

    def begun(self, length: int) -> Stand | None:
        """The only sequence after its first so many elements, to be `read` on; None where its window began elsewhere then."""
        gone = self.longest - length
        if gone < 0 or self.stopped or bool((window_start(self.length - gone, self.context) != window_start(self.length, self.context)).any()):
            return None
        other = self.pick(torch.zeros(1, dtype=torch.long))
        other.high, other.length, other.longest = self.high - gone, self.length - gone, length
        return other

    def cut(self, length: int) -> Stand:
        """The sequences as they stood after at most so many elements."""
        return Stand(self.net, self.prefix, self.context, self.history[:, :length].clone(), self.length.clamp_max(length), self.source)

    def _held(self, rows: Tensor) -> list[Held] | None:
        return None if self.held is None else [(k[rows], v[rows]) for k, v in self.held]

    def _mark(self) -> None:
        """Notes where keys and values lie and the windows begin; a mask where that differs."""
        self.flat = [(k.flatten(0, 1), v.flatten(0, 1)) for k, v in zip(self.keys, self.values, strict=True)]
        self.low = int(self.offset.min()) if len(self.offset) else 0
        self.mask = None
        if len(self.offset) and self.low != int(self.offset.max()):
            outside = torch.arange(self.keys.shape[-2]) < self.offset[:, None, None, None, None]
            self.mask = torch.zeros(outside.shape).masked_fill_(outside, -torch.inf)

    def _forward(self, tokens: Tensor) -> Tensor:
        """The tokens of every row, (B, T), at the next places: the log weights after each, (B, T, end + 1)."""
        b, t = tokens.shape
        while self.high + t > self.keys.shape[-2]:
            self._make_room()
        self.high += t
        before = gram_places(self._inputs(torch.arange(b), t + 2), self.net.shape)[:, -t:] if self.net.shape.ngrams else None
        h = self.net.embedded(tokens, before).flatten(0, 1)
        h, turn = torch.cat([h, -h], 1), (self.turn[0][self.high - t:self.high], self.turn[1][self.high - t:self.high])
        seen = self._seen(t)
        for i, (step, kept) in enumerate(zip(self.steps, self.flat, strict=True)):
            h = step(h, turn, kept, (self.low, self.high), seen, None if self.held is None else self.held[i])
        return torch.mm(normed(h), self.head).view(b, t, -1)

    def _seen(self, t: int) -> Tensor | None:
        """What the last t places see, added to scores (B, kv_heads, groups, t, span): several of them are those of one sequence."""
        if t > 1:
            return torch.full((t, self.high - self.low), -torch.inf).triu(self.high - self.low - t + 1)
        return None if self.mask is None else self.mask[..., self.low:self.high]

    def _make_room(self) -> None:
        """More places, up to as many as are ever needed; then the windows move to the first ones, their keys turned back."""
        room, s = self.keys.shape[-2], self.low
        if room < self.most:
            more = min(self.most, 2 * room) - room
            self.keys, self.values = pad(self.keys, (0, 0, 0, more)), pad(self.values, (0, 0, 0, more))
        else:
            cos, sin = self.turn[0][s], self.turn[1][s]
            self.keys[..., :-s, :] = turned(self.keys[..., s:, :], cos, -sin)
            self.values[..., :-s, :] = self.values[..., s:, :].clone()
            self.high, self.offset = self.high - s, self.offset - s
        self._mark()

    def _restart(self, rows: Tensor) -> None:
        """Fills these rows' windows anew, each up to the last token."""
        used = self.prefix.shape[1] + self.length[rows] + 1 - window_start(self.length[rows], self.context)
        self.high = self.high or int(used.max())
        self.offset[rows] = self.high - used
        self._fill(rows)
        self._mark()

    def _fill(self, rows: Tensor) -> None:
        """Works out the windows of some rows from their tokens."""
        lead, first = self.prefix.shape[1], int(self.offset[rows].min())
        long = self.high - first
        inputs = self._inputs(rows, long - lead)
        before = gram_places(inputs, self.net.shape) if self.net.shape.ngrams else None
        h = torch.cat([self.prefix[rows], self.net.embedded(inputs.clamp_max(self.end), before)], 1)
        column, begin = torch.arange(long), (self.offset[rows] - first)[:, None]
        if lead:
            h = h[torch.arange(len(rows))[:, None], torch.where(column < begin + lead, column - begin, column).clamp_min(0)]
        seen = (column[:, None] >= column) & ((column >= begin)[:, None] | (column[:, None] == column))
        mask = torch.zeros(seen.shape).masked_fill_(~seen, -torch.inf)[:, None, None]
        h, kept = self.net.walk(h, mask, first, self._held(rows))
        for (k, v), keys, values in zip(kept, self.keys, self.values, strict=True):
            keys[rows, :, first:self.high] = k
            values[rows, :, first:self.high] = v
        self.law[rows] = self.net.logits(h[:, -1])

    def _inputs(self, rows: Tensor, many: int) -> Tensor:
        """The last so many inputs of some rows, (R, many): `end` before the first element, one more than `end` outside the window."""
        last = self.length[rows, None]
        place = last - many + 1 + torch.arange(many)
        held = self.history[rows].gather(1, (place - 1).clamp(0, max(0, self.history.shape[1] - 1))) if self.history.shape[1] else torch.zeros_like(place)
        return held.where(place > 0, self.end).where(place >= window_start(last, self.context), self.end + 1)
