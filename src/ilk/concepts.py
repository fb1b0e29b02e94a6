"""The map of families: what density each has and what it is made of, told by what its built distribution can do."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from html import escape
from typing import Any, Literal

from . import registry
from .distribution import (
    Conditions,
    Counted,
    Denoises,
    Distribution,
    Draws,
    Encodes,
    Family,
    HasBound,
    HasEstimate,
    HasLogProb,
    HasStatistics,
    Infers,
    Neural,
    NextToken,
    Samples,
    Truncates,
    Unfolds,
)
from .families._labelled import Bounded
from .lift import carried
from .rng import Rng
from .space import Discrete, Many, Reals, Space
from .testing._spaces import SPACES

STANDARD: Mapping[str, Space] = {**SPACES, "picture": Reals((1, 8, 8)), "levels": Discrete(4, (1, 8, 8))}
ASIDE: Mapping[str, Space] = {"label": Discrete(2), "numbers": Reals((2,)), "caption": Many(Discrete(9), 5)}
CAN = (Samples, Draws, Unfolds, Conditions, Encodes, Infers, Denoises, NextToken, Truncates, HasStatistics, Counted)
Density = Literal["exact", "estimate", "bound", "none"]
Language = Literal["en", "zh"]

DENSITIES: Mapping[Density, tuple[str, str]] = {
    "exact": ("exact density", "精确密度"), "estimate": ("estimated density", "密度的估计"),
    "bound": ("bound of the density", "密度的下界"), "none": ("no density", "没有密度")}
KINDS: Mapping[str, tuple[str, str]] = {
    "autoregressive": ("autoregressive: each part given those already there", "自回归：每一部分由已有的给出"),
    "flow": ("flow: a bijection to noise", "流：到噪声的双射"),
    "hidden causes": ("hidden causes, summed out: expectation-maximisation", "隐因求和：期望最大化"),
    "closed form": ("closed form: counts, ranks and correlations", "封闭形式：计数、秩与相关"),
    "energy": ("energy: an unnormalised law and its chains", "能量：未归一的分布及其链"),
    "latent variable": ("latent variable: codes, and a network that guesses them", "潜变量：编码，和猜编码的网络"),
    "diffusion": ("diffusion: noise undone step by step", "扩散：一步步去掉噪声"),
    "adversarial": ("adversarial: a game against a critic", "对抗：与评判器博弈"),
    "composed": ("composed: recipes inside a recipe", "组合：配方里的配方")}
ROOT = ("a law of items, learned from items", "从样本学来的样本分布")


@dataclass(frozen=True)
class Known:
    """One family on the standard spaces: its densities, strongest first, its kind, spaces it takes, what it learns from beside items, what it can do."""

    name: str
    kind: str
    densities: tuple[Density, ...]
    spaces: tuple[str, ...]
    lifted: tuple[str, ...]
    beside: tuple[str, ...]
    can: tuple[str, ...]


def learners() -> list[str]:
    """The built-in families that learn from items of some standard space: all but what opens models that others trained."""
    made = {name: registry.get("families", name)() for name in registry._built_in("families")}
    return [name for name, family in made.items() if any(carried(space, family) for space in STANDARD.values())]


def known(name: str) -> Known:
    """The facts of a family with its default options.

    >>> known("gmm").densities, known("gmm").kind
    (('exact',), 'hidden causes')
    """
    family: Family = registry.get("families", name)()
    lifts = {place: lift for place, space in STANDARD.items() if (lift := carried(space, family)) is not None}
    native = tuple(place for place, lift in lifts.items() if lift.space == STANDARD[place])
    bodies = [family.build(lifts[place].space, Rng(0), family.needs) for place in native or lifts]
    found = {density(body) for body in bodies}
    return Known(name, kind(family, bodies[0]), tuple(d for d in DENSITIES if d in found), native, tuple(p for p in lifts if p not in native),
                 tuple(k for k, space in ASIDE.items() if family.refuses_context({k: space}) is None), tuple(p.__name__ for p in CAN if isinstance(bodies[0], p)))


def density(body: Distribution[Any]) -> Density:
    """The best that it says of how likely an item is."""
    return "exact" if isinstance(body, HasLogProb) else "bound" if isinstance(body, HasBound) else "estimate" if isinstance(body, HasEstimate) else "none"


def kind(family: Family, body: Distribution[Any]) -> str:
    """What it is made of: the first of these that holds, else counts and other closed forms."""
    if isinstance(body, Neural) and isinstance(body.space, Many):
        return "autoregressive"   # a network that makes sequences, element by element

    scored, neural = isinstance(body, HasLogProb), isinstance(body, Neural)
    holds: Mapping[str, Callable[[], bool]] = {
        "composed": lambda: any(isinstance(getattr(family, f.name), Family) for f in fields(family)),
        "adversarial": lambda: isinstance(body, Neural) and len(body.phases()) > 1,   # who plays against whom
        "diffusion": lambda: isinstance(body, Denoises) or (neural and not scored and isinstance(body, Unfolds) and not isinstance(body, Bounded)),
        "energy": lambda: isinstance(body, Infers) and (scored or isinstance(body, HasEstimate)),
        "flow": lambda: isinstance(body, Encodes) and scored,
        "latent variable": lambda: isinstance(body, Encodes) or (neural and isinstance(body, HasBound)),
        "hidden causes": lambda: isinstance(body, HasStatistics) and not isinstance(body, Counted),
        "autoregressive": lambda: isinstance(body, NextToken) or (neural and scored)}
    return next((name for name, test in holds.items() if test()), "closed form")


def branches(rows: Sequence[Known]) -> list[tuple[Density, list[tuple[str, list[str]]]]]:
    """Families by kind by density, kinds in the order of KINDS; a family with several densities stands at its strongest."""
    found: list[tuple[Density, list[tuple[str, list[str]]]]] = []
    for said in DENSITIES:
        here = [row for row in rows if row.densities[:1] == (said,)]
        kinds = [(name, [row.name for row in here if row.kind == name]) for name in KINDS]
        found += [(said, [(name, names) for name, names in kinds if names])] if here else []
    return found


def tree(rows: Sequence[Known], language: Language = "en") -> str:
    """The map as text.

    >>> print(tree([known("gmm"), known("gan")]))
    a law of items, learned from items
    |-- exact density
    |   `-- hidden causes, summed out: expectation-maximisation
    |         gmm
    `-- no density
        `-- adversarial: a game against a critic
              gan
    """
    at, lines = ("en", "zh").index(language), []
    every = branches(rows)
    for i, (said, kinds) in enumerate(every):
        last = i == len(every) - 1
        lines.append(f"{'`' if last else '|'}-- {DENSITIES[said][at]}")
        for j, (name, names) in enumerate(kinds):
            end = j == len(kinds) - 1
            stem = " " if last else "|"
            lines += [f"{stem}   {'`' if end else '|'}-- {KINDS[name][at]}", f"{stem}   {' ' if end else '|'}     {', '.join(names)}"]
    return "\n".join([ROOT[at], *lines])


