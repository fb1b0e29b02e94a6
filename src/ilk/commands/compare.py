"""Commands: what is said of items beside items, whoever made them."""
from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from ilk.commands._shared import Json, say


def score_texts(
    made: Annotated[str, Parameter(help="A file of texts, one a line: translations, summaries, captions of any model.")],
    references: Annotated[tuple[str, ...], Parameter(help="Files of what they ought to be, line by line. Of several the best counts.")], /, *,
    tokens: Annotated[Literal["13a", "zh", "char", "intl", "none"] | None, Parameter(help="sacrebleu's tokeniser. By default by the references: zh for Chinese.")] = None,
    json: Json = False,
) -> None:
    """Compare texts with what they ought to be: BLEU, chrF and ROUGE with standard errors. Needs `pip install 'ilk[text]'`.

    Example: `ilk score-texts translated.txt reference.txt`.
    """
    from ilk.console.compare import score_texts_command

    say(*score_texts_command(made, references, tokens))
