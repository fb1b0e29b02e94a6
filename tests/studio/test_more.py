"""Edit, Chat, Judge and the viewers in Chromium, with canned answers: what is asked of the API, what is shown, and that nothing goes wrong on the way."""
from __future__ import annotations

import base64
import io
import json
import math
import struct
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
from tests.studio.canned import Watched, events, model, paged, picture, png, samples, serving

pytestmark = pytest.mark.slow
SPAN = {"text": "Chess came from India", "before": "It is told that ", "after": " long ago.", "path": "chess.pdf"}
CITED = {"answer": "Chess came from India.", "abstained": "", "confidence": 0.8, "claims": [{"text": "Chess came from India.", "support": 0.9, "citations": [1]}],
         "citations": [{"number": 1, "document": "chess.pdf", "start": 16, "end": 37, "quoted": "Chess came from India"}], "dropped": [], "left_out": [], "passages": []}
METRICS = {"metrics": [{"name": "nats", "value": -10.5, "se": 0.3, "n": 15, "floor": -14.6, "ceiling": None, "better": "higher", "parts": {}, "convention": "c"},
                       {"name": "c2st", "value": 0.6, "se": 0.02, "n": 15, "floor": 1.0, "ceiling": 0.5, "better": "lower", "parts": {}, "convention": "c"}],
                           "skipped": {"distinct_n": "it is about text"}}
REPORT = ("<!doctype html><html lang='en'><head><style>h1{color:rgb(1,2,3)}</style></head><body><h1 onclick='alert(1)'>Audit</h1><a href='#s1'>in</a><a href='https://elsewhere.example'>out</a>"
          "<script>alert(2)</script><img src='https://elsewhere.example/x.png' onerror='alert(3)'><p id='s1' style='position:absolute'>there</p></body></html>")


def _job(kind: str, state: str = "succeeded", made: dict[str, str] | None = None) -> dict[str, Any]:
    return {"id": "job_1", "object": "ilk.job", "kind": kind, "state": state, "made": made or {}, "params": {}, "error": None, "line": {}, "name": ""}


def _made(body: Any, _: Any) -> Any:
    n, name = body["n"], body["model"]
    if body.get("stream"):
        return events(*({"step": i, "of": 6, "items": [picture(40 * i)] * n} for i in range(1, 6)), samples([picture(200)] * n))
    if name == "people":
        return samples([{"age": 3 * i if i % 4 else None, "city": "Lyon" if i % 2 else "Oslo"} for i in range(n)])
    return samples([picture(20 * i) for i in range(n)] if name == "digits" else [f"{name} wrote {i}" for i in range(n)])


def _answered(body: Any, _: Any) -> Any:
    said = body["messages"][-1]["content"]
    pieces = ["You said: ", f"{said}\n\n", "- one\n- **two**\n\n```py\nx = 1\n```\n"]
    return events(*({"choices": [{"index": 0, "delta": {"content": p}}]} for p in pieces), {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})


FACTS = {"digits": {"kind": "image", "can": ["sample", "edit", "steps"], "shape": [16, 16, 1], "givens": []},
         "people": {"kind": "table", "can": ["sample", "edit", "impute", "steps"], "givens": [{"part": "age", "type": "number", "low": 0, "high": 90},
             {"part": "city", "type": "category", "values": ["Lyon", "Oslo"]}]},
         "poems": {"kind": "text", "can": ["sample", "edit", "continue"], "givens": []}, "talker": {"kind": "text", "can": ["chat", "sample"], "givens": []}}
