"""ilk.tune: what is learned, how gradients add up, what is kept and what is refused."""
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import ilk
from ilk.chat import Turn
from ilk.errors import DataError, ModelError, Stopped, UsageError
from ilk.rng import Rng
from ilk.run import Noted, Run, Steps
from ilk.train.loop import Loop
from ilk.verbs._learner import Learner, dpo, packed, rows
from ilk.verbs._lesson import Cut, Example, Lesson, cut, fitted
from ilk.verbs._lesson_data import divided, examples
from ilk.verbs._text_net import Decoded
from ilk.verbs.drift import drift
from ilk.verbs.tune import gained, tune

transformers = pytest.importorskip("transformers")
TEMPLATE = ("{% for m in messages %}{{'<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")
PAIRS = [{"prompt": f"What is {i}?", "answer": f"It is {i}" + " of course" * (i % 3)} for i in range(40)]


def tiny(at: Path, seed: int = 0, template: str | None = TEMPLATE, extra: str = "") -> str:
    """A folder of transformers with a tiny random Llama; returns its address."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=280, special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"], 
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    made.train_from_iterator(["What is it of course? It is so." + extra] * 3, trainer)
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<|im_start|>", eos_token="<|im_end|>", pad_token="<|im_end|>")
    tokenizer.chat_template = template
    with Rng(seed).child("net").as_global():
        net = transformers.LlamaForCausalLM(transformers.LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=True,
            max_position_embeddings=128, bos_token_id=1, eos_token_id=2, pad_token_id=2))
    net.save_pretrained(at)
    tokenizer.save_pretrained(at)
    return f"hf:{at}"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def text(base: str) -> Decoded:
    return opened(base)


def opened(base: str) -> Decoded:
    from ilk.backend import fresh

    return Decoded(fresh(base))


def run(steps: int = 6, **more: Any) -> Run:
    return Run(budget=Steps(steps), rate=1e-2, precision="float32", **more)


def learner(base: str, tuning: Any = None) -> tuple[Learner, Decoded]:
    text = opened(base)
    return Learner(text, (tuning or ilk.LoRA(rank=2)).apply(text.net, Rng(0)), 0.1, 1).eval(), text


# -- what is learned ------------------------------------------------------------------------------------------------------------------------

def test_the_mask_is_the_answers_by_the_offsets_of_the_tokenizer(text: Decoded) -> None:
    said = ("system", "Be brief."), ("user", "What is it?"), ("assistant", "It is so."), ("user", "of course?"), ("assistant", "course 10")
    turns = [Turn.of(role, text) for role, text in said]
    (got,) = cut(Example(tuple(turns)), text)
    rendered = text.tokenizer.apply_chat_template([{"role": t.role, "content": t.text} for t in turns], tokenize=False)
    whole = text.tokenizer(rendered, add_special_tokens=False, return_offsets_mapping=True)
    spans = [(at, at + len(said) + len("<|im_end|>")) for said in ("It is so.", "course 10") if (at := rendered.index(f"assistant\n{said}") + len("assistant\n"))]
    assert list(got.tokens) == whole["input_ids"][:len(got.tokens)]
    expected = [any(a <= start and end <= b for a, b in spans) for start, end in whole["offset_mapping"]]
    assert list(got.learned) == expected[:len(got.learned)] and not any(expected[len(got.learned):])
    assert got.marked().count("⟦") == 2 and "⟦It is so.<|im_end|>⟧" in got.marked() and "⟦course 10<|im_end|>⟧" in got.marked()


def test_a_bare_text_is_learned_whole_and_without_a_template_the_answer(tmp_path: Path, text: Decoded) -> None:
    (got,) = cut(Example((Turn.of("user", "It is <|im_end|> so"),), bare=True), text)
    assert got.learned == (False, *[True] * (len(got.tokens) - 1)) and list(got.tokens[1:-1]) == text.plain("It is <|im_end|> so")
    assert 2 not in got.tokens[1:-1] and got.tokens[-1] == 2
    bare = opened(tiny(tmp_path, template=None))
    (pair,) = cut(Example((Turn.of("user", "What"), Turn.of("assistant", "so"))), bare)
    assert [t for t, own in zip(pair.tokens, pair.learned, strict=True) if own] == [*bare.plain("so"), 2]


def test_people_are_shown_what_is_learned_before_the_first_step(base: str) -> None:
    events: list[Any] = []
    tune(base, PAIRS, ilk.LoRA(rank=1), run=run(1, listeners=(events.append,)))
    kinds = [type(e).__name__ for e in events]
    notes = [e.text for e in events if isinstance(e, Noted)]
    assert kinds.index("Noted") < kinds.index("Began") and len(notes) == 2
    assert all("⟦It is" in note and note.endswith("<|im_end|>⟧") for note in notes)


def test_the_loss_is_that_of_the_answer_alone(base: str, text: Decoded) -> None:
    taught, own = learner(base)
    (got,) = cut(Example((Turn.of("user", "What is it?"), Turn.of("assistant", "It is so."))), text)
    with torch.no_grad():
        law = own.net(torch.tensor([got.tokens])).logits[0].log_softmax(-1)
    expected = -sum(float(law[i - 1, t]) for i, (t, learned) in enumerate(zip(got.tokens, got.learned, strict=True)) if learned)
    assert float(taught.nats(rows([(got,)]))[0, 0]) == pytest.approx(expected, abs=1e-4)
    served = sum(t.nats for t in own.decoder.weigh("It is so.", [Turn.of("user", "What is it?")]))
    end = float(law[len(got.tokens) - 2, 2])
    assert -(served + end) == pytest.approx(expected, abs=1e-4)   # trained as it is served


@pytest.mark.parametrize("tuning", [ilk.SoftPrompt(length=3), ilk.Prefix(length=3)], ids=lambda t: type(t).__name__)
def test_the_nats_after_a_learned_lead_are_those_after_its_words(base: str, tuning: Any) -> None:
    text = opened(base)
    (got,) = cut(Example((Turn.of("user", "What is it?"), Turn.of("assistant", "It is so."))), text)
    words = tuple(Rng(0).child("tokens").integers(3, len(text.tokenizer)).tolist())
    expected = float(Learner(text, {}, 0.1, 1).eval().nats(rows([(Cut((*words, *got.tokens), (False,) * 3 + got.learned),)]))[0, 0])
    taught, _ = learner(base, tuning)
    assert float(taught.nats(rows([(got,)]))[0, 0]) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("template", "code"), [("{% for m in messages %}{{ m['content'] }}{% endfor %}", "TEMPLATE"),
                                                (TEMPLATE.replace("assistant\n' }}", "assistant: ' }}"), "TEMPLATE")])
def test_a_template_that_does_not_tell_where_an_answer_begins_is_refused(tmp_path: Path, template: str, code: str) -> None:
    with pytest.raises(UsageError) as refused:
        tune(tiny(tmp_path, template=template), PAIRS, run=run(1))
    assert refused.value.code == code


# -- lengths and packing ----------------------------------------------------------------------------------------------------------------------

def test_examples_that_are_too_long_are_refused_cut_or_left_out_and_counted(text: Decoded, base: str) -> None:
    long = examples([*PAIRS, {"prompt": "What", "answer": "It is so. " * 30}], Lesson())
    with pytest.raises(DataError, match="example 40 has"):
        fitted(long, text, Lesson())
    kept = fitted(long, text, Lesson(long="cut"))
    assert (kept.shortened, kept.dropped, len(kept.cuts)) == (1, 0, 41) and max(len(c.tokens) for (c,) in kept.cuts) == 128
    assert (left := fitted(long, text, Lesson(long="drop"))).dropped == 1 and len(left.cuts) == 40
    question = examples([{"prompt": "What is it? " * 40, "answer": "so"}], Lesson())
    assert fitted(question, text, Lesson(long="cut")).dropped == 1   # nothing of the answer would be left
    (pieces,) = [fitted(examples(["It is so. " * 60], Lesson()), text, Lesson(long="cut")).cuts]
    whole = cut(examples(["It is so. " * 60], Lesson())[0], text)[0]
    assert sum((c.tokens for (c,) in pieces), ()) == whole.tokens
    with pytest.raises(UsageError, match="window"):
        fitted(long, text, Lesson(length=4096))
    events: list[Any] = []
    data = [*PAIRS, {"prompt": "What", "answer": "It is so. " * 30}]
    model = tune(base, data, ilk.LoRA(rank=1), Lesson(long="drop"), run=run(1, listeners=(events.append,)))
    assert model.card["tune"]["dropped"] == 1 and any("1 left out" in e.text for e in events if isinstance(e, Noted))


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_packed_texts_do_not_see_each_other(base: str, kind: str) -> None:
    text = opened(base)
    if kind == "gpt2":
        with Rng(0).as_global():
            net = transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=len(text.tokenizer), n_embd=32, n_layer=2, n_head=4, n_positions=128, bos_token_id=1,
                                                                       eos_token_id=2)).eval()
        text = Decoded(replace(text.decoder, module=net))
    taught = Learner(text, {}, 0.1, 1).eval()
    cuts = fitted(examples(PAIRS[:7], Lesson()), text, Lesson()).cuts
    together = rows(cuts, 100)
    assert len(together) < len(cuts) and max(sum(len(c.tokens) for c in line) for (line,) in together.lines) <= 100
    assert sorted(c.tokens for (line,) in together.lines for c in line) == sorted(c.tokens for (c,) in cuts)
    assert float(taught.nats(together).sum()) == pytest.approx(float(taught.nats(rows(cuts)).sum()), abs=1e-3)
    assert int(together.tokens().sum()) == int(rows(cuts).tokens().sum())


def test_packing_that_a_tuning_can_not_keep_apart_is_refused(base: str) -> None:
    with pytest.raises(UsageError, match="pack"):
        tune(base, PAIRS, ilk.SoftPrompt(length=2), Lesson(pack=True, length=100), run=run(1))
    assert tune(base, PAIRS, ilk.LoRA(rank=1), Lesson(pack=True, length=100), run=run(2)).card["tune"]["examples"] == 4


def test_rows_are_filled_best_first() -> None:
    some = [(Cut((0,) * n, (True,) * n),) for n in (5, 3, 2, 6)]
    assert [[len(c.tokens) for c in line] for (line,) in packed(some, 8)] == [[6, 2], [5, 3]]


# -- gradients ----------------------------------------------------------------------------------------------------------------------------------

def gradients(base: str, micro: int | None) -> list[torch.Tensor]:
    taught, text = learner(base, ilk.Full())
    text.net.double()
    data = rows(fitted(examples(PAIRS[:8], Lesson()), text, Lesson()).cuts)
    loop = Loop(taught, data, replace(run(1), micro=micro, batch=8), None, taught.plan(8))
    loop._gradients(taught.phases()[0], data.take(torch.arange(8)), Rng(0))
    return [p.grad.clone() for p in taught.learned]


def test_gradients_added_up_are_those_of_the_big_batch(base: str) -> None:
    whole = gradients(base, None)
    for micro in (1, 3, 4):
        for one, other in zip(whole, gradients(base, micro), strict=True):
            assert float((one - other).abs().max()) <= 1e-6 * max(1.0, float(one.abs().max()))


def test_the_mean_is_over_tokens_and_not_over_examples(base: str) -> None:
    taught, text = learner(base)
    side = rows(fitted(examples(PAIRS[:6], Lesson()), text, Lesson()).cuts)
    batch, many = side.take(torch.arange(6)), side.tokens()
    assert len(set(many.tolist())) > 1
    with torch.no_grad():
        losses = taught.loss(batch, Rng(0))
    over_tokens = float(losses.sum() / many.sum())
    assert float((losses * batch.weight).mean()) == pytest.approx(over_tokens, rel=1e-6)
    assert abs(float((losses / many).mean()) - over_tokens) > 1e-4
    # a part of a batch keeps the weight of the whole
    assert float((losses * batch.weight)[:2].sum() / 6) == pytest.approx(float(losses[:2].sum() / many.sum()), rel=1e-6)


# -- choices ------------------------------------------------------------------------------------------------------------------------------------

def test_dpo_is_its_closed_form_and_its_gradient_by_hand() -> None:
    nats, reference, beta = torch.tensor([[3.0, 5.0], [4.0, 2.0]], dtype=torch.float64, requires_grad=True), torch.tensor([[3.5, 4.0], [4.0, 2.0]], dtype=torch.float64), 0.3
    margin = beta * torch.tensor([(3.5 - 3.0) - (4.0 - 5.0), 0.0], dtype=torch.float64)
    losses = dpo(nats, reference, beta)
    torch.testing.assert_close(losses, torch.log1p((-margin).exp()))
    losses.sum().backward()
    away = 1 / (1 + margin.exp())
    torch.testing.assert_close(nats.grad, beta * torch.stack([away, -away], 1))   # less nats for the better answer, more for the worse


CHOICES = [{"prompt": f"What is {i}?", "chosen": "so", "rejected": "course " * (1 + i % 2)} for i in range(30)]


def test_choices_move_the_better_answer_up(base: str) -> None:
    model = tune(base, CHOICES, ilk.LoRA(rank=2), run=run(30))
    told = model.card["tune"]
    assert told["before"] == pytest.approx(0.6931, abs=1e-4) and told["after"] < 0.6 and told["less"] > 5 * told["se"]
    turns, plain = [Turn.of("user", "What is 3?")], opened(base).decoder

    def margin(chat: Any) -> float:
        return sum(t.nats for t in chat.weigh("so", turns)) - sum(t.nats for t in chat.weigh("course ", turns))

    assert margin(model.body.chat) > margin(plain) + 0.5
    with pytest.raises(DataError, match="choices and some are not"):
        tune(base, [*CHOICES, *PAIRS], run=run(1))
    with pytest.raises(UsageError, match="not packed"):
        tune(base, CHOICES, lesson=Lesson(pack=True), run=run(1))


WAYS = [ilk.LoRA(rank=2), ilk.SoftPrompt(length=3), *(pytest.param(t, marks=pytest.mark.slow) for t in (ilk.Adapter(size=4), ilk.Prefix(length=3)))]


# -- kept, resumed, refused -----------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("tuning", WAYS, ids=["lora", "prompt", "adapter", "prefix"])
def test_tuning_lowers_the_nats_and_comes_back_from_disk(tmp_path: Path, base: str, tuning: Any) -> None:
    model = tune(ilk.open(base, most=8), PAIRS, tuning, run=run(24, batch=8))
    text = opened(base)
    side = rows(fitted(divided(examples(PAIRS, Lesson()), Rng(0).child("divide"))["test"], text, Lesson()).cuts)
    of_the_base = float(Learner(text, {}, 0.1, 1).eval().nats(side).sum() / side.tokens().sum())
    told = model.card["tune"]
    assert told["less"] == pytest.approx(told["before"] - told["after"]) and told["less"] > 3 * told["se"] > 0
    assert told["before"] == pytest.approx(of_the_base, abs=1e-4)
    size = sum(f.stat().st_size for f in model.save(tmp_path / "tuned.ilk").iterdir())
    assert size < 60_000   # the base is not in it
    again = ilk.load(tmp_path / "tuned.ilk")
    assert drift(again).largest == 0.0 and drift(again).greedy == 1.0
    assert drift(again).tokens == sum(len(p["greedy"]) for p in model.body.probe) > 0
    assert again.given("What is 3?").sample(2, seed=1) == model.given("What is 3?").sample(2, seed=1)
    assert drift(opened(base).decoder, model.body.probe).largest > 0.01   # the base is another


def test_another_base_tokenizer_or_template_is_refused(tmp_path: Path, base: str) -> None:
    here = tmp_path / "base"
    tune(tiny(here), PAIRS, ilk.LoRA(rank=1), run=run(2)).save(tmp_path / "tuned.ilk")
    assert ilk.load(tmp_path / "tuned.ilk").body.probe
    tiny(here, template=TEMPLATE.replace("assistant", "model"))
    with pytest.raises(ModelError, match="template") as refused:
        ilk.load(tmp_path / "tuned.ilk")
    assert refused.value.code == "BASE" and "weights" not in str(refused.value)
    tiny(here, extra=" Quite another text here.")
    with pytest.raises(ModelError, match="tokenizer"):
        ilk.load(tmp_path / "tuned.ilk")
    tiny(here, seed=1)
    with pytest.raises(ModelError, match="weights are other"):
        ilk.load(tmp_path / "tuned.ilk")


def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(tmp_path: Path, base: str) -> None:
    tuning, whole = ilk.LoRA(rank=2, dropout=0.1), {}
    whole = tune(base, PAIRS, tuning, run=run(8, batch=8)).body.state().tensors
    switch_run = run(8, batch=8, checkpoint=tmp_path / "kept")

    def stop(event: Any) -> None:
        if type(event).__name__ == "Validated" and event.step == 4:
            switch_run.switch.exit_code = 130

    with pytest.raises(Stopped):
        tune(base, PAIRS, tuning, run=replace(switch_run, listeners=(stop,)))
    kept = json.loads((tmp_path / "kept" / "state.json").read_text())
    assert kept["state"]["step"] < 8
    again = tune(base, PAIRS, tuning, run=run(8, batch=8, checkpoint=tmp_path / "kept", resume=True)).body.state().tensors
    assert set(again) == set(whole) and all(torch.equal(again[k], whole[k]) for k in whole)
    with pytest.raises(DataError, match="another fit"):
        tune(base, PAIRS, ilk.LoRA(rank=3), run=run(8, batch=8, checkpoint=tmp_path / "kept", resume=True))


def test_a_transformer_of_ones_own_is_tuned_and_stays_what_it_was(tmp_path: Path) -> None:
    text = ["the cat sat on the mat", "the dog sat on the log", "a bird sang in the tree"] * 20
    texts = [f"{t} {i}" for i, t in enumerate(text)]
    base = ilk.fit(texts, ilk.Transformer(layers=2, heads=2, width=32, context=32), run=run(30))
    other = [f"el gato {i} se sienta" for i in range(40)]
    with pytest.raises((UsageError, DataError)):
        tune(base, [{"messages": [{"role": r, "content": "the"} for r in ("user", "assistant", "user", "assistant")]}] * 3 + PAIRS, run=run(1))
    known = [f"the gat {i} sat on a tree" for i in range(40)]
    before = [p.clone() for p in base.body.parameters()]
    made = tune(base, known, ilk.LoRA(rank=4), run=run(40))
    assert made.card["tune"]["less"] > 3 * made.card["tune"]["se"] and other
    assert all(torch.equal(a, b) for a, b in zip(before, base.body.parameters(), strict=True))
    assert made.score(known[:5]).mean > base.score(known[:5]).mean
    made.save(tmp_path / "own.ilk")
    assert ilk.load(tmp_path / "own.ilk").score(known[:5]).mean == made.score(known[:5]).mean
    with pytest.raises(UsageError, match="merged"):
        tune(base, known, ilk.Adapter(), run=run(1))


# -- data -----------------------------------------------------------------------------------------------------------------------------------------

def test_forms_of_data(tmp_path: Path) -> None:
    lines = tmp_path / "chat.jsonl"
    said = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    lines.write_text(json.dumps({"messages": said}) + "\n" + json.dumps({"instruction": "Add", "output": "1"}) + "\n" + json.dumps({"text": "bare"}) + "\n", encoding="utf-8")
    one, two, three = examples(lines, Lesson())
    assert [t.text for t in one.turns] == ["Hi", "Hello"] and [t.text for t in two.turns] == ["Add", "1"] and three.bare
    table = tmp_path / "pairs.csv"
    table.write_text("term,gloss\nthe dog,a barking animal\ncat,a feline\n", encoding="utf-8")
    assert [e.turns[1].text for e in examples(table, Lesson(columns=("term", "gloss")))] == ["a barking animal", "a feline"]
    import polars as pl

    (choice,) = examples(pl.DataFrame({"prompt": ["a"], "chosen": ["b"], "rejected": ["c"]}), Lesson())
    assert choice.worse is not None and choice.worse.text == "c"
    assert examples(["a text"], Lesson())[0].bare


@pytest.mark.parametrize(("data", "code"), [([], "TOO_FEW"), (["  "], "EMPTY"), ([{"a": "b"}], "COLUMN"), ([{"prompt": "a", "answer": ""}], "MISSING"), ([3], "DATA_TYPE"),
                                            ([{"messages": [{"role": "user", "content": "a"}]}], "NO_ANSWER"), ([{"messages": "no"}], "DATA_TYPE"),
                                            ([{"messages": [{"role": "root", "content": "a"}] * 2}], "DATA_TYPE"), (3, "DATA_TYPE")])
def test_what_is_no_example_is_refused(data: Any, code: str) -> None:
    with pytest.raises(DataError) as refused:
        examples(data, Lesson())
    assert refused.value.code == code


def test_broken_lines_name_their_number(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "x"}\n{"text": \n', encoding="utf-8")
    with pytest.raises(DataError, match="line 2"):
        examples(tmp_path / "a.jsonl", Lesson())
    (tmp_path / "b.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="can't be read"):
        examples(tmp_path / "b.jsonl", Lesson())


def test_questions_stay_on_one_side() -> None:
    many = examples([{"prompt": f"q{i % 20}", "answer": f"a{i}"} for i in range(100)], Lesson())
    sides = divided(many, Rng(0))
    keys = {name: {e.key for e in part} for name, part in sides.items()}
    assert not keys["train"] & keys["test"] and not keys["valid"] & (keys["test"] | keys["train"]) and sum(map(len, sides.values())) == 100
    with pytest.raises(DataError, match="different examples"):
        divided(many[:4], Rng(0))


def test_what_can_not_be_tuned_is_refused(base: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="hf:smollm2"):
        tune("echo:hello", PAIRS)
    with pytest.raises(UsageError) as given:
        tune(ilk.open(base).given("What?"), PAIRS)
    assert given.value.code == "GIVEN"
    tuned = tune(base, PAIRS, run=run(1))
    with pytest.raises(UsageError, match="tuned already"):
        tune(tuned, PAIRS)
    with pytest.raises(UsageError, match="can't be tuned"):
        tune(ilk.fit(["ab", "ba"] * 20, ilk.NGram()), PAIRS)
    with pytest.raises(DataError, match="mark of the model"):
        tune(base, [*PAIRS, {"prompt": "What <|im_end|>", "answer": "x"}], run=run(1))
    with pytest.raises(UsageError, match="no probe"):
        drift(ilk.open(base))


def test_the_gain_is_paired_by_example() -> None:
    before, after, many = torch.tensor([4.0, 9.0, 2.0]), torch.tensor([3.0, 6.0, 2.5]), torch.tensor([2, 4, 1])
    gain = gained(before, after, many)
    less = (15 - 11.5) / 7
    rest = (before - after - less * many).double()
    assert (gain.before, gain.after, gain.tokens) == (pytest.approx(15 / 7), pytest.approx(11.5 / 7), 7)
    assert gain.less == pytest.approx(less) and gain.se == pytest.approx(float((rest**2).sum() * 3 / 2) ** 0.5 / 7)
