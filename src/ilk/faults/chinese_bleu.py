"""BLEU counts whole Chinese sentences as one word."""
from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ._script import Place, ScriptFault
from ._syntax import constant, keyword, tokens
from ._trees import Program

_HAN = re.compile(r"[\u4e00-\u9fff]")
CUT = {"jieba", "list", "cut", "lcut", "tokenize", "tokenizer", "pkuseg", "thulac", "segment", "characters", "spacy", "hanlp"}


class ChineseBleu(ScriptFault):
    """sacrebleu without tokenize="zh", or nltk on split() of text that has no spaces."""

    why = "Chinese has no spaces: by words there is nearly no overlap, and the figure is about 0 or jumps"
    remedy = 'sacrebleu.corpus_bleu(..., tokenize="zh"), or lists of characters for nltk'

    def places(self, code: Program) -> Iterator[Place]:
        """Where it is."""
        if not _chinese(code):
            return
        for call in code.calls:
            path = code.path(call.func)
            sacre = path.rpartition(".")[2] in ("corpus_bleu", "sentence_bleu", "BLEU") and ("sacrebleu" in path or "sacrebleu" in code.imports)
            if sacre and keyword(call, "tokenize", "tokenizer") is None and not any(k.arg is None for k in call.keywords) and not CUT & code.words:
                yield call, ""
            nltk = path.rpartition(".")[2] in ("sentence_bleu", "corpus_bleu") and "nltk" in path
            if nltk and any(isinstance(n, ast.Call) and code.tail(n) == "split" and not n.args for a in call.args for n in code.flow(a)) and not CUT - {"list"} & code.words:
                yield call, ""


def _chinese(code: Program) -> bool:
    """Whether the program is about Chinese: texts in it, or names of languages and files."""
    texts = [str(constant(n)) for n in code.all if isinstance(n, ast.Constant) and isinstance(n.value, str) and not isinstance(code.parent.get(n), ast.Expr)]
    said = any(_HAN.search(t) for t in texts if len(t) < 400 and not _printed(t))
    return said or bool({"zh", "chinese"} & ({t for w in texts if len(w) < 60 for t in tokens(w)} | code.tokens))


def _printed(text: str) -> bool:
    """Whether it is a message rather than data."""
    return "{" in text or ":" in text or "：" in text
