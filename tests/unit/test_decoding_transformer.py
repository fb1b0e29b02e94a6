"""Ways of decoding against their definitions: forms against `re`, beams against the whole list, temperature and nucleus as laws of draws."""
from __future__ import annotations

import re
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ilk
from ilk.batch import Batch, Memory
from ilk.decoding._contract import Decoding
from ilk.decoding.ancestral import Ancestral
from ilk.decoding.beam import Beam
from ilk.decoding.form import Form
from ilk.decoding.top_p import TopP
from ilk.distribution import How
from ilk.errors import UsageError
from ilk.families.ngram import NGram
from ilk.families.transformer import Transformed, Transformer
from ilk.given import Begin
from ilk.rng import Rng
from ilk.run import Run
from ilk.space import Discrete, Many

torch.set_num_threads(1)
EVERY = [s for n in range(5) for s in product(range(3), repeat=n)]
ALL = Batch(Batch(torch.tensor([t for s in EVERY for t in s])), length=torch.tensor([len(s) for s in EVERY]))


def body(seed: int = 0) -> Transformed:
    made = Transformer(layers=1, heads=2, width=16, context=4).build(Many(Discrete(3), 4), Rng(seed))
    with torch.no_grad():
        for i, p in enumerate(made.parameters()):
            p.add_(0.5 * Rng(seed).child("shake", i).normal(p.numel(), 1).reshape(p.shape).float())
    return made


def listed(batch: Batch) -> list[tuple[int, ...]]:
    return [tuple(x.tolist()) for x in batch.elements.tensor.split(batch.lengths.tolist())]


@pytest.mark.parametrize("pattern", ["a*b", "(ab|c){2,3}", "[^a]b?c+", "a{2}(b|)c", ".[a-b].", "((a|b)c?)*", "a{1,}b{0,2}", "[\\-a]\\.?"])
def test_what_a_form_lets_through_is_what_re_matches(pattern: str) -> None:
    letters = "abc-."
    form = Form(pattern=pattern, tokens=tuple(letters))
    for n in range(5):
        for word in product(range(5), repeat=n):
            state, ok = torch.tensor([form.first]), True
            for token in word:
                ok = ok and bool(form.allowed(state)[0, token])
                state = form.after(state, torch.tensor([token]))
            ok = ok and bool(form.allowed(state)[0, -1])
            assert ok == bool(re.fullmatch(pattern, "".join(letters[t] for t in word)))


@settings(max_examples=60, deadline=None)
@given(st.text("ab(|)[]*+?{},1^-.\\", max_size=12))
def test_any_pattern_is_read_or_refused(pattern: str) -> None:
    try:
        form = Form(pattern=pattern, tokens=("a", "b"))
        form.allowed(torch.tensor([0]))
    except UsageError:
        return
    except RecursionError:
        pytest.fail("a short pattern recursed without end")


def test_a_form_never_leads_where_there_is_no_end() -> None:
    form = Form(pattern="a(bx|c)", tokens=("a", "b", "c"))
    after = form.after(torch.tensor([0]), torch.tensor([0]))
    assert form.allowed(after)[0].tolist() == [False, False, True, False]
    with pytest.raises(UsageError, match="matches"):
        Form(pattern="ax", tokens=("a", "b")).allowed(torch.tensor([0]))
    with pytest.raises(UsageError, match="tokens"):
        Form(pattern="a").allowed(torch.tensor([0]))


def test_tokens_of_several_letters_go_through_a_form_letter_by_letter() -> None:
    form = Form(pattern="(ab)+c", tokens=("a", "b", "ab", "bc", "abc", None))
    assert form.allowed(torch.tensor([0]))[0].tolist() == [True, False, True, False, True, False, False]
    one = form.after(torch.tensor([0]), torch.tensor([0]))
    assert form.allowed(one)[0].tolist() == [False, True, False, True, False, False, False]


@pytest.mark.parametrize("bad", ["(a", "a)", "[a", "*a", "a{3,2}", "a\\", "[\\", "a**{"])
def test_patterns_that_mean_nothing_are_refused(bad: str) -> None:
    with pytest.raises(UsageError, match=r"pattern has|nothing"):
        Form(pattern=bad, tokens=("a",)).allowed(torch.tensor([0]))


