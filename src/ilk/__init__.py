"""ilk: learn what your data is like; make more of its kind."""
from __future__ import annotations

from typing import Any

__version__ = "0.1.0"
_HOMES = {
    "fit": "verbs.fit", "read": "verbs.read", "open": "verbs.open", "sample": "verbs.sample", "score": "verbs.score", "evaluate": "verbs.evaluate",
    "diagnose": "verbs.diagnose", "doctor": "verbs.doctor", "race": "verbs.race", "RaceRules": "verbs._course", "Processes": "verbs._crews", "Ray": "verbs._crews",
    "audit": "verbs.audit", "exposure": "verbs.audit", "publish": "verbs.publish", "export": "verbs.export", "disentanglement": "verbs.disentanglement",
    "text_scores": "verbs.text_scores", "report": "verbs.report", "forget": "verbs.forget", "merge": "verbs.merge", "pack": "verbs.pack", "unpack": "verbs.pack",
    "steps": "verbs.steps", "prefer": "verbs.prefer", "lineage": "verbs.lineage", "record": "verbs.lineage", "edit": "verbs.edit", "vary": "verbs.edit",
    "interpolate": "verbs.edit", "translate": "verbs.translate", "upscale": "verbs.upscale", "beside": "verbs.upscale", "revise": "verbs.revise",
    "denoise": "verbs.denoise", "invert": "verbs.invert", "decode": "verbs.invert", "classify": "verbs.classify", "detect": "verbs.detect", "augment": "verbs.augment",
    "impute": "verbs.impute", "discover": "verbs.discover", "obeying": "verbs.obey", "attribute": "verbs.attribute", "transfer": "verbs.transfer",
    "background": "verbs.background", "counterfactual": "verbs.counterfactual", "mask": "region", "box": "region", "after": "region", "between": "region",
    "outside": "region", "load": "model", "save": "model", "Model": "model", "Dataset": "dataset", "Labels": "dataset", "Run": "run", "Steps": "run", "Seconds": "run",
    "Rng": "rng", "Label": "given", "Keep": "given", "Where": "given", "Prompt": "given", "Like": "given", "Towards": "given", "Avoid": "given", "IlkError": "errors",
    "Score": "verbs.score", "runs": "records", "Recorder": "records", "bradley_terry": "verbs.bradley_terry", "Vote": "verbs.bradley_terry", "blind": "verbs.blind",
    "blind_app": "verbs._ballot_app", "Votes": "verbs._ballots", "read_votes": "verbs._ballots", "Limits": "modality", "Reals": "space", "Discrete": "space",
    "Row": "space", "Many": "space", "Maybe": "space", "reply": "verbs.chat", "stream": "verbs.chat", "Refuse": "verbs.chat", "DropOldest": "verbs.chat",
    "Conversation": "verbs.conversation", "converse": "verbs.converse", "Budget": "verbs.converse", "Shaped": "verbs._calling", "Turn": "chat", "Want": "chat",
    "Schema": "chat", "Pattern": "chat", "Grammar": "chat", "index": "rag.ingest", "Library": "rag.store", "Document": "reader", "examine": "verbs.examine",
    "ask": "rag.answer", "search": "rag.search", "tune": "verbs.tune", "Lesson": "verbs._lesson", "drift": "verbs.drift", "task": "verbs.task", "passing": "verbs.task",
    "pass_at": "verbs.task", "mark": "verbs.mark"}
_AXES = ("families", "modalities", "nets", "decoding", "samplers", "quantities", "trackers", "indexes", "tunings")


def _registry() -> Any:
    from importlib import import_module

    return import_module("ilk.registry")


def _where(name: str) -> tuple[str, str] | None:
    registry = _registry()
    for axis in _AXES:
        for module in registry.names(axis):
            if registry.class_name(axis, module) == name:
                return axis, module
    return None


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in ("presets", "prompts"):
        return import_module(f"ilk.{name}")
    if name in _HOMES:
        return getattr(import_module(f"ilk.{_HOMES[name]}"), name)
    if name[:1].isupper() and (found := _where(name)) is not None:
        return _registry().get(*found)
    raise AttributeError(f"module 'ilk' has no attribute {name!r}")


def __dir__() -> list[str]:
    registry = _registry()
    return sorted([*_HOMES, "__version__", *(registry.class_name(a, m) for a in _AXES for m in registry.names(a))])
