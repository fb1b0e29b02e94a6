"""Tokens a second of the embedded model through ilk, beside the bare binding of llama.cpp: the same prompts, turn by turn in the same process."""
from __future__ import annotations

import time
from statistics import median
from typing import Any

from ilk.backends.gguf import GGUF
from ilk.chat import Answer, Turn, Want

PROMPTS, TOKENS, REPEATS = ("Tell me a story about a river.", "Explain how a clock works.", "Write about the sea."), 96, 5


def bench() -> dict[str, Any]:
    """The median over pairs of how much faster the one is; whole answers, reading of the prompt and streaming included."""
    import xllamacpp

    backend = GGUF()
    model = backend.open("smollm2-135m-instruct")
    said = xllamacpp.CommonParams()
    said.model.path, said.n_ctx, said.n_parallel, said.verbosity, said.warmup = str(backend.pull("smollm2-135m-instruct")), 4096, 1, 0, False
    said.cpuparams.n_threads = said.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(said)

    def ours(prompt: str) -> float:
        start = time.perf_counter()
        made = Answer.of(model.chat([Turn.of("user", prompt)], Want(most=TOKENS, temperature=0))).end.made
        return made / (time.perf_counter() - start)

    def bare(prompt: str) -> float:
        start = time.perf_counter()
        found = server.handle_chat_completions({"messages": [{"role": "user", "content": prompt}], "max_tokens": TOKENS, "temperature": 0, "cache_prompt": False})
        return float(found["usage"]["completion_tokens"] / (time.perf_counter() - start))

    for prompt in PROMPTS:
        ours(prompt), bare(prompt)
    pairs = []
    for i in range(REPEATS):
        for prompt in PROMPTS:
            first, second = (ours, bare) if i % 2 else (bare, ours)
            speeds = {first: first(prompt), second: second(prompt)}
            pairs.append((speeds[ours], speeds[bare]))
    return {"ours": median(a for a, _ in pairs), "peer": median(b for _, b in pairs), "peer_name": "xllamacpp", "ratio": median(a / b for a, b in pairs), "unit": "tokens per second", "n": len(pairs),
            "protocol": f"one thread each, greedy, {TOKENS} tokens, prompt read anew each time; ratio: the median over {len(pairs)} pairs run one after the other, order changing"}
