"""Writes docs/en/figures.md and docs/zh/figures.md from the lines kept in benchmarks/results, published rows beside them.

`python scripts/make_figures.py` writes them, `--check` only says whether they are up to date.
"""
from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _written import settled

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"


@dataclass(frozen=True)
class Published:
    """A row that others published: model, value, where, and how its protocol differs; "" if it is the same."""

    model: str
    value: str
    source: str
    differs: str = ""


@dataclass(frozen=True)
class Topic:
    """One table: its title in both languages, the figures in it, and what others published on the same question."""

    en: str
    zh: str
    figures: tuple[str, ...]
    published: tuple[Published, ...] = ()


SPLITS = "trees published for the splits of github.com/arranger1044/DEBD"
NANO = "README of github.com/karpathy/nanoGPT"
LIN = "Lin et al. 2018 (PacGAN)"
CATBOOST = "ROC AUC of CatBoost trained on made rows, tested on real ones: github.com/yandex-research/tab-ddpm"
TOPICS = (
    Topic("Binary sets", "二值数据集", ("binary_nltcs", "binary_plants", "binary_dna", "binary_mushrooms", "nltcs_made", "plants_made", "binary_discrete_diffusion"), (
        Published("Chow-Liu tree, nltcs", "-6.759", SPLITS), Published("Chow-Liu tree, plants", "-16.524", SPLITS))),
    Topic("Digits of 8 x 8 pixels", "8 x 8 像素的数字", ("digits_binary", "preference_shift")),
    Topic("MNIST", "MNIST", ("mnist_bits", "pixelcnn_mnist", "mnist_diffusion", "sampler_table", "mnist_gan", "cyclegan_mnist", "article_gan", "article_vae")),
    Topic("Toys in the plane", "平面玩具", ("gan_toys", "flow_toys", "toys_denoising"), tuple(
        Published(f"{model}: modes of the ring, its quality, reverse KL; of the grid", value, f"{LIN}, table 1", "400 epochs, other networks") for model, value in (
            ("GAN", "6.3, 98.2 %, .45; 17.3, 94.8 %, .70"), ("PacGAN2", "7.9, 95.6 %, .07; 23.8, 91.3 %, .13"), ("PacGAN4", "7.8, 95.9 %, .07; 24.8, 93.6 %, .04")))),
    Topic("Stacked digits", "叠放的数字", ("stacked_digits",), tuple(
        Published(f"{model}: modes of 1,000, reverse KL", value, f"{LIN}, table 2", "MNIST of 28 x 28") for model, value in (
            ("DCGAN", "99.0, 3.40"), ("PacDCGAN2", "1000, .06")))),
    Topic("Text", "文本", ("shakespeare_ngram", "shakespeare_transformer", "shakespeare_lstm", "tang_poems", "translation"), (
        Published("nanoGPT, CPU setting, tiny Shakespeare", "1.88", NANO, "20 random batches of the last tenth, contexts up to 64"),
        Published("nanoGPT, baby GPU, tiny Shakespeare", "1.4697", NANO, "random batches of the last tenth, contexts up to 256; GPU"))),
    Topic("Tables", "表格", ("adult_made", "adult_families", "conditions_circuit", "adult_missing", "adult_rare", "known_conditional", "flow_tables"), tuple(
        Published(f"{model}, adult", value, CATBOOST, "another measure: tuned CatBoost, mean of 50, other split") for model, value in (
            ("real rows", ".9276"), ("TVAE", ".9017"), ("CTABGAN+", ".9064"), ("TabDDPM", ".9136")))),
    Topic("Edits", "编辑", ("attribute_edit", "transfer_swap")),
    Topic("Pictures and sound", "图片与声音", ("emoji_diffusion", "photos", "spoken_digits_wavenet")),
    Topic("Text to image", "文生图", ("text_to_image", "emoji_captions", "guidance_sweep")),
    Topic("Language", "语言", ("llm_facts", "llm_schemas", "llm_truth", "tune_lora", "prompt_pairs", "task_checks", "task_embedded")),
    Topic("Retrieval", "检索", ("rag_wordnet", "rag_tang", "rag_abstain")),
    Topic("What a model is used for", "模型的用处", ("joint_model", "detect_outliers", "domain_adaptation", "augment_rare")),
    Topic("Races, leaks, faults, packing", "竞赛、泄露、毛病、打包",
          ("race_truth", "race_adult", "leak_detection", "doctor", "pack_table", "pack_text", "pack_pictures", "pack_chorales")))
WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {"title": "# Figures", "absent": "not run here", "head": "| figure | value | unit | n | seeds | sd | seconds | floor | ceiling |",
           "same": "same", "differs": "differs: {}", "published": "| published | value | source | protocol |",
           "speed": "Speed", "bench": "| bench | ilk | peer | peer's name | unit | ratio |", "none": "No published row is on the same data.",
           "lead": "Every line is what a program of `benchmarks/figures` printed (`make figure NAME=...`), as kept in `benchmarks/results` with its machine; this page is\n"
                   "written by `make figures`. The floor is a trivial model's value and the ceiling that of real items against real ones, unless the protocol below the\n"
                   "table says otherwise; a value without sd is of one seed. Published rows whose protocol differs show how large such numbers are: they are not to be\n"
                   "compared with ours.",
           "more": "The ratio is how many times faster ilk is, or how many times nearer to perfect where the unit says so; `make bench NAME=...`."},
    "zh": {"title": "# 数字", "absent": "这里未运行", "head": "| 数字 | 值 | 单位 | n | 种子 | 标准差 | 秒 | 地板 | 天花板 |",
           "same": "相同", "differs": "不同：{}", "published": "| 已发表 | 值 | 来源 | 协议 |",
           "speed": "速度", "bench": "| 基准 | ilk | 同行 | 同行名 | 单位 | 倍数 |", "none": "没有同一数据上的已发表结果。",
           "lead": "每一行都是 `benchmarks/figures` 里一个程序所打印的（`make figure NAME=...`），连同机器保存在 `benchmarks/results`；本页由 `make figures` 写成。\n"
                   "地板是平凡模型的值，天花板是真实样本对真实样本的值，表下的协议另有说明的除外；没有标准差的值只有一个种子。\n"
                   "协议不同的已发表结果只用来看这类数字的大小，不与我们的比较。每个数字究竟量什么，写在表下（原文为英文）。",
           "more": "倍数：ilk 快多少倍；单位另有说明时，是离完美近多少倍；`make bench NAME=...`。"}}


def told(name: str) -> dict[str, Any] | None:
    """The line of a figure or bench; None if it was not run."""
    at = RESULTS / f"{name}.json"
    found: dict[str, Any] | None = json.loads(at.read_text(encoding="utf-8")) if at.exists() else None
    return found


def number(value: Any) -> str:
    """Four digits; a dash where there is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def row(name: str, words: Mapping[str, str]) -> str:
    """A line of a topic's table."""
    line = told(name)
    if line is None:
        return f"| `{name}` | {words['absent']} | - | - | - | - | - | - | - |"
    seeds = line["seed"] if isinstance(line["seed"], list) else [line["seed"]]
    unit = str(line["unit"]).replace("|", "/")
    rest = " | ".join(number(line.get(key)) for key in ("sd", "seconds", "floor", "ceiling"))
    return f"| `{name}` | {number(line['value'])} | {unit} | {number(line.get('n'))} | {len(seeds)} | {rest} |"


def table(head: str, rows: Sequence[str]) -> list[str]:
    """A table in Markdown."""
    return [head, "|" + "---|" * (head.count("|") - 1), *rows, ""]


def section(topic: Topic, language: str) -> Iterator[str]:
    """A topic: ours, how each was measured, and what others published."""
    words = WORDS[language]
    yield from (f"## {topic.en if language == 'en' else topic.zh}", "")
    yield from table(words["head"], [row(name, words) for name in topic.figures])
    said = [(name, line["protocol"]) for name in topic.figures if (line := told(name))]
    yield from (f"* `{name}`: {protocol}" for name, protocol in said)
    yield from ([""] if said else [])
    if topic.published:
        protocol = {p: words["differs"].format(p.differs) if p.differs else words["same"] for p in topic.published}
        yield from table(words["published"], [f"| {p.model} | {p.value} | {p.source} | {protocol[p]} |" for p in topic.published])
    else:
        yield from (words["none"], "")


def benches(words: Mapping[str, str]) -> Iterator[str]:
    """The table of speed."""
    rows = []
    for name in names("benches"):
        line = told(name)
        rows.append(f"| `{name}` | {words['absent']} | - | - | - | - |" if line is None else
                    f"| `{name}` | {number(line['ours'])} | {number(line['peer'])} | {line['peer_name']} | {line['unit']} | {number(line['ratio'])} |")
    yield from (f"## {words['speed']}", "", words["more"], "", *table(words["bench"], rows))


def names(kind: str) -> list[str]:
    """The programs of a kind: figures or benches."""
    return sorted(p.stem for p in (ROOT / "benchmarks" / kind).glob("*.py") if not p.stem.startswith("_"))


def page(language: str) -> str:
    """The page in a language; figures of no topic come last."""
    words = WORDS[language]
    other = tuple(n for n in names("figures") if all(n not in t.figures for t in TOPICS))
    topics = [*TOPICS, *([Topic("Others", "其他", other)] if other else [])]
    lines = [words["title"], "", words["lead"], "", *(line for topic in topics for line in section(topic, language)), *benches(words)]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    sys.exit(settled({ROOT / "docs" / language / "figures.md": page(language) for language in WORDS}))
