"""html: pages as a reader sees them; scripts, styles and what is hidden left out and told."""
from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from ..errors import UsageError
from ..modality import Limits
from ..reader import Document, Fact, Reader
from ._clean import cleaned, decoded, left_out, sections, too_large
from ._facts import fact

_NEVER = "script, style, template, iframe, object, embed, svg, math, canvas, noscript, input, select, textarea, dialog:not([open]), [hidden]"
_HIDES = re.compile(r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|opacity\s*:\s*0*\.?0*\s*(?:;|!|$)|font-size\s*:\s*0*\.?0+[a-z%]*\s*(?:;|!|$)"
                    r"|(?:left|top|text-indent)\s*:\s*-\d{4,}|clip-path\s*:\s*inset\(\s*(?:50|100)%", re.IGNORECASE)
_WHITE = re.compile(r"(?:^|[;\s])color\s*:\s*(?:white|#fff(?:fff)?|rgba?\(\s*255\s*,\s*255\s*,\s*255\b|transparent)", re.IGNORECASE)
_RULE = re.compile(r"([^{}@/]{1,200})\{([^{}]*)\}")
_BLOCKS = frozenset([
    "address", "article", "aside", "blockquote", "body", "dd", "details", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1",
    "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section", "summary", "table", "tbody", "thead", "tr", "ul",
    "br", "td", "th"])
_MOST_RULES, _MOST_NODES = 2000, 2_000_000
_TAG = re.compile(r"<(/?)([a-zA-Z][\w-]*)")
_UNCLOSED = frozenset([
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr", "p", "li", "td", "th", "tr", "dt",
    "dd", "option", "thead", "tbody", "tfoot", "colgroup"])
_DEEPEST = 5000   # a parser's time grows with the square of the depth
_META = ("author", "date", "description", "keywords")


class Html(Reader):
    """A page is one document: headings begin sections, a row of a table is a line, and its title, author and date are facts."""

    suffixes = (".html", ".htm", ".xhtml")

    def read(self, name: str, data: bytes, limits: Limits) -> Sequence[Document]:
        """What can be seen of the page."""
        try:
            from selectolax.lexbor import LexborHTMLParser
        except ImportError:
            raise UsageError("selectolax is not installed", code="EXTRA", remedy='pip install "ilk[rag]"') from None
        tree = LexborHTMLParser(_shallow(decoded(data, limits)))
        facts = _facts(tree)
        hidden = _strip(tree)
        lines, heads = _lines(tree.body) if tree.body is not None else ([], [])
        _, notes = cleaned("\n".join(lines))
        text, headings = _joined(lines, heads)
        return [Document(name, text, sections(headings, len(text)), facts, (*notes, *((left_out(hidden, "hidden part"),) if hidden else ())))]


def _shallow(raw: str) -> str:
    """The page itself; DataError if it is nested too deep."""
    depth = 0
    for tag in _TAG.finditer(raw):
        if tag[2].lower() not in _UNCLOSED:
            depth = max(0, depth - 1) if tag[1] else depth + 1
            if depth > _DEEPEST:
                raise too_large(f"nested deeper than {_DEEPEST}")
    return raw


def _facts(tree: Any) -> dict[str, Fact]:
    found: dict[str, Fact] = {}
    if (title := tree.css_first("title")) is not None and title.text(strip=True):
        found["title"] = cleaned(title.text(strip=True))[0][:200]
    for node in tree.css("meta[name]")[:100]:
        key, value = str(node.attributes.get("name")).lower(), node.attributes.get("content")
        if key in _META and value:
            found[key] = fact(cleaned(value)[0])
    return found


def _strip(tree: Any) -> int:
    """Takes out what is not seen; how many parts that had a text which somebody hid."""
    hidden = 0
    rules = [s for style in tree.css("style") for selectors, body in _RULE.findall(style.text() or "")[:_MOST_RULES] if _HIDES.search(body) for s in selectors.split(",")]
    for selector in filter(None, map(str.strip, rules)):
        try:
            hidden += _gone(tree.css(selector))
        except Exception:
            continue
    hidden += _gone([n for n in tree.css("[style]") if _HIDES.search(n.attributes.get("style") or "") or _white(n)])
    hidden += _gone(tree.css("[hidden]"))
    for node in tree.css(_NEVER):
        hidden += node.tag == "script"
        node.decompose()
    return hidden


def _white(node: Any) -> bool:
    """Whether its letters are white or nothing on a ground that nobody coloured."""
    if not _WHITE.search(node.attributes.get("style") or ""):
        return False
    above = node
    for _ in range(100):
        if above is None:
            return True
        if "background" in (above.attributes.get("style") or "") or "bgcolor" in above.attributes:
            return False
        above = above.parent
    return True


def _gone(nodes: Sequence[Any]) -> int:
    told = 0
    for node in nodes:
        if node.tag not in ("html", "body"):
            told += bool((node.text() or "").strip())
            node.decompose()
    return told


def _lines(top: Any) -> tuple[list[str], list[tuple[int, int]]]:
    """The lines of a page, and (line, level) of its headings."""
    lines, heads = [""], list[tuple[int, int]]()
    for opens, node in _walk(top):
        tag = node.tag
        if tag == "-text" and opens:
            raw = node.text_content or ""
            if _inside(node, "pre"):
                first, *rest = raw.split("\n")
                lines[-1] += first
                lines += rest
            else:
                lines[-1] += re.sub(r"\s+", " ", raw) if lines[-1].strip() else re.sub(r"\s+", " ", raw).lstrip()
        elif tag in ("td", "th"):
            lines[-1] += "| " if opens else " " if lines[-1].strip() else ""
        elif tag in _BLOCKS:
            if tag == "tr" and not opens and lines[-1].strip():
                lines[-1] += "|"
            if lines[-1].strip() or tag == "pre":
                lines.append("")
            if tag in ("p", "div", "section", "article", "table", "ul", "ol", "pre", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6") and lines[-2:-1] not in ([""], []):
                lines.append("")
            if opens and tag[0] == "h" and tag[1:].isdigit():
                heads.append((len(lines) - 1, int(tag[1:])))
            if opens and tag == "li":
                lines[-1] = "- "
    return lines, heads


def _inside(node: Any, tag: str) -> bool:
    above = node.parent
    for _ in range(5):
        if above is None or above.tag == tag:
            return above is not None
        above = above.parent
    return False


def _walk(top: Any) -> Iterator[tuple[bool, Any]]:
    """Every node when it opens and when it closes, without recursion."""
    todo: list[tuple[bool, Any]] = [(True, top)]
    seen = 0
    while todo:
        opens, node = todo.pop()
        yield opens, node
        if not opens:
            continue
        seen += 1
        if seen > _MOST_NODES:
            raise too_large(f"more than {_MOST_NODES} nodes")
        todo.append((False, node))
        children, child = [], node.child
        while child is not None:
            children.append((True, child))
            child = child.next
        todo += reversed(children)


def _joined(lines: Sequence[str], heads: Sequence[tuple[int, int]]) -> tuple[str, list[tuple[int, int, str]]]:
    """The text without lines that are empty twice, and its headings by where they stand in it."""
    levels, headings = dict(heads), list[tuple[int, int, str]]()
    pieces: list[str] = []
    at = 0
    for i, line in enumerate(lines):
        line, _ = cleaned(line.rstrip())
        if not line and (not pieces or not pieces[-1]):
            continue
        if i in levels and line:
            headings.append((at, levels[i], line))
        pieces.append(line)
        at += len(line) + 1
    return "\n".join(pieces).rstrip("\n"), headings
