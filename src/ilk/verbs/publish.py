"""publish: a model, its card, its audit and its report in one folder, unless the audit finds more than a policy allows."""
from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ilk import registry
from ilk.distribution import Samples
from ilk.errors import PolicyError, UsageError, nearest
from ilk.model import Model, files_of, may_save
from ilk.pages.words_audit import FIGURES
from ilk.store import write_folder
from ilk.verbs._audit_page import write_audit
from ilk.verbs.audit import Audit, audit
from ilk.verbs.report import report

ACCEPT = "accept"   # in a policy: names of what need not be measured


@dataclass(frozen=True)
class Published:
    """The folder, the audit that went into it, and its files."""

    folder: Path
    audit: Audit
    files: tuple[str, ...]


def publish(model: Model, out: str | Path, data: Any, policy: Mapping[str, Any] | None = None, shadows: int = 0, n: int | None = None, seed: int = 0) -> Published:
    """Audits the model on the data that it was fitted on, and writes the folder, whole or not at all; `ilk.load` reads it like any other model.

    PolicyError naming every figure whose lower end is above what the policy allows (figure -> highest lower end; by default the figure's own threshold),
    and everything that was not measured and that the policy does not list under "accept". The report in the folder shows no real item.
    """
    asked = checked(policy or {})
    may_save(Path(out))
    found = audit(model, data, shadows=shadows, n=n, seed=seed)
    if over := list(_over(found, asked)):
        raise PolicyError(f"not published: {'; '.join(over)}", code="AUDIT", remedy="a model that learned less by heart, or a policy that says why this may be")
    shown = replace(model, card={**{k: v for k, v in model.card.items() if not k.startswith("audit")}, "audit": _line(found)})
    with TemporaryDirectory(prefix="ilk-") as folder:
        pages = Path(folder)
        write_audit(found, pages / "audit.html", str(model.card.get("data") or model))
        if isinstance(model.body, Samples):
            report(shown, pages / "report.html", seed=seed)
        files = {page.name: page.read_bytes() for page in sorted(pages.glob("*.html"))}
    facts = {"verdict": found.verdict, "findings": [asdict(f) for f in found.findings], "unmeasured": dict(found.unmeasured), "policy": asked, "seed": seed}
    files |= {**files_of(shown), "audit.json": json.dumps(facts, indent=1, ensure_ascii=False).encode()}
    write_folder(Path(out), files)
    return Published(Path(out), found, tuple(sorted(files)))


def checked(policy: Mapping[str, Any]) -> dict[str, Any]:
    """The policy itself; UsageError for figures that there are not, and for anything but numbers and names."""
    for name, limit in policy.items():
        if name != ACCEPT and name not in FIGURES:
            raise UsageError(f"the policy names {name!r}", code="POLICY", param="policy", remedy=nearest(name, (*FIGURES, ACCEPT)))
        if name == ACCEPT and not (isinstance(limit, list) and all(isinstance(x, str) and x in (*registry.names("attacks"), "training items") for x in limit)):
            raise UsageError("what a policy accepts unmeasured is a list of attacks", code="POLICY", param="policy", remedy=", ".join(registry.names("attacks")))
        if name != ACCEPT and (isinstance(limit, bool) or not isinstance(limit, int | float)):
            raise UsageError(f"the policy for {name} is not a number", code="POLICY", param="policy", remedy="the highest lower end that may be, such as 0.55")
    return dict(policy)


def _over(found: Audit, policy: Mapping[str, Any]) -> Iterator[str]:
    for f in found.findings:
        limit = policy.get(f.name, f.threshold)
        if f.low > limit:
            yield f"{f.name} is {f.value:.3g} (at least {f.low:.3g}; {limit:.3g} allowed, {f.null:.3g} if nothing was learned by heart)"
    yield from (f"{name} is not measured ({why})" for name, why in found.unmeasured.items() if name not in policy.get(ACCEPT, ()))


def _line(found: Audit) -> str:
    """What the card says."""
    return f"{found.verdict}: " + ", ".join(f"{f.name} {f.value:.3g} ({f.low:.3g} to {f.high:.3g})" for f in found.findings)
