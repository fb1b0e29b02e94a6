"""Readers: what is seen of a file becomes text, what is hidden is left out and told, and what is broken, locked or a bomb is refused."""
from __future__ import annotations

import io
import time
import zipfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ilk import registry
from ilk.errors import DataError
from ilk.modality import Limits
from ilk.rag.ingest import DOCUMENTS, documents
from ilk.reader import Document

pypdf = pytest.importorskip("pypdf")
docx = pytest.importorskip("docx")


def one(name: str, data: bytes | str, limits: Limits = DOCUMENTS) -> Document:
    (found,) = documents(name, data.encode() if isinstance(data, str) else data, limits)
    return found


def refused(name: str, data: bytes | str, limits: Limits = DOCUMENTS) -> str | None:
    with pytest.raises(DataError) as why:
        documents(name, data.encode() if isinstance(data, str) else data, limits)
    return why.value.code


def pdf(*pages: bytes, encrypt: str | None = None) -> bytes:
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

    file = pypdf.PdfWriter()
    font = DictionaryObject({NameObject("/Type"): NameObject("/Font"), NameObject("/Subtype"): NameObject("/Type1"), NameObject("/BaseFont"): NameObject("/Helvetica")})
    for content in pages:
        page, stream = file.add_blank_page(300, 300), DecodedStreamObject()
        stream.set_data(content)
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})})
        page[NameObject("/Contents")] = file._add_object(stream)
    if encrypt is not None:
        file.encrypt(encrypt, algorithm="RC4-128")
    to = io.BytesIO()
    file.write(to)
    return to.getvalue()


def said(text: str) -> bytes:
    return f"BT /F1 12 Tf 10 200 Td ({text}) Tj ET".encode()


def word(change: Any = None) -> bytes:
    file = docx.Document()
    file.add_heading("Moon", 1)
    file.add_paragraph("Bright.")
    if change is not None:
        change(file)
    to = io.BytesIO()
    file.save(to)
    return to.getvalue()


def rezipped(data: bytes, changed: dict[str, bytes]) -> bytes:
    to = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            if name not in changed:
                new.writestr(name, old.read(name))
        for name, content in changed.items():
            new.writestr(name, content)
    return to.getvalue()


@pytest.mark.parametrize(("data", "text"), [
    ("床前明月光".encode(), "床前明月光"), ("床前明月光".encode("gb18030"), "床前明月光"), ("\ufeffBOM".encode(), "BOM"),
    ("wide".encode("utf-16"), "wide"), (b"a\r\nb\rc", "a\nb\nc")])
def test_encodings(data: bytes, text: str) -> None:
    assert one("a.txt", data).text == text


def test_characters_that_nobody_sees_are_left_out_and_told() -> None:
    found = one("a.txt", "pa\u200by\u2060 \u202eevil\u202c \U000e0041\U000e0042 now\x1b[31m")
    assert found.text == "pay evil  now[31m"
    assert found.notes == ("4 characters without width left out", "2 characters of direction left out", "1 character of control left out")
    assert one("a.txt", "👩\u200d💻 می\u200cخواهم").text == "👩\u200d💻 می\u200cخواهم"   # joiners that writing needs


@pytest.mark.parametrize(("name", "data", "code"), [
    ("a.txt", b"", "EMPTY"), ("a.txt", b"a\0b", "BINARY"), ("a.txt", b"%PDF-1.7 ...", "BINARY"), ("a.md", b"\x7fELF....", "BINARY"), 
    ("a.txt", bytes(range(1, 32)) * 9, "BINARY"),
    ("a.txt", b"\xff\xfe\x00", "BINARY"), ("a.pdf", b"", "EMPTY"), ("a.pdf", b"%PDF-1.7 broken", "BROKEN"), ("a.pdf", b"no pdf", "BROKEN"), ("a.docx", b"", "EMPTY"),
    ("a.docx", b"no zip", "BROKEN"), ("a.docx", b"\xd0\xcf\x11\xe0rest", "ENCRYPTED"), ("a.exe", b"MZ", "FORMAT"),
    ("a.csv", b"a,a\n1,2\n", "COLUMNS"), ("a.csv", b"a,b\n1,2,3\n", "COLUMNS"),
    ("a.jsonl", b"{bad", "JSON"), ("a.jsonl", b"[1]", "JSON"), ("a.jsonl", b"[" * 100_000, "JSON"), ("a.jsonl", b'{"a": NaN}', "JSON"),
    ("a.html", b"<div>" * 100_000, "TOO_LARGE")])
def test_bad_files_are_refused(name: str, data: bytes, code: str) -> None:
    assert refused(name, data) == code


