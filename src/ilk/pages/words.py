"""Every fixed string of a report, in English and in Chinese; names of families, kinds of data and figures in Chinese."""
from __future__ import annotations

import re
from collections.abc import Mapping

from ilk import registry
from ilk.errors import UsageError
from ilk.space import Discrete, Many, Maybe, Reals, Row, Space

Words = Mapping[str, str]
TABLE: Mapping[str, tuple[str, str]] = {
    "html": ("en", "zh-Hans"), "title": ("{data}: {family} of {modality}", "{data}：{modality}的 {family} 模型"),
    "lead": ("One model on one page, written by ilk {version}. {family}", "一页看懂一个模型，由 ilk {version} 生成。{family}"),
    "and": (", ", "，"), "none": ("none", "无"), "missing": ("missing", "缺失"), "real": ("real", "真实"), "made": ("made", "生成"),
    "what": ("What it is", "这是什么"), "family": ("Family", "模型族"), "kind": ("Kind of data", "数据种类"),
    "each": ("{kind}; each item is {space}", "{kind}；每个条目是{space}"),
    "options": ("Options other than the default", "与默认不同的选项"), "size": ("Numbers learned", "学到的参数个数"),
    "fitted": ("Fitted", "拟合"),
    "fitted_on": ("on {items} items in {seconds} s, seed {seed}", "{items} 个条目，用时 {seconds} 秒，种子 {seed}"),
    "asked_steps": ("{value} steps asked for", "指定 {value} 步"), "asked_budget": ("{value} s asked for", "指定 {value} 秒"),
    "asked_batch": ("batches of {value}", "每批 {value} 个"), "asked_rate": ("rate {value}", "学习率 {value}"),
    "labels": ("Labels", "标签"), "given": ("Given", "给定条件"), "met": ("{given} (met: {sort})", "{given}（满足方式：{sort}）"),
    "scores": ("Score", "得分"), "exact": ("exact: log likelihood in nats an item ({measure})", "精确：每个条目的对数似然，单位奈特（{measure}）"),
    "bound": ("a bound: the log likelihood is at least so many nats an item ({measure})", "下界：每个条目的对数似然至少这么多奈特（{measure}）"),
    "estimate": ("an estimate of the log likelihood in nats an item, with an error ({measure})", "估计：每个条目对数似然的估计值，单位奈特，附误差（{measure}）"),
    "lebesgue": (", Lebesgue in the units of {columns}", "，{columns} 为以其单位计的勒贝格测度"),
    "no_score": ("none: the model makes items but gives them no likelihood", "没有：模型能生成条目，但不给出似然"),
    "met_exact": ("exactly", "精确"), "met_estimate": ("by an estimate", "估计"),
    "met_guided": ("by guidance, approximately", "引导，近似满足"), "met_rejected": ("by rejection", "拒绝采样"),
    "columns": ("Columns", "各列"), "gaps": ("{name} (may be missing)", "{name}（可缺失）"), "kind_number": ("number", "数值"),
    "kind_category": ("category", "类别"), "kind_boolean": ("yes or no", "是或否"), "kind_when": ("date or time", "日期时间"),
    "kind_identifier": ("identifier", "标识符"), "kind_text": ("free text", "自由文本"),
    "a_number": ("a number", "一个数"), "numbers": ("{shape} numbers", "{shape} 个数"), "one_of": ("one of {size}", "{size} 个值之一"),
    "whole": ("{shape} whole numbers below {size}", "{shape} 个小于 {size} 的整数"),
    "row_of": ("a row of {size}", "由 {size} 个部分组成的一行"), "or_missing": ("{of}, or missing", "{of}，或缺失"),
    "up_to": ("up to {size} of: {of}", "至多 {size} 个：{of}"),
    "items": ("Made items beside real ones", "生成的与真实的对照"), "items_alone": ("Made items", "生成的条目"),
    "items_kept": ("Real items", "真实条目"),
    "mute": ("This model makes no items by itself, so there are none to show or to compare with real ones.",
             "这个模型本身不生成条目，因此没有可展示、可与真实条目比较的样本。"),
    "back_items": ("the same, coded and back", "同样的条目，编码后再还原"),
    "made_items": ("made by the model", "模型生成"), "real_items": ("real, not seen in training", "真实，训练中未见"),
    "marginals": ("Every column, real beside made", "逐列对照：真实与生成"),
    "pairs": ("The numeric columns that lean on each other most in the real table", "真实表中相关最强的数值列"),
    "curves": ("Curves", "曲线"),
    "curve": ("Loss on held-out items by step; the dot is the least, whose weights were kept", "留出条目上的损失随步数的变化；圆点处最低，取该处的权重"),
    "stage": ("stage {number}: loss on held-out items by step", "第 {number} 阶段：留出条目上的损失随步数的变化"),
    "figures": ("Figures, with floors and ceilings", "指标，附地板与天花板"),
    "figures_note": (
        "Floor: a trivial model whose parts know nothing of each other. Ceiling: real items in the place of made ones. The dot shows where the model stands between them.",
        "地板：各部分互不相干的平凡模型。天花板：以真实条目代替生成的条目。圆点表示模型处在两者之间的位置。"),
    "figure": ("figure", "指标"), "value": ("value", "数值"), "floor": ("floor", "地板"), "ceiling": ("ceiling", "天花板"),
    "between": ("floor to ceiling", "从地板到天花板"), "better": ("good is", "何为好"), "n": ("items", "条目数"),
    "higher": ("high", "越高越好"), "lower": ("low", "越低越好"), "middle": ("the middle", "居中为好"),
    "as_real": ("as real items", "以真实条目为准"), "skipped": ("Not applicable", "不适用"),
    "about": ("it is about {what}", "只用于{what}"), "lacks": ("it needs {what}", "缺少{what}"),
    "nearest": ("Nearest training items", "最近的训练条目"),
    "nearest_note": ("Each made item beside the training item nearest to it, among {n}. {unit}.", "每个生成条目旁边是 {n} 个训练条目中离它最近的一个。{unit}。"),
    "pair_note": ("made on the left, nearest on the right", "左为生成，右为最近的训练条目"), "near": ("nearest", "最近"),
    "distance": ("distance", "距离"),
    "gower": ("Gower's distance: numbers by their difference over the range, categories 0 or 1", "Gower 距离：数值取差与全距之比，类别相同为 0、不同为 1"),
    "pixels": ("Euclid's distance, pixels from 0 to 1", "欧氏距离，像素值取 0 到 1"),
    "scaled": ("Euclid's distance, every number in standard deviations", "欧氏距离，每个数以标准差为单位"),
    "median": ("Median distance to the nearest training item", "到最近训练条目的距离中位数"),
    "median_made": ("{value} for {n} made items", "{n} 个生成条目：{value}"),
    "median_real": ("{value} for {n} real items that were not seen", "{n} 个未见过的真实条目：{value}"),
    "copies": (
        "Copies would be at distance 0; items as far away as unseen real ones are no sign of copying.",
        "抄来的条目距离为 0；距离与未见过的真实条目相当，就没有抄袭的迹象。"),
    "runs_note": ("The longest run of letters that each made text shares with {n} training texts is marked.", "标出每条生成文本与 {n} 条训练文本相同的最长一段。"),
    "run": ("{n} letters in a row", "连续 {n} 个字符相同"), "median_run": ("Median longest run", "最长相同段的中位数"),
    "run_made": ("{value} letters in {n} made texts", "{n} 条生成文本：{value} 个字符"),
    "run_real": ("{value} letters in {n} real texts of the same lengths that were not seen", "{n} 条同样长度、未见过的真实文本：{value} 个字符"),
    "stream": ("How items come about", "条目如何生成"),
    "stream_note": ("The same items while they are made, from the first state to the last.", "同样几个条目在生成途中的样子，从最初状态到最后。"),
    "state": ("{at}/{of}", "{at}/{of}"),
    "by_label": ("By label", "按标签生成"), "by_label_note": ("Items made given each label.", "给定每个标签时生成的条目。"),
    "label": ("label", "标签"),
    "card": ("Card", "模型卡"), "origin": ("Data", "数据"), "notes": ("Notes", "说明"), "licence": ("Licence", "许可证"),
    "data_hash": ("SHA-256 of the training items", "训练条目的 SHA-256"),
    "weights_hash": ("SHA-256 of the weights", "权重的 SHA-256"), "version": ("Page by", "本页生成者"),
    "seed": ("Seed of this page", "本页的种子"), "again": ("To make the model again", "重新得到这个模型"), "limits": ("Limits", "局限"),
    "limit_data": (
        "The model knows only the {items} items it was fitted on: what they lack or distort, made items lack or distort too.",
        "模型只知道拟合所用的 {items} 个条目：它们缺少或歪曲的，生成的条目同样缺少或歪曲。"),
    "limit_figures": (
        "Figures are about the held-out items named here; they change with the seed and with how many items are made.",
        "指标只针对这里的留出条目；换一个种子或生成数量，数值会有变化。"),
    "limit_bound": ("A bound can't be compared with an exact score as if both were exact.", "下界不能与精确得分直接相比。"),
    "limit_private": (
        "Nothing on this page proves that nothing about the training items is revealed.",
        "本页不能证明没有泄露训练条目的信息。"),
    "limit_guided": ("What is given is met approximately, not exactly.", "给定条件只是近似满足，并不精确。"),
    "unknown": ("not stated", "未注明"),
}
EN, ZH = ({key: both[i] for key, both in TABLE.items()} for i in (0, 1))
WORDS: Mapping[str, Words] = {"en": EN, "zh": ZH}

