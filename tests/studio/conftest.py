"""A browser, and pages of it that fail when anything is said on the console."""
from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    play = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no chromium")
    with play.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def allowed() -> list[str]:
    """What may be said on the console: words that a test adds."""
    return []


@pytest.fixture
def page(chromium: Any, allowed: list[str]) -> Iterator[Any]:
    """A page at 1440 x 900 in English. At its end nothing may stand on the console but what is allowed."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-US", permissions=["clipboard-read", "clipboard-write"])
    page, said = context.new_page(), []
    page.set_default_timeout(10_000)
    page.on("console", lambda m: said.append(f"{m.type}: {m.text}"))
    page.on("pageerror", lambda e: said.append(f"uncaught: {e}"))
    yield page
    context.close()
    assert [line for line in said if not any(word in line for word in allowed)] == []