def test_draws_in_a_form_keep_the_proportions_of_what_may_come() -> None:
    b = body()
    form = Form(pattern="[ab]c", tokens=("a", "b", "c"))
    made = listed(b.sample(3000, Rng(1), form))
    assert set(made) <= {(0, 2), (1, 2)}
    first = b.step(b.begin(Batch(Batch(torch.zeros(0, dtype=torch.long)), length=torch.tensor([0]))), None)[0, :2].double().softmax(0)
    assert abs(made.count((0, 2)) / 3000 - float(first[0])) < 0.03
    begun = b.given(Begin(torch.tensor([1])), Rng(0))
    assert begun is not None and set(listed(begun.sample(50, Rng(1), form))) == {(1, 2)}
    other = b.given(Begin(torch.tensor([2])), Rng(0))
    with pytest.raises(UsageError, match="form"):
        other.sample(1, Rng(0), form)  # type: ignore[union-attr]


def test_a_wide_beam_finds_the_likeliest_of_all() -> None:
    for seed in range(4):
        b = body(seed)
        nats = b.log_prob(ALL)
        best = nats.argsort(descending=True, stable=True)
        found = b.sample(20, Rng(0), Beam(width=200))
        assert torch.allclose(b.log_prob(found), nats[best[:20]], atol=1e-5)
        assert listed(found)[0] == EVERY[int(best[0])]


def test_a_narrow_beam_is_a_beam() -> None:
    """Width 1 is greedy; wider ones find items no less likely; the block from row 2 on is the rest; more than there are is refused."""
    b = body(2)
    greedy = listed(b.sample(1, Rng(0), ilk.TopK(k=1)))[0]
    one = listed(b.sample(1, Rng(0), Beam(width=1)))[0]
    assert float(b.log_prob(_one(one))) >= float(b.log_prob(_one(greedy))) - 1e-6
    best = [float(b.log_prob(b.sample(1, Rng(0), Beam(width=w)))) for w in (1, 3, 9, 100)]
    assert best[-1] == pytest.approx(float(b.log_prob(ALL).max()), abs=1e-5) and max(best) == best[-1]
    whole = listed(b.sample(4, Rng(0), Beam(width=4)))
    assert listed(b.sample(2, Rng(0).at(2), Beam(width=4))) == whole[2:] and listed(b.sample(0, Rng(0), Beam(width=4))) == []
    with pytest.raises(UsageError, match="found"):
        b.sample(9, Rng(0), Beam(width=4))


def _one(item: tuple[int, ...]) -> Batch:
    return Batch(Batch(torch.tensor(item, dtype=torch.long)), length=torch.tensor([len(item)]))


def test_a_beam_after_a_prefix_and_with_a_bound() -> None:
    b = body(1)
    begun = b.given(Begin(torch.tensor([1])), Rng(0))
    assert begun is not None
    starts = ALL.padded(-1)[:, 0] == 1
    found = begun.sample(1, Rng(0), Beam(width=100))
    assert float(b.log_prob(found)) == pytest.approx(float(b.log_prob(ALL)[starts].max()), abs=1e-5)
    assert all(len(x) <= 2 for x in listed(b.sample(3, Rng(0), Beam(width=3, most=2))))


@pytest.mark.parametrize("how", [Ancestral(temperature=0.5), Ancestral(temperature=2.0), TopP(p=0.6), ilk.MinP(p=0.3), ilk.TopK(k=2)])
def test_draws_follow_the_bent_laws_of_every_step(how: How) -> None:
    """The chance of an item is the product of the bent laws on its way: chi-square over all items."""
    from ilk.testing._same import chi_square

    b = body(3)
    assert isinstance(how, Decoding)
    chance = torch.ones(len(EVERY)).double()
    for i, item in enumerate(EVERY):
        for t in range(min(len(item) + 1, 4)):
            law = how.logits(b.step(b.begin(_one(item[:t])), None)).softmax(1)
            chance[i] *= law[0, item[t] if t < len(item) else 3]
    assert float(chance.sum()) == pytest.approx(1.0, abs=1e-6)
    place = {item: i for i, item in enumerate(EVERY)}
    seen = torch.bincount(torch.tensor([place[x] for x in listed(b.sample(4000, Rng(9), how))]), minlength=len(EVERY))
    assert chi_square(seen, chance * 4000, repr(how)) > 1e-4


def test_the_same_ways_find_the_same_in_an_ngram() -> None:
    """Beam search knows a model only by its steps."""
    model = NGram(order=2).build(Many(Discrete(3), 4), Rng(0))
    model.fit(Memory(ALL), Run())
    cache = model.begin(_one(()))
    found = Beam(width=200).search(model, cache, 4)
    nats = model.log_prob(ALL)
    best = [float(model.log_prob(_one(tuple(x.tolist())))) for x in found[:10]]
    assert best == pytest.approx(nats.sort(descending=True).values[:10].tolist(), abs=1e-6)
