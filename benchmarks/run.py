"""python -m benchmarks.run figure|bench|load NAME [--seeds N]: prints one JSON line and keeps it in benchmarks/results. A load that misses its bar exits with 1."""
from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
import time
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from ilk.errors import DataError, IlkError

HOME = Path(__file__).parent
FOLDERS = {"figure": "figures", "bench": "benches", "load": "load"}


def machine() -> dict[str, Any]:
    """What it ran on."""
    import torch

    return {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count(), "threads": torch.get_num_threads(), "python": platform.python_version(), "torch": torch.__version__}


def names(kind: str) -> list[str]:
    """What there is of a kind."""
    return sorted(p.stem for p in (HOME / kind).glob("*.py") if not p.stem.startswith("_"))


def together(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """One row of several seeds: means, and the spread of the value."""
    out = dict(rows[0])
    for key, value in rows[0].items():
        if isinstance(value, float):
            out[key] = mean(r[key] for r in rows)
    if len(rows) > 1:
        out["sd"] = stdev(r["value"] for r in rows)
        out["values"] = [r["value"] for r in rows]
    return out


def figure(name: str, seeds: int) -> dict[str, Any]:
    """A figure over some seeds."""
    module = importlib.import_module(f"benchmarks.figures.{name}")
    rows = []
    for seed in range(seeds):
        start = time.monotonic()
        row = module.figure(seed)
        rows.append({**row, "seconds": round(time.monotonic() - start, 1)})
    return {"figure": name, **together(rows), "seed": list(range(seeds)) if seeds > 1 else 0}


def run(kind: str, name: str, seeds: int) -> dict[str, Any]:
    """The row of one program."""
    if kind == "figure":
        return figure(name, seeds)
    module = importlib.import_module(f"benchmarks.{FOLDERS[kind]}.{name}")
    if kind == "bench":
        return {"bench": name, **module.bench()}
    from benchmarks.load._server import judged

    return {"load": name, **judged(name, module.load())}


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="benchmarks.run")
    parser.add_argument("kind", choices=list(FOLDERS))
    parser.add_argument("name", nargs="?", default="")
    parser.add_argument("--seeds", type=int, default=1)
    asked = parser.parse_args()
    known = names(FOLDERS[asked.kind])
    if asked.name not in known:
        sys.stderr.write(f"no {asked.kind} named {asked.name!r}; there are: {', '.join(known)}\n")
        return 2
    try:
        row = run(asked.kind, asked.name, asked.seeds)
    except DataError as why:
        print(json.dumps({"error": why.code, "message": str(why)}))
        return 3
    except IlkError as why:
        print(json.dumps(why.as_json()))
        return why.exit
    line = json.dumps({**row, "machine": machine()}, ensure_ascii=False)
    (HOME / "results").mkdir(exist_ok=True)
    (HOME / "results" / f"{asked.name}.json").write_text(line + "\n", encoding="utf-8")
    print(json.dumps(row, ensure_ascii=False))
    return int(not row.get("passed", True))


if __name__ == "__main__":
    sys.exit(main())
