"""The studio's files: what they may not do, their words in both languages, and how they are sent."""
from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from ilk.serve.routes import studio
from ilk.serve.studio import HOME, files

SCRIPTS = sorted(HOME.rglob("*.js"))
WORDS = sorted(p.name for p in (HOME / "words" / "en").glob("*.json"))
HOLE = re.compile(r"\{(\w+)[|}]")
# Inserting text as markup, evaluating text, handlers and styles in attributes, anything from elsewhere.
NEVER = re.compile(r"""innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setAttribute\(\s*["'](on|style)|[{,]\s*"?on\w+"?:\s*["']|\bstyle:\s|javascript:|https?://(?!www\.w3\.org/2000/svg)""")


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.relative_to(HOME).as_posix())
def test_scripts_never_make_markup_of_text(path: Path) -> None:
    found = [f"{n}: {line.strip()[:120]}" for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if NEVER.search(line)]
    assert found == []


def test_the_pattern_finds_what_it_should() -> None:
    for bad in ('e.innerHTML = x', 'eval("1")', 'h("a", { onclick: "go()" })', 'fetch("https://example.org")', 'e.setAttribute("style", s)', "h('p', { style: s })"):
        assert NEVER.search(bad), bad


def test_the_page_has_no_script_or_style_of_its_own() -> None:
    page = (HOME / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"<script[^>]*>", page) == ['<script type="module" src="studio.js">']
    assert "<style" not in page and not re.search(r"\son\w+=|\sstyle=", page) and "//" not in page.replace("<!doctype", "")


def test_the_languages_have_the_same_words() -> None:
    assert sorted(p.name for p in (HOME / "words" / "zh").glob("*.json")) == WORDS


@pytest.mark.parametrize("name", WORDS)
def test_words_are_level(name: str) -> None:
    en, zh = (json.loads((HOME / "words" / language / name).read_text(encoding="utf-8")) for language in ("en", "zh"))
    assert list(en) == list(zh)
    assert {k: set(HOLE.findall(v)) for k, v in en.items()} == {k: set(HOLE.findall(v)) for k, v in zh.items()}
    said = [{k: re.sub(r"\{[^}]*\}|\W", "", v) for k, v in words.items()} for words in (en, zh)]
    left = {k for k, v in said[1].items() if v and not re.search(r"[\u3400-\u9fff]", v)}
    assert {k: said[1][k] for k in left} == {k: said[0][k] for k in left}, "in neither language"


def test_every_word_that_is_used_is_there() -> None:
    known = {f"{name[:-5]}.{key}" for name in WORDS for key in json.loads((HOME / "words" / "en" / name).read_text(encoding="utf-8"))}
    used = {(p.name, key) for p in SCRIPTS for key in re.findall(r'\bt\("([a-z]+\.[\w.]+)"', p.read_text(encoding="utf-8"))}
    assert {(file, key) for file, key in used if key not in known} == set()


def test_imports_lead_to_files() -> None:
    for path in SCRIPTS:
        for to in re.findall(r'from "(\.[^"]+)"', path.read_text(encoding="utf-8")):
            assert (path.parent / to).resolve() in {p.resolve() for p in SCRIPTS}, f"{path.name} imports {to}"


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()
    app.include_router(studio.router)
    return TestClient(app, follow_redirects=False)


def test_the_root_leads_to_the_studio(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 307 and answer.headers["location"] == "/studio/"


def test_files_are_sent_with_their_type_and_a_closed_policy(client: TestClient) -> None:
    types = {"": "text/html", "studio.js": "text/javascript", "studio.css": "text/css", "words/zh/frame.json": "application/json", "samples/people.csv": "text/csv"}
    for path, kind in types.items():
        answer = client.get(f"/studio/{path}")
        assert answer.headers["content-type"].startswith(kind) and answer.headers["x-content-type-options"] == "nosniff"
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'" and policy["script-src"] == policy["style-src"] == "'self'" and policy["frame-ancestors"] == "'none'"


def test_what_the_browser_has_is_not_sent_again(client: TestClient) -> None:
    mark = client.get("/studio/studio.js").headers["etag"]
    again = client.get("/studio/studio.js", headers={"if-none-match": mark})
    assert again.status_code == 304 and again.content == b""
    assert client.get("/studio/studio.js", headers={"if-none-match": '"other"'}).status_code == 200


@pytest.mark.parametrize("path", ["../__init__.py", "%2e%2e/__init__.py", "..%2f__init__.py", "static/../../__init__.py", "nothing.js", "/etc/passwd", "words/en/frame.json%00.js"])
def test_nothing_else_can_be_had(path: str) -> None:
    from ilk.serve.work import Missing

    app = FastAPI()
    app.include_router(studio.router)
    app.add_exception_handler(Missing, lambda request, why: studio.Response(status_code=404))
    assert TestClient(app).get(f"/studio/{path}").status_code == 404


def test_files_hold_all_there_is() -> None:
    assert {p.relative_to(HOME).as_posix() for p in HOME.rglob("*") if p.is_file()} == set(files())
