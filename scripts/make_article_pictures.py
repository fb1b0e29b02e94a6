"""Draws docs/articles-pictures anew: runs the python blocks of docs/en/articles, each page in a process of its own."""
from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

if __name__ == "__main__":
    for page in sorted((DOCS / "en" / "articles").glob("*.md")):
        if blocks := BLOCK.findall(page.read_text(encoding="utf-8")):
            subprocess.run([sys.executable, "-c", "\n".join(blocks)], cwd=DOCS / "articles-pictures", check=True)
