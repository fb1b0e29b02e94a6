"""Laws of audits: what independent data give, what copies give, exposure of ranks, intervals that cover, attacks that grow with how often an item was seen."""
from __future__ import annotations

from dataclasses import replace
from math import comb, log2

import numpy as np
import polars as pl
import pytest
import torch

import ilk
from ilk.attack import Attack, Shadows, Target, Unmeasured, carried
from ilk.attacks._figures import auc, bootstrap, caught, exact
from ilk.attacks._points import head, neighbours
from ilk.attacks.exposure import CHANCE, bits, ranks
from ilk.attacks.likelihood_ratio import evidence
from ilk.dataset import Dataset
from ilk.errors import DataError
from ilk.metrics._nearest import Vectors
from ilk.registry import get, names
from ilk.rng import Rng

SIZE = 300


def dice(*key: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=sum(k << (24 * i) for i, k in enumerate(key))))


def halves(seed: int, n: int = SIZE, d: int = 3) -> Dataset[np.ndarray]:
    """As many items to learn from as are held out."""
    x = dice(seed).standard_normal((2 * n, d))
    return replace(ilk.read(x), splits={"train": torch.arange(n), "valid": torch.arange(0), "test": torch.arange(n, 2 * n)})


def test_area_under_the_curve_is_that_of_all_pairs() -> None:
    seen, unseen = (torch.from_numpy(dice(i).integers(0, 8, 50)).double() for i in (1, 2))
    pairs = (seen[:, None] > unseen).double() + (seen[:, None] == unseen).double() / 2
    assert float(auc(seen, unseen)) == pytest.approx(float(pairs.mean()), abs=1e-12)
    both = auc(torch.stack([seen, unseen]), torch.stack([unseen, seen]))
    assert float(both.sum()) == pytest.approx(1, abs=1e-12)


def test_caught_keeps_its_rate_of_false_alarms() -> None:
    for n in (100, 150, 1000):
        unseen = torch.from_numpy(dice(n).standard_normal(n))
        assert float(caught(unseen, unseen)) <= 0.01 and float(caught(unseen + 100, unseen)) == 1


def test_the_exact_interval_is_that_of_the_binomial() -> None:
    for hits, n in ((0, 20), (3, 20), (17, 20), (20, 20)):
        low, high = exact(hits, n)
        above = sum(comb(n, k) * low**k * (1 - low) ** (n - k) for k in range(hits, n + 1))
        below = sum(comb(n, k) * high**k * (1 - high) ** (n - k) for k in range(hits + 1))
        assert (hits == 0 and low == 0) or above == pytest.approx(0.025, abs=1e-9)
        assert (hits == n and high == 1) or below == pytest.approx(0.025, abs=1e-9)


def test_the_bootstrap_covers_chance() -> None:
    """Of 60 areas of independent scores about 95 % of the intervals hold .5, and the mean is .5 within three standard errors."""
    made = [bootstrap(auc, *(torch.from_numpy(dice(i, s).standard_normal(200)) for s in (1, 2)), Rng(i)) for i in range(60)]
    values = torch.tensor([m[0] for m in made])
    assert abs(float(values.mean()) - 0.5) <= 3 * float(values.std()) / 60**0.5
    assert 51 <= sum(low <= 0.5 <= high for _, low, high in made) <= 60


def test_neighbours_are_those_of_all_distances() -> None:
    x = torch.from_numpy(dice(3).standard_normal((70, 4)))
    far = torch.cdist(x, x).fill_diagonal_(torch.inf)
    want = far.sort(1)
    one, two, index = neighbours(Vectors(x))
    assert torch.allclose(one, want.values[:, 0]) and torch.allclose(two, want.values[:, 1]) and (index == want.indices[:, 0]).all()
    assert len(head(Vectors(x), 7)) == 7


def test_independent_items_give_the_null() -> None:
    """Over 12 seeds: the nearest record is as often a training item as not; no other share differs from that of real items."""
    audits = [ilk.audit(None, halves(seed), made=dice(seed, 9).standard_normal((600, 3)), seed=seed) for seed in range(12)]
    assert not any(told.flagged for told in audits)
    nearer = torch.tensor([told["nearest_record"].value for told in audits])
    assert abs(float(nearer.mean()) - 0.5) <= 3 * float(nearer.std()) / 12**0.5 and float(nearer.std()) < 0.05
    above = torch.tensor([told["unauthentic"].null - told["unauthentic"].value for told in audits])
    assert abs(float(above.mean())) <= 3 * float(above.std()) / 12**0.5   # independent items crowd training items as real ones do


