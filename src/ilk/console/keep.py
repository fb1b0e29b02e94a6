"""Behind the commands: models kept, changed in form, and what there is."""
from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from ilk.console._shared import Answer
from ilk.errors import UsageError, printable
from ilk.model import load
from ilk.verbs._own import alike
from ilk.verbs.export import export
from ilk.verbs.forget import forget, is_numbers


def forget_command(at: str, rows: str | None, data: str | None, out: Path | None) -> Answer:
    """Forgets, and saves what is left."""
    if rows is None:
        raise UsageError("nothing is named to forget", code="ROWS", param="rows", remedy="--rows FILE, or --rows 3,17,100-200")
    model = load(at)
    if data is None and not is_numbers(rows):
        left = forget(model, alike(model, rows).items)
    else:
        left = forget(model, rows, alike(model, data or str(model.card.get("data", ""))))
    to = left.save(out or at)
    many = int(model.card["items"]) - int(left.card["items"])
    answer = {"model": str(to), "forgot": many, "items": left.card["items"]}
    return answer, printable(f"forgot {many} of {model.card['items']} items; saved in {to}\nits coding (categories, cells of numbers, alphabet) is as it was learned")


def export_command(at: str, to: str, out: Path) -> Answer:
    """Writes a model for another library."""
    found = export(load(at), to, out)
    files = [str(p) for p in found.files]
    answer = {"model": at, "to": found.to, "files": files, **({"drift": asdict(found.drift)} if found.drift else {})}
    return answer, printable("\n".join([*files, *([f"drift: {found.drift}"] if found.drift else [])]))
