"""Fact checks against tables and triples, with truths computed by numpy and planted lies; and the queue of reviews."""
from __future__ import annotations

import json
import sqlite3
import threading
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ilk.errors import DataError, ResourceError, UsageError
from ilk.truth.facts import check_rule, check_table
from ilk.truth.knowledge import Knowledge
from ilk.truth.review import Queue

CITIES = ("Lyon", "New York", "Nice")


def people(seed: int = 0, n: int = 60) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame({"city": rng.choice(CITIES, n, p=[0.5, 0.3, 0.2]), "sex": rng.choice(["female", "male"], n), "age": rng.integers(18, 90, n),
                         "yearly_income": np.round(rng.uniform(10_000, 90_000, n), 2)})


def verdict(text: str, table: pl.DataFrame) -> str:
    found, = check_table(text, table)
    return found.sort


@pytest.mark.parametrize(("figure", "how"), [("mean", np.mean), ("median", np.median), ("highest", np.max), ("lowest", np.min)])
@given(city=st.sampled_from(CITIES), seed=st.integers(0, 10_000), off=st.sampled_from([-3.0, -0.2, 0.2, 2.0]))
@settings(max_examples=6, deadline=None)
def test_figures_are_computed_again(figure: str, how: object, city: str, seed: int, off: float) -> None:
    table = people(seed)
    ages = table.filter(pl.col("city") == city)["age"].to_numpy()
    if not len(ages):
        return
    true = float(how(ages))  # type: ignore[operator]
    assert verdict(f"The {figure} age in {city} is {true:.1f}.", table) == "supported"
    assert verdict(f"In {city}, the {figure} age was {true + off:.1f} years.", table) == "contradicted"
    assert verdict(f"The {figure} age in {city} is more than {true - 1:.2f}.", table) == "supported"
    assert verdict(f"The {figure} age in {city} is at most {true - 1:.2f}.", table) == "contradicted"
    assert verdict(f"The {figure} age in {city} is not {true + off:.1f}.", table) == "supported"


def test_counts_shares_and_commonest_values() -> None:
    table = people()
    lyon = table.filter(pl.col("city") == "Lyon")
    women = lyon.filter(pl.col("sex") == "female")
    said = {f"There are {len(lyon)} people in Lyon.": "supported", f"There are {len(lyon) + 1} people in Lyon.": "contradicted",
            f"{100 * len(women) / len(lyon):.0f}% of people in Lyon are female.": "supported", f"{100 * len(women) / len(lyon) + 9:.0f}% of people in Lyon are female.": "contradicted",
            "The most common city is Lyon.": "supported", "The most common city is New York.": "contradicted", "The table has 60 rows.": "supported",
            f"The total yearly income is {table['yearly_income'].sum():,.0f}.": "supported", "The average yearly income is about 1,000,000.": "contradicted",
            f"The average yearly income is about {1.03 * table['yearly_income'].mean():.0f}.": "supported", "People in Nice like music.": "unknown",
            "The mean height in Lyon is 170.": "unknown", "The mean age in Lyon is 40, and in Nice 50.": "unknown"}
    assert {text: verdict(text, table) for text in said} == said


def test_chinese_sentences_about_a_chinese_table() -> None:
    table = pl.DataFrame({"城市": ["北京", "北京", "上海", "上海", "上海"], "年龄": [30, 40, 20, 25, 33]})
    said = {"北京的平均年龄是35岁。": "supported", "北京的平均年龄是36岁。": "contradicted", "上海的平均年龄约为26岁。": "supported", "上海最高年龄超过40。": "contradicted",
            "共有5条记录。": "supported", "60%的人在上海。": "supported", "最常见的城市是北京。": "contradicted", "北京的平均年龄是三十五岁。": "supported", "上海很美。": "unknown"}
    assert {text: verdict(text, table) for text in said} == said


def test_rules_are_claims_about_all_rows() -> None:
    table = people()
    assert check_rule("age >= 18 and city in ['Lyon', 'Nice', 'New York']", table).sort == "supported"
    found = check_rule("sex == 'male'", table)
    assert found.sort == "contradicted" and found.true == np.mean(table["sex"].to_numpy() == "male")
    with pytest.raises(UsageError, match="no column 'size'"):
        check_rule("size > 1", table)


@given(st.text(max_size=100))
@settings(max_examples=40, deadline=None)
def test_any_text_gets_a_verdict(text: str) -> None:
    assert all(v.sort in ("supported", "contradicted", "unknown") for v in (*check_table(text, people()), *KNOWN.check(text)))


KNOWN = Knowledge.of([("France", "capital", "Paris"), ("Italy", "capital", "Rome"), ("Ada Lovelace", "born in", "1815"), ("Switzerland", "official language", "German"),
                      ("Switzerland", "official language", "French"), ("法国", "首都", "巴黎"), ("日本", "首都", "东京")])


