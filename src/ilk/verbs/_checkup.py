"""What the doctor looks at, as the faults want it: how a fit went, the figures of an evaluation, what is installed here."""
from __future__ import annotations

import json
import locale
import os
import platform
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from ilk import catalogue, registry
from ilk.dataset import Dataset
from ilk.errors import DataError
from ilk.fault import Figure, Figures, Installation, Record
from ilk.faults._texts import main_script
from ilk.memory import spare
from ilk.model import Model, load
from ilk.verbs.evaluate import Evaluation

LOSS, STEP = ("train_loss", "loss", "training_loss", "train/loss"), ("step", "global_step", "iteration", "epoch")
HELD = ("val_loss", "valid_loss", "validation_loss", "eval_loss", "val/loss", "held_out_loss")
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
MOST = 1_000_000  # lines of a log


def record_of(thing: Model | str | Path) -> Record:
    """How a fit went: of a model or its folder by its card, or a log of JSON lines, of `ilk fit --log` or of a loop that wrote losses by step."""
    if isinstance(thing, Model):
        return _of_card(thing)
    at = Path(thing)
    return _of_card(load(at)) if at.is_dir() else _of_log(at)


def _of_card(model: Model) -> Record:
    """The held-out losses that a card keeps, each stage of a fit by itself, and what it says of the run."""
    events: list[dict[str, Any]] = []
    for step, loss in model.card.get("history", ()):
        if events and step <= events[-1]["step"]:
            events.append({"event": "began", "what": "", "step": 0})
        events.append({"event": "validated", "step": step, "loss": loss})
    asked = model.card.get("run", {})
    return Record(events, {**model.card, **asked, "family": registry.name_of("families", model.body.family)})


def _of_log(at: Path) -> Record:
    try:
        lines = at.read_text(encoding="utf-8").splitlines()[:MOST]
    except FileNotFoundError:
        raise DataError(f"there is no file {at}", code="NOT_FOUND") from None
    except (OSError, UnicodeDecodeError) as why:
        raise DataError(f"{at} can't be read: {str(why)[:80]}", code="UNREADABLE") from None
    found = [row for line in lines if line.strip() and (row := _row(line)) is not None]
    if not found:
        raise DataError(f"{at} holds no events", code="FORMAT", remedy="a line of JSON an event, as ilk fit --log FILE writes")
    return Record([event for row in found for event in _events(row)])


def _row(line: str) -> dict[str, Any] | None:
    """A line's object; None for one that is none: the last line of a fit that was killed is half a line."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _events(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A line as events: ilk's own as they are, else a training and a held-out loss by their usual names, other numbers beside."""
    if "event" in row:
        return [dict(row)]
    step = next((row[k] for k in STEP if k in row), None)
    at = {} if step is None else {"step": step}
    loss, held = ({"loss": row[k]} if (k := next((k for k in names if k in row), None)) else None for names in (LOSS, HELD))
    own = [{"event": "progress", **{k: v for k, v in row.items() if k not in (*LOSS, *HELD)}, **at, **(loss or {})}]
    return own + ([{"event": "validated", **at, **held}] if held else [])


def figures_of(found: Evaluation | Mapping[str, Evaluation], data: Dataset[Any] | None = None, seeds: int | None = None) -> Figures:
    """The figures of a model, or of several by name, with what the data say of them: how many test items, in which script."""
    several = found if isinstance(found, Mapping) else {"": found}
    figures = [Figure(f.name, f.value, f.se, f.n, f.floor, f.ceiling, f.better, f.convention, name) for name, one in several.items() for f in one.metrics]
    made = max((f.n for one in several.values() for f in one.metrics if "made" in registry.get("metrics", f.name).needs), default=0)
    return Figures(figures, {"made": made, **({} if data is None else _about(data)), **({} if seeds is None else {"seeds": seeds})})


def _about(data: Dataset[Any]) -> dict[str, Any]:
    test = data.index("test")
    written = {"script": main_script(" ".join(data.modality.take(data.items, test[:20])))} if isinstance(data.items, list) else {}
    return {"kind": registry.name_of("modalities", data.modality), "test": len(test), **written}


def installation() -> Installation:
    """What is installed here, and the facts of this machine, process and folder that faults look at."""
    needs, others = _asked()
    versions = {name: _version(name) for name in (*needs, *others, "torchvision", "torchaudio", "fastexcel")}
    here = sorted(os.listdir(".")) if os.access(".", os.R_OK) else []
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    keep = catalogue.cache()
    machine = {"python": platform.python_version(), "system": platform.system(), "cores": cores, "needs": needs, "gpu": _gpu(), "cuda_build": _cuda(versions.get("torch")),
               "threads": {name: os.environ[name] for name in THREADS if name in os.environ}, "memory": spare(), "disk": _disks(keep),
               "cache": str(keep), "cache_writable": os.access(_there(keep), os.W_OK), "files": here[:10_000], "modules": _modules(here),
               "encodings": {"file names": sys.getfilesystemencoding(), "files": locale.getpreferredencoding(False)}}
    return Installation(versions, machine)


def _asked() -> tuple[dict[str, str], list[str]]:
    """The least versions that ilk asks for, and the packages of its extras."""
    try:
        lines = metadata.requires("ilk") or []
    except metadata.PackageNotFoundError:
        return {}, ["torch", "gguf", "pyarrow"]
    found = [(m[1], m[2] or "0", "extra ==" in line) for line in lines if (m := re.match(r"([\w.-]+)(?:\[[^]]*\])?\s*(?:>=\s*([\d.]+))?", line))]
    return {name: least for name, least, extra in found if not extra}, sorted({name for name, _, extra in found if extra})


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _gpu() -> str:
    """An NVIDIA GPU as the driver names it, whether torch can use it or not; empty for none."""
    cards = Path("/proc/driver/nvidia/gpus")
    for card in sorted(cards.glob("*/information")) if cards.is_dir() else ():
        told = re.search(r"Model:\s*(.+)", card.read_text(encoding="utf-8", errors="replace"))
        return told[1].strip() if told else "NVIDIA"
    return "NVIDIA" if shutil.which("nvidia-smi") and Path("/dev/nvidia0").exists() else ""


def _cuda(torch: str | None) -> bool:
    """Whether torch is a build for CUDA, which its version does not always say."""
    if torch is None or "+" in torch:
        return "+cu" in (torch or "")
    from torch.version import cuda

    return cuda is not None


def _disks(keep: Path) -> dict[str, int]:
    return {str(place): shutil.disk_usage(place).free for place in (Path.cwd(), _there(keep))}


def _there(at: Path) -> Path:
    """The folder itself, or the first above it that exists."""
    return next((p for p in (at, *at.parents) if p.exists()), Path("/"))


def _modules(here: Sequence[str]) -> list[str]:
    """What `import` finds in the working folder: files of Python, and folders that are packages."""
    return [name for name in here if name.endswith(".py") or os.path.exists(os.path.join(name, "__init__.py"))]
