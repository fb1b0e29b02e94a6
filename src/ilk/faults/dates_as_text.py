"""Dates in a form that is read as text: their order is lost."""
from __future__ import annotations

import re

import polars as pl

from ilk.faults._columns import ColumnFault

LEAST, MOST = 10, 0.9  # different cells; the share of them that are dates
MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
FORMS = (r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[ T]\d{1,2}:\d{2}.*)?$", rf"^\d{{1,2}}[ -]{MONTH},?[ -]\d{{2,4}}$", rf"^{MONTH} \d{{1,2}},? \d{{2,4}}$",
         r"^\d{4}年\d{1,2}月(?:\d{1,2}日)?$", r"^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? .*\d{4}")


class DatesAsText(ColumnFault):
    """Cells such as 5/17/2024 or May 17, 2024 in a column of texts or categories."""

    def said(self, cells: pl.Series, kind: str) -> tuple[str, str] | None:
        """How many look like dates, and one of them."""
        if cells.dtype != pl.String or kind not in ("category", "text", "identifier"):
            return None
        there = cells.drop_nulls().str.strip_chars().str.to_lowercase().unique().sort()
        like = there.str.contains("|".join(f"(?:{form})" for form in FORMS))
        if len(there) < LEAST or int(like.sum()) < MOST * len(there):
            return None
        why = f"{int(like.sum())} of its {len(there)} different texts are dates such as {str(there.filter(like)[0])!r}, read as {kind}: no order, no days between them"
        return why, f"write them as 2024-05-17: frame.with_columns(pl.col({cells.name!r}).str.to_date({_format(there.filter(like))!r}))"


def _format(dates: pl.Series) -> str:
    """A form that polars reads them by, as far as it can be told."""
    first = str(dates[0])
    if not (parts := re.match(r"^(\d+)([-/.])(\d+)[-/.](\d+)", first)):
        return "%B %d, %Y" if re.match(MONTH, first) else "%d %b %Y"
    sign = parts[2]
    if len(parts[1]) == 4:
        return sign.join(("%Y", "%m", "%d"))
    seconds = [int(m[1]) for d in dates.to_list() if (m := re.match(r"^\d+[-/.](\d+)[-/.]", d))]
    return sign.join((*(("%m", "%d") if max(seconds) > 12 else ("%d", "%m")), "%Y" if len(parts[4]) == 4 else "%y"))
