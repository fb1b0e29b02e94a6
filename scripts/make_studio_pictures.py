"""Makes the studio's pictures of the pages anew (docs/pictures/studio-*.png): a server of its own, a browser that does what the page says, pictures of it.

Needs playwright, Chromium, and a font with Chinese characters. `python scripts/make_studio_pictures.py`, about two minutes.
"""
from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
LARGE, SMALL = {"width": 1280, "height": 800}, {"width": 390, "height": 780}
MOST = 150_000   # bytes of a picture


@contextmanager
def serving() -> Iterator[str]:
    """The address of a studio with a workspace of its own, token and all."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen([sys.executable, "-m", "ilk", "serve", "--port", "0", "--workspace", folder], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            lines = iter(process.stdout.readline, "")   # type: ignore[union-attr]
            yield next(found[0] for line in lines if (found := re.search(r"http\S+#token=\S+", line)))
        finally:
            process.terminate()
            process.wait(60)


def keep(page: Any, name: str) -> None:
    """The page as a picture of 256 colours."""
    page.wait_for_timeout(600)
    to, colours = PICTURES / f"studio-{name}.png", 256
    image = Image.open(BytesIO(page.screenshot())).convert("RGB").quantize(colours, dither=Image.Dither.NONE)
    image.save(to, optimize=True)
    if to.stat().st_size > MOST:
        raise SystemExit(f"{to.name} has {to.stat().st_size} bytes")
    print(to.name, to.stat().st_size)


def made(page: Any, address: str) -> None:
    """From the first look to a model, and what it makes."""
    base = address.partition("#")[0]
    page.goto(address)
    page.get_by_role("button", name="Try sample data").first.click()
    page.get_by_role("heading", name="Columns").wait_for()
    keep(page, "data")
    page.get_by_role("button", name="Fit a model").click()
    page.get_by_label("Time", exact=True).select_option(label="30 seconds")
    page.get_by_role("button", name="Start").click()
    page.get_by_text("What it makes so far").wait_for(timeout=120_000)
    page.wait_for_timeout(6000)
    keep(page, "fit")
    page.get_by_role("button", name="Open in Create").click(timeout=180_000)
    page.locator("label.chip", has_text="Hill").click()
    page.get_by_label("age: at most").fill("40")
    page.get_by_role("button", name="Make", exact=True).click()
    page.locator("#made").wait_for()
    for i in (1, 3):
        page.locator("#made button.view-number").nth(i).click()
    page.locator("#made").get_by_role("button", name="Pin", exact=True).click()
    keep(page, "create")
    for name in ("models", "jobs"):
        page.goto(f"{base}#/{name}")
        page.locator(f"#page-{name} > *").first.wait_for(state="attached")
        keep(page, name)


def elsewhere(page: Any, address: str) -> None:
    """In Chinese and dark, and on a telephone."""
    base = address.partition("#")[0]
    page.goto(f"{base}#/create")
    page.get_by_label("Language").select_option("zh")
    page.get_by_role("button", name="深色").click()
    page.locator("#made").wait_for()
    keep(page, "zh")
    page.get_by_label("语言").select_option("en")
    page.get_by_role("button", name="Light").click()
    page.set_viewport_size(SMALL)
    page.goto(f"{base}#/data")
    page.get_by_role("heading", name="Columns").wait_for()
    keep(page, "phone")


def main(acts: tuple[Callable[[Any, str], None], ...] = (made, elsewhere)) -> None:
    """All pictures, in one session of one browser."""
    from playwright.sync_api import sync_playwright

    with serving() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_context(viewport=LARGE, locale="en-US").new_page()
        page.on("console", lambda said: print("console:", said.text))
        for act in acts:
            act(page, address)
        browser.close()


if __name__ == "__main__":
    main()
