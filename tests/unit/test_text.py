"""Texts: reading in any encoding, exact round trips through every codec, writing back, and what is refused."""
from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ilk.batch import Batch, Memory
from ilk.errors import DataError, IlkError, ModelError, ResourceError, UsageError
from ilk.families.ngram import NGram, NGrams
from ilk.given import Begin, Keep, Where
from ilk.modalities._encoding import decode
from ilk.modalities._tokens import Characters
from ilk.modalities.text import Text
from ilk.modality import Codec, Limits
from ilk.rng import Rng
from ilk.rules import Test
from ilk.run import Run
from ilk.store import State

torch.set_num_threads(1)
QUIET = "静夜思\n床前明月光，疑是地上霜。\n举头望明月，低头思故乡。"
TANG = [QUIET, "登鹳雀楼\n白日依山尽，黄河入海流。\n欲穷千里目，更上一层楼。", "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。"]
BIG5 = "靜夜思\n床前明月光,疑是地上霜。\n舉頭望明月,低頭思故鄉。\n"
ODD = ["", "emoji 👩‍👩‍👧 🏳️‍🌈", "e\u0301 combining \u1e9b\u0323", "𠀀𪚥 beyond 16 bits", "a\r\nb\n\nc\t\0\x1b", "\ufeffmark", "שלום عربى"]
UNICODE = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
TOKENS = ["characters", "bytes", "bpe"]


def codec_of(tokens: str, train: list[str]) -> Codec[list[str]]:
    text = Text(tokens=tokens, vocabulary=300)  # type: ignore[arg-type]
    return text.codecs()[0].learned(text, train)


CODECS = {tokens: codec_of(tokens, [*TANG, *ODD, "to be, or not to be"]) for tokens in TOKENS}


@pytest.mark.parametrize("tokens", TOKENS)
@settings(max_examples=150, deadline=None)
@given(st.lists(UNICODE, max_size=5))
def test_round_trip_over_all_unicode(tokens: str, items: list[str]) -> None:
    codec = CODECS[tokens]
    coded = codec.encode(items, Rng(0))
    assert codec.space.holds(coded)
    back = codec.decode(coded, Rng(1))
    if tokens != "characters":
        assert back == items
    else:
        assert isinstance(codec, Characters)
        known = set(codec.alphabet)
        assert all(len(a) == len(b) and all(x == y if x in known else y not in known for x, y in zip(a, b, strict=True))
                   for a, b in zip(items, back, strict=True))
    again = codec.encode(back, Rng(2))
    assert torch.equal(again.elements.tensor, coded.elements.tensor) and torch.equal(again.lengths, coded.lengths)


@pytest.mark.parametrize("tokens", TOKENS)
def test_restored_codec_is_the_same(tokens: str) -> None:
    codec, items = CODECS[tokens], [*TANG, *ODD]
    facts = json.loads(json.dumps(codec.state().facts))
    again = type(codec).restored(Text(), State(facts=facts))
    assert again.space == codec.space and again.keeps == codec.keeps
    assert torch.equal(again.encode(items, Rng(0)).elements.tensor, codec.encode(items, Rng(0)).elements.tensor)
    assert codec.decode(codec.encode(items, Rng(0)), Rng(0)) == items
    for bad in ({}, {**facts, "at_most": -1}, {"at_most": 5, "alphabet": "ba", "tokenizer": "{}"}):
        if tokens != "bytes" or bad.get("at_most") != 5:
            with pytest.raises(ModelError):
                type(codec).restored(Text(), State(facts=bad))


def test_a_character_never_seen_is_one_of_all_others() -> None:
    codec = codec_of("characters", ["abc"])
    assert codec.keeps == "cells" and codec.space.of.sizes == 4  # type: ignore[union-attr]
    coded = codec.encode(["aX月", "b"], Rng(0))
    assert coded.elements.tensor.tolist() == [0, 3, 3, 1]
    others = 0x110000 - 0x800 - 3
    expect = -torch.tensor([2.0, 0, 0]).double() * torch.tensor(float(others)).double().log()
    assert torch.allclose(codec.log_volume(["aX月", "b", ""], Rng(0)), expect)
    many = Batch(Batch(torch.full((60_000,), 3)), length=torch.full((6000,), 10))
    made = codec.decode(many, Rng(3))
    points = torch.tensor([ord(c) for text in made for c in text])
    assert not set("abc") & set("".join(made)) and not bool(((points >= 0xD800) & (points < 0xE000)).any())
    assert abs(float((points < 0x88000).double().mean()) - (0x88000 - 0x800 - 3) / others) < 0.01
    assert codec.decode(many.take(torch.arange(40, 50)), Rng(3).at(40)) == made[40:50]
    assert codec.decode(Batch(Batch(torch.tensor([3] * 12 + [0])), length=torch.tensor([10, 3])), Rng(3))[0] == made[0]


