"""Recurrent layers: long short-term memory and gated recurrent units over time, the way back in one pass, states that can be forgotten.

All that a step needs of its input is one product for all steps; all that the weights learn is one more. In between, step by step, there is
one product a step with the state, so that larger batches are faster.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

Cell = Literal["lstm", "gru"]
GATES = {"lstm": 4, "gru": 3}  # products of the state a step: input, forget, output, new; reset, update, new
PARTS = {"lstm": 2, "gru": 1}  # what a state consists of: output and memory, or output alone


class _LSTM(torch.autograd.Function):
    """c' = f c + i n, h' = o tanh(c') (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000). The memory stays float32."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, keep: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Gates' shares of the inputs (T, B, 4 width) -> outputs (T, B, width) and the last state; `keep` (T, B, 1) is 0 where it is forgotten first."""
        steps, b, width = len(x), x.shape[1], weight.shape[1]
        gates, turned = torch.empty_like(x), weight.T
        outs, before = (x.new_empty(steps, b, width) for _ in range(2))
        cells, bent = (x.new_empty(steps, b, width, dtype=torch.float32) for _ in range(2))
        for t in range(steps):
            before[t], cells[t] = h * keep[t], c * keep[t]
            every = torch.addmm(x[t], before[t], turned)
            torch.sigmoid(every[:, :3 * width], out=gates[t, :, :3 * width])
            torch.tanh(every[:, 3 * width:], out=gates[t, :, 3 * width:])
            i, f, o, n = gates[t].chunk(4, 1)
            c = f * cells[t] + i * n
            torch.tanh(c, out=bent[t])
            h = outs[t] = (o * bent[t]).to(x.dtype)
        ctx.save_for_backward(gates, before, cells, bent, keep, weight)
        ctx.mark_non_differentiable(h, c)
        return outs, h, c

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """To the inputs' shares and the weights; what the first state was is taken as it is."""
        gates, before, cells, bent, keep, weight = ctx.saved_tensors
        back, dh, dc = torch.empty_like(gates), torch.zeros_like(before[0]), torch.zeros_like(cells[0])
        for t in range(len(gates) - 1, -1, -1):
            i, f, o, n = gates[t].chunk(4, 1)
            dh = grads[0][t] + dh
            dc = dc + dh * o * (1 - bent[t].square())
            whole = torch.cat([dc * n, dc * cells[t], dh * bent[t], dc * i], 1).to(back.dtype)
            three, last = gates[t, :, :-len(i[0])], gates[t, :, -len(i[0]):]
            slope = torch.cat([three * (1 - three), 1 - last.square()], 1)
            torch.mul(whole, slope, out=back[t])
            dh, dc = torch.mm(back[t], weight) * keep[t], dc * f * keep[t]
        return back, back.flatten(0, 1).T @ before.flatten(0, 1), None, None, None


class _GRU(torch.autograd.Function):
    """n = tanh(x_n + r (W_n h)), h' = (1 - z) n + z h (Cho et al. 2014)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, keep: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Gates' shares of the inputs (T, B, 3 width) -> outputs (T, B, width) and the last state."""
        steps, b, width = len(x), x.shape[1], weight.shape[1]
        gates, turned = torch.empty_like(x), weight.T
        outs, before, inner = (x.new_empty(steps, b, width) for _ in range(3))
        for t in range(steps):
            before[t] = h * keep[t]
            every = before[t] @ turned
            inner[t] = every[:, 2 * width:]
            torch.sigmoid(x[t, :, :2 * width] + every[:, :2 * width], out=gates[t, :, :2 * width])
            r, z, n = gates[t].chunk(3, 1)
            torch.tanh(torch.addcmul(x[t, :, 2 * width:], r, inner[t]), out=n)
            h = outs[t] = torch.lerp(n, before[t], z)
        ctx.save_for_backward(gates, before, inner, keep, weight)
        ctx.mark_non_differentiable(h)
        return outs, h

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """To the inputs' shares and the weights."""
        gates, before, inner, keep, weight = ctx.saved_tensors
        back, sent = torch.empty_like(gates), torch.empty_like(gates)
        dh = torch.zeros_like(before[0])
        for t in range(len(gates) - 1, -1, -1):
            r, z, n = gates[t].chunk(3, 1)
            dh = grads[0][t] + dh
            dn = dh * (1 - z) * (1 - n.square())
            dz = dh * (before[t] - n) * z * (1 - z)
            dr = dn * inner[t] * r * (1 - r)
            torch.cat([dr, dz, dn], 1, out=back[t])
            torch.cat([dr, dz, dn * r], 1, out=sent[t])
            dh = (torch.mm(sent[t], weight) + dh * z) * keep[t]
        return back, sent.flatten(0, 1).T @ before.flatten(0, 1), None, None


class Recurrent(nn.Module):
    """Layers of one width over time, each after dropout, from the second on added to what they read; a state is (B, layers, parts, width) in float32."""

    def __init__(self, cell: Cell, layers: int, width: int, drop: float) -> None:
        super().__init__()
        self.cell, self.drop, self.shape = cell, drop, (layers, PARTS[cell], width)
        self.inputs: Sequence[nn.Linear] = nn.ModuleList([nn.Linear(width, GATES[cell] * width) for _ in range(layers)])  # type: ignore[assignment]
        self.states = nn.ParameterList([nn.Parameter(torch.randn(GATES[cell] * width, width) * width**-0.5) for _ in range(layers)])
        for layer in self.inputs:
            nn.init.zeros_(layer.bias)
            nn.init.ones_(layer.bias[width:2 * width])

    def blank(self, n: int) -> Tensor:
        """The state before anything was read."""
        return torch.zeros(n, *self.shape, device=self.states[0].device)

    def forward(self, x: Tensor, keep: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, width) and where to go on with the state, (B, T) -> outputs (B, T, width) and the state after them."""
        h, kept, after = x.transpose(0, 1), keep.T[..., None].to(x.dtype), torch.empty_like(state)
        for i, (layer, weight) in enumerate(zip(self.inputs, self.states, strict=True)):
            parts = [part.to(x.dtype if p == 0 else torch.float32) for p, part in enumerate(state[:, i].unbind(1))]
            apply: Any = _LSTM.apply if self.cell == "lstm" else _GRU.apply
            out, *last = apply(layer(dropout(h, self.drop, self.training)), weight, kept, *parts)
            h = h + out if i else out
            after[:, i] = torch.stack([part.float() for part in last], 1)
        return dropout(h, self.drop, self.training).transpose(0, 1), after