def table(rows: Sequence[Known]) -> str:
    """All that is known of families, one paragraph each."""
    said = []
    for row in rows:
        spaces = f"  spaces: {', '.join(row.spaces) or '-'}; through a lift: {', '.join(row.lifted) or '-'}"
        beside = f"  learns from beside items: {', '.join(row.beside) or '-'}"
        said += [row.name, f"  {row.kind}; density: {' or '.join(row.densities)}", spaces, beside, f"  can: {', '.join(row.can)}"]
    return "\n".join(said)


ROW, WIDE, STEP = 42, 720, 26   # height of a leaf, width of the drawing, how far branches go in
STYLE = "text{font:14px system-ui,sans-serif;fill:#6e7781}.k{font-weight:600;fill:#2f81f7}.d{font-weight:600}path{fill:none;stroke:#8c959f}"


def svg(rows: Sequence[Known], language: Language = "en") -> str:
    """The map as a drawing whose colours stand on light and on dark pages."""
    at, y = ("en", "zh").index(language), 24
    words, lines = [f'<text class="d" x="8" y="{y}">{ROOT[at]}</text>'], []
    top = y + 8
    for said, kinds in branches(rows):
        y += 36
        lines.append(f"M16 {top}V{y - 5}H{STEP + 6}")
        words.append(f'<text class="d" x="{STEP + 10}" y="{y}">{DENSITIES[said][at]}</text>')
        above = y + 8
        for name, names in kinds:
            y += ROW
            lines.append(f"M{STEP + 18} {above}V{y - 23}H{2 * STEP + 14}")
            words += [f'<text class="k" x="{2 * STEP + 18}" y="{y - 18}">{escape(KINDS[name][at])}</text>',
                      f'<text x="{2 * STEP + 18}" y="{y}">{escape(", ".join(names))}</text>']
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {y + 16}"><style>{STYLE}</style><path d="{"".join(lines)}"/>{"".join(words)}</svg>\n'