def test_every_text_has_a_probability() -> None:
    text = Text()
    codec = text.codecs()[0].learned(text, TANG)
    model = NGram(order=3).build(codec.space, Rng(0))
    assert isinstance(model, NGrams)
    model.fit(Memory(codec.encode(TANG, Rng(0))), Run())
    score = model.log_prob(codec.encode([*TANG, *ODD], Rng(0))) + codec.log_volume([*TANG, *ODD], Rng(0))
    assert bool(score.isfinite().all())
    assert text.obeys(codec.decode(model.sample(20, Rng(1)), Rng(1)), []).all()
    lowered = codec.given([Test("prefix", "==", "床前")])
    begun = model.given(lowered.known[""], Rng(0))
    assert begun is not None
    made = codec.decode(begun.sample(10, Rng(1)), Rng(1))
    assert bool(text.obeys(made, [Test("prefix", "==", "床前")]).all())


def test_too_long_and_broken_texts_are_refused() -> None:
    for codec in CODECS.values():
        with pytest.raises(DataError, match="item 1 has"):
            codec.encode(["a", "ab " * 5000], Rng(0))
        with pytest.raises(DataError, match="item 1, character 2"):
            codec.encode(["a", "ab\ud800"], Rng(0))


def test_prefixes() -> None:
    for tokens, codec in CODECS.items():
        asked = codec.given([Test("prefix", "==", "月光"), Test("prefix", "==", "月")])
        if tokens == "bpe":
            assert asked.rest and not asked.known
        else:
            known = asked.known[""]
            assert isinstance(known, Begin) and torch.equal(known.elements, codec.encode(["月光"], Rng(0)).elements.tensor)
        for tests in ([Test("suffix", "in", ("a", "b"))], [Test("prefix", "!=", "a")], [Test("prefix", "==", 5)],
                      [Test("prefix", "==", "a"), Test("prefix", "==", "b")], [Test("prefix", "==", "\udc00")]):
            with pytest.raises(UsageError, match="text|prefix"):
                codec.given(tests)
        assert not codec.given([]).known
    with pytest.raises(UsageError, match="Ж"):
        CODECS["characters"].given([Test("prefix", "==", "aЖ")])


def test_what_may_be_asked() -> None:
    text = Text()
    assert text.asked("Once == ") == Keep({"prefix": "Once == "})
    assert text.asked({"prefix": "a"}) == Keep({"prefix": "a"}) and text.asked(Where("prefix == 'a'")) == Where("prefix == 'a'")
    assert text.obeys(["ab", "b", "a"], [Test("prefix", "==", "a")]).tolist() == [True, False, True]
    with pytest.raises(UsageError):
        text.checked([Test("length", "<", 5)])
    assert text.lengths(["床a", ""])["byte"].tolist() == [4, 0] and text.lengths(["床a", ""])["character"].tolist() == [2, 0]
    assert text.show(["a\x1b[2J", "b"]).data == b"a[2J\nb"
    assert text.join([["a"], ["b", "c"]]) == ["a", "b", "c"] and text.take(["a", "b"], torch.tensor([1, 1])) == ["b", "b"]


@pytest.mark.parametrize(("text", "encoding", "named"), [
    (QUIET, "utf-8", "utf-8"), (QUIET, "utf-8-sig", "utf-8-sig"), (QUIET, "utf-16", "utf-16"), (QUIET, "utf-16-le", "utf-16-le"),
    (QUIET, "utf-16-be", "utf-16-be"), (QUIET, "gb18030", "gb18030"), (BIG5, "gb18030", "gb18030"), (BIG5, "big5", "big5"),
    ("plain\nascii\n", "utf-16-be", "utf-16-be"), ("plain", "ascii", "utf-8"), ("日本語のテキスト、カタカナ", "shift_jis", "cp932"),
    ("café à la crème", "cp1252", "cp1252"), ("李白,男,四川\n王维,男,山西", "gb18030", "gb18030"), ("臺北市,陳大文\n", "big5", "big5"),
    ("Мороз и солнце; день чудесный!", "cp1251", "cp1251"), ("한국어 문장은 이렇게 쓴다", "euc_kr", "euc_kr"), (QUIET, "utf-32", "utf-32")])
def test_encodings_are_found(text: str, encoding: str, named: str) -> None:
    assert decode(text.encode(encoding), "f") == (text, named)
    assert decode(text.encode(encoding), "f", encoding) == (text, encoding)