def test_sizes_are_limited() -> None:
    small = Limits(bytes=100, items=2, entries=3)
    assert refused("a.txt", "x" * 101, small) == refused("a.csv", "a\n1\n2\n3\n", small) == refused("a.jsonl", "{}\n{}\n{}\n", small) == "TOO_LARGE"
    assert refused("a.docx", word(), Limits(entries=3)) == "TOO_LARGE"


def test_markdown_has_sections_and_facts_and_hides_nothing_that_is_seen() -> None:
    found = one("a.md", "---\nauthor: Li Bai\nyear: 726\n---\n# One\ntext\n```\n# no heading\n<!-- seen -->\n```\nTwo\n===\n## Three ##\n"
                "<!-- obey\nme --> end\n<script>x</script>\n")
    assert [(s.title, s.level) for s in found.sections] == [("One", 1), ("Two", 1), ("Three", 2)]
    assert found.facts == {"author": "Li Bai", "year": 726} and "obey" not in found.text and "x" not in found.text.split("Three ##")[1].replace("text", "")
    assert all(found.text[s.start:].lstrip("#").strip().startswith(s.title) for s in found.sections)
    assert found.notes[-1].endswith("hidden parts left out")


HIDDEN = ['<p style="display:none">EVIL</p>', '<p style="color: #FFF">EVIL</p>', '<div hidden>EVIL</div>', '<p class=x>EVIL</p>', "<script>EVIL</script>",
          "<!-- EVIL -->",
          "<template>EVIL</template>", '<span style="font-size:0px">EVIL</span>', '<div style="position:absolute;left:-99999px">EVIL</div>', '<p style="opacity: 0">EVIL</p>',
          "<style>EVIL</style>", '<iframe srcdoc="EVIL"></iframe>', "<noscript>EVIL</noscript>",
          '<b style="visibility : hidden"><i>EVIL</i></b>', '<svg><text>EVIL</text></svg>']


@pytest.mark.parametrize("part", HIDDEN)
def test_what_a_page_hides_is_left_out(part: str) -> None:
    found = one("a.html", f"<style>p.y, .x {{ color: red; display : none }}</style><h1>Moon</h1>{part}<p>Bright.</p>")
    assert found.text == "Moon\n\nBright." and [s.title for s in found.sections] == ["Moon"]
    if not part.startswith(("<!--", "<template", "<style", "<iframe", "<noscript", "<svg")):
        assert found.notes == ("1 hidden part left out",)


def test_white_on_a_dark_ground_is_seen() -> None:
    assert one("a.html", '<div style="background:#000"><p style="color:#fff">Seen.</p></div>').text == "Seen."


def test_a_page_as_text() -> None:
    found = one("a.html", "<title>T</title><meta name=author content=Ann><h2>A</h2>x <b>y</b>\n z<table><tr><th>a<th>b<tr><td>1<td>2</table>"
                "<pre>p\n  q</pre><ul><li>one<li>two</ul>")
    assert found.text == "A\n\nx y z\n\n| a | b |\n| 1 | 2 |\n\np\n  q\n\n- one\n- two" and found.facts == {"title": "T", "author": "Ann"}


def test_pdf_pages_are_sections_and_white_letters_are_left_out() -> None:
    found = one("a.pdf", pdf(said("Moonlight is bright."), b"q 1 1 1 rg " + said("EVIL") + b" Q " + said("Seen."), b"0 0 0 0 k " + said("EVIL")))
    assert found.text == "Moonlight is bright.\n\nSeen." and [s.title for s in found.sections] == ["page 1", "page 2"]
    assert found.notes == ("2 pieces in white letters left out", "1 page without letters")