FAMILIES = {
    "autoencoder": "自编码器：把条目压成窄编码再还原；可压缩、去噪，但没有编码的分布，本身不生成也不打分。",
    "chain": "链式法则：把只会单个部分的模型族变成整行的模型族，逐个部分生成，每个都以前面的为条件。",
    "copula": "高斯 copula：每列各有平滑的分布，由正态分的相关系数相连；只有数值时密度和条件都精确。",
    "cyclegan": "CycleGAN：让一个域的条目变成另一个域的条目并能变回来；从两堆没有配对的条目学习，只翻译，不凭空生成。",
    "diffusion": "扩散模型：网络学会逐步去掉噪声，由纯噪声得到图片或数组；支持标签、引导和似然下界。",
    "flow_matching": "流匹配：网络学习从噪声直达数据的平均速度；支持标签、引导和似然下界。",
    "gmm": "高斯混合：行或数组的软聚类，似然精确，条件精确，允许缺失值。",
    "made": "掩码自回归网络：按一至八种固定次序给出行和记录的精确概率；表格的默认选择。",
    "mixture": "混合模型：若干棵树或其他族的加权和，用期望最大化一同学习；分量精确则它也精确。",
    "ngram": "修正的插值 Kneser-Ney n 元模型：统计什么之后接什么，是一切序列模型的标尺。",
    "score": "分数模型：学习加噪数据的对数密度梯度，用朗之万动力学或概率流生成；支持标签、引导和似然。",
    "transformer": "Transformer：Llama 结构的因果解码器，给出任意长度序列的精确概率，可附标签或图片作条件。",
    "vae": "变分自编码器：平滑的潜变量，各种数各有似然，可以标签为条件，给出诚实的下界。",
}
MODALITIES = {"array": ("array", "数组"), "image": ("pictures", "图片"), "table": ("table", "表格"), "text": ("text", "文本")}
METRICS = {
    "auc_gap": ("分类器的损失", "改用生成行训练分类器，在真实行上的 AUC 少了多少"),
    "bits_per_character": ("每字符比特", "模型编码留出文本每个字符所需的比特数"),
    "bits_per_dimension": ("每维比特", "模型编码留出条目的每个数（每个像素的每个通道）所需的比特数"),
    "c2st": ("分辨真假", "树模型分辨生成与真实条目的 AUC；0.5 即靠猜"),
    "chamfer_coverage": ("点集覆盖", "有多少真实点集是某个生成点集的最近者（倒角距离）；真实点集自身约为 0.6"),
    "chamfer_mmd": ("点集匹配距离", "真实点集到最近生成点集的平均倒角距离"),
    "column_shapes": ("单列形状", "生成表与真实表逐列有多像"),
    "coverage": ("覆盖", "近旁有生成条目的真实条目占多少"),
    "dcr_share": ("偏向训练条目", "离训练条目比离未见条目更近的生成条目占多少；没有抄袭时为 0.5"),
    "density": ("密度", "生成条目平均落在多少真实条目近旁；真实条目约为 1"),
    "distinct_n": ("用语多样", "不同二元组占全部二元组的比例"),
    "energy_distance": ("能量距离", "以条目间的平均距离衡量两个分布相差多远；相同时为 0"),
    "fisher_divergence": ("费希尔散度", "模型对数密度的梯度与数据的相差多远，差一个数据的常数；只看模型之间的差"),
    "frechet": ("弗雷歇距离", "生成与真实特征的均值和协方差相差多远；已减去样本少带来的偏差"),
    "inception_score": ("标签清晰度", "每个生成条目是否清楚地属于一个标签、所有标签是否都有"),
    "kernel_stein": ("核 Stein 差异", "留出条目是否合乎模型对数密度的梯度；相合时为 0"),
    "kid": ("核距离", "以三次核衡量生成与真实特征的分布相差多远；样本少也无偏"),
    "label_accuracy": ("标签准确率", "按标签生成的图片中，分类器认得出该标签的比例"),
    "mmd": ("最大均值差异", "以径向核衡量生成与真实特征的分布相差多远；相同时平均为 0"),
    "modes": ("模态", "数据的标签或聚类中有多少被生成条目触及"),
    "nats": ("对数似然", "留出条目的平均对数似然，单位奈特"),
    "near_train_share": ("贴近训练条目", "离训练条目异常近的生成条目占多少；未见过的真实条目为 0.05"),
    "nn_accuracy": ("近邻同边率", "条目的最近邻与它同属生成或真实一边的比例；分不出时为 0.5"),
    "outlier_auc": ("识别异常", "模型的似然分辨真实条目与两半拼成的异常条目的 AUC"),
    "pair_trends": ("列间关系", "列与列的关系在生成表与真实表中有多像"),
    "perplexity": ("困惑度", "模型在每个字符处平均在多少个字符之间犹豫"),
    "precision": ("逼真", "落在真实条目所在之处的生成条目占多少"),
    "probe_accuracy": ("线性探针", "用模型的编码做线性分类，标签的正确率"),
    "recall": ("多样", "落在生成条目所在之处的真实条目占多少"),
    "self_bleu": ("彼此雷同", "生成文本彼此有多像；真实文本之间也有几分相像"),
}
MEASURES = {"counting measure": "计数测度", "counting measure over texts": "文本上的计数测度", "Lebesgue measure": "勒贝格测度"}
NEEDED = {"made": "生成的条目", "train": "训练条目", "test": "留出条目", "holdout": "未见过的条目", "model": "模型"}


