"""Fits the table synthesisers of SDV on a csv for a given time each, and writes as many rows as they were shown.

    PEERS_PYTHON benchmarks/peers/table.py TRAIN.csv SECONDS OUT_DIR SEED

Needs the packages of peers.txt. Writes OUT_DIR/PEER.csv, and a JSON line per peer to the output and OUT_DIR/peers.jsonl.
`seconds` is the whole of fit(). The two that train stop at the first end of an epoch after SECONDS of training, or after
their own default of 300 epochs, whichever is earlier; preprocessing comes on top, in their favour. Everything else is as
SDV ships it. All columns are declared as numerical or categorical, since SDV's guesses would replace some by made-up names
and numbers. SDV itself seeds the sampling with a constant, so SEED acts on the fit alone.
"""
from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ctgan.synthesizers.ctgan as ctgan_module
import ctgan.synthesizers.tvae as tvae_module
import numpy as np
import pandas as pd
import torch
from sdv.metadata import Metadata
from sdv.single_table import CTGANSynthesizer, GaussianCopulaSynthesizer, TVAESynthesizer

TABLE = "table"
PEERS: dict[str, Callable[[Metadata], Any]] = {"copula": GaussianCopulaSynthesizer, "ctgan": CTGANSynthesizer, "tvae": TVAESynthesizer}


class Epochs:
    """The epochs that a training loop goes through: at least one, none that would begin after the end."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.count, self.trained = seconds, 0, 0.0

    def __call__(self, epochs: range, disable: bool = True) -> Iterator[int]:
        """What stands in for the progress bar around the peer's own loop."""
        began = time.monotonic()
        for epoch in epochs:
            yield epoch
            self.count, self.trained = epoch + 1, time.monotonic() - began
            if self.trained >= self.seconds:
                return


def described(frame: pd.DataFrame) -> Metadata:
    """SDV's description of the columns: numbers are numerical, all else categorical."""
    metadata = Metadata()
    metadata.add_table(TABLE)
    for name, column in frame.items():
        kind = "numerical" if pd.api.types.is_numeric_dtype(column) else "categorical"
        metadata.add_column(column_name=str(name), table_name=TABLE, sdtype=kind)
    return metadata


def raced(peer: str, train: pd.DataFrame, seconds: float, out: Path, seed: int) -> dict[str, Any]:
    """One peer fitted and sampled; what it took."""
    np.random.seed(seed)  # the peers draw from the global generators
    torch.manual_seed(seed)
    model = PEERS[peer](described(train))
    epochs = Epochs(seconds)
    ctgan_module.tqdm = tvae_module.tqdm = epochs
    began = time.monotonic()
    model.fit({TABLE: train})
    fitted = time.monotonic()
    made = model.sample(num_rows=len(train))[TABLE]
    sampled = time.monotonic()
    made.to_csv(out / f"{peer}.csv", index=False)
    return {"peer": peer, "asked_seconds": seconds, "seconds": round(fitted - began, 2), "training_seconds": round(epochs.trained, 2),
            "epochs": epochs.count, "sample_seconds": round(sampled - fitted, 2), "rows": len(made), "seed": seed, "threads": torch.get_num_threads()}


def main(arguments: list[str]) -> None:
    """All peers, one after another."""
    path, seconds, out, seed = arguments
    train = pd.read_csv(path)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    lines = folder / "peers.jsonl"
    lines.unlink(missing_ok=True)
    for peer in PEERS:
        line = json.dumps(raced(peer, train, float(seconds), folder, int(seed)))
        print(line, flush=True)
        with lines.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit("usage: table.py TRAIN.csv SECONDS OUT_DIR SEED")
    warnings.simplefilter("ignore")
    main(sys.argv[1:])
