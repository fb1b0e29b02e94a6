"""text: plain text in any of the usual encodings."""
from __future__ import annotations

from collections.abc import Sequence

from ..modality import Limits
from ..reader import Document, Reader
from ._clean import cleaned, decoded


class Text(Reader):
    """A file is one document without sections."""

    suffixes = (".txt", ".text", ".log", "")

    def read(self, name: str, data: bytes, limits: Limits) -> Sequence[Document]:
        """The text without characters that nobody sees.

        >>> Text().read("a.txt", "床前明月光".encode(), Limits())[0].text
        '床前明月光'
        """
        text, notes = cleaned(decoded(data, limits))
        return [Document(name, text, notes=notes)]