def words_of(language: str) -> Words:
    """The strings of a language; UsageError for one that there is not."""
    if language not in WORDS:
        raise UsageError(f"no pages in {language!r}", code="LANGUAGE", param="language", remedy=" or ".join(WORDS))
    return WORDS[language]


def _chinese(words: Words) -> bool:
    return words is ZH


def family_of(words: Words, name: str) -> str:
    """A family in one sentence."""
    return FAMILIES.get(name, "") if _chinese(words) and name in FAMILIES else registry.summary("families", name)


def modality_of(words: Words, name: str) -> str:
    """What a kind of data is called."""
    return MODALITIES[name][_chinese(words)] if name in MODALITIES else name


def metric_of(words: Words, name: str) -> tuple[str, str]:
    """What a figure is called, and what it says in one clause."""
    if not _chinese(words) or name not in METRICS:
        return name, registry.summary("metrics", name)
    title, clause = METRICS[name]
    return f"{title}（{name}）", clause


def measure_of(words: Words, measure: str) -> str:
    """A base measure."""
    whole, _, smooth = measure.partition(", Lebesgue in the units of ")
    said = MEASURES.get(whole, whole) if _chinese(words) else whole
    return said + words["lebesgue"].format(columns=smooth) if smooth else said


def reason_of(words: Words, reason: str) -> str:
    """Why a figure does not apply: the two usual reasons in the page's language, others as they are."""
    if kinds := re.fullmatch(r"it is about ([a-z]+(?: and [a-z]+)*)", reason):
        return words["about"].format(what=words["and"].join(modality_of(words, k) for k in kinds[1].split(" and ")))
    if lacking := re.fullmatch(r"needs ([a-z]+(?:, [a-z]+)*)", reason):
        return words["lacks"].format(what=words["and"].join(NEEDED.get(k, k) if _chinese(words) else k for k in lacking[1].split(", ")))
    return reason


def space_of(words: Words, space: Space) -> str:
    """A space in a few words."""
    match space:
        case Reals(shape=()):
            return words["a_number"]
        case Reals(shape=shape):
            return words["numbers"].format(shape=_times(shape))
        case Discrete(shape=()):
            return words["one_of"].format(size=space.each[0])
        case Discrete(shape=shape):
            return words["whole"].format(shape=_times(shape), size=max(space.each))
        case Row(parts=parts):
            return words["row_of"].format(size=len(parts))
        case Maybe(of=of):
            return words["or_missing"].format(of=space_of(words, of))
        case Many(of=of, at_most=most):
            return words["up_to"].format(size=most, of=space_of(words, of))
    return str(space)


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
