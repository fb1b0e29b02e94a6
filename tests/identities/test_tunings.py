"""Ways of tuning: nothing changes at the start, only stated parameters learn, merged is unmerged, and the best of a rank is found."""
from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ilk import registry
from ilk.errors import UsageError
from ilk.nets._decoder import Decoder, Shape
from ilk.rng import Rng
from ilk.tunings.adapter import Adapter
from ilk.tunings.dora import DoRA
from ilk.tunings.full import Full
from ilk.tunings.lora import LoRA
from ilk.tunings.prefix import Prefix
from ilk.tunings.prompt import SoftPrompt
from ilk.tunings.rslora import RsLoRA

SAME = [LoRA(rank=2), RsLoRA(rank=3), DoRA(rank=2), Adapter(size=4), Full()]
LEADS = [SoftPrompt(length=3), Prefix(length=3)]
NETS = ("llama", "gpt2", "ilk")


class Own(nn.Module):
    """ilk's decoder from tokens to log weights."""

    def __init__(self) -> None:
        super().__init__()
        self.net = Decoder(Shape(50, 2, 4, 2, 32, 48))

    def forward(self, tokens: Tensor) -> Tensor:
        seen = torch.ones(tokens.shape[1], tokens.shape[1]).tril() > 0
        return self.net.logits(self.net(self.net.embedded(tokens), torch.zeros(seen.shape).masked_fill(~seen, -torch.inf)))


def made(kind: str) -> nn.Module:
    with Rng(0).child("net").as_global():
        if kind == "ilk":
            return Own().eval()
        transformers = pytest.importorskip("transformers")
        ids = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
        if kind == "gpt2":
            return transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=50, n_embd=32, n_layer=2, n_head=4, n_positions=64, **ids)).eval()
        return transformers.LlamaForCausalLM(transformers.LlamaConfig(vocab_size=50, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
                                             num_key_value_heads=2, tie_word_embeddings=True, max_position_embeddings=64, **ids)).eval()


def logits(net: nn.Module, tokens: Tensor) -> Tensor:
    out: Any = net(tokens)
    found: Tensor = out if isinstance(out, Tensor) else out.logits
    return found


def tokens(rows: int = 3, length: int = 9) -> Tensor:
    return Rng(1).integers(rows * length, 50).reshape(rows, length)


def learn(net: nn.Module, params: Any, steps: int = 3) -> None:
    optimiser = torch.optim.SGD(list(params), lr=0.5)
    text = tokens(4)
    for _ in range(steps):
        optimiser.zero_grad()
        cross_entropy(logits(net, text[:, :-1]).flatten(0, 1), text[:, 1:].flatten()).backward()
        optimiser.step()


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize("tuning", SAME, ids=lambda t: type(t).__name__)
def test_at_the_start_no_logit_changes(kind: str, tuning: Any) -> None:
    net, text = made(kind), tokens()
    with torch.no_grad():
        before = logits(net, text)
        tuning.apply(net, Rng(2))
        assert float((logits(net, text) - before).abs().max()) == 0.0


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize("tuning", [*SAME[:4], Full(targets="norm|ln_|before"), *LEADS], ids=lambda t: type(t).__name__)
def test_only_stated_parameters_change(kind: str, tuning: Any) -> None:
    if tuning in LEADS and kind == "ilk":
        with pytest.raises(UsageError) as refused:
            tuning.apply(made(kind), Rng(2))
        assert refused.value.code == "NO_PLACE"
        return
    net = made(kind)
    learned = tuning.apply(net, Rng(2))
    before = {name: p.detach().clone() for name, p in net.state_dict().items()}
    learn(net, learned.values())
    after = net.state_dict()
    assert learned and all(bool((after[name] == before[name]).all()) for name in after if name not in learned)
    assert all(bool((after[name] != before[name]).any()) for name in learned if not (isinstance(tuning, Full) and kind == "gpt2"))


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize("tuning", [*SAME[:3], Full()], ids=lambda t: type(t).__name__)
def test_merged_is_unmerged(kind: str, tuning: Any) -> None:
    net, text = made(kind), tokens()
    start = logits(net, text)
    learn(net, tuning.apply(net, Rng(2)).values())
    plain = made(kind)
    weights = tuning.merge(net)
    assert weights is not None and set(weights) == set(plain.state_dict())
    plain.load_state_dict(dict(weights))
    with torch.no_grad():
        tuned = logits(net, text)
        assert float((logits(plain, text) - tuned).abs().max()) <= 1e-5
        assert float((tuned - start).abs().max()) > 1e-2
    assert Adapter().merge(net) is None and SoftPrompt().merge(net) is None


