"""Commands: what a model gives away of the items that it learned from, and whether it may be given away itself."""
from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ilk.commands._shared import Json, Seed, say

Against = Annotated[str | None, Parameter(help="Held-out items. By default the test part of the data it was fitted on, which have to be there still.")]
Shadows = Annotated[int, Parameter(help="Fit so many models, 4 or more, on random halves of the data, for the likelihood-ratio attack.")]
Many = Annotated[int | None, Parameter(name=["--n", "-n"], help="How many items to make. By default 1000 to 2000, of texts 200.")]


def audit(
    model: Annotated[str, Parameter(help="The folder of a fitted model.")], /, *,
    against: Against = None,
    made: Annotated[str | None, Parameter(help="Made items to judge, a file, in the place of new ones.")] = None,
    shadows: Shadows = 0,
    secrets: Annotated[str | None, Parameter(help="Items that were planted in the data, a file: how far do they stand out?")] = None,
    alternatives: Annotated[str | None, Parameter(help="Items like the planted ones that were not in the data, a file.")] = None,
    page: Annotated[Path | None, Parameter(help="A page of HTML to write.")] = None,
    language: Annotated[Literal["en", "zh"], Parameter(help="The language of the page: English or Chinese.")] = "en",
    n: Many = None, seed: Seed = 0, json: Json = False,
) -> None:
    """Attack a model: are training items copied, crowded, told from others by their score, singled out, or guessed?

    Every figure has its interval and what it would be if nothing was learned by heart. What can't be measured counts as not shown to be safe.

    Example: `ilk audit people.ilk --page audit.html`.
    """
    from ilk.console.audit import audit_command

    planted = None if secrets is None and alternatives is None else (secrets, alternatives)
    say(*audit_command(model, {"against": against, "made": made, "planted": planted, "shadows": shadows, "n": n, "seed": seed}, page, language))


def publish(
    model: Annotated[str, Parameter(help="The folder of a fitted model.")], /, *,
    out: Annotated[Path, Parameter(name=["--out", "-o"], help="The folder to write.")],
    policy: Annotated[Path | None, Parameter(help='JSON: the highest lower end of a figure that may be, such as {"membership": 0.6, "accept": ["authenticity"]}; '
                                                  "`accept` are attacks that need not be measured. By default the thresholds of `ilk audit`.")] = None,
    against: Against = None, shadows: Shadows = 0, n: Many = None, seed: Seed = 0, json: Json = False,
) -> None:
    """Audit a model and pack it with its card, audit and report for others; refused, naming every figure, where it gives away more than a policy allows.

    Example: `ilk publish people.ilk --out public`.
    """
    from ilk.console.audit import publish_command

    say(*publish_command(model, out, policy, {"against": against, "shadows": shadows, "n": n, "seed": seed}))
