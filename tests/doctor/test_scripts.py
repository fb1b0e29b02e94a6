"""Faults of scripts: planted ones are named, programs without are left in peace, and nothing brings the doctor down."""
from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import ilk
from ilk import registry
from ilk.cli import main
from ilk.errors import DataError
from ilk.fault import Fault, Found, Script
from ilk.verbs.doctor import LARGEST, parsed, script

HERE = Path(__file__).parent / "scripts"
ROOT = Path(__file__).parents[2]
RULES = [name for name in registry.names("faults") if registry.get("faults", name).looks_at is Script]
FAULTY = [*HERE.glob("article_*.py"), *HERE.glob("faulty/*.py"), *HERE.glob("held/faulty/*.py")]
CLEAN = [*HERE.glob("clean/*.py"), *HERE.glob("held/clean/*.py")]


def planted(at: Path) -> set[str]:
    first = at.read_text(encoding="utf-8").splitlines()[0]
    return set(first.removeprefix("# fault: ").split(", ")) if first.startswith("# fault: ") else set()


def named(at: Path) -> set[str]:
    found = ilk.doctor(at)
    assert not found.failed and set(found.looked) == set(RULES)
    return {f.fault for f in found.findings}


def told(text: str, name: str = "some.py") -> list[str]:
    made = parsed(name, text)
    assert isinstance(made, Script)
    return [f.fault for f in ilk.doctor(made).findings]


def test_the_corpus_is_what_it_says() -> None:
    assert len(FAULTY) >= 60 and len(CLEAN) >= 35 and all(planted(p) <= set(RULES) for p in FAULTY) and not any(planted(p) for p in CLEAN)
    assert all(len(p.read_text(encoding="utf-8").splitlines()) >= 15 for p in FAULTY)
    assert set().union(*(planted(p) for p in FAULTY)) == set(RULES), "every rule has a planted fault"


def test_planted_faults_are_named() -> None:
    wanted = [(p.name, fault) for p in FAULTY for fault in planted(p)]
    found = {p.name: named(p) for p in FAULTY}
    missed = [(name, fault) for name, fault in wanted if fault not in found[name]]
    assert len(missed) <= 0.1 * len(wanted), missed
    strange = [(p.name, more) for p in FAULTY if (more := found[p.name] - planted(p))]
    assert len(strange) <= 0.02 * len(FAULTY), strange


def test_programs_without_faults_are_left_in_peace() -> None:
    alarms = [(p.name, found) for p in CLEAN if (found := named(p))]
    assert len(alarms) <= 0.02 * len(CLEAN), alarms


@pytest.mark.slow
def test_the_programs_of_ilk_are_left_in_peace() -> None:
    """Two hundred files that nobody wrote for the doctor."""
    files = [p for top in ("src/ilk/families", "src/ilk/verbs", "src/ilk/train", "benchmarks/figures") for p in sorted((ROOT / top).glob("*.py"))]
    alarms = [(p.name, found) for p in files if (found := named(p))]
    assert len(files) >= 200 and alarms == []


@pytest.mark.parametrize(("name", "groups", "least"), [
    ("article_001", [{"missing_import", "undefined_name"}, {"non_scalar_backward"}, {"detached_generator"}, {"generator_sign"}, {"missing_sigmoid"},
                     {"swapped_labels", "noise_as_real", "unused_data"}, {"no_zero_grad", "needless_retain_graph", "optimizer_in_loop"}, {"range_mismatch"},
                     {"samples_printed"}], 8),
    ("article_004", [{"undefined_name"}, {"whole_data_loss"}, {"mean_in_elbo"}, {"misnamed_loss"}, {"single_example_batches"}, {"linear_without_activation", "unused_layer"},
                     {"reconstructions_as_samples"}], 6)])
def test_programs_of_articles(name: str, groups: list[set[str]], least: int) -> None:
    """Each group is one of the faults a to i (a to g) that the article has; all its names must be told."""
    found = named(HERE / f"{name}.py")
    assert sum(group <= found for group in groups) >= least


def test_a_finding_says_where_why_what_and_where_to_read(tmp_path: Path) -> None:
    at = tmp_path / "train.py"
    at.write_text("import torch\n\nx = torch.randn(3)\nprint(y)\n")
    (found,) = ilk.doctor(at).findings
    assert (found.fault, found.where, found.page) == ("undefined_name", "train.py, line 4", "docs/en/doctor.md#undefined_name") and "y" in found.why and found.remedy
    assert "undefined_name: train.py, line 4" in repr(ilk.doctor(at)) and f"looked for {len(RULES)} faults; found: 1" in repr(ilk.doctor(at))


def test_a_script_is_never_run(tmp_path: Path) -> None:
    at = tmp_path / "bad.py"
    at.write_text(f"open({str(tmp_path / 'ran')!r}, 'w').write('x')\nraise SystemExit(3)\n")
    before = set(sys.modules)
    assert ilk.doctor(at).findings == () and not (tmp_path / "ran").exists() and "bad" not in set(sys.modules) - before


def test_a_syntax_error_is_a_finding(tmp_path: Path) -> None:
    at = tmp_path / "half.py"
    at.write_text("import torch\nfor x in range(3)\n    print(x)\n")
    (found,) = ilk.doctor(at).findings
    assert found.fault == "syntax_error" and found.where == "half.py, line 2"