def test_pdf_locked_looping_or_very_long() -> None:
    assert refused("a.pdf", pdf(said("x"), encrypt="secret")) == "ENCRYPTED"
    assert one("a.pdf", pdf(said("Open."), encrypt="")).text == "Open."
    loop = b"""%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[2 0 R]/Count 1>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"""
    began = time.monotonic()
    assert refused("a.pdf", loop) == "BROKEN" or documents("a.pdf", loop)[0].text == ""
    whole = pdf(*[said("Page.")] * 20)
    assert [refused("a.pdf", whole[:len(whole) * k // 7]) for k in range(1, 6)] and time.monotonic() - began < 20


@pytest.mark.slow
def test_a_pdf_of_ten_thousand_pages() -> None:
    assert len(one("a.pdf", pdf(*[said("Page.")] * 10_000)).sections) == 10_000


def test_docx_has_sections_and_tables_and_leaves_out_what_is_hidden() -> None:
    def change(file: Any) -> None:
        paragraph = file.add_paragraph("Seen. ")
        paragraph.add_run("EVIL").font.hidden = True
        paragraph.add_run("EVIL").font.color.rgb = docx.shared.RGBColor(255, 255, 255)
        paragraph.add_run("EVIL").font.size = docx.shared.Pt(1)
        table = file.add_table(1, 2)
        table.cell(0, 0).text, table.cell(0, 1).text = "a", "b"
        file.add_heading("Dark side", 2)

    found = one("a.docx", word(change))
    assert found.text == "Moon\n\nBright.\n\nSeen.\n\n| a | b |\n\nDark side" and [(s.title, s.level) for s in found.sections] == [("Moon", 1), ("Dark side", 2)]
    assert "3 hidden parts left out" in found.notes


def test_docx_bombs_entities_and_macros() -> None:
    declared = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">&b;</w:document>'
    assert refused("a.docx", rezipped(word(), {"word/document.xml": declared})) == "ENTITIES"
    assert refused("a.docx", rezipped(word(), {"word/document.xml": declared.decode().encode("utf-16")})) in ("ENTITIES", "BROKEN")
    assert refused("a.docx", rezipped(word(), {"word/media/x": bytes(16 << 20)})) == "TOO_LARGE"
    assert refused("a.docx", rezipped(word(), {"word/document.xml": b"<broken"})) == "BROKEN"
    assert "macros left out" in one("a.docm", rezipped(word(), {"word/vbaProject.bin": b"Sub AutoOpen"})).notes


def test_tables_and_lines_are_documents_with_facts() -> None:
    rows = documents("p.csv", b"title;year;score\nQuiet Night;726;0.5\n;;\nSpring;0730;\n", DOCUMENTS)
    assert [(r.name, r.text, dict(r.facts)) for r in rows] == [
        ("p.csv#1", "title: Quiet Night\nyear: 726\nscore: 0.5", {"title": "Quiet Night", "year": 726, "score": 0.5}),
        ("p.csv#3", "title: Spring\nyear: 0730", {"title": "Spring", "year": "0730"})]
    lines = documents("p.jsonl", b'{"text": "Hi", "n": 3, "tags": ["a"]}\n\n{"b": true}\n', DOCUMENTS)
    assert [(r.name, r.text, dict(r.facts)) for r in lines] == [("p.jsonl#1", 'Hi\nn: 3\ntags: ["a"]', {"n": 3}), ("p.jsonl#3", "b: True".lower(), {"b": True})]


def test_programs_have_their_functions_as_sections() -> None:
    text = "import x\n\n@d\nclass A:\n    def f(self):\n        '''床'''\n        return 1\n\n\nasync def g(): ...\n"
    found = one("a.py", text)
    assert [(s.title, s.level, text[s.start:s.end].strip().split("\n")[0]) for s in found.sections] == [
        ("class A", 1, "@d"), ("def f", 2, "def f(self):"), ("def g", 1, "async def g(): ...")]
    assert "not valid Python" in one("a.py", "def f(:\n  x").notes[-1]
    script = one("a.js", "const a = 1;\n\nfunction f(x) {\n  return x;\n}\n\nclass B {\n  m() {}\n}\n")
    assert [s.title for s in script.sections] == ["const a = 1;", "function f(x)", "class B"]


def test_every_reader_says_its_suffixes_and_each_is_one_readers() -> None:
    suffixes = [s for name in registry.names("readers") for s in registry.get("readers", name).suffixes]
    assert len(set(suffixes)) == len(suffixes) and {".txt", ".md", ".html", ".pdf", ".docx", ".csv", ".jsonl", ".py"} <= set(suffixes)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([".txt", ".md", ".html", ".csv", ".jsonl", ".py", ".js", ".pdf", ".docx"]), st.one_of(
    st.binary(max_size=200), st.text(max_size=200).map(lambda t: t.encode("utf-8", "ignore")),
    st.lists(st.sampled_from(["<div>", "</p>", "<td>", "<h1>", "text", "#", "\n", "```", "a,b", '"', "{", "}", "def f():", "\u202e", "&amp;", "<!--", "style=",
                              "%PDF-1.4"])).map(
        lambda p: "".join(p).encode())))
def test_anything_is_read_or_refused(suffix: str, data: bytes) -> None:
    try:
        found = documents("x" + suffix, data, DOCUMENTS)
    except DataError as why:
        assert why.code
        return
    for document in found:
        assert not set(document.text) & set("\0\u200b\u202e\x1b") and all(0 <= s.start <= s.end <= len(document.text) for s in document.sections)


def test_cut_and_flipped_files_are_read_or_refused() -> None:
    for name, whole in (("a.pdf", pdf(said("One."), said("Two."))), ("a.docx", word())):
        for at in range(0, len(whole), max(1, len(whole) // 15)):
            flipped = bytearray(whole)
            flipped[at] ^= 0x55
            for data in (whole[:at], bytes(flipped)):
                try:
                    assert documents(name, data, DOCUMENTS)
                except DataError as why:
                    assert why.code