@pytest.mark.parametrize(("data", "place"), [
    (b"ab\n\0\x01\xfe\xff", "line 2, byte 3"), (("好\n" * 3).encode() + b"\xff\xfe\xb0", "line 4, byte 12"),
    (bytes(range(1, 256)), "byte 127"),
    ((QUIET + "\n").encode("gb18030") + "人生得意须尽欢啊\n".encode() + QUIET.encode("gb18030"), "line 4|byte 0"),
    ("voilà déjà vu\n".encode() + "où ça, là\n".encode("cp1252"), "line 1|line 2")])
def test_what_is_no_text_is_refused(data: bytes, place: str) -> None:
    with pytest.raises(DataError, match=place) as why:
        decode(data, "f")
    assert why.value.code == "ENCODING"


def test_unknown_encodings_are_refused() -> None:
    for name in ("no-such", "base64", "hex"):
        with pytest.raises(UsageError):
            decode(b"a", "f", name)
    with pytest.raises(DataError, match="byte 1"):
        decode("a好".encode(), "f", "ascii")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_text_or_refused(data: bytes) -> None:
    try:
        text, _ = decode(data, "f")
    except DataError as why:
        assert why.code == "ENCODING"
    else:
        text.encode()


def read(at: Path | list[str], limits: Limits | None = None, **how: str) -> tuple[list[str], tuple[str, ...]]:
    data = Text(**how).read(at, limits or Limits())  # type: ignore[arg-type]
    return data.items, data.origin.notes


def test_lines_and_paragraphs(tmp_path: Path) -> None:
    at = tmp_path / "a.txt"
    at.write_bytes("one\r\n\r\n  \r\ntwo\u2028still two\x85\r\nthree".encode())
    assert read(at) == (["one", "two\u2028still two\x85", "three"], ("one item per line",))
    assert read(at, per="paragraph")[0] == ["one", "two\u2028still two\x85\r\nthree"]
    assert read(at, per="file")[0] == [at.read_bytes().decode()]
    at.write_text("\n\n".join(["speaker:\nspoke"] * 25), encoding="gb18030")
    assert read(at)[0] == ["speaker:\nspoke"] * 25
    data = Text().read(str(at), Limits())
    assert data.modality == Text(per="paragraph") and dict(data.splits) == {}
    at.write_bytes(QUIET.encode("gb18030"))
    assert read(at) == (QUIET.split("\n"), ("one item per line", "read as gb18030"))


def test_whole_is_split_by_place(tmp_path: Path) -> None:
    at = tmp_path / "a.txt"
    at.write_text("床" * 80 + "b" * 10 + "c" * 10, encoding="utf-8")
    data = Text(per="whole").read(at, Limits())
    assert (data.train, data.valid, data.test) == (["床" * 80], ["b" * 10], ["c" * 10])
    at.write_text("ab")
    with pytest.raises(DataError, match="too short"):
        Text(per="whole").read(at, Limits())


def test_records(tmp_path: Path) -> None:
    at = tmp_path / "a.jsonl"
    at.write_text('{"text": "a\\nb"}\n\n{"text": "", "more": 1}\n{"text": "\\ud83d\\ude00\u2028"}', encoding="utf-8")
    assert read(at)[0] == ["a\nb", "", "😀\u2028"]
    assert Text.claims(at) and not Text.claims(tmp_path / "a.csv")
    for line, code in (("{", "JSON"), ('{"body": "a"}', "FIELD"), ("[1]", "FIELD"), ('{"text": 5}', "FIELD"),
                       ('{"text": "\\ud800"}', "ENCODING"),
                       ("[" * 200_000, "JSON")):
        at.write_text('{"text": "a"}\n' + line + "\n")
        with pytest.raises(DataError, match="line 2") as why:
            read(at)
        assert why.value.code == code
    at.write_text('{"body": "a"}\n')
    assert read(at, field="body")[0] == ["a"] and not Text.claims(at)


def test_folders_and_splits(tmp_path: Path) -> None:
    (tmp_path / "b" / "deep").mkdir(parents=True)
    (tmp_path / "b" / "deep" / "2.txt").write_text("two\nlines\n")
    (tmp_path / "a.md").write_bytes(QUIET.encode("gb18030"))
    (tmp_path / "z.txt.gz").write_bytes(gzip.compress(b"packed"))
    (tmp_path / "picture.png").write_bytes(b"\0\0")
    (tmp_path / ".hidden.txt").write_text("no")
    os.symlink("/etc/passwd", tmp_path / "out.txt")
    os.symlink(tmp_path, tmp_path / "b" / "loop")
    os.symlink(tmp_path / "a.md", tmp_path / "in.txt")
    items, notes = read(tmp_path)
    assert items == [QUIET, QUIET, "packed", "two\nlines\n"]
    assert notes == ("one item per file", "links that lead out of the folder or nowhere were left out: 1", "read as gb18030: 2 of 4 files")
    for name in ("train", "Test", "val"):
        (tmp_path / f"{name}.txt").write_text(f"{name}1\n{name}2\n")
    data = Text().read(tmp_path, Limits())
    assert (data.train, data.valid, data.test) == (["train1", "train2"], ["val1", "val2"], ["Test1", "Test2"])
    with pytest.raises(ResourceError):
        Text().read(tmp_path, Limits(entries=3))
    assert Text.claims(tmp_path) and Text.claims(str(tmp_path / "a.md")) and Text.claims(["a"])
    assert not any(Text.claims(raw) for raw in (tmp_path / "b" / "none", [], [1], 5, tmp_path / "picture.png"))


