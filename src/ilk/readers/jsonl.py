"""jsonl: a JSON object a line, one document each; its values are facts."""
from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import DataError, ModelError
from ..modality import Limits
from ..reader import Document, Reader
from ..store import parse_json
from ._clean import cleaned, decoded, too_large
from ._facts import LONGEST


class Jsonl(Reader):
    """Every line is a document `FILE#LINE` of lines `key: value`; a `text` alone stands without its key."""

    suffixes = (".jsonl", ".ndjson")

    def read(self, name: str, data: bytes, limits: Limits) -> Sequence[Document]:
        """The objects; DataError for a line that is none.

        >>> Jsonl().read("p.jsonl", b'{"text": "Moonlight.", "id": 7}', Limits())[0].text
        'Moonlight.\\nid: 7'
        """
        text, notes = cleaned(decoded(data, limits))
        lines = [(i, line) for i, line in enumerate(text.split("\n"), 1) if line.strip()]
        if len(lines) > limits.items:
            raise too_large(f"{len(lines)} lines, the limit is {limits.items}")
        return [self._document(name, i, line, notes if n == 0 else ()) for n, (i, line) in enumerate(lines)]

    def _document(self, name: str, i: int, line: str, notes: tuple[str, ...]) -> Document:
        try:
            found = parse_json(line.encode(), f"line {i}")
        except ModelError as why:
            raise DataError(why.message, code="JSON") from None
        if not isinstance(found, Mapping):
            raise DataError(f"line {i} is no object of JSON", code="JSON", remedy='lines such as {"text": "...", "year": 1990}')
        said = {str(k): v for k, v in found.items() if v not in (None, "", [], {})}
        text = "\n".join(_written(v) if k == "text" else f"{k}: {_written(v)}" for k, v in said.items())
        shown, more = cleaned(text)
        facts = {k: v[:LONGEST] if isinstance(v, str) else v for k, v in said.items() if k != "text" and isinstance(v, str | int | float | bool)}
        return Document(f"{name}#{i}", shown, (), facts, (*notes, *more))


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
