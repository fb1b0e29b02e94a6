"""The studio before the real server: from a dropped file to what is downloaded, with nothing canned."""
from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ilk.serve.studio import HOME

pytestmark = [pytest.mark.slow]
SAMPLE = HOME / "samples" / "people.csv"


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """That of a studio with a workspace of its own, the token behind #."""
    command = [sys.executable, "-m", "ilk", "serve", "--port", "0", "--workspace", str(tmp_path / "workspace")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield next(found[0] for line in iter(process.stdout.readline, "") if (found := re.search(r"http\S+#token=\S+", line)))   # type: ignore[union-attr]
    finally:
        process.terminate()
        process.communicate(timeout=60)


def started(page: Any, address: str, family: str, seconds: str) -> None:
    """A fit of the sample's rows, under way."""
    page.goto(address)
    page.locator("input[type=file]").set_input_files(SAMPLE)
    page.get_by_role("heading", name="Columns").wait_for(timeout=60_000)
    page.get_by_role("button", name="Fit a model").click()
    page.get_by_role("radio", name=re.compile(f"^{family} ")).check(timeout=60_000)
    page.get_by_label("Time", exact=True).select_option(label=seconds)
    page.get_by_role("button", name="Start").click()


def test_file_fit_condition_evaluate_download(address: str, page: Any) -> None:
    started(page, address, "gmm", "30 seconds")
    page.get_by_role("button", name="Open in Create").click(timeout=120_000)
    page.locator("label.chip", has_text="Hill").click(timeout=60_000)
    page.get_by_label("age: at most").fill("40")
    page.get_by_role("button", name="Make", exact=True).click()
    page.get_by_role("heading", name="20 items made").wait_for(timeout=60_000)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download csv").click()
    rows = pl.read_csv(download.value.path())
    assert len(rows) == 20 and set(rows["city"]) == {"Hill"} and rows["age"].max() <= 40
    shown = page.locator("#made tbody tr").first.locator("td").all_inner_texts()
    assert shown[0] == str(rows["age"][0]) and shown[1] == "Hill"
    base = address.partition("#")[0]
    page.goto(f"{base}#/judge?model=people")
    page.get_by_role("button", name="Measure").click(timeout=60_000)
    page.get_by_role("row", name="c2st").wait_for(timeout=180_000)
    page.goto(f"{base}#/models")
    page.get_by_role("article", name="people").get_by_text("gmm", exact=True).wait_for()


def test_a_running_job_is_paused_resumed_and_cancelled(address: str, page: Any) -> None:
    started(page, address, "made", "2 minutes")
    job = page.locator("section[data-job]")
    page.get_by_text("What it makes so far").wait_for(timeout=90_000)
    job.get_by_role("button", name="Pause").click()
    job.get_by_role("button", name="Resume").click(timeout=60_000)
    job.get_by_role("button", name="Cancel").click(timeout=60_000)
    job.get_by_text("cancelled", exact=True).first.wait_for(timeout=60_000)
    page.goto(f"{address.partition('#')[0]}#/jobs")
    page.locator("table").get_by_text("cancelled").wait_for()