@pytest.mark.parametrize(("text", "sort"), [
    ("The capital of France is Paris.", "supported"), ("France's capital is Rome.", "contradicted"), ("The capital of France is Lyon.", "contradicted"),
    ("The capital of France is not Paris.", "contradicted"), ("The capital of France is not Lyon.", "supported"), ("The capital of France is beautiful.", "unknown"),
    ("Ada Lovelace was born in 1815.", "supported"), ("An official language of Switzerland is French.", "supported"), ("An official language of Switzerland is Romansh.", "unknown"),
    ("Spain has a capital.", "unknown"), ("法国的首都是巴黎。", "supported"), ("法国的首都是东京。", "contradicted"), ("法国的首都是里昂。", "contradicted"), ("法国很大。", "unknown"),
    ("Paris, the capital of France, is old.", "supported")])
def test_sentences_against_triples(text: str, sort: str) -> None:
    assert KNOWN.check(text)[0].sort == sort


def test_triples_and_their_file(tmp_path: Path) -> None:
    assert [KNOWN.verdict(*t) for t in (("France", "capital", "Paris"), ("France", "capital", "Rome"), ("Switzerland", "official language", "Italian"), ("Peru", "capital", "Lima"))] \
        == ["supported", "contradicted", "unknown", "unknown"]
    (tmp_path / "k.csv").write_text("subject,relation,object\nFrance,capital,Paris\n")
    assert Knowledge.read(tmp_path / "k.csv").facts == {("France", "capital"): ("Paris",)}
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    for name in ("bad.csv", "none.csv"):
        with pytest.raises(DataError):
            Knowledge.read(tmp_path / name)
    with pytest.raises(DataError):
        Knowledge.of([])


def test_only_what_was_approved_as_it_stands_leaves(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "q", create=True)
    ids = [queue.add(f"text {i}", {"score": 0.5}) for i in range(5)]
    queue.approve(ids[0], "Ada")
    queue.reject(ids[1], "Ada", "wrong")
    queue.edit(ids[2], "better", "Ada")
    queue.approve(ids[3], "Ada")
    queue.edit(ids[3], "changed after it was approved", "Bo")
    assert [i.text for i in queue.publishable()] == ["text 0"]
    queue.approve(ids[2], "Bo", "read twice")
    again = Queue(tmp_path / "q")
    assert [(i.text, i.history[-1].who) for i in again.publishable()] == [("text 0", "Ada"), ("better", "Bo")]
    assert [i.state for i in again.items()] == ["approved", "rejected", "approved", "edited", "pending"] and [e.state for e in again.item(ids[2]).history] == ["pending", "edited", "approved"]
    assert again.export(tmp_path / "out.jsonl") == 2 and [json.loads(line)["text"] for line in (tmp_path / "out.jsonl").read_text().splitlines()] == ["text 0", "better"]
    for act in (lambda: queue.approve(99, "Ada"), lambda: queue.approve(ids[4], " "), lambda: queue.reject(ids[4], "Ada", ""), lambda: queue.edit(ids[4], "", "Ada"),
                lambda: queue.add(""), lambda: queue.items("odd")):  # type: ignore[arg-type]
        with pytest.raises(UsageError):
            act()
    assert len(queue.items()) == 5


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["approve", "reject", "edit"]), st.integers(1, 3)), max_size=12))
def test_the_law_of_the_queue(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]) -> None:
    """An item is publishable if and only if the last thing that happened to it is that someone approved it."""
    queue, last = Queue(tmp_path_factory.mktemp("q") / "q", create=True), dict.fromkeys((1, 2, 3), "add")
    for i in last:
        assert queue.add(f"t{i}") == i
    for act, i in steps:
        getattr(queue, act)(*{"approve": (i, "A"), "reject": (i, "A", "no"), "edit": (i, "new", "A")}[act])
        last[i] = act
    assert {i.id for i in queue.publishable()} == {i for i, act in last.items() if act == "approve"}


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    Queue(tmp_path / "q", create=True)
    workers = [threading.Thread(target=lambda k=k: [Queue(tmp_path / "q").add(f"{k} {i}") for i in range(5)]) for k in range(4)]
    [w.start() for w in workers]
    [w.join() for w in workers]
    found = Queue(tmp_path / "q").items()
    assert len(found) == 20 and len({i.text for i in found}) == 20 and [i.id for i in found] == list(range(1, 21))


def test_a_file_that_is_no_queue(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello" * 1000)
    base = sqlite3.connect(tmp_path / "other")
    base.execute("create table t (x)")
    base.commit()
    base.close()
    for name in ("none", "text", "other"):
        with pytest.raises(DataError):
            Queue(tmp_path / name)
    with pytest.raises(DataError):
        Queue(tmp_path / "other", create=True)
    with pytest.raises((ResourceError, DataError)):
        Queue(tmp_path / "text" / "below", create=True)
