"""Sphinx's configuration of the site in one language (`-t zh` for Chinese). scripts/make_site.py lays the pages out and calls it."""
from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.search.zh import SearchChinese

CHINESE = tags.has("zh")  # noqa: F821 - Sphinx puts `tags` here
project, author, copyright = "ilk", "ilk's authors", ""
extensions = ["myst_parser"]
language = "zh_CN" if CHINESE else "en"
root_doc = "index"
myst_heading_anchors = 3
suppress_warnings = ["myst.header", "misc.highlighting_failure"]
html_theme = "alabaster"
html_theme_options = {"description": "学习数据的样子，生成更多同类" if CHINESE else "Learn what your data is like; make more of its kind", "fixed_sidebar": True,
                      "sidebar_collapse": True, "page_width": "1100px", "sidebar_width": "250px", "show_powered_by": False, "sidebar_includehidden": True}
html_static_path, templates_path = ["static"], ["templates"]
html_css_files = ["site.css"]
html_sidebars = {"**": ["about.html", "twin.html", "searchbox.html", "navigation.html"]}
html_show_copyright = html_show_sphinx = html_copy_source = False
add_module_names = False


class SearchBoth(SearchChinese):
    """Chinese without a dictionary: every two characters that stand together are a word, in the pages and in what is asked; other words as in English."""

    language_name = "English"   # whose stemmer it has
    HAN = re.compile(r"[\u3400-\u9fff]+")
    js_splitter_code = """
var splitQuery = (query) => query.split(/[^\\p{Letter}\\p{Number}_]+/gu).flatMap((word) => word.split(/([\\u3400-\\u9fff]+)/)).flatMap((part) =>
  /[\\u3400-\\u9fff]{2,}/.test(part) ? Array.from({length: part.length - 1}, (_, i) => part.slice(i, i + 2)) : part ? [part] : []);
"""

    def split(self, text: str) -> list[str]:
        """The words of a text."""
        latin = self.latin1_letters.findall(text)
        self.latin_terms.update(latin)
        return latin + [run[i:i + 2] for run in self.HAN.findall(text) for i in range(max(1, len(run) - 1))]


def twin(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Where the same page stands in the other language."""
    other = Path(app.confdir, "..", "en" if CHINESE else "zh").resolve()
    here = page if (other / f"{page}.md").is_file() else "index"
    up = "../" * page.count("/") + "../"
    context["twin"] = f"{up}{'en' if CHINESE else 'zh'}/{here}.html"


def setup(app: Sphinx) -> Mapping[str, bool]:
    """What Sphinx calls."""
    app.add_search_language(SearchBoth)
    app.connect("html-page-context", twin)
    return {"parallel_read_safe": True}
