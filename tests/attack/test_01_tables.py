"""Case 1: tables as people have them. Each is read right or refused with its place, and nothing is written."""
from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ilk import GMM as GMM_
from ilk import MADE, Steps, fit
from ilk.errors import IlkError
from ilk.modality import Limits

HAN = "城市,人口,名\n" + "".join(f"{'北京上海南京'[2 * (i % 3):2 * (i % 3) + 2]},{i % 9},{'李王张劉陳'[i % 5]}\n" for i in range(60))
GOOD = "a,b\n" + "".join(f"{i % 5},{i % 3}\n" for i in range(40))
GMM = ("--family", "gmm", "--components", "1", "--steps", "2")

REFUSED: dict[str, tuple[bytes, str, str]] = {   # file, code, what the message must hold
    "empty": (b"", "EMPTY", "d.csv is empty"),
    "blank": (b"\n\n \n", "EMPTY", "d.csv is empty"),
    "header only": (b"a,b\n", "EMPTY", "no rows"),
    "one row": (b"a,b\n1,2\n", "TOO_FEW", "2 different"),
    "ragged": (b"a,b\n" + b"1,2\n" * 15 + b"1\n" + b"1,2\n" * 5, "RAGGED", "row 17 has 1 cells, the header has 2"),
    "ragged with quotes": (b'a,b\n"1",2\n1,2,3\n', "RAGGED", "row 3 has 3 cells"),
    "ragged after a quoted newline": (b'a,b\n"x\ny",2\n1,2,3\n', "RAGGED", "row 4 has 3 cells"),
    "double header": (b"a,b,a\n1,2,3\n4,5,6\n", "DUPLICATE_HEADER", 'two columns are named "a"'),
    "double header after stripping": (b"a, a\n1,2\n3,4\n", "DUPLICATE_HEADER", '"a"'),
    "column without a name": (b"a,,c\n1,2,3\n4,5,6\n", "HEADER", "column 2 has no name"),
    "open quote": (b'a,b\n"1,2\n3,4\n', "FORMAT", "close the quotation marks"),
    "zero bytes": (b"a,b\n1,\x00\n3,4\n", "ENCODING", "line 2, byte 6"),
    "png named csv": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "ENCODING", "not a text file"),
    "mixed encodings": (("a,b\n" + "北京上海天津重庆,1\n" * 20).encode() + ("南京武汉成都西安,2\n" * 20).encode("gb18030"), "ENCODING", "mixes encodings"),
    "text among numbers": (b"a,b\n" + b"1,2\n" * 30 + b"oops,2\n", "DATA_TYPE", "row 32 column \"a\": 'oops'"),
    "infinity": (b"a,b\n" + b"1,2\n" * 30 + b"3,inf\n", "DATA_TYPE", "row 32 column \"b\": 'inf'"),
    "overflow": (b"a,b\n" + b"1,2\n" * 30 + b"-1e400,2\n", "DATA_TYPE", "row 32 column \"a\": '-1e400'"),
    "huge": (b"a,b\n" + b"1,2\n" * 30 + b"1e200,2\n", "DATA_TYPE", "too large"),
    "nothing but names": (b"id,b\n" + b"".join(b"u%d,%d\n" % (i, i) for i in range(1, 60)), "NOTHING_TO_MODEL", "--types"),
    "escape in a cell": (b"a,b\n" + b"1,2\n" * 30 + b"\x1b]52;c;aGk=\x07,2\n", "DATA_TYPE", "row 32"),
    "escape in a name": (b"a\x1b[31m,b\n" + b"1,2\n" * 30 + b"x,2\n", "DATA_TYPE", "row 32"),
    "not parquet": (b"PAR1 no", "FORMAT", "d.parquet"),
    "not arrow": (b"ARROW1 no", "FORMAT", "d.arrow"),
    "not json lines": (b'{"a":1}\n{"a":', "FORMAT", "d.ndjson"),
}
SUFFIX = {"not parquet": "parquet", "not arrow": "arrow", "not json lines": "ndjson"}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(ilk: Any, name: str) -> None:
    data, code, said = REFUSED[name]
    file = Path(f"d.{SUFFIX.get(name, 'csv')}")
    file.write_bytes(data)
    assert said in ilk.refuses(3, code, "fit", file, *GMM).err


