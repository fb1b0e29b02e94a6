"""Long chains in pieces: the same laws as step by step."""
from __future__ import annotations

import torch

from ilk.batch import Batch
from ilk.families import _hmm_chain as chain
from ilk.rng import Rng


def planted(n: int, steps: int, k: int, stay: float) -> tuple[chain.Seen, chain.Moves]:
    rng = Rng(3)
    fit = rng.child("fit").normal(n * steps, k).mul(2)
    move = (stay * torch.eye(k) + (1 - stay) / k).double()
    moves = chain.Moves(torch.full((k + 1,), 1 / (k + 1)).double(), torch.cat([move * 0.999, torch.full((k, 1), 0.001).double()], 1), steps + 1)
    return chain.Seen.of(fit, torch.full((n,), steps)), moves


def test_long_chains_in_pieces_are_what_they_are_step_by_step() -> None:
    seen, moves = planted(2, 5000, 5, 0.9)
    first = moves.start[:-1].expand(2, -1)
    assert chain._in_pieces(seen.fit, moves.go, first, 256, 64) is not None
    found = chain.forward(seen, moves)
    ahead, mass = chain._steps(seen.fit, moves.go, first)
    law = ahead[:-1] * seen.fit / mass[..., None]
    assert torch.allclose(found.law, law, atol=1e-11) and torch.allclose(found.mass, mass, rtol=1e-10)
    after = chain.backward(seen, moves, found)
    assert torch.allclose((after * found.law).sum(2), torch.ones(5000, 2).double(), rtol=1e-12)
    plain = torch.ones_like(law)
    plain[-1] = moves.last(seen.length) / (law[-1] * moves.last(seen.length)).sum(1, keepdim=True)
    for t in range(4998, -1, -1):
        plain[t] = (plain[t + 1] * seen.fit[t + 1] / mass[t + 1][:, None]) @ moves.go.T
    assert torch.allclose(after, plain, rtol=1e-8, atol=1e-11)


def test_a_chain_that_never_forgets_is_done_step_by_step() -> None:
    seen, moves = planted(1, 5000, 2, 1.0)
    flat = chain.Seen(torch.ones_like(seen.fit), seen.top, seen.length)
    first = torch.tensor([[0.9, 0.1]]).double()
    assert chain._in_pieces(flat.fit, moves.go, first, 256, 64) is None
    lopsided = chain.Moves(torch.tensor([0.8, 0.1, 0.1]).double(), moves.move, moves.at_most)
    assert torch.allclose(chain.forward(flat, lopsided).law[-1], torch.tensor([[8 / 9, 1 / 9]]).double())


def test_log_prob_of_ten_thousand_steps_is_finite_and_of_the_parts() -> None:
    seen, moves = planted(1, 10_000, 4, 0.95)
    assert bool(chain.forward(seen, moves).log_prob.isfinite().all())
    short = chain.portions(Batch(Batch(torch.zeros(30)), length=torch.tensor([10, 20])))
    assert sum(len(b) for b in short) == 2
