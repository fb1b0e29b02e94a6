"""Numbers that are read as text, for their thousands separators, decimal commas or units."""
from __future__ import annotations

import re
from collections import Counter

import polars as pl

from ilk.faults._columns import ColumnFault

LEAST, SHARE, UNITS = 8, 0.8, 3  # different cells, the share of them that are numbers, different units at most
MONEY = r"[$€£¥₹]"
NUMBER = rf"^[-+(]?\s*{MONEY}?\s*(\d{{1,3}}(?:[,.' ]\d{{3}})+(?:[.,]\d+)?|\d+[.,]\d+|\d+(?:[eE][-+]?\d+)?)\s*([a-zA-Zµ°²³/%‰{MONEY[1:-1]}元万亿千公斤岁]{{0,12}})\)?$"
ORDINAL = ("st", "nd", "rd", "th")


class NumbersAsText(ColumnFault):
    """Cells such as 1,234 or 3,5 or 12 kg in a column of texts or categories."""

    def said(self, cells: pl.Series, kind: str) -> tuple[str, str] | None:
        """How many are numbers, and what keeps them from being read."""
        if cells.dtype != pl.String or kind not in ("category", "text", "identifier"):
            return None
        there = cells.drop_nulls().str.strip_chars().unique().sort().to_list()
        found = {text: m for text in there if (m := re.match(NUMBER, text))}
        units = Counter(m[2] for m in found.values())
        if len(there) < LEAST or len(found) < SHARE * len(there) or len(units) > UNITS or any(u in ORDINAL for u in units) or len({m[1] for m in found.values()}) < LEAST:
            return None
        odd = next((t for t in found if not re.fullmatch(r"[-+]?\d+(\.\d+)?", t)), None)
        if odd is None and len(found) == len(there):
            return None  # codes with leading zeros, which are no numbers
        return f"{len(found)} of its {len(there)} different texts are numbers such as {odd or there[0]!r}, read as {kind}", _remedy(cells.name, list(found), units)


def _remedy(name: str, found: list[str], units: Counter[str]) -> str:
    decimal = sum(bool(re.search(r"\d,(\d{1,2}|\d{4,})\b", t)) for t in found) > 0.2 * len(found)
    column = f"pl.col({name!r})" + (".str.replace_all('.', '', literal=True).str.replace(',', '.')" if decimal else "")
    kept = r"[^0-9.eE+-]" if not set("".join(units)) & set("eE") else r"[^0-9.+-]"
    also = f"; first bring {', '.join(repr(u) for u in units)} to one unit" if len(units) > 1 else ""
    return f"frame.with_columns({column}.str.replace_all({kept!r}, '').cast(pl.Float64)){also}"