WORDS: dict[str, tuple[int, str, tuple[str, ...]]] = {
    "missing": (3, "NOT_FOUND", ("fit", "no.csv")),
    "missing, near a name": (3, "NOT_FOUND", ("fit", "irsi")),
    "a folder": (3, "FORMAT", ("fit", "folder.csv", "--modality", "table")),
    "unknown family": (2, "UNKNOWN_FAMILIES", ("fit", "d.csv", "--family", "gm")),
    "unknown modality": (2, "UNKNOWN_MODALITIES", ("fit", "d.csv", "--modality", "tabel")),
    "unknown option": (2, "USAGE", ("fit", "d.csv", "--family", "gmm", "--comps", "3")),
    "option of another family": (2, "USAGE", ("fit", "d.csv", "--family", "gmm", "--dropout", ".1")),
    "option below its range": (2, "OPTION", ("fit", "d.csv", "--family", "gmm", "--components", "0")),
    "option above its range": (2, "OPTION", ("fit", "d.csv", "--family", "gmm", "--components", "99999999999999999999")),
    "option not a number": (2, "USAGE", ("fit", "d.csv", "--family", "gmm", "--components", "two")),
    "option nan": (2, "OPTION", ("fit", "d.csv", "--family", "gmm", "--ridge", "nan")),
    "option without value": (2, "USAGE", ("fit", "d.csv", "--family", "gmm", "--components")),
    "choice that is none": (2, "USAGE", ("fit", "d.csv", "--family", "gmm", "--covariance", "round")),
    "budget in weeks": (2, "USAGE", ("fit", "d.csv", "--budget", "3weeks")),
    "budget of nothing": (2, "USAGE", ("fit", "d.csv", "--budget", "0s")),
    "budget without end": (2, "USAGE", ("fit", "d.csv", "--budget", "9" * 400)),
    "steps below one": (2, "USAGE", ("fit", "d.csv", "--steps", "0")),
    "steps and budget": (2, "USAGE", ("fit", "d.csv", "--steps", "3", "--budget", "3s")),
    "batch of none": (2, "USAGE", ("fit", "d.csv", "--batch", "0")),
    "rate nan": (2, "USAGE", ("fit", "d.csv", "--rate", "nan")),
    "no such device": (2, "USAGE", ("fit", "d.csv", "--device", "tpu")),
    "family for another space": (2, "SPACE", ("fit", "d.csv", "--family", "ngram")),
    "types of no column": (2, "COLUMN", ("fit", "d.csv", "--types", "z=text")),
    "types of no kind": (2, "TYPE", ("fit", "d.csv", "--types", "a=txet")),
    "types without value": (2, "USAGE", ("fit", "d.csv", "--types", "a")),
    "bounds without numbers": (2, "USAGE", ("fit", "d.csv", "--bounds", "a=x:y")),
    "bounds of no column": (2, "COLUMN", ("fit", "d.csv", "--bounds", "z=0:1")),
    "bounds that exclude data": (3, "DATA_RANGE", ("fit", "d.csv", "--bounds", "a=0:1")),
    "bounds upside down": (2, "USAGE|OPTION", ("fit", "d.csv", "--bounds", "a=9:0")),
    "separator of two": (2, "OPTION|USAGE", ("fit", "d.csv", "--separator", "ab")),
    "encoding that is none": (2, "USAGE", ("fit", "d.csv", "--encoding", "utf-9")),
    "out is a file": (2, "OUT", ("fit", "d.csv", "--out", "d.csv")),
    "out is another folder": (2, "OUT", ("fit", "d.csv", "--out", "folder.csv")),
    "out in no folder": (2, "OUT", ("fit", "d.csv", "--out", "no/where/m.ilk")),
    "unknown command": (2, "USAGE", ("fti", "d.csv")),
    "no data": (2, "USAGE", ("fit",)),
    "two data": (2, "USAGE", ("fit", "d.csv", "d.csv")),
    "escape in a file name": (3, "NOT_FOUND", ("fit", "\x1b[31m.csv")),
    "escape in an option": (2, "USAGE", ("fit", "d.csv", "--\x1b[31m", "3")),
    "zero byte in a file name": (3, "NOT_FOUND|UNREADABLE", ("fit", "a\0b.csv")),
    "name too long": (3, "NOT_FOUND|UNREADABLE", ("fit", "a" * 5000 + ".csv")),
    "newline in a file name": (3, "NOT_FOUND", ("fit", "a\nilk: error[OK]: b.csv")),
}


