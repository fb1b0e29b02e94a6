"""A race on one page of HTML: the verdict first, then both tables, the front, cost, losers, rules."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from ilk import __version__, recipe
from ilk.errors import printable
from ilk.pages import charts
from ilk.pages.page import Block, Cell, Facts, Gallery, Grid, Points, Section, Text, number, write
from ilk.pages.words import measure_of, metric_of, words_of
from ilk.presets import said
from ilk.verbs._race_text import cost
from ilk.verbs._race_words import reason, words
from ilk.verbs._standings import SURE, Row, front, ranked, recommended

if TYPE_CHECKING:
    from ilk.verbs.race import Race


def page(race: Race, to: str | Path, language: str = "en") -> Path:
    """Writes the page, whole or not at all; UsageError for a language that there is not."""
    told = _Told(race, language)
    parts = (("verdict", told.verdict()), ("likelihood", told.likelihood()), ("samples", told.samples()), ("cost", told.cost()), ("lost", told.lost()),
             ("rules", told.rules()))
    sections = [Section(told.words[name], blocks) for name, some in parts if (blocks := list(some))]
    name = Path(str(race.facts["data"]) or "data").name
    write(Path(to), printable(told.words["title"].format(data=name)), told.words["lead"].format(version=__version__), sections, told.words["html"])
    return Path(to)


class _Told:
    """The sections, each a list of blocks."""

    def __init__(self, race: Race, language: str) -> None:
        self.race, self.common, self.words = race, words_of(language), words(language)
        self.best, self.why = recommended(race.rows, race.decides)[0], reason(race.rows, race.decides, language)

    def verdict(self) -> Iterator[Block]:
        if self.best is None:
            yield Text(self.why)
            return
        yield Text(Markup("<strong>{}</strong>: {}").format(self.words["take"].format(name=self.best.name), self.why))
        family = recipe.from_facts("families", self.best.best.recipe or {})
        yield Facts([(self.words["options"], said(family))])
        yield Text(self.words["how"].format(sure=f"{SURE:g}"))
        spots = [charts.Spot(max(r.seconds, 1e-3), value, r.name, r in front(self.race.rows, self.race.decides))
                 for r in self.race.rows if r.runs and (value := r.nats if self.race.decides == "likelihood" else r.quality) is not None]
        if len(spots) > 1:
            caption = self.words["front_note"].format(what=self.words[self.race.decides])
            yield Gallery(self.words["front"], [Cell(caption, charts.scatter(spots))], 40)

    def likelihood(self) -> Iterator[Block]:
        rows = ranked(self.race.rows, "likelihood")
        if not rows:
            return
        units = sorted({u for _, r in rows for u in r.best.per})
        head = [self.words[k] for k in ("name", "kind", "rank", "known", "atleast", "error")] + [self.words["perunit"].format(unit=u) for u in units] + [self.words["seeds"]]
        cells = []
        for rank, r in rows:
            value = number(r.nats)
            both = ("", value) if r.best.sort == "bound" else (value, "")
            cells.append([r.name, self.words[r.best.kind], str(rank), *both, f"{r.error or 0.0:.2g}", *(number(r.best.per.get(u)) for u in units), str(r.seeds)])
        yield Grid(self.words["likelihood_note"].format(measure=measure_of(self.common, rows[0][1].best.measure)), head, cells, "sort")
        if unscored := [(r.name, printable(r.best.refused)) for r in self.race.rows if r.best.refused]:
            yield Facts(unscored, self.words["unscored"])

    def samples(self) -> Iterator[Block]:
        rows = ranked(self.race.rows, "quality")
        if not rows:
            return
        names = sorted({n for _, r in rows for n in self.race.scale.places(r.best, "test")})
        head = [self.words[k] for k in ("name", "kind", "rank", "quality", "error")] + names + [self.words["copies"], self.words["seeds"]]
        yield Grid(self.words["samples_note"], head, [self._sampled(rank, r, names) for rank, r in rows], "sort")
        yield Facts([metric_of(self.common, n) for n in names])
        yield from self._copying()

    def _sampled(self, rank: int, r: Row, names: list[str]) -> list[str | Markup]:
        figures = r.best.figures.get("test", {})
        place = self.words["out"] if r.flags or r.best.kind == "cheat" else str(rank) if r.best.kind in ("family", "preset") else ""
        values = [number(figures[n][0]) if n in figures else "" for n in names]
        return [r.name, self.words[r.best.kind], place, number(r.quality), f"{r.quality_error or 0.0:.2g}", *values, self.words["yes" if r.flags else "no"], str(r.seeds)]

    def _copying(self) -> Iterator[Block]:
        if caught := [f"{r.name}: {'; '.join(r.flags)}" for r in self.race.rows if r.flags]:
            yield Points(caught, self.words["copying"])
        if missed := [r.name for r in self.race.rows if r.best.kind == "cheat" and not r.flags and r.best.figures]:
            yield Text(self.words["unseen"].format(names=self.common["and"].join(missed)))

    def cost(self) -> Iterator[Block]:
        rows = sorted((r for r in self.race.rows if r.best.status == "done"), key=lambda r: r.seconds)
        head = [self.words[k] for k in ("name", "seconds", "memory", "energy", "numbers", "rate")]
        if rows:
            yield Grid(self.words["cost_note"].format(how=rows[0].best.how), head, [cost(r) for r in rows], "sort")

    def lost(self) -> Iterator[Block]:
        ended = [(r.name, f"{self.words.get(r.best.status, r.best.status)}: {r.best.why}") for r in self.race.rows if r.best.status != "done"]
        if ended:
            yield Facts([(name, printable(why)) for name, why in ended])
        if self.race.out:
            yield Facts([(name, printable(why)) for name, why in self.race.out.items()], self.words["absent"])

    def rules(self) -> Iterator[Block]:
        facts = self.race.facts
        kind, budget = next(iter(facts["budget"].items()))
        sizes = self.common["and"].join(f"{k} {v:,}" for k, v in facts["sizes"].items())
        yield Facts([
            (self.words["data"], printable(f"{facts['data']}: {sizes}")), (self.words["budget"], self.words[f"budget_{kind}"].format(budget=budget, limit=facts["seconds"])),
            (self.words["limits"], f"{facts['memory'] / 2**30:.1f} GiB"), (self.words["finals"], self.words["finals_text"].format(**facts)),
            (self.words["judged"], self.words["judged_text"].format(**facts)),
            (self.words["machine"], self.common["and"].join(f"{k} {v}" for k, v in facts["machine"].items()))])
