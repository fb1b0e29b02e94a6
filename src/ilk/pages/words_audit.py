"""Every fixed string of the page of an audit, in English and in Chinese."""
from __future__ import annotations

from collections.abc import Mapping

from ilk.pages.words import WORDS, Words, words_of

TABLE: Mapping[str, tuple[str, str]] = {
    "audit_title": ("What {name} gives away", "{name} 泄露了什么"),
    "audit_lead": ("Attacks on what a model learned from, by ilk {version}.", "对模型训练数据的攻击测试，由 ilk {version} 生成。"),
    "audit_verdict": ("Verdict", "结论"), "audit_figures": ("Figures", "指标"), "audit_not": ("Not measured", "未能测量"), "audit_read": ("How to read this", "如何解读"),
    "leaks": ("Leaks: {names}. Chance is no explanation, for even the lower end of the interval is above the threshold.",
              "有泄露：{names}。区间的下端也高于阈值，不能用偶然来解释。"),
    "not shown to be safe": ("Not shown to be safe: nothing was flagged, but {names} could not be measured.", "未能证明安全：没有指标越过阈值，但 {names} 无法测量。"),
    "no sign of a leak": ("No sign of a leak in any figure below.", "下列指标都没有泄露的迹象。"),
    "audit_interval": ("95 % interval", "95% 区间"), "audit_null": ("without a leak", "无泄露时"), "audit_bar": ("flagged above", "高于此值即报警"),
    "audit_flag": ("LEAK", "泄露"), "audit_fine": ("not flagged", "未报警"), "audit_open": ("open", "未定"),
    "audit_caption": ("More is more of a leak. A figure is flagged if the lower end of its interval is above the threshold.", "数值越大，泄露越多。区间下端高于阈值即报警。"),
    "read_both": ("Every figure compares training items with items that were held out. What a model says of both alike is the law of the data, and no leak.",
                  "每个指标都拿训练条目与留出条目作比较。模型对两者一视同仁的部分是数据本身的规律，不是泄露。"),
    "read_wide": ("Open: the figure is not flagged, but its interval reaches above the threshold, so that a leak is not ruled out. More held-out items make it narrower.",
                  "未定：没有报警，但区间上端高于阈值，不能排除泄露。留出条目越多，区间越窄。"),
    "read_limits": ("Only these attacks were tried. No sign of a leak is no proof of privacy: that takes a method such as differential privacy.",
                    "这里只试了这些攻击。没有泄露的迹象不等于证明了隐私；要证明，需要差分隐私之类的方法。"),
    "read_unmeasured": ("What was not measured counts as not shown to be safe.", "未能测量的，一律视为未证明安全。"),
}
FIGURES: Mapping[str, tuple[str, str]] = {
    "attribute_inference": ("推断属性", "由最近的生成行猜训练行的一列，比猜留出行多对多少；没有死记时为 0"),
    "exposure": ("暴露度", "植入的秘密在同类备选之中凸显多少比特；没有学到时平均为 1.44"),
    "likelihood_ratio": ("似然比成员推断", "借助影子模型的似然比，把训练条目与留出条目分开的 AUC；0.5 即靠猜"),
    "likelihood_ratio_sure": ("似然比成员推断（1% 误报）", "误报 1% 时认出的训练条目所占比例；0.01 即靠猜"),
    "membership": ("成员推断", "仅凭似然把训练条目与留出条目分开的 AUC；0.5 即靠猜"),
    "membership_sure": ("成员推断（1% 误报）", "误报 1% 时认出的训练条目所占比例；0.01 即靠猜"),
    "near_duplicates": ("近似重复", "被生成条目原样或近乎原样重复的训练条目占多少；对照为留出条目"),
    "nearest_record": ("最近记录", "离训练条目比离同样多的留出条目更近的生成条目占多少；没有抄袭时为 0.5"),
    "rare_pairs": ("罕见组合", "拥有独一无二取值组合的训练行中，组合被全部重现的占多少；对照为留出行"),
    "rare_rows": ("罕见行", "最孤立的训练行中，有生成行紧挨着的占多少；对照为留出行"),
    "unauthentic": ("不真实", "比训练条目自己的邻居还要贴近它的生成条目占多少；对照为真实条目"),
    "verbatim": ("逐字重复", "生成文本与训练文本相同的最长一段有多少字符；对照为留出文本"),
}
LACKS = {"no training items": "没有训练条目", "no held-out items": "没有留出条目", "no made items": "没有生成的条目", "no distance between such items": "这类条目之间没有距离",
         "no likelihood": "没有似然"}


def audit_words(language: str) -> Words:
    """The strings of a language, those of any report among them."""
    return {**words_of(language), **{key: both[list(WORDS).index(language)] for key, both in TABLE.items()}}


def figure_of(words: Words, name: str, reads: str) -> tuple[str, str]:
    """What a figure of an audit is called, and how it is read."""
    if words["html"] == "en" or name not in FIGURES:
        return name, reads
    title, clause = FIGURES[name]
    return f"{title}（{name}）", clause


def lack_of(words: Words, reason: str) -> str:
    """Why an attack could not be carried out: what is usually lacking in the page's language, other reasons as they are."""
    parts = reason.split(", ")
    return words["and"].join(LACKS[part] for part in parts) if words["html"] != "en" and set(parts) <= set(LACKS) else reason