@pytest.mark.parametrize("name", WORDS)
def test_words(ilk: Any, name: str) -> None:
    Path("d.csv").write_text(GOOD)
    Path("folder.csv").mkdir()
    Path("folder.csv/other").write_text("x")
    code, said, words = WORDS[name]
    ilk.refuses(code, said, *words)


RULES: dict[str, tuple[str, str, int | None]] = {   # rule, code, place of the caret
    "sign": ("a => 1", "RULE", 2), "no sign": ("a 1", "RULE", 2), "or": ("a == 1 or a == 2", "RULE", 7), "no value": ("a ==", "RULE", 4),
    "open quote": ("b == 'x", "RULE", 5), "open list": ("a in [1, 2", "RULE", 10), "word": ("b == x", "RULE", 5), "number first": ("1 < a", "RULE", 0),
    "nothing": ("", "RULE", 0), "han": ("a == 1 和 b == 'x'", "RULE", 7), "call": ("__import__('os').system('id') == 1", "RULE", 10),
    "huge": ("a < 1e999", "RULE", 4), "none ordered": ("a < None", "RULE", 4),
    "no column": ("z == 1", "COLUMN", None), "wrong type": ("a == 'x'", "RULE_TYPE", None), "text ordered": ("b < 'x'", "RULE_TYPE", None),
    "never seen": ("b == 'q'", "RULE_TYPE", None), "two values": ("a == 1 and a == 2", "CONTRADICTION", None),
    "empty range": ("a < 1 and a > 5", "IMPOSSIBLE|CONTRADICTION", None), "empty list": ("b in []", "RULE", 6), "too long": ("a == 1 and " * 9000, "RULE", None),
    "missing": ("a == None", "CONTRADICTION", None), "json cut": ('{"a": ', "RULE", None), "json nan": ('{"a": NaN}', "RULE", None),
    "json list": ('{"a": [1]}', "RULE|RULE_TYPE", None), "json deep": ("{" + '"a":{' * 3000, "RULE", None), "far": ("c > 1e290", "IMPOSSIBLE|TOO_RARE|CONTRADICTION", None),
    "escape": ("a == \x1b[31m", "RULE", 5), "long whole number": ("a == " + "9" * 5000, "RULE", 5), "newline": ("a ==\n\n 1 x", "RULE", 9),
            "forged line": ("a ==\n  ilk: error[OK]: fine", "RULE", 7),
}


@pytest.mark.parametrize("family", ["gmm", "made"])
@pytest.mark.parametrize("name", RULES)
def test_rules(ilk: Any, model: Path, name: str, family: str) -> None:
    rule, code, caret = RULES[name]
    ran = ilk.refuses(2, code, "sample", f"{family}.ilk", "--given", rule, rule=caret is not None)
    if caret is not None:
        assert ran.err.rstrip("\n").split("\n")[-1] == "  " + " " * caret + "^"


def test_a_caret_stands_right_under_wide_characters(ilk: Any, model: Path) -> None:
    ran = ilk.refuses(2, "RULE", "sample", model, "--given", "`北京` == 1 or a", rule=True)
    assert ran.err.split("\n")[2] == "  " + " " * (10 + 2) + "^"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "gb18030", "big5"])
def test_chinese_survives(ilk: Any, encoding: str) -> None:
    text = HAN if encoding != "big5" else HAN.replace("张", "張")
    Path("d.csv").write_bytes(text.encode(encoding))
    ilk.ok("fit", "d.csv", *GMM, "-o", "m.ilk")
    ilk.ok("sample", "m.ilk", "-n", "40", "--out", "new.csv", "--given", "`城市` == '上海'")
    made = list(csv.DictReader(io.StringIO(Path("new.csv").read_text("utf-8"))))
    assert set(made[0]) == {"城市", "人口", "名"} and {r["城市"] for r in made} == {"上海"} and {r["名"] for r in made} <= set(text)
    assert "上海" in ilk.ok("sample", "m.ilk", "--given", '{"城市": "上海"}').out


