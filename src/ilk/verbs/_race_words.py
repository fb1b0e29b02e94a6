"""Every fixed string of a race, in English and in Chinese, and the reason for its verdict."""
from __future__ import annotations

from collections.abc import Mapping, Sequence

from ilk.verbs._standings import Row, recommended

TABLE: Mapping[str, tuple[str, str]] = {
    "title": ("Race: {data}", "竞赛：{data}"),
    "lead": ("Every family of model that fits these data, on one budget, judged alike, by ilk {version}.",
             "适合这份数据的每一种模型，同样的预算，同样的评判，由 ilk {version} 生成。"),
    "verdict": ("What to take", "该用哪个"), "take": ("Take {name}", "用 {name}"),
    "why_nobody": ("no family came to an end without copying its training items", "没有哪个模型族既跑完又不抄训练条目"),
    "why_likelihood": ("no other's likelihood is surely better, and it learns the fewest numbers of these: {nats} nats an item on the validation items",
                       "没有谁的似然肯定更好，而它是其中参数最少的：验证条目平均 {nats} 奈特"),
    "why_samples": ("its samples are the best, {quality} of the way from independent parts to real items", "它的样本最好：从互不相干到真实条目，走了 {quality}"),
    "why_tied": ("no other's samples are surely better ({others} can't be told from it); of these no likelihood is surely better, and it learns the fewest numbers",
                 "没有谁的样本肯定更好（与 {others} 分不出高下）；其中没有谁的似然肯定更好，而它参数最少"),
    "how": ("How to read it: who chooses looks at the validation items only; the figures shown are of the test items, which chose nothing. "
            "Those with one rank can't be told apart ({sure} standard errors). Cheats copy training items and must lose; the floor makes every part by itself.",
            "读法：挑选只看验证条目；表中数字来自测试条目，它们没有参与挑选。名次相同表示分不出高下（{sure} 倍标准误）。作弊者抄训练条目，必须输；地板让各部分互不相干。"),
    "likelihood": ("By likelihood", "按似然"),
    "likelihood_note": ("Mean log likelihood of a test item, in nats: higher is better. Exact values and estimates stand in one column, bounds (at least so much) in another, "
                        "since the two can't be compared. Base measure: {measure}.",
                        "测试条目的平均对数似然（奈特），越高越好。精确值与估计在一列，下界（至少这么多）在另一列，两者不可相比。基准测度：{measure}。"),
    "unscored": ("Without a likelihood", "没有似然"),
    "samples": ("By samples", "按样本"),
    "samples_note": ("Quality is the mean place of the figures between the floor (0) and real items (1). A figure's floor and real value stand in its column. "
                     "Who shows signs of copying is out.",
                     "质量是各指标在地板（0）与真实条目（1）之间的平均位置；每列都有地板与真实值。有抄袭迹象者出局。"),
    "cost": ("Cost", "代价"), "cost_note": ("Seconds are of a whole heat: learning, scoring, judging. Energy: {how}.", "秒数含学习、评分与评判。能耗：{how}。"),
    "front": ("Nobody is better in less time than the named ones", "带名字的点：没有谁用更少时间做得更好"),
    "front_note": ("across: seconds, by ratios; up: {what}", "横轴：秒（对数）；纵轴：{what}"),
    "lost": ("Did not finish", "没有跑完"), "absent": ("Took no part", "没有参加"), "copying": ("Signs of copying", "抄袭迹象"),
    "unseen": ("Copying would not show on these data: {names} went unnoticed.", "在这份数据上看不出抄袭：{names} 没有被发现。"),
    "rules": ("Rules", "规则"), "options": ("Options of the winner", "胜者的选项"),
    "name": ("who", "参赛者"), "kind": ("role", "角色"), "rank": ("rank", "名次"), "known": ("exact or estimate", "精确或估计"), "atleast": ("at least", "至少"),
    "error": ("±", "±"), "seeds": ("seeds", "种子数"), "quality": ("quality", "质量"), "copies": ("copies", "抄袭"), "yes": ("yes", "是"), "no": ("no", "否"),
    "seconds": ("seconds", "秒"), "memory": ("GiB", "GiB"), "energy": ("kJ", "千焦"), "numbers": ("numbers", "参数个数"), "rate": ("items/s", "条/秒"),
    "perunit": ("per {unit}", "每{unit}"), "status": ("how it ended", "结果"),
    "family": ("family", "模型族"), "preset": ("preset", "预设"), "floor": ("floor", "地板"), "cheat": ("cheat", "作弊者"), "real": ("real items", "真实条目"),
    "out": ("out", "出局"), "timeout": ("out of time", "超时"), "crashed": ("crashed", "崩溃"), "refused": ("refused", "拒绝"), "pruned": ("cut short", "提前终止"),
    "data": ("Data", "数据"), "budget": ("Budget", "预算"), "budget_seconds": ("{budget:.0f} s in all, {limit:.1f} s a heat", "共 {budget:.0f} 秒，每轮 {limit:.1f} 秒"),
    "budget_steps": ("{budget} steps a fit", "每次拟合 {budget} 步"), "limits": ("Memory of a heat", "每轮内存"),
    "finals": ("Finals", "决赛"),
    "finals_text": ("{finalists} finalists, {trials} trials of other options, {seeds} seeds",
                    "{finalists} 名进入决赛，另试 {trials} 组选项，{seeds} 个种子"),
    "judged": ("Judges", "评判条目"),
    "judged_text": ("at most {judged} validation and {judged} test items", "验证与测试各至多 {judged} 个条目"), "machine": ("Machine", "机器"),
    "html": ("en", "zh-Hans"),
}


def words(language: str) -> dict[str, str]:
    """The strings of a language."""
    return {k: v[language == "zh"] for k, v in TABLE.items()}


def reason(rows: Sequence[Row], by: str, language: str = "en") -> str:
    """Why one is to be taken."""
    best, kind, others = recommended(rows, by)
    said = words(language)[f"why_{kind}"]
    if best is None:
        return said
    nats, quality = (f"{v:z.4f}" if v is not None else "" for v in (best.valid_nats, best.quality))
    return said.format(nats=nats, quality=quality[:4], others=("、" if language == "zh" else ", ").join(others))
