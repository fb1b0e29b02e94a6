"""csv: tables as text, one document a row; columns are facts."""
from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from io import StringIO

from ..errors import DataError
from ..modality import Limits
from ..reader import Document, Reader
from ._clean import cleaned, decoded, too_large
from ._facts import fact

_CELL = 1 << 24


class Csv(Reader):
    """Every row below the names of the columns is a document `FILE#ROW` of lines `column: value`."""

    suffixes = (".csv", ".tsv")

    def read(self, name: str, data: bytes, limits: Limits) -> Sequence[Document]:
        """The rows that say something; DataError for a table without names of columns, or with rows longer than those.

        >>> Csv().read("p.csv", b"title,year\\nQuiet Night,726\\n", Limits())[0].facts
        {'title': 'Quiet Night', 'year': 726}
        """
        text, notes = cleaned(decoded(data, limits))
        rows, found = self._rows(name, text), list[Document]()
        columns = [c.strip() for c in next(rows, [])]
        if not columns or not all(columns) or len(set(columns)) != len(columns):
            raise DataError("its first row does not name every column, each by another name", code="COLUMNS")
        for i, row in enumerate(rows, 1):
            if len(row) > len(columns):
                raise DataError(f"row {i} has {len(row)} cells for {len(columns)} columns", code="COLUMNS")
            if i > limits.items:
                raise too_large(f"more than {limits.items} rows")
            said = {c: v.strip() for c, v in zip(columns, row, strict=False) if v.strip()}
            if said:
                found.append(Document(f"{name}#{i}", "\n".join(f"{c}: {v}" for c, v in said.items()), (), {c: fact(v) for c, v in said.items()}, notes if i == 1 else ()))
        return found

    def _rows(self, name: str, text: str) -> Iterator[list[str]]:
        head = text.split("\n", 1)[0]
        mark = "\t" if name.lower().endswith(".tsv") else max(",;\t|", key=head.count)
        csv.field_size_limit(_CELL)
        try:
            yield from csv.reader(StringIO(text), delimiter=mark, strict=False)
        except csv.Error as why:
            raise DataError(f"not a table: {why}", code="CSV") from None