TABLE: dict[str, Any] = {
    "GET /v1/models": {"data": [model(name, **facts) for name, facts in FACTS.items()]},
    **{f"GET /v1/models/{name}": {"id": name, "ilk": facts} for name, facts in FACTS.items()},
    "GET /v1/files": {"data": []}, "POST /v1/files": {"id": "file-1", "filename": "chess.pdf"}, "POST /v1/lines": {"python": "ilk.x()", "cli": "ilk x"},
    "POST /v1/sample": _made, "POST /v1/chat/completions": _answered, "POST /v1/ask": CITED,
    "POST /v1/edit": lambda body, _: events(*({"step": i, "of": 4, "items": [picture(50 * i)]} for i in range(1, 4)),
        samples([picture(60 * i) for i in range(4)])) if "mask" in body["redo"]
    else events(samples([f"anew {body['redo']['span']}"])),
    "POST /v1/impute": lambda body, _: samples([{**row, "age": 42 if row["age"] is None else row["age"]} for row in body["items"]]),
    "POST /v1/steer": lambda body, _: events(samples([{"age": 80, "city": "Lyon"}] * body["n"])),
    "POST /v1/completions": lambda body, _: events(*({"choices": [{"index": i, "text": t} for i in range(body["n"])]} for t in (" and", " on"))),
    "GET /v1/libraries": {"data": [{"name": "papers"}]}, "GET /v1/libraries/papers/documents": {"data": [{"name": "chess.pdf"}]}, "GET /v1/libraries/papers/spans": SPAN,
    "POST /v1/jobs": lambda body, _: _job(body["kind"], "queued"), "GET /v1/jobs/job_1/events": events({"event": "progress", "fraction": 0.5, "step": 1},
        {"event": "state", "state": "succeeded"}),
    "GET /v1/jobs/job_1": _job("evaluate", made={"file": "answer.json"}), "GET /v1/jobs/job_1/files/answer.json": METRICS, "GET /v1/jobs/job_1/files/audit.html": REPORT,
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("workspace")) as found:
        yield found


@pytest.fixture
def seen(base: str, chromium: Any) -> Iterator[Watched]:
    with paged(chromium, base) as found:
        found.answers(TABLE)
        yield found
        found.well()


def _sent(seen: Watched, what: str) -> list[Any]:
    return [body for asked, body in seen.sent if asked == what]


def _brushed(seen: Watched) -> None:
    canvas = seen.page.locator("canvas.brush")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    seen.page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.5)
    seen.page.mouse.down()
    seen.page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.5, steps=4)
    seen.page.mouse.up()


def _mask(seen: Watched) -> Any:
    from PIL import Image

    return Image.open(io.BytesIO(base64.b64decode(_sent(seen, "POST /v1/edit")[-1]["redo"]["mask"]))).convert("L")


def test_dropped_pictures_are_inpainted_where_they_were_brushed(seen: Watched) -> None:
    seen.go("edit?model=digits")
    raw = base64.b64decode(png(40))
    seen.page.locator("input[type=file]").set_input_files([{"name": f"{i}.png", "mimeType": "image/png", "buffer": raw} for i in range(2)])
    seen.page.locator("button.view-number").nth(1).click()
    _brushed(seen)
    seen.page.get_by_role("button", name="Make the marked part anew").click()
    seen.page.get_by_text("Press the number").wait_for()
    asked = _sent(seen, "POST /v1/edit")[-1]
    assert asked["stream"] and len(asked["items"]) == 4 and asked["n"] == 1
    mask = _mask(seen)
    assert mask.size == (16, 16)
    assert mask.getpixel((7, 8)) == 255 and mask.getpixel((7, 0)) == 0 and mask.getpixel((15, 8)) == 0
    seen.page.locator(".split .view-number").nth(2).click()
    seen.page.get_by_text("2 / 2").wait_for()
    seen.page.get_by_role("button", name="Undo").click()
    seen.page.get_by_text("1 / 2").wait_for()


def test_a_mask_by_keys_and_by_numbers(seen: Watched) -> None:
    seen.go("edit?model=digits")
    seen.page.get_by_role("button", name="Let the model make").click()
    seen.page.locator("button.view-number").first.click()
    canvas = seen.page.locator("canvas.brush")
    canvas.focus()
    for key in ("ArrowLeft", "ArrowUp", "Space"):
        seen.page.keyboard.press(key)
    assert "0 %" not in seen.page.locator(".split p[aria-live]").first.inner_text()
    seen.page.get_by_role("button", name="Clear").click()
    seen.page.get_by_text("A box by numbers").click()
    for side, value in (("Top", 2), ("Left", 3), ("Bottom", 6), ("Right", 9)):
        seen.page.get_by_label(side, exact=True).fill(str(value))
    seen.page.get_by_role("button", name="Mark the box").click()
    seen.page.get_by_role("button", name="Invert").click()
    seen.page.get_by_role("button", name="Make the marked part anew").click()
    seen.page.get_by_text("Press the number").wait_for()
    mask = _mask(seen)
    kept = {(x, y) for x in range(16) for y in range(16) if mask.getpixel((x, y)) == 0}
    assert kept == {(x, y) for x in range(3, 9) for y in range(2, 6)}


