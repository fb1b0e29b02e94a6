"""Behind the commands: what a model gives away."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ilk.console._shared import Answer
from ilk.console.judge import _judges
from ilk.errors import DataError, ModelError, UsageError, printable
from ilk.model import Model
from ilk.store import parse_json
from ilk.verbs._own import alike
from ilk.verbs.open import model_at


def audit_command(at: str, asked: Mapping[str, Any], page: Path | None, language: str) -> Answer:
    """Carries out all attacks; without data that can be read, nothing is shown to be safe."""
    from ilk.verbs._audit_page import write_audit  # not above: they take in polars and jinja2, which other commands can do without
    from ilk.verbs.audit import audit

    model = model_at(at)
    made = None if asked["made"] is None else alike(model, asked["made"]).items
    found = audit(model, _data(model, asked["against"]), made=made, planted=_planted(model, asked["planted"]), shadows=asked["shadows"], n=asked["n"], seed=asked["seed"])
    if page is not None:
        write_audit(found, page, at, language)
    answer = {"verdict": found.verdict, "flagged": list(found.flagged), "findings": [{**asdict(f), "flagged": f.flagged} for f in found.findings],
              "unmeasured": dict(found.unmeasured), "page": None if page is None else str(page)}
    return answer, printable(repr(found) + ("" if page is None else f"\n{page}"))


def publish_command(at: str, out: Path, policy: Path | None, asked: Mapping[str, Any]) -> Answer:
    """Writes the folder, or raises PolicyError."""
    from ilk.verbs.publish import publish

    model = model_at(at)
    found = publish(model, out, _data(model, asked["against"]), _policy(policy), asked["shadows"], asked["n"], asked["seed"])
    return {"out": str(found.folder), "files": list(found.files), "verdict": found.audit.verdict}, printable(f"{found.audit}\npublished in {found.folder}")


def _data(model: Model, against: str | None) -> Any:
    """The data of the fit; None where they are not what they were, so that nothing is taken for safe."""
    try:
        return _judges(model, against)
    except DataError as why:
        if against is not None or why.code != "DATA_CHANGED":
            raise
        return None


def _planted(model: Model, named: tuple[str | None, str | None] | None) -> tuple[Any, Any] | None:
    """Secrets and alternatives."""
    if named is None:
        return None
    if None in named:
        raise UsageError("secrets are ranked among alternatives", code="OPTION", param="secrets", remedy="--secrets FILE --alternatives FILE")
    secrets, others = (alike(model, str(name)).items for name in named)
    return secrets, others


def _policy(at: Path | None) -> dict[str, Any] | None:
    """What a file says; UsageError where that is no object of JSON."""
    if at is None:
        return None
    try:
        found = parse_json(at.read_bytes(), at.name)
    except (OSError, ModelError) as why:
        raise UsageError(f"the policy {at} can't be read: {getattr(why, 'message', None) or getattr(why, 'strerror', '')}", code="POLICY", param="policy") from None
    if not isinstance(found, dict):
        raise UsageError(f"the policy {at} is no object", code="POLICY", param="policy", remedy='such as {"membership": 0.6}')
    return found