def test_cells_of_a_notebook(tmp_path: Path) -> None:
    at = tmp_path / "book.ipynb"
    cells = [{"cell_type": "markdown", "source": ["# y = 1"]}, {"cell_type": "code", "source": ["%matplotlib inline\n", "!pip install torch\n", "x = 1"]},
             {"cell_type": "code", "source": "%%time\nnot python"}, {"cell_type": "code", "source": ["\n", "print(x, y)"]}]
    at.write_text(json.dumps({"cells": cells, "nbformat": 4}))
    (found,) = ilk.doctor(at).findings
    assert (found.fault, found.where) == ("undefined_name", "book.ipynb, cell 3, line 2")
    at.write_text("[]")
    with pytest.raises(DataError, match="no notebook"):
        ilk.doctor(at)


def test_blocks_of_a_page(tmp_path: Path) -> None:
    at = tmp_path / "page.md"
    at.write_text("# Title\n\n```python\nimport torch\n```\ntext\n```sh\nnot python\n```\n\n~~~python\nprint(torch.zeros(3), np.zeros(3))\n~~~\n")
    (found,) = ilk.doctor(at).findings
    assert (found.fault, found.where) == ("missing_import", "page.md, line 12")


@pytest.mark.parametrize("raw", [b"", b"\n\n", b"#", "# émoji 🙂\n".encode(), b"\xef\xbb\xbfx = 1\n", b"x = 1\r\ny = 2\r\n",
                                 b"def f(*, a, **k): return k\nclass A: pass\nlambda *a: a",
                                 b"x = " + b"-" * 3000 + b"1", b"x = " + b"(" * 150 + b")" * 150, ("x = a" + ".b" * 3000).encode(), ("y = 1" + " + 1" * 3000).encode(),
                                 b"match x:\n case {'a': [b, *_], **r}: print(b, r)\n case A(c=d) | A(e=d): print(d)\ntype T[K] = list[K]\n"])
def test_odd_programs_do_no_harm(raw: bytes, tmp_path: Path) -> None:
    at = tmp_path / "odd.py"
    at.write_bytes(raw)
    found = ilk.doctor(at)
    assert not {f.fault for f in found.findings} - {"syntax_error", "undefined_name"}


@pytest.mark.parametrize("body", [
    "".join(f"    x = x.view({i})\n" for i in range(4)), "".join(f"    x = y.view({i})\n    y = x.view({i})\n" for i in range(4)),
    "    f(x.view(1)), f(x.view(2)), f(x.view(3)), g(x.view(4)), g(x.view(5))\n", "".join(f"    x = -x + x * f(x) - g(x, {i})\n" for i in range(4))])
def test_names_that_lead_to_one_another_end(body: str) -> None:
    """Each would be followed along millions of ways."""
    ends = "    torch.log(x)\n    loss = D(x).mean() + torch.log(1 - D(x)) + bce(D(x), x)\n    loss.backward()\n    opt_d.step()\n    return x\n"
    made = parsed("knot.py", f"import torch\nfor i in range(9):\n{body}{ends.replace('return x', 'x')}\ndef f(x):\n{body}{ends}\ndef g(x, k=0):\n{body}{ends}")
    start = time.monotonic()
    found = ilk.doctor(made)
    assert time.monotonic() - start < 20 and {why for _, why in found.failed} <= {"RuntimeError: names lead to one another without end"}


def test_refusals(tmp_path: Path) -> None:
    big, latin = tmp_path / "big.py", tmp_path / "latin.py"
    big.write_bytes(b"#" * (LARGEST + 1))
    latin.write_bytes(b"x = '\xe9'\n")
    for at, code in ((big, "SIZE"), (latin, "DATA_TYPE"), (tmp_path / "none.py", "NOT_FOUND")):
        with pytest.raises(DataError) as why:
            script(at)
        assert why.value.code == code


class Breaks(Fault):
    """A rule that fails."""

    looks_at = Script

    def find(self, thing: Script) -> Iterator[Found]:
        raise RuntimeError("odd")


def test_a_rule_that_fails_is_told_and_keeps_no_other_back(monkeypatch: pytest.MonkeyPatch) -> None:
    get = registry.get
    monkeypatch.setattr(registry, "get", lambda axis, name: Breaks if name == "no_shuffle" else get(axis, name))
    made = parsed("a.py", "print(y)")
    found = ilk.doctor(made)
    assert found.failed == (("no_shuffle", "RuntimeError: odd"),) and [f.fault for f in found.findings] == ["undefined_name"] and "no_shuffle" not in found.looked
    assert "no_shuffle could not be looked for: RuntimeError: odd" in repr(found)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = tmp_path / "t.py"
    at.write_text("print(np.zeros(3))\n")
    assert main(["doctor", str(at)]) == 0 and "import numpy as np" in capsys.readouterr().out
    assert main(["doctor", str(at), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["findings"][0]["fault"] == "missing_import" and set(told["looked"]) == set(RULES) and told["failed"] == {}
    assert main(["doctor", str(tmp_path / "none.py")]) == 3


def test_data_a_model_and_the_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np
    import polars as pl

    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    pl.DataFrame({"a": rng.normal(size=200), "b": rng.normal(size=200), "same": np.ones(200)}).write_csv("rows.csv")
    seen = ilk.doctor("rows.csv")
    assert "constant_column" in {f.fault for f in seen.findings} and not seen.failed
    ilk.fit(ilk.read("rows.csv"), ilk.GMM(components=1), seed=1).save("m.ilk")
    of_model = ilk.doctor("m.ilk")
    assert {f.fault for f in of_model.findings} >= {"constant_column"} and not of_model.failed and set(seen.looked) < set(of_model.looked)
    here = ilk.doctor()
    assert here.looked and not here.failed and not set(here.looked) & set(RULES)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_names_every_fault(language: str) -> None:
    page = (ROOT / "docs" / language / "doctor.md").read_text(encoding="utf-8")
    absent = [name for name in (*registry._built_in("faults"), "syntax_error") if f'| <a id="{name}"></a>`{name}` |' not in page]
    assert absent == []
