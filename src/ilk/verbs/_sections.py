"""The sections of a report, each a list of blocks; empty where there is nothing to say."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from markupsafe import Markup

from ilk.dataset import Dataset
from ilk.distribution import Denoises, Encodes, Unfolds
from ilk.errors import UsageError, printable
from ilk.given import Label
from ilk.metrics._runs import LONGEST, corpus, longest
from ilk.pages import charts
from ilk.pages.page import Block, Cell, Example, Facts, Gallery, Grid, Text, cell, grid, number
from ilk.pages.words import Words, metric_of, reason_of
from ilk.registry import get
from ilk.rng import Rng
from ilk.verbs._nearby import Near, near
from ilk.verbs._shown import HEAD, Told
from ilk.verbs.condition import flat
from ilk.verbs.evaluate import Evaluation, Figure
from ilk.verbs.fit import stages
from ilk.verbs.sample import sample

STATES, SHOWN, FEW, LABELS, TEXTS = 8, 8, 3, 10, 1000  # states of a stream, items of a row (small pictures and others), labels, held-out texts


def items(told: Told) -> Iterator[Block]:
    """Made items beside real ones."""
    words, data = told.words, told.data
    real = None if data is None else data.sample("test", len(told.made), Rng(told.seed).child("real"))
    if told.form == "sheet" and real is not None:
        both = ((told.made, words["made_items"]), (real, words["real_items"]))
        yield Gallery("", [Cell(caption, told.body(x, caption)) for x, caption in both], 20)
        return
    yield from told.blocks(told.made, words["made_items"])
    if real is not None:
        yield from told.blocks(real, words["real_items"])
    if told.form == "rows" and data is not None:
        yield from _charts(told, data.sample("train" if told.trained else "test", len(told.made), Rng(told.seed).child("charts")))


def kept(told: Told) -> Iterator[Block]:
    """Of a model that makes no items: that it does not, real items, and what becomes of them by way of their codes."""
    words, model, data = told.words, told.model, told.data
    yield Text(words["mute"])
    if data is None:
        return
    real = data.sample("test", told.count, Rng(told.seed).child("real"))
    yield from told.blocks(real, words["real_items"])
    if isinstance(model.body, Encodes):
        rng = Rng(told.seed).child("back")
        back = model.body.decode(model.body.encode(flat(model, real, rng.child("code"))))
        yield from told.blocks(model.codec.decode(model.lift.decode(back), rng.child("raw")), words["back_items"])


def _charts(told: Told, real: Any) -> Iterator[Block]:
    words = told.words
    legend = charts.legend(words["real"], words["made"])
    yield Gallery(Markup("{}. {}").format(words["marginals"], legend), charts.marginals(real, told.made, words["missing"]), 10)
    sides = (words["real"], words["made"])
    cells = [c for x, y in charts.pairs(real, told.made) for c in charts.pair(real, told.made, x, y, sides)]
    if cells:
        yield Gallery(words["pairs"], cells, 10)


def curves(told: Told) -> Iterator[Block]:
    """Losses on held-out items, a curve for every stage of the fit."""
    parts = stages(told.model.card.get("history", ()))
    drawn = [(i, s) for i, s in enumerate(parts, 1) if len(s) > 1]
    if drawn:
        caption = told.words["curve"] if len(parts) == 1 else ""
        yield Gallery(caption, [Cell("" if caption else told.words["stage"].format(number=i), charts.curve(s)) for i, s in drawn], 40 if caption else 20)


def figures(told: Told, found: Evaluation) -> Iterator[Block]:
    """Every figure with its floor and ceiling, and why others do not apply."""
    words = told.words
    head = [words[k] for k in ("figure", "value", "floor", "ceiling", "between", "better", "n")]
    yield Grid(words["figures_note"], head, [_figure(words, f) for f in found.metrics], "stack")
    if found.skipped:
        why: dict[str, list[str]] = {}
        for name, reason in found.skipped.items():
            why.setdefault(reason_of(words, reason), []).append(metric_of(words, name)[0])
        yield Facts([(reason, words["and"].join(names)) for reason, names in why.items()], words["skipped"])


def _figure(words: Words, f: Figure) -> list[str | Markup]:
    title, clause = metric_of(words, f.name)
    said = Markup('{}<span class="soft">{}</span>').format(title, clause)
    value = number(f.value) + ("" if f.se is None else f" ± {f.se:.2g}")
    better = words["as_real" if f.better == "real" else f.better]
    return [said, value, number(f.floor), number(f.ceiling), _track(f), better, str(f.n)]


def _track(f: Figure) -> Markup:
    """Where a figure stands between its floor and its ceiling; nothing where good is in the middle."""
    if f.floor is None or f.ceiling is None or f.floor == f.ceiling or f.better == "middle":
        return Markup("")
    at = min(1.0, max(0.0, (f.value - f.floor) / (f.ceiling - f.floor)))
    return Markup('<span class="track"><i style="left:{:.1f}%"></i></span>').format(100 * at)


def nearby(told: Told) -> Iterator[Block]:
    """Made items beside the nearest that were learned from, and how near unseen real items are."""
    data = told.trained
    if data is None or told.made is None:
        return
    if isinstance(told.made, list) and all(isinstance(t, str) for t in told.made):
        yield from _runs(told, data)
        return
    found = near(told.model, told.made, data, Rng(told.seed).child("near"))
    if found is None:
        return
    words = told.words
    note = words["nearest_note"].format(n=f"{len(found.items):,}", unit=words[found.unit])
    yield from _pairs(told, found, note)
    middle = [(words["median_made"], found.distance)] + ([] if found.held is None else [(words["median_real"], found.held)])
    yield Facts([(words["median"], Markup("<br>").join(t.format(value=number(float(d.median())), n=f"{len(d):,}") for t, d in middle))])
    yield Text(words["copies"])


def _pairs(told: Told, found: Near, note: str) -> Iterator[Block]:
    words, modality = told.words, told.model.modality
    pairs = [(told.pick(told.made, i), told.pick(found.items, int(found.index[i])), number(float(found.distance[i])))
             for i in range(min(SHOWN if told.form == "sheet" else HEAD, len(told.made)))]
    if told.form == "rows":
        lines = [line for one, other, far in pairs for line in ((words["made"], one, ""), (words["near"], other, far))]
        rows = [[word, far, *(cell(v, words["missing"]) for v in side.row(0))] for word, side, far in lines]
        yield Grid(note, ["", words["distance"], *told.made.columns], rows)
    elif told.form == "sheet":
        yield Gallery(f"{note} {words['pair_note']}", [Cell(f"{words['distance']} {far}", told.body(modality.join([one, other]))) for one, other, far in pairs], 8)
    else:
        yield Grid(note, [words["made"], words["near"], words["distance"]], [[told.body(one), told.body(other), far] for one, other, far in pairs], "stack")


def _runs(told: Told, data: Dataset[Any]) -> Iterator[Block]:
    """Texts with the longest run of letters marked that was copied."""
    words = told.words
    known = data.sample("train", 20_000, Rng(told.seed).child("near", "train"))
    letters = corpus(known)
    found = [(text, longest(text, letters)) for text in told.made]
    yield Text("", words["runs_note"].format(n=f"{letters.count(chr(0)) + 1:,}"))
    for text, run in found[:HEAD]:
        a, b = run.first, run.first + run.letters
        yield Example(Markup("{}<mark>{}</mark>{}").format(*map(printable, (text[:a], text[a:b], text[b:LONGEST]))), words["run"].format(n=run.letters))
    held = [text[: len(mine)] for text, mine in zip(data.sample("test", TEXTS, Rng(told.seed).child("near", "test")), told.made, strict=False)]
    runs = [(words["run_made"], [r.letters for _, r in found])] + ([(words["run_real"], [longest(t, letters).letters for t in held])] if held else [])
    yield Facts([(words["median_run"], Markup("<br>").join(t.format(value=sorted(r)[len(r) // 2], n=len(r)) for t, r in runs))])


def stream(told: Told) -> Iterator[Block]:
    """States of some items while they are made, as a strip."""
    model, words = told.model, told.words
    if told.made is None or not isinstance(model.met.scorer, Unfolds) or model.met.picky:
        return
    how = get("samplers", "heun")(steps=STATES) if isinstance(model.body, Denoises) else None
    rng = Rng(told.seed).child("stream")
    count = (SHOWN if told.sharp else FEW) if told.form == "sheet" else 1
    whole = [state.items for state in model.met.scorer.unfold(count, rng.child("code"), how) if state.step]
    chosen = [whole[round(i * (len(whole) - 1) / (STATES - 1))] for i in range(STATES)] if len(whole) > STATES else whole
    states = [model.met.codec.decode(model.lift.decode(b), rng.child("raw")) for b in chosen]
    names = [words["state"].format(at=i, of=len(states)) for i in range(1, len(states) + 1)]
    if told.form == "rows":
        yield grid(words["stream_note"], model.modality.join([told.first(s, 1) for s in states]), words["missing"])
    elif told.form == "sheet":
        rows = zip(*(told.singles(s, count) for s in states), strict=True)
        yield Grid(words["stream_note"], names, list(rows), "board")
    else:
        yield Gallery(words["stream_note"], [Cell(name, told.body(s)) for name, s in zip(names, states, strict=True)], 14)


def labelled(told: Told) -> Iterator[Block]:
    """A row of items made given each label."""
    model, words = told.model, told.words
    if "label" not in model.body.about or any(isinstance(g, Label) for g in model.givens):
        return
    count = (SHOWN if told.sharp else FEW) if told.form == "sheet" else 1
    rows: list[list[str | Markup]] = []
    for label in model.labels[:LABELS]:
        try:
            made = sample(model.given(Label(label)), count, told.seed).items
        except UsageError:
            return
        rows.append([str(label), *told.singles(made, count)])
    yield Grid(words["by_label_note"], [words["label"], *[""] * count], rows, "board" if told.form == "sheet" else "")