def test_empty_cells_are_filled_and_marked(seen: Watched) -> None:
    seen.go("edit?model=people")
    seen.page.get_by_role("button", name="Let the model make").click()
    seen.page.get_by_role("button", name="Take these rows").click()
    seen.page.get_by_label("city, 2", exact=True).fill("Rome")
    seen.page.get_by_role("button", name="Fill the empty cells").click()
    seen.page.get_by_text("The model wrote 3 cells").wait_for()
    rows = _sent(seen, "POST /v1/impute")[-1]["items"]
    assert rows[1] == {"age": 3, "city": "Rome"} and rows[0]["age"] is None
    assert seen.page.locator("td.filled").count() == 3
    assert seen.page.locator("td.filled input").first.input_value() == "42"
    seen.page.get_by_role("button", name="Undo").click()
    seen.page.wait_for_function("document.querySelectorAll('td.filled').length === 0")


def test_a_text_goes_on_and_a_span_of_letters_is_written_anew(seen: Watched) -> None:
    seen.go("edit?model=poems")
    seen.page.get_by_role("button", name="Write one").click()
    area = seen.page.get_by_label("Text", exact=True)
    area.fill("a𝄞bc")
    seen.page.get_by_role("button", name="Go on from the end").click()
    seen.page.get_by_text("Press the number").wait_for()
    assert _sent(seen, "POST /v1/completions")[-1]["prompt"] == "a𝄞bc"
    assert seen.page.locator(".split .view-text").first.inner_text() == "a𝄞bc and on"
    area.evaluate("a => { a.focus(); a.setSelectionRange(3, 4); }")   # the clef takes two places in the page, one in Python
    seen.page.get_by_role("button", name="Rewrite the selection").click()
    seen.page.get_by_text("anew [2, 3]").wait_for()
    assert _sent(seen, "POST /v1/edit")[-1]["redo"] == {"span": [2, 3]}


def test_sampling_is_steered_from_a_step_on(seen: Watched) -> None:
    seen.go("edit?model=people")
    seen.page.get_by_role("button", name="Steer on the way").click()
    seen.page.get_by_role("button", name="Show the way").click()
    slider = seen.page.get_by_label("Step", exact=True)
    slider.evaluate("s => { s.value = 1; s.dispatchEvent(new Event('input')); s.dispatchEvent(new Event('change')); }")
    seen.page.get_by_text("From step 2 on").wait_for()
    seen.page.get_by_label("Rules").fill("age > 60")
    seen.page.get_by_role("button", name="Go on with this").click()
    seen.page.get_by_role("heading", name="Steered").wait_for()
    assert _sent(seen, "POST /v1/steer")[-1]["turns"] == [{"step": 2, "given": ["age > 60"]}]


def test_chat_streams_and_an_edited_turn_is_a_branch(seen: Watched) -> None:
    seen.go("chat?model=talker")
    write = seen.page.get_by_label("Write here", exact=False)
    write.fill("hello")
    write.press("Enter")
    answer = seen.page.locator(".turn.assistant")
    answer.get_by_text("You said: hello").wait_for()
    assert answer.locator("li b").inner_text() == "two" and answer.locator("pre code").inner_text().strip() == "x = 1"
    seen.page.get_by_role("button", name="Change", exact=True).click()
    seen.page.locator(".turn.user textarea").fill("goodbye")
    seen.page.get_by_role("button", name="Send as a branch").click()
    answer.get_by_text("You said: goodbye").wait_for()
    assert _sent(seen, "POST /v1/chat/completions")[-1]["messages"] == [{"role": "user", "content": "goodbye"}]
    seen.page.get_by_role("button", name="The branch before").click()
    answer.get_by_text("You said: hello").wait_for()
    seen.page.reload()
    seen.page.locator(".turn.assistant").get_by_text("You said: hello").wait_for()   # kept
    with seen.page.expect_download() as download:
        seen.page.get_by_role("button", name="Download this one").click()
    assert len(json.loads(Path(download.value.path()).read_text())["turns"]) == 4