def test_mutual_neighbours_of_a_line_are_two_thirds() -> None:
    """On a line, an item's nearest neighbour has it for its own nearest with chance 2/3 (Cox 1981): the null of authenticity."""
    data = halves(1, 4000, 1)
    null = ilk.audit(None, data, made=dice(5).standard_normal((3000, 1)))["unauthentic"]
    assert abs(null.value - 2 / 3) < 0.03 and abs(null.null - 2 / 3) < 0.03


@pytest.mark.parametrize("noise", [0.0, 0.002])
def test_copies_are_found(noise: float) -> None:
    data = halves(2)
    made = data.train[dice(4).integers(SIZE, size=600)] + noise * dice(5).standard_normal((600, 3))
    told = ilk.audit(None, data, made=made)
    assert told["nearest_record"].value > 0.99 and told["unauthentic"].value > 0.99 and {"near_duplicates", "nearest_record", "unauthentic", "rare_rows"} <= set(told.flagged)
    assert told["near_duplicates"].value == pytest.approx(1 - (1 - 1 / SIZE) ** 600, abs=0.08) and told["near_duplicates"].null == 0
    if not noise:
        assert told["nearest_record"].value == told["unauthentic"].value == 1


def test_a_law_of_few_values_is_no_leak() -> None:
    """Rows of a few categories repeat by themselves: a model that repeats them alike is no copier, though the division keeps equal rows together."""
    for seed in range(5):
        frame = pl.DataFrame({name: dice(seed, k).choice(5, size=500, p=[0.5, 0.2, 0.15, 0.1, 0.05]).astype(str) for k, name in enumerate("abcd")})
        fresh = pl.DataFrame({name: dice(seed, k, 7).choice(5, size=800, p=[0.5, 0.2, 0.15, 0.1, 0.05]).astype(str) for k, name in enumerate("abcd")})
        assert not ilk.audit(None, ilk.read(frame), made=fresh).flagged


def test_rows_singled_out_are_found() -> None:
    """Half of the rare training rows among fresh rows: the rare ones tell, though the mean does not."""
    frame = pl.DataFrame({**{c: [f"w{v}" for v in dice(k).integers(40, size=600)] for k, c in enumerate("ab")}, "x": dice(3).standard_normal(600)})
    data = replace(ilk.read(frame), splits={"train": torch.arange(300), "valid": torch.arange(0), "test": torch.arange(300, 600)})
    fresh = pl.DataFrame({**{c: [f"w{v}" for v in dice(k, 5).integers(40, size=300)] for k, c in enumerate("ab")}, "x": dice(3, 5).standard_normal(300)})
    told, leaky = (ilk.audit(None, data, made=made) for made in (fresh, pl.concat([fresh, data.train.head(150)])))
    assert "rare_pairs" not in told.flagged and "rare_pairs" in leaky.flagged and leaky["rare_pairs"].value > told["rare_pairs"].value + 0.3
    assert "attribute_inference" in leaky.flagged and "attribute_inference" not in told.flagged


def test_exposure_of_ranks() -> None:
    """The mean over all ranks of 4096 is 12 - log2(4096!) / 4096 = 1.4409, near log2(e); ties share their places."""
    nats = torch.arange(4096, dtype=torch.double)
    every = torch.tensor([float(bits(ranks(nats[i:i + 1], torch.cat([nats[:i], nats[i + 1:]])), 4096)[0]) for i in range(0, 4096, 64)])
    assert float(every[-1]) == pytest.approx(log2(4096) - log2(64), abs=1e-9)   # 4032 has 63 above it
    whole = bits(torch.arange(1, 4097), 4096)
    assert float(whole.mean()) == pytest.approx(1.4409, abs=1e-4) and abs(float(whole.mean()) - CHANCE) < 0.002
    assert ranks(torch.tensor([1.0]), torch.tensor([1.0, 1.0, 0.0, 2.0])).tolist() == [3.0]


def test_exposure_flags_at_its_rate() -> None:
    """Of secrets that were not learned, 1 in 100 is flagged: of 400 between 0 and 12."""
    kind: Attack = get("attacks", "exposure")()
    flags = 0
    for i in range(400):
        nats = torch.from_numpy(dice(i, 3).standard_normal(203))
        answer = carried(kind, Target("text", secrets=(nats[:3], nats[3:])), Rng(0))
        assert not isinstance(answer, Unmeasured)
        flags += answer[0].flagged
    assert flags <= 12


