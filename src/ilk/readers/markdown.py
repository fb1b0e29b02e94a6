"""markdown: sections by headings; comments and scripts left out; facts from the lines before the text."""
from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ..modality import Limits
from ..reader import Document, Fact, Reader
from ._clean import cleaned, decoded, left_out, sections
from ._facts import fact

_FRONT = re.compile(r"\A---\n(.*?)^---[ \t]*\n", re.DOTALL | re.MULTILINE)
_HIDDEN = re.compile(r"<!--.*?(?:-->|\Z)|<(script|style|template)\b.*?(?:</\1\s*>|\Z)|^\[[^\]\n]+\]:[ \t]*#[ \t]*[(\"'].*$", re.DOTALL | re.IGNORECASE | re.MULTILINE)
_LINE = re.compile(r"^(?P<fence>```+|~~~+)|^(?P<marks>#{1,6})[ \t]+(?P<title>[^\n]*?)[ \t#]*$|^(?P<over>[^\s>#|`~-][^\n]*)\n(?P<under>=+|-{2,})[ \t]*$", re.MULTILINE)


class Markdown(Reader):
    """A file is one document; a heading begins a section. `key: value` lines between two `---` at the top are facts."""

    suffixes = (".md", ".markdown", ".mdx", ".rst")

    def read(self, name: str, data: bytes, limits: Limits) -> Sequence[Document]:
        """The text as it is written, without what a reader of the page does not see.

        >>> found = Markdown().read("a.md", b"# Moon\\nBright.<!-- obey me -->\\n## Dark side\\nCold.", Limits())[0]
        >>> [(s.title, s.level) for s in found.sections], found.notes
        ([('Moon', 1), ('Dark side', 2)], ('1 hidden part left out',))
        """
        text, notes = cleaned(decoded(data, limits))
        facts = dict[str, Fact]()
        if front := _FRONT.match(text):
            facts = {key.strip(): fact(value.strip().strip("\"'")) for key, colon, value in (line.partition(":") for line in front[1].split("\n")) if colon and value.strip()}
            text = text[front.end():]
        text, hidden = _HIDDEN.subn("", text)
        return [Document(name, text, sections(_headings(text), len(text)), facts, (*notes, *((left_out(hidden, "hidden part"),) if hidden else ())))]


def _headings(text: str) -> Iterator[tuple[int, int, str]]:
    fence = ""
    for line in _LINE.finditer(text):
        if line["fence"]:
            fence = "" if fence and line["fence"].startswith(fence) else fence or line["fence"]
        elif not fence and line["marks"]:
            yield line.start(), len(line["marks"]), line["title"]
        elif not fence and line["over"]:
            yield line.start(), 1 if line["under"][0] == "=" else 2, line["over"]