def test_a_pdf_is_asked_and_its_citation_opened(seen: Watched) -> None:
    seen.go("chat?model=talker")
    seen.page.get_by_text("New library").click()
    seen.page.get_by_label("Name", exact=True).fill("papers")
    seen.page.locator("details input[type=file]").first.set_input_files([{"name": "chess.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4 ..."}])
    seen.page.get_by_role("button", name="Read them in").click()
    seen.page.get_by_text("Ask something that the documents answer").wait_for()
    assert _sent(seen, "POST /v1/jobs")[-1]["params"] == {"files": ["file-1"], "name": "papers"}
    write = seen.page.get_by_label("Write here", exact=False)
    write.fill("Where does chess come from?")
    write.press("Enter")
    seen.page.get_by_role("button", name="Footnote 1: chess.pdf").click()
    marked = seen.page.locator("aside mark")
    marked.wait_for()
    assert marked.inner_text() == SPAN["text"] and "long ago" in seen.page.locator("aside").inner_text()
    seen.answers({**TABLE, "POST /v1/ask": {**CITED, "answer": "", "claims": [], "citations": [], "abstained": "nothing fits"}})
    write.fill("And go?")
    write.press("Enter")
    seen.page.get_by_text("The documents do not answer this.").wait_for()


def test_figures_stand_between_floor_and_ceiling(seen: Watched) -> None:
    seen.go("judge?model=people")
    seen.page.get_by_role("button", name="Measure").click()
    seen.page.get_by_role("row", name="c2st").wait_for()
    assert _sent(seen, "POST /v1/jobs")[-1]["params"] == {"model": "people", "seed": 0}
    centre = float(seen.page.locator("tr:has-text('c2st') circle").get_attribute("cx"))
    assert 8 < centre < 152
    assert centre == pytest.approx(8 + 144 * 0.8, abs=0.5)   # lower is better: .6 is four fifths of the way from the floor 1 to the ceiling .5


def test_a_report_is_shown_with_its_looks_and_without_its_scripts(seen: Watched) -> None:
    seen.answers({**TABLE, "GET /v1/jobs/job_1": _job("audit", made={"report": "audit.html"})})
    seen.go("judge?model=people&way=audit")
    seen.page.locator("main").get_by_role("button", name="Audit").last.click()
    inside = seen.page.frame_locator("iframe.report")
    inside.get_by_role("heading", name="Audit").click()
    assert inside.locator("h1").evaluate("e => getComputedStyle(e).color") == "rgb(1, 2, 3)"
    assert inside.locator("#s1").evaluate("e => getComputedStyle(e).position") == "absolute"
    assert inside.locator("script, [onclick], [onerror], img[src], a[href^=http]").count() == 0


def test_a_blind_comparison_counts_by_keys_what_is_preferred(seen: Watched) -> None:
    seen.go("judge?model=poems&way=blind")
    seen.page.get_by_label("The other").select_option(label="talker")
    seen.page.get_by_label("Pairs", exact=True).last.fill("6")
    seen.page.get_by_role("button", name="Begin").click()
    for k in range(1, 7):
        seen.page.get_by_text(f"Pair {k} of 6").wait_for()
        shown = seen.page.locator(".blind-side .view-text")
        assert "poems" not in seen.page.locator(".blind h2").all_inner_texts()
        seen.page.keyboard.press("a" if shown.first.inner_text().startswith("poems") else "b")
        if k == 3:
            seen.page.keyboard.press("u")
            seen.page.get_by_text("Pair 3 of 6").wait_for()
            seen.page.keyboard.press("a" if shown.first.inner_text().startswith("poems") else "b")
    seen.page.get_by_text("poems is preferred.").wait_for()
    told = seen.page.locator("main").inner_text()
    assert "100 %" in told and "54.1 %" in told   # Clopper and Pearson of 6 of 6: (.025)^(1/6)


def test_intervals_are_those_of_clopper_and_pearson(seen: Watched) -> None:
    stats = pytest.importorskip("scipy.stats")
    seen.go("judge")
    for k, n in ((0, 10), (3, 10), (10, 10), (170, 300), (500, 1000)):
        found = stats.binomtest(k, n).proportion_ci(method="exact")
        assert seen.page.evaluate(f"import('/studio/tools/chance.js').then(m => m.interval({k}, {n}))") == pytest.approx([found.low, found.high], abs=1e-9)


def _shown(seen: Watched, items: list[Any], info: dict[str, Any] | None = None, do: str = "") -> Any:
    """Puts a viewer of the items into the page; what `do` says of its element `e`."""
    seen.go("judge")
    return seen.page.evaluate("""async ([items, info, act]) => {
      const { view } = await import("/studio/viewers/index.js"), chosen = [], e = view(items, info, { onSelect: (i) => chosen.push(i) });
      document.querySelector("main").replaceChildren(e); window.chosen = chosen; window.shown = e;
      await new Promise((r) => setTimeout(r, 200)); }""", [items, info or {}, do])


