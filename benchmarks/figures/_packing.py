"""A file packed by a model, unpacked by another process, and what its bytes are beside those of others."""
from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import ilk
from ilk.model import Model
from ilk.verbs.pack import pack


def packed(model: Model, name: str, write: Any) -> dict[str, Any]:
    """`write(path)` makes the file, whose name ends as `name` does. The model is saved, and only the saved one and the pack are there to unpack by."""
    with tempfile.TemporaryDirectory() as folder:
        at, home = Path(folder) / name, Path(folder) / "model.ilk"
        write(at)
        model.save(home)
        start = time.monotonic()
        found = pack(ilk.load(home), at)
        packing = time.monotonic() - start
        pack_at, again = found.save(Path(folder) / f"{name}.ilkpack"), Path(folder) / f"again-{name}"
        start = time.monotonic()
        done = subprocess.run([sys.executable, "-m", "ilk", "unpack", str(home), str(pack_at), "--out", str(again)], capture_output=True, text=True, check=False,
                              env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
        unpacking = time.monotonic() - start
        identical = again.exists() and again.read_bytes() == at.read_bytes()
        model_file = sum(p.stat().st_size for p in home.iterdir())
    return {"excess": found.excess, "whole_excess": len(found.data) / found.claimed - 1, "nats": found.nats, "sort": found.sort, "claimed_bytes": found.claimed,
            "bytes": len(found.data), "payload": found.payload, "header": found.header, "aside": found.aside, "difference": found.difference, "strange": found.strange,
            "file_bytes": found.raw, "xz_bytes": found.xz, "beats_xz": len(found.data) < found.xz, "identical_in_another_process": identical,
            "unpack_said": (done.stdout + done.stderr).strip()[-200:], "model_bytes": model_file, "pack_seconds": packing, "unpack_seconds": unpacking, "n": found.items,
            "bits_per": dict(found.per)}
