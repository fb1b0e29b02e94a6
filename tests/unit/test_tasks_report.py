"""Reports from tables: every number is what the table gives (polars and NumPy are the judges), and a wrong, bare or worded one is named."""
from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ilk
from ilk.errors import IlkError, UsageError
from ilk.tasks._query import computed, read
from ilk.tasks.report import Report

TABLE = pl.DataFrame({"city": ["Lyon", "Lyon", "Turin", "Turin", "Oslo"], "age": [30, 41, 50, None, 19], "hours per week": [40.0, 38.5, 20.0, 35.0, 10.5],
                      "plan": ["4G", "5G", "5G", "4G", "5G"]})
ROWS = st.lists(st.tuples(st.sampled_from(["a", "b", "it's"]), st.one_of(st.none(), st.integers(-50, 50)), st.floats(-1e3, 1e3).map(lambda x: round(x, 3))),
    min_size=1, max_size=30)


@settings(deadline=None, max_examples=60)
@given(ROWS, st.sampled_from(["a", "b", "it's"]), st.integers(-50, 50))
def test_every_figure_is_what_polars_computes(rows: list[tuple[str, int | None, float]], kind: str, low: int) -> None:
    table = pl.DataFrame(rows, schema={"kind": pl.String, "x": pl.Int64, "y y": pl.Float64}, orient="row")
    quoted = kind.replace("'", "''")
    some = table.filter((pl.col("kind") == kind) & (pl.col("x") >= low))
    where = f"where kind == '{quoted}' and x >= {low}"
    assert computed(read(f"count({where})"), table) == len(some) and computed(read("count(x)"), table) == table["x"].count()
    assert computed(read(f"share({where})"), table) == len(some) / len(table) and computed(read(f"sum(x {where})"), table) == some["x"].sum()
    for name in ("mean", "median", "min", "max"):
        query = f"{name}(`y y` {where})"
        if len(some):
            assert computed(read(query), table) == pytest.approx(getattr(some["y y"], name)())
        else:
            with pytest.raises(UsageError, match="no rows"):
                computed(read(query), table)
    both = table.drop_nulls()
    if len(both) > 1 and both["x"].std() and both["y y"].std():
        assert computed(read("correlation(x, `y y`)"), table) == pytest.approx(np.corrcoef(both["x"], both["y y"])[0, 1])


@given(st.recursive(st.integers(1, 99).map(str), lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"), max_leaves=8))
def test_sums_and_products_are_those_of_python(text: str) -> None:
    import ast
    import operator

    signs = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}

    def walk(node: ast.expr) -> float:
        return signs[type(node.op)](walk(node.left), walk(node.right)) if isinstance(node, ast.BinOp) else float(node.value)  # type: ignore[index,attr-defined,arg-type]

    try:
        wanted = walk(ast.parse(text, mode="eval").body)
    except ZeroDivisionError:
        with pytest.raises(UsageError, match="division"):
            computed(read(text), None)
    else:
        assert computed(read(text), None) == pytest.approx(wanted) and computed(read(text[1:-1] if text[0] == "(" else text), None) == pytest.approx(wanted)


def test_precedence() -> None:
    assert [computed(read(q), TABLE) for q in ("2 + 3 * 4", "2 - 3 - 4", "12 / 3 / 2", "2 -3", "count()-1", "max(age) - -1")] == [14, -5, 2, -1, 4, 51]


@pytest.mark.parametrize("query", ["", "mean()", "mean(age", "mean(age where)", "age", "mean(age) mean(age)", "__import__('os')", "count(where city = 'Lyon')",
    "1 +", "share(age)",
                                   "correlation(age)", "mean(city)", "mean(heigh)", "1 / 0", "mean(age where city == 'Rome')", "count(where city > 3)",
                                   "(" * 50 + "1" + ")" * 50,
                                   "correlation(age, age where city == 'Oslo')", "1e400", "1" * 3000, "sum(age) ** 2", "count(where age > 3 or age < 2)"])
def test_what_is_no_query_is_refused(query: str) -> None:
    with pytest.raises(UsageError):
        computed(read(query), TABLE)


def test_a_report_is_filled_in() -> None:
    said = "Of {{count()}} people, {{share(where city == 'Lyon') : %}} live in Lyon on 5G; their mean age is {{35.5 = mean(age where city == 'Lyon')}}, "
    said += "{{mean(`hours per week`) : 1}} hours."
    done = Report().check(TABLE, said)
    assert done.passed and done.value.text == "Of 5 people, 40% live in Lyon on 5G; their mean age is 35.5, 28.8 hours."
    assert [f.value for f in done.value.figures] == [5, 0.4, 35.5, pytest.approx(28.8)]


@pytest.mark.parametrize(("said", "code", "named"), [
    ("{{36 = mean(age)}}", "WRONG", "says 36 for mean(age), and the table gives 35"), ("{{41% = share(where city == 'Lyon')}}", "WRONG", "41%"),
    ("{{count()}} people, 3 of them in Lyon", "NUMBER", "3 stands in the open"), ("{{count()}} people in three cities", "NUMBER", "'three'"),
    ("{{count()}}人，分布在三个城市", "NUMBER", "三个"),
    ("{{mean(height)}} {{count()}}", "QUERY", "no column 'height'"), ("Many people.", "FIGURES", "0 figures"), ("{{count()}} people, 28.80 hours", "NUMBER", "28.80"),
    ("{{count()}} {{import os}}", "QUERY", "import os"), ("{{count()}} in 2G", "NUMBER", "2"),
    ("{{count()}} of {{count()", "QUERY", "not closed")])
def test_a_fault_of_a_report_is_named(said: str, code: str, named: str) -> None:
    found = Report().check(TABLE, said).findings
    assert [f.code for f in found] == [code] and named in found[0].told


def test_stated_numbers_are_compared_to_their_last_digit() -> None:
    table = pl.DataFrame({"x": [1.0, 2.0, 2.0]})   # the mean is 1.666...
    passed = {said: Report().check(table, f"{{{{{said} = mean(x)}}}}").passed for said in ("2", "1.7", "1.67", "1.66", "1.6", "1", "167%", "166.7%", "1.6667")}
    assert passed == {"2": True, "1.7": True, "1.67": True, "1.66": False, "1.6": False, "1": False, "167%": True, "166.7%": True, "1.6667": True}


def test_the_floor_needs_no_model_and_passes() -> None:
    done = ilk.task("report", TABLE, None)
    assert done.passed and done.value.text.splitlines()[:2] == ["There are 5 rows.", "age: mean 35, from 19 to 50."]
    odd = pl.DataFrame({"a`b": [1, 2], "x}y": [1.5, None], "none": [None, None], "t": ["a", "b"]})
    assert ilk.task("report", odd, None).passed


def test_what_is_asked_about_may_be_named() -> None:
    assert Report(about="people of 2024").check(TABLE, "In 2024 there were {{count()}} people.").passed


def test_files_that_are_no_tables(tmp_path: object) -> None:
    with pytest.raises(IlkError, match="can't be read"):
        Report().read("nowhere.csv")


def test_a_model_that_learns_from_what_it_is_told() -> None:
    from .test_tasks_text import Scripted

    model = Scripted(["The mean age is 36.", "The mean age is {{mean(age)}}."])
    done = ilk.task(Report(), TABLE, model)
    assert done.passed and done.value.text == "The mean age is 35." and "36 stands in the open" in model.asked[1][0][-1].text
