"""Times greedy generation by transformers from a Llama folder.

    PEERS_PYTHON benchmarks/peers/generate.py FOLDER PROMPTS.json TOKENS REPEATS

PROMPTS.json is a list of lists of token ids, all of one length. Prints one JSON line: new tokens a second (the best of the repeats) and the ids.
"""
from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM


def main(folder: str, prompts: str, tokens: int, repeats: int) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    x = torch.tensor(json.loads(Path(prompts).read_text()))
    best = float("inf")
    with torch.inference_mode():
        for _ in range(repeats + 1):
            began = time.perf_counter()
            made = model.generate(x, attention_mask=torch.ones_like(x), max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False)
            best = min(best, time.perf_counter() - began)
    print(json.dumps({"tokens_per_second": len(x) * tokens / best, "ids": made[:, x.shape[1]:].tolist(), "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit("usage: generate.py FOLDER PROMPTS.json TOKENS REPEATS")
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
