"""The studio in a real browser, before a server of canned answers."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .fake import Running

pytestmark = [pytest.mark.slow]
PAGES = ("data", "fit", "create", "models", "jobs")
UNLABELLED = """() => [...document.querySelectorAll('main input, main select, main textarea, .side select')].filter((e) => !e.labels?.length && !e.getAttribute('aria-label')
    && !e.getAttribute('aria-labelledby')).map((e) => e.outerHTML.slice(0, 200))"""
NAMELESS = "() => [...document.querySelectorAll('button, a')].filter((e) => !e.textContent.trim() && !e.getAttribute('aria-label')).map((e) => e.outerHTML.slice(0, 200))"
WIDE = "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"


@pytest.fixture
def server() -> Iterator[Running]:
    running = Running()
    yield running
    running.stop()


def with_data(server: Running, page: Any) -> None:
    page.goto(f"{server.address}/#token=secret")
    page.get_by_role("button", name="Try sample data").first.click()
    page.get_by_role("heading", name="Columns").wait_for()


def test_from_a_dropped_file_to_items_that_obey(server: Running, page: Any, tmp_path: Path) -> None:
    page.goto(f"{server.address}/#token=secret")
    page.locator(".drop").wait_for()
    assert "secret" not in page.url
    moved = page.evaluate_handle("""() => { const moved = new DataTransfer(); moved.items.add(new File(['age,city\\n1,Hill'], 'people.csv', { type: 'text/csv' })); return moved; }""")
    page.dispatch_event(".drop", "drop", {"dataTransfer": moved})
    page.get_by_text("3 cells are missing").wait_for()
    assert list(server.canned.files.values())[0]["bytes"] == 15
    page.get_by_label("Type of city").select_option("text")
    page.get_by_text("2 columns").wait_for()
    assert page.get_by_label("Type of city").input_value() == "text"
    assert server.canned.asked[-1][1]["types"] == {"city": "text"}
    page.get_by_role("button", name="Fit a model").click()
    assert page.get_by_role("radio", name="pixelcnn").is_disabled()
    page.get_by_text("More settings").click()
    page.get_by_role("spinbutton", name="depth").fill("3")
    page.get_by_role("button", name="Start").click()
    page.get_by_role("button", name="Open in Create").wait_for()
    job = next(said for kind, said in server.canned.asked if kind == "job")
    assert job["kind"] == "fit" and job["params"]["options"] == {"depth": 3, "types": {"city": "text"}} and job["params"]["seconds"] == 60 and job["params"]["name"] == "people"
    assert page.locator(".chart path.valid").count() == 1
    page.get_by_role("button", name="Open in Create").click()
    page.locator("label.chip", has_text="Hill").click()
    page.get_by_label("age: at least").fill("30")
    page.get_by_label("How many").last.fill("7")
    page.get_by_role("button", name="Make", exact=True).click()
    page.get_by_role("heading", name="7 items made").wait_for()
    said = server.canned.asked[-1][1]
    assert said["given"] == ["`age` >= 30", "`city` == 'Hill'"] and said["n"] == 7
    assert page.get_by_text("`city` == 'Hill' · met exactly").count() == 1
    with page.expect_download() as download:
        page.get_by_role("button", name="Download csv").click()
    assert Path(download.value.path()).read_text() == "age,city\n40,Hill\n" and download.value.suggested_filename == "people-0.csv"


def test_a_running_job_is_cancelled(server: Running, page: Any) -> None:
    with_data(server, page)
    page.get_by_role("button", name="Fit a model").click()
    page.get_by_role("button", name="Start").click()
    page.get_by_role("button", name="Pause").wait_for()
    page.goto(f"{server.address}/studio/#/jobs?id=job_0")
    page.locator("section[data-job]").get_by_role("button", name="Cancel").click()
    page.locator("section[data-job]").get_by_text("cancelled").first.wait_for()
    assert server.canned.jobs["job_0"]["state"] == "cancelled" and not server.canned.fits


def test_a_race_of_what_was_chosen(server: Running, page: Any) -> None:
    with_data(server, page)
    page.get_by_role("button", name="Fit a model").click()
    page.get_by_role("button", name="Race several").click()
    assert page.locator("label.chip", has_text="pixelcnn").locator("input").is_disabled()
    page.locator("label.chip", has_text="made").click()
    page.get_by_role("button", name="Start").click()
    page.locator("section[data-job]").wait_for()
    assert server.canned.asked[-1][1] | {"name": ""} == {"kind": "race", "name": "", "params": {"file": "file-0", "name": "people", "seed": 0, "seconds": 60, "families": ["made"]}}


def ready(server: Running, page: Any) -> None:
    """A model is there, and some of it was made."""
    server.canned.fits = True
    page.goto(f"{server.address}/studio/#/create?model=people")
    page.get_by_role("button", name="Make", exact=True).click()
    page.locator("#made").wait_for()


def test_what_was_filled_in_is_there_after_a_reload(server: Running, page: Any) -> None:
    ready(server, page)
    page.get_by_label("age: at most").fill("50")
    page.get_by_label("Language").select_option("zh")
    page.get_by_role("button", name="生成", exact=True).wait_for()
    page.reload()
    page.get_by_role("button", name="生成", exact=True).wait_for()
    assert page.get_by_label("age: 至多").input_value() == "50" and page.locator("#made").count() == 1
    assert page.evaluate("document.documentElement.lang") == "zh-CN"


def test_pins_compare_and_steps(server: Running, page: Any) -> None:
    ready(server, page)
    page.locator("#made button.view-number").nth(0).click()
    page.locator("#made button.view-number").nth(1).click()
    page.locator("#made").get_by_role("button", name="Pin").click()
    page.locator("#made").get_by_role("button", name="Compare").click()
    assert page.get_by_role("dialog").locator("tr.differs").count() == 1
    page.keyboard.press("Escape")
    assert page.get_by_role("dialog").count() == 0
    page.get_by_label("Watch while it is made").check()
    page.get_by_role("spinbutton", name="Seed").fill("5")
    page.get_by_role("button", name="Make", exact=True).click()
    page.locator("#made").get_by_text("seed 5").wait_for()
    assert server.canned.asked[-1][1]["stream"] is True and page.locator("#pinned button.view-number").count() == 2


def test_what_is_refused_is_said_with_its_remedy(server: Running, page: Any, allowed: list[str]) -> None:
    allowed.append("status of 400")
    ready(server, page)
    page.get_by_text("Rules in words").first.click()
    page.get_by_placeholder("`income` > 3000").fill("impossible == 1")
    page.get_by_role("button", name="Make", exact=True).click()
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert "no row can be like that" in alert.inner_text() and "ask for less" in alert.inner_text() and page.locator("#made").count() == 1


def test_lines_can_be_copied(server: Running, page: Any) -> None:
    ready(server, page)
    page.locator("#made .lines").get_by_role("button", name="Copy").click()
    page.get_by_text("Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == "ilk sample people.ilk -n 5"


def test_the_keyboard_is_enough(server: Running, page: Any) -> None:
    server.canned.fits = True
    page.goto(f"{server.address}/studio/#/models")
    page.get_by_role("article").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Make", exact=True).wait_for()
    page.get_by_role("spinbutton", name="Seed").press("Enter")
    page.locator("#made").wait_for()


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_fits_and_is_labelled(server: Running, page: Any, width: int, language: str) -> None:
    ready(server, page)
    page.evaluate(f"localStorage.setItem('ilk.language', '{language}')")
    page.set_viewport_size({"width": width, "height": 900})
    with_file = page.evaluate("fetch('/studio/samples/people.csv').then((a) => a.blob()).then((b) => { const f = new FormData(); f.append('file', b, 'people.csv'); return fetch('/v1/files', { method: 'POST', body: f }); }).then((a) => a.ok)")
    assert with_file
    for name in PAGES:
        page.goto(f"{server.address}/studio/?{width}#/{name}")
        page.locator(f"#page-{name} > *").first.wait_for(state="attached")
        page.wait_for_timeout(400)
        scroll, client = page.evaluate(WIDE)
        assert scroll <= client, f"{name} at {width}"
        assert page.evaluate(UNLABELLED) == [] and page.evaluate(NAMELESS) == [], name
        assert page.locator("h1").count() == 1


def test_light_and_dark(server: Running, page: Any) -> None:
    page.goto(f"{server.address}/studio/")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Dark").click()
    assert page.evaluate(ground) != light
    page.reload()
    page.get_by_role("button", name="Light").wait_for()
    assert page.evaluate(ground) != light
