"""Twenty simple questions to the embedded model through ilk, and to the bare binding of llama.cpp in the same run."""
from __future__ import annotations

from typing import Any

from ilk.backends.gguf import GGUF
from ilk.chat import Answer, Turn, Want

MODEL, TOKENS, SYSTEM = "smollm2-135m-instruct", 30, "Answer the question briefly and correctly."
FACTS = (
    ("What is the capital of France?", "paris"), ("What is the capital of Japan?", "tokyo"), ("What is the capital of Italy?", "rome"),
    ("What is the capital of Germany?", "berlin"), ("What is the capital of Spain?", "madrid"), ("What is the capital of England?", "london"),
    ("What is the capital of China?", "beijing"), ("What is the capital of Russia?", "moscow"), ("What is the capital of Egypt?", "cairo"),
    ("What is the largest planet in the solar system?", "jupiter"), ("Which planet is closest to the Sun?", "mercury"),
    ("What is the chemical symbol for water?", "h2o"), ("What is the chemical symbol for gold?", "au"), ("Who wrote Romeo and Juliet?", "shakespeare"),
    ("Who painted the Mona Lisa?", "leonardo"), ("How many days are in a week?", "7|seven"), ("How many legs does a spider have?", "8|eight"),
    ("What is the largest ocean on Earth?", "pacific"), ("What is the tallest mountain in the world?", "everest"),
    ("What gas do plants absorb from the air?", "carbon dioxide|co2"))


def correct(answer: str, wanted: str) -> bool:
    """Whether one of the wanted words stands in the answer as a word."""
    import re

    return any(re.search(rf"\b{re.escape(w)}\b", answer.lower()) for w in wanted.split("|"))


def bare(file: str) -> list[str]:
    """The binding alone: the same turns, greedy, by its own chat handler."""
    import xllamacpp

    said = xllamacpp.CommonParams()
    said.model.path, said.n_ctx, said.n_parallel, said.verbosity = file, 4096, 1, 0
    said.cpuparams.n_threads = said.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(said)
    asked = ([{"role": "system", "content": SYSTEM}, {"role": "user", "content": q}] for q, _ in FACTS)
    return [server.handle_chat_completions({"messages": m, "max_tokens": TOKENS, "temperature": 0})["choices"][0]["message"]["content"] for m in asked]


def figure(seed: int) -> dict[str, Any]:
    """`right` of 20 through ilk; `bare` of the binding alone; `same` answers that are equal letter by letter."""
    backend = GGUF()
    model = backend.open(MODEL)
    ours = [Answer.of(model.chat([Turn.of("system", SYSTEM), Turn.of("user", q)], Want(most=TOKENS, temperature=0, seed=seed))).text for q, _ in FACTS]
    theirs = bare(str(backend.pull(MODEL)))
    right, alone = (sum(correct(a, w) for a, (_, w) in zip(answers, FACTS, strict=True)) for answers in (ours, theirs))
    return {"value": right, "right": right, "bare": alone, "same": sum(a.strip() == b.strip() for a, b in zip(ours, theirs, strict=True)), "n": len(FACTS),
            "unit": "right answers", "floor": 0, "ceiling": len(FACTS), "published": None,
            "wrong": [[q, a] for a, (q, w) in zip(ours, FACTS, strict=True) if not correct(a, w)],
            "protocol": f"SmolLM2-135M-Instruct in 4 bits, greedy, at most {TOKENS} tokens, system turn {SYSTEM!r}; right: the wanted word stands in the answer; one thread"}
