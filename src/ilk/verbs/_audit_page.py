"""The page of an audit: the verdict, every figure with how it is read, what was not measured, what all this does not show."""
from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from ilk import __version__
from ilk.attack import Finding
from ilk.errors import printable
from ilk.pages.page import Facts, Grid, Points, Section, Text, number, write
from ilk.pages.words import Words
from ilk.pages.words_audit import audit_words, figure_of, lack_of
from ilk.verbs.audit import Audit


def write_audit(audit: Audit, to: str | Path, name: str, language: str = "en") -> None:
    """The page, whole or not at all; `name` is what was audited."""
    words = audit_words(language)
    names = words["and"].join(audit.flagged or audit.unmeasured)
    rows = [_row(words, finding) for finding in audit.findings]
    head = [words["figure"], words["value"], words["audit_interval"], words["audit_null"], words["audit_bar"], words["n"], words["audit_verdict"]]
    sections = [Section(words["audit_verdict"], [Text(words[audit.verdict].format(names=printable(names)))])]
    if rows:
        sections.append(Section(words["audit_figures"], [Grid(words["audit_caption"], head, rows, "stack")]))
    if audit.unmeasured:
        sections.append(Section(words["audit_not"], [Facts([(k, lack_of(words, v)) for k, v in audit.unmeasured.items()], words["read_unmeasured"])]))
    sections.append(Section(words["audit_read"], [Points([words[key] for key in ("read_both", "read_wide", "read_limits")])]))
    write(Path(to), words["audit_title"].format(name=printable(name)), words["audit_lead"].format(version=__version__), sections, words["html"])


def _row(words: Words, f: Finding) -> list[str | Markup]:
    """A figure and how it is read."""
    title, reads = figure_of(words, f.name, f.reads)
    said = Markup('{}<span class="soft">{}</span>').format(title, reads)
    verdict = words["audit_flag" if f.flagged else "audit_open" if f.open else "audit_fine"]
    return [said, number(f.value), f"{f.low:z.3g} – {f.high:z.3g}", number(f.null), number(f.threshold), str(f.n), verdict]