READ: dict[str, tuple[bytes, list[str]]] = {
    "bare carriage returns": (GOOD.replace("\n", "\r").encode(), ["a", "b"]),
    "windows lines": (GOOD.replace("\n", "\r\n").encode(), ["a", "b"]),
    "semicolons": (GOOD.replace(",", ";").encode(), ["a", "b"]),
    "quoted newlines": (b'a,b\n' + b'"x\ny",1\n"z",2\n' * 20, ["a", "b"]),
    "doubled quotes": (b'a,b\n' + b'"say ""hi""",1\nb,2\n' * 20, ["a", "b"]),
    "constant column": (b"a,b\n" + b"".join(b"7,%d\n" % (i % 5) for i in range(40)), ["a", "b"]),
    "all missing": (b"a,b\n" + b"".join(b",%d\n" % (i % 5) for i in range(40)), ["a", "b"]),
    "everything missing": (b"a,b\n" + b",\n" * 40, ["a", "b"]),
    "mostly missing": (b"a,b\n" + b"".join(b"%s,%d\n" % (b"1" if i == 3 else b"NA", i % 5) for i in range(40)), ["a", "b"]),
    "one column": (b"a\n" + b"1\n2\n3\n" * 9, ["a"]),
    "two rows": (b"a,b\n1,x\n2,y\n", ["a", "b"]),
    "odd names": ('"a,b","c\nd","e""f"," ","`","😀"\n'.replace('" "', '"x "').encode() + b"1,2,3,4,5,6\n2,3,4,5,6,7\n" * 20, ["a,b", "c\nd", 'e"f', "x", "`", "😀"]),
    "long name": (b"a" * 5000 + b",b\n" + b"1,2\n3,4\n" * 20, ["a" * 5000, "b"]),
    "numbers at the edge": (b"a,b\n" + b"9007199254740993,1e-300\n-9007199254740993,1e149\n0,-1e149\n" * 9, ["a", "b"]),
    "tiny spread": (b"a\n" + b"".join(b"1.00000000000%d\n" % (i % 10) for i in range(40)), ["a"]),
    "wide span": (b"a\n" + b"1e-12\n1\n1e140\n" * 20, ["a"]),
    "escapes": (b"a,b\n" + b"\x1b[31mred\x1b[0m,1\nplain,2\n" * 20, ["a", "b"]),
    "escape in a name": (b"a\x1b[31m,b\n" + b"1,2\n3,4\n" * 20, ["a\x1b[31m", "b"]),
    "formula": (b"a,b\n" + b"=cmd|' /C calc'!A0,1\n@x,2\n" * 20, ["a", "b"]),
    "names like rules": (b"and,in,True\n" + b"1,2,3\n2,3,4\n" * 20, ["and", "in", "True"]),
    "decimal commas": (b'a,b\n' + b'"1,5",1\n"2,5",2\n' * 20, ["a", "b"]),
    "dates out of range": (b"a,b\n" + b"0001-01-01,1\n9999-12-31,2\n" * 20, ["a", "b"]),
    "text in all scripts": (("a,b\n" + "مرحبا,1\nשלום,2\n\u202eabc,3\n" * 10).encode(), ["a", "b"]),
}


@pytest.mark.parametrize("family", ["gmm", "made"])
@pytest.mark.parametrize("name", READ)
def test_read(ilk: Any, name: str, family: str) -> None:
    data, columns = READ[name]
    Path("d.csv").write_bytes(data)
    small = ("--components", "2") if family == "gmm" else ("--width", "8", "--embed", "2", "--depth", "1")
    said = ilk.ok("fit", "d.csv", "--family", family, *small, "--steps", "3", "-o", "m.ilk")
    ilk.ok("sample", "m.ilk", "-n", "20", "--out", "new.csv")
    text = Path("new.csv").read_text("utf-8")
    made = list(csv.reader(io.StringIO(text, newline="")))
    assert made[0] == columns and len(made) == 21 and not any(cell.lower() in ("nan", "inf", "-inf") for row in made for cell in row)
    score = ilk.ok("score", "m.ilk", "new.csv")
    assert "nan" not in score.out
    show = ilk.ok("show", "m.ilk")
    for told in (said, score, show):
        assert "\x1b" not in told.out + told.err
    assert "\x1b" not in ilk.ok("sample", "m.ilk", "-n", "3").err


