"""text_scores: texts beside the texts that they ought to be: BLEU, chrF and ROUGE of two lists."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from ilk.errors import DataError, UsageError
from ilk.metrics._overlap import LACKING, ROUGES, Scorer, bleu, chrf, error, installed, rouge, tokenizer
from ilk.metrics._texts import are_texts

TOKENIZERS = ("13a", "zh", "char", "intl", "none")
NAMES = {"bleu": 2, "chrf": 2, "rouge_1": 4, "rouge_2": 4, "rouge_l": 4}   # and the digits that are shown


@dataclass(frozen=True)
class TextScores:
    """BLEU and chrF from 0 to 100, as sacrebleu gives them, and the F1 of ROUGE-1, -2 and -L from 0 to 1.

    `errors` are standard errors by name (from 20 parts of the texts, hence none of fewer than 40), `tokens` is the tokeniser of BLEU.
    """

    bleu: float
    chrf: float
    rouge_1: float
    rouge_2: float
    rouge_l: float
    n: int
    tokens: str
    errors: dict[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        said = (f"{name} {getattr(self, name):.{digits}f}" + (f" +- {self.errors[name]:.{digits}f}" if name in self.errors else "") for name, digits in NAMES.items())
        return f"{', '.join(said)} (n={self.n}, tokeniser {self.tokens})"


def text_scores(made: Sequence[str], references: Sequence[str] | Sequence[Sequence[str]], tokens: str | None = None) -> TextScores:
    """Each text against its reference, or against the best of several: summaries, translations, captions of any model.

    `tokens` names a tokeniser of sacrebleu (`13a`, `zh`, `char`, `intl`, `none`); by default it is told from the references, so that Chinese is taken
    character by character. Needs the extra `text`, that is sacrebleu.

    >>> text_scores(["the old river rose again", "there was no wind"], ["the river rose again", "there was a light wind"])
    bleu 32.47, chrf 64.56, rouge_1 0.7778, rouge_2 0.4286, rouge_l 0.7778 (n=2, tokeniser 13a)
    >>> text_scores(["北京的秋天很美"], [["北京秋天很美", "北京的秋天真美"]]).tokens
    'zh'
    """
    if not installed():
        raise UsageError("BLEU and chrF are computed by sacrebleu, which is not installed", code="EXTRA", remedy=LACKING.partition(": ")[2])
    several = [[one] if isinstance(one, str) else list(one) for one in references]
    _checked(made, several)
    by = tokens or tokenizer([text for some in several for text in some])
    if by not in TOKENIZERS:
        raise UsageError(f"no tokeniser {by!r}", code="OPTION", param="tokens", remedy=", ".join(TOKENIZERS))
    scores: dict[str, Scorer] = {"bleu": partial(bleu, by=by), "chrf": chrf, **{name: partial(rouge, n=n) for name, n in ROUGES.items()}}
    found = {name: one(made, several) for name, one in scores.items()}
    errors = {name: off for name, one in scores.items() if (off := error(made, several, one)) is not None}
    return TextScores(found["bleu"], found["chrf"], found["rouge_1"], found["rouge_2"], found["rouge_l"], len(made), by, errors)


def _checked(made: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    if not are_texts(made):
        raise DataError("there are no texts", code="EMPTY", remedy="a list of strings, and as many references")
    if len(made) != len(references):
        raise DataError(f"{len(made)} texts and {len(references)} references", code="SHAPE", remedy="a reference, or a list of them, for each text")
    if lacking := [i for i, some in enumerate(references) if not are_texts(some)]:
        raise DataError(f"text {lacking[0]} has no reference", code="SHAPE", remedy="a string, or a list of at least one")
