"""What commands say in Chinese: the errors that people meet most have a translation, placeholders agree, and codes, items and JSON stay as they are."""
from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path

import pytest

from ilk import cli, words
from ilk.errors import DataError, IlkError

HOME = Path(__file__).parents[2] / "src" / "ilk"
ERRORS = {cls.__name__ for cls in (IlkError, *IlkError.__subclasses__())} | {"TrainingError"}
# Where the errors of fit, sample, score, evaluate and of reading data are raised.
OFTEN = ("cli", "flags", "errors", "files", "store", "model", "registry", "recipe", "rules", "run", "memory", "dataset",
         "verbs/read", "verbs/fit", "verbs/sample", "verbs/score",
         "verbs/evaluate", "verbs/condition", "verbs/open", "console/_shared", "console/learn", "console/judge", "console/make", "modalities/table", "modalities/text",
         "modalities/array",
         "modalities/image", "modalities/_reading", "modalities/_infer", "modalities/_files", "modalities/_text_records", "modalities/_image_files", "modalities/_image_load")
WANTED = 0.9   # the share of their messages and remedies that has to be in Chinese
COMMANDS = "the help of all commands has a Chinese twin: add it to src/ilk/words/zh.json under help"


def templates(node: ast.expr | None) -> list[str]:
    """What a text in the source may be, `{}` where something is put in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        return ["".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)]
    if isinstance(node, ast.IfExp):
        return templates(node.body) + templates(node.orelse)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [one + other for one in templates(node.left) or ["{}"] for other in templates(node.right) or ["{}"]]
    return []


def raised(path: Path) -> Iterator[str]:
    """The messages and remedies of the errors that a file raises, but those that are nearly all put in."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ERRORS:
            said = [*node.args[:1], *(k.value for k in node.keywords if k.arg == "remedy")]
            yield from (t for part in said for t in templates(part) if len(re.sub(r"\{\}|\W", "", t)) >= 6)


def test_errors_that_are_met_most_have_a_chinese_twin() -> None:
    known = words.catalogue()["errors"]
    wanted = {t for name in OFTEN for t in raised(HOME / f"{name}.py")}
    lacking = sorted(t for t in wanted if t not in known)
    assert len(wanted) >= 150
    assert len(lacking) <= (1 - WANTED) * len(wanted), f"add these to src/ilk/words/zh.json under errors: {lacking}"


def test_every_template_is_still_said() -> None:
    there = "".join(path.read_text(encoding="utf-8") for path in sorted(HOME.rglob("*.py")))
    pieces = {template: re.split(r"\{\}|[\n\"\\{}]", template) for template in words.catalogue()["errors"]}
    assert [t for t, parts in pieces.items() if any(part not in there for part in parts)] == [], "no error says this any more: take it out of src/ilk/words/zh.json"


def test_placeholders_agree() -> None:
    for part in ("errors", "lines"):
        for english, chinese in words.catalogue()[part].items():
            places = [int(m[1]) for m in re.finditer(r"\{(\d+)!?\}", chinese)]
            assert sorted(set(places)) == list(range(english.count("{}"))), english
            assert chinese != english


def test_the_help_of_all_commands_has_a_chinese_twin(monkeypatch: pytest.MonkeyPatch) -> None:
    known = words.catalogue()["help"]

    def commands(app: object) -> Iterator[str]:
        for name in app:
            if not name.startswith("-"):
                inner = app[name]
                yield inner.help if inner.default_command is None else cleandoc(inner.default_command.__doc__)
                yield from commands(inner) if inner.default_command is None else ()
    first = [" ".join(doc.split("\n\n")[0].split()) for doc in commands(cli.build())]
    lacking = [doc for doc in first if doc not in known]
    assert len(first) > 60 and len(lacking) <= 0.1 * len(first), f"{COMMANDS}: {lacking}"


@pytest.mark.parametrize(("english", "chinese"), [
    ("people.csv is empty", "people.csv 是空的"),
    ('row 3 column "a": \'x\' is not a finite number', '第 3 行 "a" 列：\'x\' 不是有限的数'),
    ("x can't be read: permission denied", "x 读不了：没有权限"),   # the more literal of two that fit
    ("{} (ilk list data)".format("did you mean iris?"), "你是说 iris 吗？（ilk list data）"),   # what was put in is a text too
    ("what nobody has translated", "what nobody has translated")])
def test_a_text_by_its_template(english: str, chinese: str) -> None:
    assert words.translated(english) == chinese


def test_english_unless_ilk_lang_says_otherwise(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    for language, said in (("", "no way to draw"), ("en", "no way to draw"), ("zh", "抽取方式"), ("zh_CN.UTF-8", "抽取方式")):
        monkeypatch.setenv("ILK_LANG", language)
        assert cli.main(["sample", "any.ilk", "--how", "luck"]) == 2
        told = capsys.readouterr().err
        assert said in told and "error[UNKNOWN_HOW]" in told


def test_json_and_exceptions_stay_english(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("ILK_LANG", "zh")
    cli.main(["sample", "any.ilk", "--how", "luck", "--json"])
    assert json.loads(capsys.readouterr().out)["error"]["message"].startswith("no way to draw named 'luck'")
    why = DataError("a.csv is empty", remedy="check the path")
    assert str(why) == "a.csv is empty; check the path" and words.failure(why) == "a.csv 是空的；检查路径"


def test_items_are_never_translated(monkeypatch: pytest.MonkeyPatch) -> None:
    from ilk.console._shared import handed

    class Kept:
        modality = None

    monkeypatch.setenv("ILK_LANG", "zh")
    assert handed(Kept(), ["3 items in x", "stopped"], None, {})[1] == "3 items in x\nstopped"


def test_help_in_chinese(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("ILK_LANG", "zh")
    assert cli.main(["--help"]) == 0 and cli.main(["fit", "--help"]) == 0
    told = capsys.readouterr().out
    assert all(said in told for said in ("学习你的数据是什么样的", "学习数据是什么样的", "命令", "学习率", "公共选项"))
    monkeypatch.delenv("ILK_LANG")
    cli.main(["--help"])
    assert not re.search(r"[\u4e00-\u9fff]", capsys.readouterr().out)