@pytest.mark.parametrize("kind", ("llama", "gpt2"))
@pytest.mark.parametrize("tuning", LEADS, ids=lambda t: type(t).__name__)
def test_a_lead_begins_as_the_words_it_was_made_of(kind: str, tuning: Any) -> None:
    net, text = made(kind), tokens()
    words = Rng(2).child("tokens").integers(3, 50).expand(3, -1)
    with torch.no_grad():
        there = logits(net, torch.cat([words, text], 1))[:, 3:]
        tuning.apply(net, Rng(2))
        found = logits(net, text)
        assert found.shape == there.shape
        assert float((found - there).abs().max()) <= 1e-5
        assert float((net(input_ids=text, attention_mask=torch.ones_like(text)).logits - there).abs().max()) <= 1e-5


@pytest.mark.parametrize("tuning", LEADS, ids=lambda t: type(t).__name__)
def test_a_lead_is_read_once_where_keys_are_kept(tuning: Any) -> None:
    net, text = made("llama"), tokens()
    tuning.apply(net, Rng(2))
    with torch.no_grad():
        whole = net(text).logits
        first = net(text[:, :4], use_cache=True)
        rest = net(text[:, 4:], past_key_values=first.past_key_values).logits
    torch.testing.assert_close(torch.cat([first.logits, rest], 1), whole, atol=1e-5, rtol=0)
    with pytest.raises(UsageError, match="packing"):
        net(input_ids=text, attention_mask=torch.zeros(3, 1, 9, 9))


def test_the_best_of_a_rank_is_the_cut_singular_values() -> None:
    """Eckart and Young (1936): the error of the best rank-r fit of a linear map is the sum of the squares of the other singular values."""
    with Rng(5).as_global():
        host, wanted, x = nn.Linear(8, 6, bias=False), torch.randn(6, 8), torch.eye(8)
    change = wanted - host.weight.detach()
    spare = float(torch.linalg.svdvals(change)[2:].square().sum())
    net = nn.Sequential(host)
    learned = LoRA(rank=2, alpha=2, targets="0").apply(net, Rng(6))
    optimiser = torch.optim.Adam(learned.values(), lr=0.02)
    for _ in range(1500):
        optimiser.zero_grad()
        loss = (net(x) - x @ wanted.T).square().sum()
        loss.backward()
        optimiser.step()
    assert spare <= loss.item() + 1e-4
    assert loss.item() == pytest.approx(spare, rel=1e-3)


def test_scales() -> None:
    assert LoRA(rank=4, alpha=8).scale == 2 and RsLoRA(rank=4, alpha=8).scale == 4 and DoRA(rank=4, alpha=8).scale == 2


def test_dora_by_its_formula() -> None:
    net = nn.Sequential(nn.Linear(5, 4))
    learned = DoRA(rank=2, alpha=4, targets="0").apply(net, Rng(0))
    with torch.no_grad():
        for p in learned.values():
            p.add_(Rng(1).normal(*p.shape) * 0.3)
    low, x = net[0].lora, Rng(2).normal(7, 5).float()
    whole = net[0].weight + 2 * low.b @ low.a
    expected = x @ (low.length[:, None] * whole / whole.norm(dim=1, keepdim=True)).T + net[0].bias
    torch.testing.assert_close(net(x), expected, atol=1e-5, rtol=0)


def test_what_has_no_place_is_refused() -> None:
    with pytest.raises(UsageError, match="regular expression"):
        LoRA(targets="(").apply(made("ilk"), Rng(0))
    with pytest.raises(UsageError, match="qkv"):
        LoRA(targets="nothing_like_it").apply(made("ilk"), Rng(0))
    with pytest.raises(UsageError, match="no parameter"):
        Full(targets="nothing_like_it").apply(made("ilk"), Rng(0))
    net = made("ilk")
    LoRA().apply(net, Rng(0))
    with pytest.raises(UsageError, match="already"):
        LoRA().apply(net, Rng(0))
    with pytest.raises(UsageError, match="list of layers"):
        Adapter().apply(nn.Linear(2, 2), Rng(0))


def test_an_output_tied_to_the_embeddings_is_no_target() -> None:
    with pytest.raises(UsageError, match="lm_head"):
        LoRA(targets="lm_head").apply(made("llama"), Rng(0))


@pytest.mark.parametrize("name", registry.names("tunings"))
def test_each_is_found_by_its_name(name: str) -> None:
    assert registry.name_of("tunings", registry.get("tunings", name)()) == name
