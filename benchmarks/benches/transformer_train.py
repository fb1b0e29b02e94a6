"""Training at nanoGPT's CPU setting (4 layers, 4 heads, 128, context 64) on tiny Shakespeare beside a plain float32 loop: tokens a second, and time to its loss."""
from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import Any

import torch

import ilk
from benchmarks.benches._peers import python, run
from ilk.batch import Batch, Memory
from ilk.catalogue.load import whole
from ilk.run import Event, Progress, Run, Steps

STEPS, WARM, CONTEXT = 300, 10, 64


def ours(code: torch.Tensor, size: int, batch: int) -> tuple[float, float, list[tuple[float, float]]]:
    """Tokens a second without the first steps, the mean loss of about the last 50, and losses by seconds, through `fit`."""
    seen: list[tuple[int, float, float]] = []

    def listen(event: Event) -> None:
        if isinstance(event, Progress) and event.loss is not None:
            seen.append((event.step, time.perf_counter(), event.loss))

    recipe = ilk.Transformer(layers=4, heads=4, width=128, context=CONTEXT)
    model = recipe.build(ilk.Many(ilk.Discrete(size), 4 * len(code)), ilk.Rng(0))
    data = Memory(Batch(Batch(code), length=torch.tensor([len(code)])))
    began = time.perf_counter()
    model.fit(data, Run(seed=0, budget=Steps(STEPS), batch=batch, listeners=(listen,)))
    first = next(x for x in seen if x[0] >= WARM)
    last = seen[-1]
    late = [loss for step, _, loss in seen if step > STEPS - 50]
    return (last[0] - first[0]) * batch * CONTEXT / (last[1] - first[1]), mean(late or [last[2]]), [(at - began, loss) for _, at, loss in seen]


def reached(curve: list[tuple[float, float]], loss: float) -> float:
    """Seconds until three losses in a row (of some steps each) are as low."""
    return next((curve[i + 2][0] for i in range(len(curve) - 2) if max(x for _, x in curve[i:i + 3]) <= loss), float("inf"))


def bench() -> dict[str, Any]:
    """Both batch sizes, ours and the peer's in turn. Ours learns by Muon, which costs time a token and saves tokens: `time_ratio` says how much
    sooner it is where the peer ends after 300 steps."""
    python()
    text = whole("shakespeare")
    place = {c: i for i, c in enumerate(sorted(set(text)))}
    code = torch.tensor([place[c] for c in text])
    found: dict[int, tuple[float, float, float, float, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "text.txt"
        file.write_text(text, encoding="utf-8")
        for batch in (96, 12):
            speed, loss, curve = ours(code, len(place), batch)
            peer = run("gpt_loop.py", str(file), str(batch), str(STEPS))[-1]
            sooner = STEPS * batch * CONTEXT / peer["tokens_per_second"] / reached(curve, peer["loss"])
            found[batch] = (speed, loss, peer["tokens_per_second"], peer["loss"], sooner)
    big, small = found[96], found[12]
    return {"ours": big[0], "peer": big[2], "peer_name": "a plain float32 loop", "unit": "tokens per second, batch 96", "ratio": big[0] / big[2], "ratio_b12": small[0] / small[2],
            "time_ratio": big[4], "time_ratio_b12": small[4],
            "loss": big[1], "loss_peer": big[3], "loss_b12": small[1], "loss_b12_peer": small[3], "steps": STEPS}