def test_the_ten_thousand_rows(ilk: Any) -> None:
    """NaN, "" and the like are missing and modelled; inf, overflow and "1,5" are refused, or missing where that is asked for."""
    bad = {17: "inf", 4000: "-1e400", 5000: '"1,5"'}
    rows = [f"{bad.get(i, ('NaN', '', 'NA', 'null')[i % 4] if i % 10 == 0 else i % 97 / 8)},{i % 3},k\n" for i in range(2, 10_002)]
    Path("d.csv").write_text("x,y,constant\n" + "".join(rows))
    assert "row 17 column \"x\": 'inf'" in ilk.refuses(3, "DATA_TYPE", "fit", "d.csv", *GMM).err
    assert "row 5000 column \"x\": '1,5'" in ilk.refuses(3, "DATA_TYPE", "fit", "d.csv", *GMM, "--types", "x=number").err
    assert "sometimes missing" in ilk.ok("fit", "d.csv", *GMM, "--bad", "missing", "-o", "m.ilk").out
    ilk.ok("sample", "m.ilk", "-n", "2000", "--out", "new.csv")
    made = [r["x"] for r in csv.DictReader(Path("new.csv").read_text().splitlines())]
    assert 0.05 < sum(c == "" for c in made) / len(made) < 0.15 and {c.lower() for c in made}.isdisjoint({"nan", "inf", "-inf"})


@pytest.mark.parametrize("width", [300, pytest.param(2000, marks=pytest.mark.slow)])
def test_many_columns(ilk: Any, width: int) -> None:
    Path("d.csv").write_text(",".join(f"c{i}" for i in range(width)) + "\n" + "".join(",".join(str((i * j) % 5) for j in range(width)) + "\n" for i in range(30)))
    ilk.ok("fit", "d.csv", "--family", "gmm", "--components", "1", "--covariance", "diag", "--steps", "1", "-o", "m.ilk")
    assert len(ilk.ok("sample", "m.ilk", "-n", "1").out.split("\n")[0].split(",")) == width


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable(ilk: Any) -> None:
    Path("d.csv").write_text(GOOD)
    Path("d.csv").chmod(0)
    ilk.refuses(3, "UNREADABLE", "fit", "d.csv")


def test_scoring_what_does_not_fit(ilk: Any, model: Path) -> None:
    for text, code in (("a,b\n1,x\n", "COLUMN"), ("a,b,c\n1,q,0.5\n", "DATA_TYPE"), ("a,b,c\n1,x,inf\n", "DATA_TYPE"), ("a,b,c\n,x,1\n", "MISSING")):
        Path("new.csv").write_text(text)
        ilk.refuses(3, code, "score", model, "new.csv")


CELLS = st.one_of(st.none(), st.integers(-3, 3), st.integers(-(2**70), 2**70), st.floats(), st.floats(-2, 2).map(lambda x: round(x, 2)), st.text(max_size=6),
    st.sampled_from(["x", "y", "", "NaN", "inf", "1e400", "1,5"]),
                  st.booleans())


@st.composite
def tables(draw: Any) -> pl.DataFrame:
    """Small tables of any sort: columns of one kind, columns of any mixture, missing cells, few rows or more."""
    height = draw(st.integers(0, 30))
    made: dict[str, Any] = {}
    for name in draw(st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=4, unique=True)):
        kind = draw(st.sampled_from([CELLS, st.floats(), st.integers(-5, 5) | st.none(), st.sampled_from("xyz"), st.floats(allow_nan=False, allow_infinity=False) | st.none(),
                                     st.floats(-1, 1, width=32), st.just(draw(CELLS)), st.none(), st.datetimes(), st.dates() | st.none(), st.binary(max_size=3)]))
        made[name] = pl.Series(name, draw(st.lists(kind, min_size=height, max_size=height)), strict=False)
    return pl.DataFrame(list(made.values()))


@settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(frame=tables(), family=st.sampled_from([GMM_(components=1), GMM_(components=2, covariance="diag"), MADE(width=8, depth=1, embed=2)]),
    suffix=st.sampled_from(["parquet", "csv", "jsonl"]))
def test_any_table(frame: pl.DataFrame, family: Any, suffix: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A table is refused with an IlkError, or its model makes finite rows that can be written, read and scored again."""
    try:
        model = fit(frame, family, budget=Steps(3))
    except IlkError:
        return
    made = model.sample(50)
    assert made.columns == frame.columns and len(made) == 50
    for series in made.get_columns():
        assert not series.dtype.is_float() or bool(series.drop_nulls().is_finite().all())
    assert not bool(model.score(made).nats.isnan().any())
    file = tmp_path_factory.mktemp("any") / f"new.{suffix}"
    model.modality.write(made, file)
    if suffix == "parquet":
        assert not bool(model.score(model.modality.read(file, Limits()).items).nats.isnan().any())
