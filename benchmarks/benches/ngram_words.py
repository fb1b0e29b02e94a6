"""Fitting Kneser-Ney of order 5 on 1.2 million words, beside KenLM's builder; the perplexities of both on other lines."""
from __future__ import annotations

import re
import subprocess
import tempfile
import time
from math import exp
from pathlib import Path
from statistics import median
from typing import Any

import torch

import ilk
from benchmarks.benches._kenlm import perplexity, program
from ilk.batch import Batch, Memory
from ilk.catalogue.load import whole
from ilk.distribution import Distribution
from ilk.run import Run

ORDER, WORDS, TEST, TIMES = 5, 1_200_000, 60_000, 3
WALKS, STAYS = 300, 0.6   # walks through the text, and how often the next word is that which stands there next


def lines() -> tuple[list[str], list[str]]:
    """Lines to learn from, and others of the same words.

    The catalogue has no text of that length, so they are walks through tiny Shakespeare: from a word to the one after it, there or at any other place of the same word.
    """
    words = re.findall(r"[\w']+|[^\w\s]|\n", whole("shakespeare"))
    names = sorted(set(words))
    place = {word: i for i, word in enumerate(names)}
    text = torch.tensor([place[word] for word in words])
    order, many = text.argsort(stable=True), torch.bincount(text)
    first, at, steps, rng = many.cumsum(0) - many, ilk.Rng(1).integers(WALKS, len(text)), (WORDS + TEST) * 4 // (3 * WALKS), ilk.Rng(2)
    walked = torch.empty(steps, WALKS, dtype=torch.long)
    for step in range(steps):
        walked[step] = word = text[at]
        u = rng.child(step).uniform(WALKS, 2)
        other = order[first[word] + (u[:, 1] * many[word]).long()]
        at = (at.where(u[:, 0] < STAYS, other) + 1) % len(text)
    made = [line.strip() for line in " ".join(names[i] for i in walked.T.flatten().tolist()).split("\n") if line.strip()]
    ends = torch.tensor([line.count(" ") + 1 for line in made]).cumsum(0)
    train = made[:int((ends <= WORDS).sum())]
    rest = made[len(train):int((ends <= WORDS + TEST).sum())]
    known = {word for line in train for word in line.split(" ")}
    return train, [line for line in rest if known.issuperset(line.split(" "))]


def coded(text: list[str], place: dict[str, int]) -> Batch:
    """Lines as numbers of words."""
    found = [[place[word] for word in line.split(" ")] for line in text]
    return Batch(Batch(torch.tensor([i for line in found for i in line])), length=torch.tensor([len(line) for line in found]))


def fitted(file: Path) -> tuple[Distribution[Any], dict[str, int], float]:
    """Our model of a file of lines, the number of each word, and the seconds from the file to the model."""
    start = time.perf_counter()
    text = file.read_text(encoding="utf-8").splitlines()
    place = {word: i for i, word in enumerate(dict.fromkeys(word for line in text for word in line.split(" ")))}
    batch = coded(text, place)
    body = ilk.NGram(order=ORDER).build(ilk.Many(ilk.Discrete(len(place)), int(batch.lengths.max()) * 4), ilk.Rng(0))
    body.fit(Memory(batch), Run())
    return body, place, time.perf_counter() - start


def built(file: Path, to: Path) -> float:
    """Seconds that KenLM takes from the file of lines to its model in ARPA form, which is how it keeps one."""
    start = time.perf_counter()
    subprocess.run([str(program("lmplz")), "-o", str(ORDER), "-S", "2G", "-T", str(to.parent), "--text", str(file), "--arpa", str(to)], check=True, capture_output=True)
    return time.perf_counter() - start


def bench() -> dict[str, Any]:
    """Each from a file of lines to its model, in turn, three times; the median of each. Perplexities are a word, ends of lines counted as words."""
    program("lmplz")
    train, test = lines()
    with tempfile.TemporaryDirectory() as folder:
        file, other, arpa = (Path(folder) / name for name in ("train.txt", "test.txt", "model.arpa"))
        file.write_text("\n".join(train) + "\n", encoding="utf-8")
        other.write_text("\n".join(test) + "\n", encoding="utf-8")
        ours, peer = [], []
        for _ in range(TIMES):
            body, place, seconds = fitted(file)
            ours.append(seconds)
            peer.append(built(file, arpa))
        theirs = perplexity(arpa, other)
    batch = coded(test, place)
    mine = exp(-float(body.log_prob(batch).sum()) / (len(batch.elements) + len(batch)))
    return {"ours": median(ours), "peer": median(peer), "peer_name": "KenLM lmplz", "unit": "seconds", "ratio": median(peer) / median(ours),
            "perplexity": mine, "peer_perplexity": theirs, "perplexity_gap": mine / theirs - 1, "words": sum(line.count(" ") + 1 for line in train),
            "vocabulary": len(place), "test_words": len(batch.elements), "order": ORDER,
            "note": "words to numbers are in our time, writing the ARPA file in KenLM's; lines are walks through tiny Shakespeare"}
