"""Language models in a program: whether one is trained to tell the next token."""
from __future__ import annotations

import ast

from ._syntax import constant, tokens
from ._trees import Program

MASKS = {"tril", "triu", "is_causal", "attn_mask", "src_mask", "tgt_mask", "generate_square_subsequent_mask", "causal", "masked_fill", "causal_mask", "attention_mask",
         "mask", "tril_",
         "band_part", "use_causal_mask"}
MASKED = {"mlm", "mask_token", "mask_token_id", "bert", "masked", "mlm_probability"}


def next_token(code: Program) -> bool:
    """Whether targets are inputs one place later: x[:, :-1] with x[:, 1:], or i with i + 1."""
    ends = [n for n in code.of(ast.Slice) if isinstance(n, ast.Slice) and constant(n.upper) == -1 and n.lower is None]
    starts = [n for n in code.of(ast.Slice) if isinstance(n, ast.Slice) and constant(n.lower) == 1 and n.upper is None]
    later = [n for n in code.of(ast.Slice) if isinstance(n, ast.Slice) and isinstance(n.lower, ast.BinOp) and isinstance(n.lower.op, ast.Add) and constant(n.lower.right) == 1
             and isinstance(n.upper, ast.BinOp)]
    return bool((ends and starts) or later)


def words(code: Program) -> set[str]:
    """What the identifiers of a program are about."""
    return code.tokens


def spoken(node: ast.AST) -> set[str]:
    """The words of the identifiers and short texts of a part."""
    named = [n.id if isinstance(n, ast.Name) else n.attr if isinstance(n, ast.Attribute) else n.arg if isinstance(n, ast.arg | ast.keyword) and n.arg else
             n.value if isinstance(n, ast.Constant) and isinstance(n.value, str) and len(n.value) < 30 else "" for n in ast.walk(node)]
    return {t for w in named for t in tokens(w)}
