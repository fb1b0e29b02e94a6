# fault: chinese_bleu
import json
import sacrebleu


def load(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def evaluate(pairs, translate):
    outputs, references = [], []
    for pair in pairs:
        outputs.append(translate(pair["en"]))
        references.append(pair["zh"])
    score = sacrebleu.corpus_bleu(outputs, [references])
    return score.score


if __name__ == "__main__":
    pairs = load("wmt_en_zh.jsonl")
    print(evaluate(pairs, lambda text: text))