def test_a_table_is_sorted_with_empty_cells_last_and_shows_distributions(seen: Watched) -> None:
    _shown(seen, [{"a": 10, "b": "x"}, {"a": None, "b": "y"}, {"a": 9, "b": "z"}])
    first = lambda: seen.page.locator("tbody tr td:nth-child(2)").all_inner_texts()
    for expected in (["9", "10", "–"], ["10", "9", "–"], ["10", "–", "9"]):
        seen.page.get_by_role("columnheader", name="a").get_by_role("button").click()
        assert first() == expected
    seen.page.get_by_label("Distributions").check()
    assert seen.page.locator("svg.view-bars").count() == 2
    seen.page.get_by_role("button", name="Choose item 3").click()
    assert seen.page.evaluate("window.chosen") == [2]


def test_pictures_keep_their_pixels_and_are_walked_by_keys(seen: Watched) -> None:
    _shown(seen, [picture(i) for i in range(5)])
    assert seen.page.locator("img.sharp").count() == 5
    seen.page.locator(".view-zoom").first.focus()
    seen.page.keyboard.press("ArrowRight")
    seen.page.keyboard.press("Enter")
    seen.page.get_by_text("2 / 5").wait_for()
    seen.page.keyboard.press("ArrowRight")
    seen.page.get_by_text("3 / 5").wait_for()
    seen.page.keyboard.press("Escape")
    assert seen.page.locator("dialog").count() == 0


def test_arrays_are_drawn_by_their_shape(seen: Watched) -> None:
    array = lambda *shape: {"shape": list(shape), "values": [((7 * i) % 11) / 11 for i in range(math.prod(shape))]}
    for shape, what in (((50,), "polyline.curve"), ((2,), "circle.dot"), ((30, 3), "canvas.view-cloud"), ((8, 8), ".view-zoom canvas"), ((8, 8, 3),
        ".view-zoom canvas"), ((4000,), "svg.view-wave"), ((5,), "table")):
        _shown(seen, [array(*shape)] * 3)
        assert seen.page.locator(what).count() >= 1, shape
    _shown(seen, [{"shape": [1, 2], "values": [0.5, 1.0]}], {"kind": "array"})
    turned = seen.page.evaluate("""import('/studio/viewers/cloud.js').then(m =>
      [m.turned([1, 0, 0], Math.PI / 2, 0), m.turned([0, 1, 0], 0, Math.PI / 2), m.centred([[0, 0, 0], [2, 0, 0]])])""")
    assert turned[0] == pytest.approx([0, 0, -1], abs=1e-12) and turned[1] == pytest.approx([0, 0, 1], abs=1e-12) and turned[2] == [[-1, 0, 0], [1, 0, 0]]


def test_a_sound_is_a_wav_of_its_samples(seen: Watched) -> None:
    seen.go("judge")
    raw = seen.page.evaluate("import('/studio/viewers/sounds.js').then(async m => [...new Uint8Array(await m.wav([[0, 0.5, -1], [0, 0, 2]], 8000).arrayBuffer())])")
    with wave.open(io.BytesIO(bytes(raw))) as sound:
        assert (sound.getnchannels(), sound.getframerate(), sound.getsampwidth(), sound.getnframes()) == (2, 8000, 2, 3)
        assert struct.unpack("<6h", sound.readframes(3)) == (0, 0, 8192, 0, -16383, 32767)   # louder than 1: both channels by half


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_no_page_is_wider_than_its_window(base: str, chromium: Any, width: int, locale: str) -> None:
    with paged(chromium, base, width, locale, dark=width == 390) as seen:
        seen.answers(TABLE)
        for where in ("edit?model=digits", "edit?model=people", "edit?model=poems", "chat", "judge", "judge?way=blind", "judge?way=race"):
            seen.go(where)
            make = seen.page.locator("details.source .begin button").first
            if where.startswith("edit"):
                make.click()
                seen.page.locator("button.view-number").first.click()
            seen.page.wait_for_timeout(150)
            assert seen.wide() <= 0, where
        if locale == "zh-CN":
            assert seen.page.evaluate("document.documentElement.lang") == "zh-CN"
            seen.page.get_by_text("盲比").wait_for()
        seen.well()