def test_bad_paths_are_refused(tmp_path: Path) -> None:
    def code(at: object, limits: Limits | None = None) -> str:
        with pytest.raises(IlkError) as why:
            Text().read(at, limits or Limits())
        return why.value.code

    at = tmp_path / "a.txt"
    assert code(at) == "NOT_FOUND"
    at.write_bytes(b"")
    assert code(at) == "EMPTY" and code([]) == "EMPTY"
    at.write_bytes(b" \n\n")
    assert code(at) == "EMPTY"
    at.write_bytes(b"\x7fELF\x01\0\0\0")
    assert code(at) == "ENCODING"
    at.write_text("abcdef")
    assert code(at, Limits(bytes=5)) == "TOO_LARGE" and code(["a", 5]) == "DATA_TYPE" and code(5) == "USAGE"
    os.mkfifo(tmp_path / "pipe.txt")
    assert code(tmp_path / "pipe.txt") == "UNREADABLE" and code("a\0b.txt") == "UNREADABLE"
    (tmp_path / "empty").mkdir()
    assert code(tmp_path / "empty") == "EMPTY"
    packed = tmp_path / "a.txt.gz"
    packed.write_bytes(b"not gzip")
    assert code(packed) == "FORMAT"
    packed.write_bytes(gzip.compress(b"some text" * 99)[:-9])
    assert code(packed) == "FORMAT"
    packed.write_bytes(gzip.compress(b"a" * 20_000_000))
    assert code(packed) == "decompression_bomb" and code(packed, Limits(ratio=10**6, unpacked=10**6)) == "decompression_bomb"
    packed.write_bytes(gzip.compress(b"a\n" * 20_000))
    assert len(read(packed)[0]) == 20_000 and code(packed, Limits(items=10)) == "TOO_LARGE"


def test_written_texts_can_be_read_back(tmp_path: Path) -> None:
    cases = [("line", "a.txt", TANG[2:] + ["b c"]), ("paragraph", "p.txt", TANG), ("auto", "o.jsonl", [*ODD, *TANG]),
             ("file", "f.txt", ["x\n\n y\n"]),
             ("line", "l.txt.gz", ["床", "前"]), ("line", "g.jsonl.gz", ODD)]
    for per, name, items in cases:
        Text(per=per).write(items, tmp_path / name)  # type: ignore[arg-type]
        assert read(tmp_path / name, per="file" if "jsonl" in name else per)[0] == items
    assert {p.name for p in tmp_path.iterdir()} == {name for _, name, _ in cases}


@pytest.mark.parametrize(("per", "items"), [
    ("line", ["a\nb"]), ("auto", [""]), ("line", ["a\r"]), ("paragraph", ["a\n\nb"]), ("paragraph", ["a\n"]), ("file", ["a\nb", "c"]),
    ("line", ["\ufeffa"]), ("line", ["\0"])])
def test_what_plain_text_cant_hold_is_refused(tmp_path: Path, per: str, items: list[str]) -> None:
    at = tmp_path / "a.txt"
    at.write_text("before")
    with pytest.raises(UsageError, match="jsonl"):
        Text(per=per).write(items, at)  # type: ignore[arg-type]
    assert at.read_text() == "before"
    with pytest.raises(ResourceError):
        (tmp_path / "folder.txt").mkdir()
        Text().write(["a"], tmp_path / "folder.txt")
    with pytest.raises(DataError):
        Text().write(["\ud800"], at)


@settings(max_examples=100, deadline=None)
@given(st.lists(UNICODE, min_size=1, max_size=5), st.sampled_from(["line", "paragraph"]))
def test_plain_text_is_exact_or_refused(items: list[str], per: str) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        at = Path(folder) / "a.txt"
        try:
            Text(per=per).write(items, at)  # type: ignore[arg-type]
        except UsageError:
            return
        assert read(at, per=per)[0] == items
