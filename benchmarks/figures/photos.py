"""A folder of photographs as people have them, read at 64 x 64, learned from, drawn, judged and reported: what it takes, from end to end."""
from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import ilk
from benchmarks.figures import _photographs as photographs
from benchmarks.figures import _pictures as pictures
from ilk.dataset import split_dataset
from ilk.modalities.image import Image
from ilk.verbs.read import read
from ilk.verbs.report import report

SIZE, STEPS, N, REPORTED = 64, 200, 200, 100
NAMES = ("frechet", "precision", "coverage", "label_accuracy", "near_train_share")


def figure(seed: int, steps: int = STEPS) -> dict[str, Any]:
    """So few steps say nothing of what can be learned: it is every part of the way that is timed here."""
    spent: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="ilk-") as place:
        home = Path(place)
        files = photographs.folder(home / "photos")
        clock = _Clock(spent)
        found = read(home / "photos", Image(size=SIZE))
        clock("read")
        data = split_dataset(pictures.divided(found, N))
        model = ilk.fit(data, ilk.Diffusion(), seed=seed, budget=ilk.Steps(steps))
        clock("fit")
        items, asked = pictures.made(model, data, N, ilk.DPMSolver(steps=10), seed)
        clock("sample")
        judged = pictures.judged(data, items, asked, NAMES)
        least = pictures.floor(data, N)
        clock("judge")
        sizes = [_page(model, home / f"{language}.html", data, language) for language in ("en", "zh")]
        clock("reports")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"value": judged["frechet"] / least, "unit": "Frechet distance over that of unseen real pictures", "frechet_ratio": judged["frechet"] / least, **judged, "floor": least,
            "ceiling": 1.0, **spent, "peak_megabytes": peak, "page_megabytes": max(sizes), "pictures": len(found), "refused": files - len(found), "channels": found.items.shape[3],
            "steps": steps, "n": N, "published": None,
            "protocol": f"{len(photographs.PHOTOGRAPHS)} photographs ({photographs.LICENCE}), each cut into 108 parts and labelled by its name: JPEG of many sizes, "
                        f"some turned by EXIF, grey, CMYK, WebP, PNG with transparency, one broken; {N} left out; features of a CNN trained on half of the others"}


class _Clock:
    """Writes down how long each part took."""

    def __init__(self, spent: dict[str, float]) -> None:
        self.spent, self.since = spent, time.monotonic()

    def __call__(self, part: str) -> None:
        now = time.monotonic()
        self.spent[f"{part}_seconds"], self.since = now - self.since, now


def _page(model: Any, at: Path, data: Any, language: str) -> float:
    """A report; its size in megabytes."""
    report(model, at, data, language=language, n=REPORTED)
    return at.stat().st_size / 1e6
