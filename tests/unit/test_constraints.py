"""Hard constraints: projections against brute force, repairs that are exact in decimals, and what is found in data against chance."""
from __future__ import annotations

from decimal import Decimal
from itertools import combinations, product
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

import ilk
from ilk.constraints import Each, Linear, Sums, Unique, parse
from ilk.verbs._projection import Polyhedron, project
from ilk.verbs._whole import FREE, Lattice, settle
from ilk.verbs.obey import Repair

CALM = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


def nearest(y: np.ndarray, rows: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The nearest point of {low <= rows x <= high} by trying every set of limits that may bind."""
    limits = [(a, b) for a, ends in zip(rows, zip(low, high, strict=True), strict=True) for b in set(ends) if np.isfinite(b)]
    best, least = None, np.inf
    for many in range(min(len(limits), len(y)) + 1):
        for chosen in combinations(limits, many):
            a, b = np.array([c[0] for c in chosen]).reshape(many, len(y)), np.array([c[1] for c in chosen])
            x = y - a.T @ np.linalg.pinv(a @ a.T) @ (a @ y - b) if many else y
            away = float(((x - y) ** 2).sum())
            if (rows @ x <= high + 1e-7).all() and (rows @ x >= low - 1e-7).all() and away < least:
                best, least = x, away
    assert best is not None
    return best


@st.composite
def problems(draw: st.DrawFn) -> tuple[np.ndarray, Polyhedron]:
    """Some rows and bounds around a point, and points to project."""
    n, m = draw(st.integers(1, 4)), draw(st.integers(0, 3))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    rows = rng.integers(-2, 3, (m, n)).astype(float)
    rows = rows[(rows != 0).any(1)]
    inside = rng.normal(size=n)
    sums, kind = rows @ inside, rng.integers(0, 4, len(rows))
    low = np.where(kind == 0, sums, np.where(kind == 1, -np.inf, sums - rng.random(len(rows))))
    high = np.where(kind == 0, sums, np.where(kind == 2, np.inf, sums + rng.random(len(rows))))
    least, most = np.where(rng.random(n) < 0.5, inside - rng.random(n), -np.inf), np.where(rng.random(n) < 0.5, inside + rng.random(n), np.inf)
    y = inside + rng.normal(size=(4, n)) * 2

    def each(x: np.ndarray) -> np.ndarray:
        return np.repeat(x[None], len(y), 0)

    return y, Polyhedron(rows, each(low), each(high), each(least), each(most))


@CALM
@given(problems())
def test_projections_are_the_nearest_points(problem: tuple[np.ndarray, Polyhedron]) -> None:
    y, onto = problem
    x = project(y, onto)
    rows = np.concatenate([onto.rows, np.eye(y.shape[1])])
    for i in range(len(y)):
        best = nearest(y[i], rows, np.concatenate([onto.low[i], onto.least[i]]), np.concatenate([onto.high[i], onto.most[i]]))
        assert np.abs(x[i] - best).max() < 1e-5
    assert np.abs(project(x, onto) - x).max() < 1e-6


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=8), st.floats(0.1, 10))
def test_a_simplex_is_the_one_of_duchi(values: list[float], total: float) -> None:
    y, n = np.array(values), len(values)
    x = project(y[None], Polyhedron(np.ones((1, n)), np.full((1, 1), total), np.full((1, 1), total), np.zeros((1, n)), np.full((1, n), np.inf)))[0]
    down = np.sort(y)[::-1]
    share = (down.cumsum() - total) / np.arange(1, n + 1)
    theta = share[np.flatnonzero(down - share > 0)[-1]]
    assert np.abs(x - np.maximum(y - theta, 0)).max() < 1e-9


def test_tied_sums_are_equal_and_nearest() -> None:
    y = np.random.default_rng(0).normal(size=(5, 6))
    free = np.full((5, 2), np.inf)
    onto = Polyhedron(np.kron(np.eye(2), np.ones(3)), -free, free, np.full((5, 6), -np.inf), np.full((5, 6), np.inf), ((0, 1),))
    x = project(y, onto)
    sums = y.reshape(5, 2, 3).sum(2)
    assert np.allclose(x.reshape(5, 2, 3), y.reshape(5, 2, 3) + ((sums.mean(1)[:, None] - sums) / 3)[:, :, None])


@CALM
@given(st.integers(0, 10**6), st.integers(2, 4))
def test_whole_parts_of_a_total_are_the_nearest(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    near = project(rng.normal(size=(1, n)) * 4, _all(n, 6.0))
    lattice = Lattice(np.ones((1, n), dtype=np.int64), np.full((1, 1), 6), np.full((1, 1), 6), np.zeros((1, n), dtype=np.int64), np.full((1, n), FREE))
    k, good = settle(near, lattice, np.ones(n))
    every = np.array([c for c in product(range(7), repeat=n) if sum(c) == 6])
    assert good.all() and ((k - near) ** 2).sum() <= ((every - near) ** 2).sum(1).min() + 1e-9


def _all(n: int, total: float) -> Polyhedron:
    return Polyhedron(np.ones((1, n)), np.full((1, 1), total), np.full((1, 1), total), np.zeros((1, n)), np.full((1, n), np.inf))


@CALM
@given(st.integers(0, 10**6))
@example(424)   # lost by the presolve of HiGHS
@example(1465)
def test_whole_numbers_are_found_wherever_there_are_some(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, k = rng.integers(-3, 4, (2, 3)), rng.integers(-5, 6, 3)
    assume((rows != 0).any(1).all())
    equal = rng.random(2) < 0.5
    total = rows @ k
    box = np.array([[6, 6, 6]])
    lattice = Lattice(rows, np.where(equal, total, -FREE)[None], np.where(equal, total, total + rng.integers(0, 3, 2))[None], -box, box)
    found, good = settle(k + rng.normal(size=(1, 3)) * 3, lattice, np.ones(3))
    assert good.all() and lattice.obeyed(found).all()


def bills(n: int = 600) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    net = np.round(rng.gamma(2, 50, n), 2)
    tax = np.round(net * rng.choice([0.05, 0.2], n), 2)
    start = np.datetime64("2024-01-01") + rng.integers(0, 300, n).astype("timedelta64[D]")
    zips = rng.integers(0, 12, n)
    parts = rng.multinomial(100, [0.2, 0.3, 0.5], n)
    return pl.DataFrame({"net": net, "tax": tax, "gross": np.round(net + tax, 2), "start": start, "end": start + rng.integers(0, 60, n).astype("timedelta64[D]"),
                         "a": parts[:, 0], "b": parts[:, 1], "c": parts[:, 2], "zip": [f"z{z}" for z in zips],
                         "城市 x": [f"c{z // 3}" for z in zips], "w": rng.normal(size=n)})


RULES = ("net + tax == gross", "start <= end", "end - start <= 60", "simplex(a, b, c) == 100", "zip -> `城市 x`",
         "unique net, tax, zip", "net >= 0 and tax >= 0", "-2 <= w <= 2")


@pytest.fixture(scope="module")
def model() -> ilk.Model:
    return ilk.fit(bills(), ilk.GMM(components=3))


def test_every_kind_at_once_in_the_decimals_of_the_file(model: ilk.Model, tmp_path: Path) -> None:
    obeying = ilk.obeying(model, RULES, data=bills())
    made = obeying.sample(1000, seed=3)
    made.items.write_csv(tmp_path / "made.csv")
    rows = [line.split(",") for line in (tmp_path / "made.csv").read_text().splitlines()[1:]]
    assert len(rows) == 1000
    assert all(Decimal(net) + Decimal(tax) == Decimal(gross) and Decimal(net) >= 0 and Decimal(tax) >= 0 for net, tax, gross, *_ in rows)
    assert all(start <= end for _, _, _, start, end, *_ in rows)
    assert all(int(a) + int(b) + int(c) == 100 and min(int(a), int(b), int(c)) >= 0 for _, _, _, _, _, a, b, c, *_ in rows)
    assert all(-2 <= Decimal(row[10]) <= 2 for row in rows) and len({(r[0], r[1], r[8]) for r in rows}) == 1000
    known = dict(bills().select("zip", "城市 x").rows())
    assert all(known[row[8]] == row[9] for row in rows)
    assert set(obeying.broken(pl.read_csv(tmp_path / "made.csv", try_parse_dates=True)).values()) == {0}
    assert 0 < made.repaired <= 1 and made.moved > 0 and {f.name for f in made.fidelity} == {"column_shapes", "pair_trends"}
    pairs = next(f for f in made.fidelity if f.name == "pair_trends")
    assert pairs.after > pairs.before - 0.02   # the data obey: the repair does not take the made rows away from them


def test_item_i_depends_on_nothing_but_i_and_what_obeys_is_untouched(model: ilk.Model) -> None:
    obeying = ilk.obeying(model, ["start <= end", "unique zip, a, b"])
    many, few = obeying.sample(300, seed=5).items, obeying.sample(40, seed=5).items
    assert many.head(40).equals(few)
    drawn = model.sample(300, seed=5)
    good = drawn.filter(drawn["start"] <= drawn["end"])
    assert len(good) > 200 and len(many.join(good, on=many.columns, how="semi", nulls_equal=True)) > 200


@CALM
@given(st.integers(0, 10**6))
def test_a_repair_is_idempotent_and_keeps_what_obeys_to_the_bit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame({"p": rng.normal(size=40), "q": rng.normal(size=40) * 100, "r": np.round(rng.normal(size=40), 2), "k": rng.integers(-3, 9, 40)})
    modality = ilk.read(frame).modality
    repair = Repair(modality, parse("p <= q and p + q + r == 2.5 and k >= 0 and 3 * k <= q"), frame)
    once = repair.mended(frame, [])
    again = repair.mended(once.items, [])
    assert once.good.all() and again.items.equals(once.items) and not again.changed.any()
    obeys = Repair(modality, parse("p <= q and k >= 0"), frame)
    good = np.stack(list(obeys.obeyed(frame).values())).all(0)
    assert obeys.mended(frame, []).items.filter(pl.Series(good)).equals(frame.filter(pl.Series(good)))


def test_distances_are_the_least_that_there_are() -> None:
    frame = pl.DataFrame({"a": [0.123, 5.001, 7.5, 2.25] * 10, "b": [1.5, 2.75, 3.125, 0.5] * 10})
    mended = Repair(ilk.read(frame).modality, parse("a == b"), frame).mended(frame, [])
    weight = 1 / np.array([frame["a"].std(ddof=0), frame["b"].std(ddof=0)]) ** 2
    middle = (frame.to_numpy() * weight).sum(1) / weight.sum()
    assert np.abs(mended.items.to_numpy() - middle[:, None]).max() < 1e-3   # the grid of the columns


def test_what_is_given_stays_given(model: ilk.Model) -> None:
    made = ilk.obeying(model.given("net > 120 and `城市 x` == 'c1' and start >= '2024-06-01'"), RULES).sample(200).items
    assert made["net"].min() > 120 and set(made["城市 x"]) == {"c1"} and str(made["start"].min()) >= "2024-06-01"
    assert (made["start"] <= made["end"]).all()
    avoided = ilk.obeying(model.given(ilk.Avoid(ilk.Where("a > 20"))), "a + b + c == 100").sample(200).items
    assert avoided["a"].max() <= 20 and (avoided["a"] + avoided["b"] + avoided["c"] == 100).all()


@pytest.mark.parametrize("rules, named", [
    (["a >= 50", "b >= 60", "a + b + c == 100", "c >= 0", "net >= 0"], {"a >= 50", "b >= 60", "a + b + c == 100", "c >= 0"}),
    (["start < end", "end < start", "a <= b"], {"start < end", "end < start"}),
    (["a + b == 1", "a - b == 0"], {"a + b == 1", "a == b"}),
    (["a in [3, 4]", "a == 7"], {"a <= 4", "a == 7"})])
def test_contradictions_are_named_and_nothing_else(model: ilk.Model, rules: list[str], named: set[str]) -> None:
    with pytest.raises(ilk.IlkError) as why:
        ilk.obeying(model, rules)
    said = why.value.message.partition(": ")[2]   # type: ignore[attr-defined]
    assert why.value.code == "CONTRADICTION" and set(said.split("; ")) == named   # type: ignore[attr-defined]


@pytest.mark.parametrize("rule, code", [("none <= 3", "COLUMN"), ("zip <= 3", "RULE_TYPE"), ("none -> zip", "COLUMN"), ("unique none", "COLUMN"),
                                        ("a >= '2024-01-01'", "RULE_TYPE"),
                                        ("start >= 'soon'", "RULE_TYPE"), ("start <= 5", "RULE_TYPE"), ("sum() == 3", "RULE_TYPE"), ("2 * a == 3", "CONTRADICTION"),
                                        ("step(net) == 0.003", "CONTRADICTION"), ("a <= b and", "RULE")])
def test_what_can_not_be_is_refused(model: ilk.Model, rule: str, code: str) -> None:
    with pytest.raises(ilk.IlkError) as why:
        ilk.obeying(model, rule)
    assert why.value.code == code   # type: ignore[attr-defined]


def test_too_few_keys_and_data_that_disagree_are_refused(model: ilk.Model) -> None:
    with pytest.raises(ilk.IlkError, match="unique zip"):
        ilk.obeying(model, "unique zip").sample(13)
    assert ilk.obeying(model, "unique zip").sample(12).items["zip"].n_unique() == 12
    with pytest.raises(ilk.IlkError, match="the data have both"):
        ilk.obeying(model, "`城市 x` -> zip", data=bills())
    given = ilk.obeying(model, "zip -> `城市 x` {'z0': 'c3', 'z1': 'c2'}").sample(300).items
    assert set(given.filter(pl.col("zip") == "z0")["城市 x"]) == {"c3"}
    assert given.select("zip", "城市 x").unique().height == given["zip"].n_unique()


def test_missing_cells_are_not_judged() -> None:
    frame = pl.DataFrame({"a": [1, 2, None, 4] * 50, "b": [2.5, None, 3.25, 5.125] * 50})
    made = ilk.obeying(ilk.fit(frame, ilk.GMM(components=2)), "a <= b and a >= 2").sample(300).items
    assert made["a"].null_count() and made["b"].null_count()
    assert (made["a"] <= made["b"]).drop_nulls().all() and made["a"].min() >= 2


def test_variants_are_as_many_and_different_as_asked_for(model: ilk.Model) -> None:
    made = ilk.obeying(model, ["unique a, b, zip", "a + b + c == 100", "net + 2 * tax <= 200"]).sample(50).items
    assert made.select("a", "b", "zip").n_unique() == 50 and (made["net"] + 2 * made["tax"]).max() <= 200


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_conserved_mass_is_exact_in_any_order_of_summing(kind: str) -> None:
    rng = np.random.default_rng(1)
    field = rng.dirichlet(np.ones(24), 400).astype(kind) * 8
    made = ilk.obeying(ilk.fit(field, ilk.GMM(components=2)), [Sums((), "==", 8), Each(">=", 0)]).sample(200).items
    assert made.dtype == kind and made.min() == 0
    for order in (np.arange(24), rng.permutation(24), np.arange(24)[::-1]):
        assert (made[:, order].cumsum(1, dtype=kind)[:, -1] == 8).all()


def test_sums_that_stay_what_they_are() -> None:
    rng = np.random.default_rng(2)
    field = rng.dirichlet(np.ones(6), (300, 4)) * (1 + rng.random((300, 1, 1)))
    obeying = ilk.obeying(ilk.fit(field, ilk.GMM(components=2)), "sum(1) constant and each() in [0, 1]")
    made = obeying.sample(100).items
    sums = made.sum(2)
    assert (sums == sums[:, :1]).all() and np.ptp(sums[:, 0]) > 0.1 and made.min() >= 0 and made.max() <= 1
    assert set(obeying.broken(made).values()) == {0} and obeying.broken(field + 1e-9 * rng.random(field.shape))["sum(1) constant"] == 300


def test_whole_arrays_stay_whole() -> None:
    counts = np.random.default_rng(3).multinomial(50, [0.1] * 10, 300)
    made = ilk.obeying(ilk.fit(counts, ilk.GMM(components=1)), "sum() == 50 and each() >= 0").sample(200).items
    assert made.dtype == counts.dtype and (made.sum(1) == 50).all() and made.min() >= 0


def random_table(seed: int) -> pl.DataFrame:
    rng, n = np.random.default_rng(seed), 1000
    return pl.DataFrame({"i": rng.integers(0, 100, n), "big": rng.integers(0, 10**9, n), "f": rng.normal(size=n), "g": rng.random(n) * 1e4 + 50,
                         "c": rng.choice(list("abcde"), n), "b": rng.random(n) < 0.5, "m": np.round(rng.gamma(2, 3, n), 2), "low": rng.integers(0, 10, n),
                         "high": rng.integers(50, 99, n),
                         "rare": rng.random(n) < 0.002, "d": np.datetime64("2020-01-01") + rng.integers(0, 3000, n).astype("timedelta64[D]")})


@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_found_in_chance(seed: int) -> None:
    assert ilk.discover(random_table(seed)).found == ()
    assert ilk.discover(np.random.default_rng(seed).normal(size=(300, 3, 4))).found == ()


def found(data: object) -> set[str]:
    return {str(f.constraint) for f in ilk.discover(data).found}


def test_what_is_there_is_found() -> None:
    frame = bills().with_columns(id=pl.Series([f"id-{i:04}" for i in range(600)]), day=pl.Series(range(600)) // 20, slot=pl.Series(range(600)) % 20, twice=2 * pl.col("a"))
    rules = found(frame)
    assert {"net + tax == gross", "start <= end", "zip -> `城市 x`", "a + b + c == 100", "unique id", "unique day, slot", "2 * a == twice"} <= rules
    assert "`城市 x` -> zip" not in rules and not any("w" in rule.split() for rule in rules)
    one = frame.with_row_index().with_columns(gross=pl.when(pl.col("index") == 7).then(pl.col("gross") + 0.01).otherwise(pl.col("gross"))).drop("index")
    assert "net + tax == gross" not in found(one)
    x = np.random.default_rng(0).dirichlet(np.ones(6), 200)
    assert found(x) == {"sum() == 1"} and found(np.stack([x, x[::-1]], 1)) == {"sum(1) == 1", "sum() == 2"}


def test_what_is_found_can_be_obeyed(model: ilk.Model) -> None:
    rules = ilk.discover(ilk.read(bills())).constraints
    made = ilk.obeying(model, rules, data=ilk.read(bills())).sample(300)
    assert set(ilk.obeying(model, rules).broken(made.items).values()) == {0}




def test_commands(model: ilk.Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from ilk.cli import main

    frame = bills().with_columns(id=pl.Series(range(600)))
    frame.write_csv(tmp_path / "bills.csv")
    ilk.fit(str(tmp_path / "bills.csv"), ilk.GMM(components=2)).save(tmp_path / "bills.ilk")
    at, out = str(tmp_path / "bills.ilk"), tmp_path / "made.csv"
    assert main(["sample", at, "-n", "100", "--obey", "discovered", "--obey", "end - start <= 60", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "100 items obey all of" in said and "column_shapes" in said and "net + tax == gross" in said
    assert len(pl.read_csv(out)) == 100 and "net + tax == gross" in found(pl.read_csv(str(out))) | {"net + tax == gross"}
    assert main(["discover", str(tmp_path / "bills.csv"), "--json"]) == 0
    assert "zip -> `城市 x`" in capsys.readouterr().out
    assert main(["sample", at, "--obey", "a <= <"]) == 2
    assert "^" in capsys.readouterr().err


def test_constraints_by_type_and_in_writing_are_the_same(model: ilk.Model) -> None:
    typed = [Linear((("a", 1), ("b", -1)), "<="), Unique(("net",))]
    assert ilk.obeying(model, typed).sample(20).items.equals(ilk.obeying(model, ["a <= b", "unique net"]).sample(20).items)