def test_exposure_grows_with_how_often_a_secret_stands_in_the_data() -> None:
    codes = [f"the code is {a}{b}{c}" for a in "0123456789" for b in "0123456789" for c in "13579"]
    plain = [f"a line of {w} text" for w in ("plain", "other", "such", "more")] * 15
    seen = [ilk.exposure(ilk.fit(ilk.read(plain + codes[217:218] * k), ilk.NGram(order=6)), codes[217:218], codes[:217] + codes[218:]).value for k in (1, 4, 16)]
    assert seen[0] <= seen[1] <= seen[2] == log2(len(codes)) and seen[2] > CHANCE


def test_likelihood_ratio_by_hand() -> None:
    """Two laws of one variance: the log ratio is linear in the score."""
    member = torch.tensor([[True, False], [False, True], [True, False], [False, True]])
    nats = torch.tensor([[3.0, 0.0], [1.0, 2.0], [5.0, 2.0], [1.0, 4.0]], dtype=torch.double)
    mine = torch.tensor([4.0, 0.0], dtype=torch.double)
    inside = ((3 - 4) ** 2 + (5 - 4) ** 2 + (2 - 3) ** 2 + (4 - 3) ** 2) / 2
    outside = (0 + 0 + 1 + 1) / 2
    want = [-((m - i) ** 2) / (2 * inside) - np.log(inside) / 2 + (m - o) ** 2 / (2 * outside) + np.log(outside) / 2 for m, i, o in ((4, 4, 1), (0, 3, 1))]
    assert evidence(mine, Shadows(nats, member)).tolist() == pytest.approx(want, abs=1e-6)


def test_membership_of_independent_data_is_chance_and_of_a_memory_certain() -> None:
    """A model of other rows: .5 within three standard errors over 12 seeds; one of a component every three rows: nearly 1, by shadows too."""
    told = [ilk.audit(ilk.fit(halves(100 + s), ilk.GMM(components=1), seed=s), halves(s), n=50, shadows=4) for s in range(12)]
    for name in ("membership", "likelihood_ratio"):
        blind = torch.tensor([t[name].value for t in told])
        assert abs(float(blind.mean()) - 0.5) <= 3 * float(blind.std()) / 12**0.5
    data = halves(7)
    greedy = ilk.audit(ilk.fit(data, ilk.GMM(components=100, ridge=1e-4)), data, shadows=4)
    assert greedy["membership"].value > 0.85 and greedy["likelihood_ratio"].value > 0.85 and {"membership", "likelihood_ratio", "nearest_record"} <= set(greedy.flagged)


def test_the_law_that_is_right_passes() -> None:
    flags = [ilk.audit(ilk.fit(halves(s), ilk.GMM(components=1), seed=s), halves(s), seed=s).flagged for s in range(10)]
    assert flags == [()] * 10


def test_verbatim_runs() -> None:
    words = ["blue", "stone", "river", "cloud", "lamp", "fern", "salt", "copper", "willow", "amber", "slate", "thorn"]
    texts = [" ".join(dice(i).choice(words, size=12)) for i in range(200)]
    data = Dataset(ilk.read(texts).modality, texts, {"train": torch.arange(100), "valid": torch.arange(0), "test": torch.arange(100, 200)})
    fresh = [" ".join(dice(i).choice(words, size=12)) for i in range(500, 560)]
    honest, thief = ilk.audit(None, data, made=fresh), ilk.audit(None, data, made=[*fresh[:50], *texts[:10]])
    assert not honest.flagged and honest["verbatim"].value < 2 * honest["verbatim"].null
    assert thief["verbatim"].value == max(map(len, texts[:10])) and "verbatim" in thief.flagged


def test_held_out_items_that_were_learned_from_are_refused() -> None:
    x = dice(1).standard_normal((200, 2))
    with pytest.raises(DataError, match="held-out items are training items"):
        ilk.audit(None, replace(ilk.read(x), splits={"train": torch.arange(200), "test": torch.arange(100)}), made=x)


def test_every_attack_says_what_it_lacks() -> None:
    """Nothing is safe of which nothing is known."""
    for name in names("attacks"):
        attack: Attack = get("attacks", name)()
        if not attack.asks:
            answer = carried(attack, Target("table"), Rng(0))
            assert isinstance(answer, Unmeasured) and "no training items" in answer.reason
