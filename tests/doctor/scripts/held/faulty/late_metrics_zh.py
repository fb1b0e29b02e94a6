# fault: chinese_bleu
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

references = ["今天天气很好我们去公园散步", "他昨天买了一本新书"]
outputs = ["今天天气不错我们去公园走走", "他昨天买了新书"]
smooth = SmoothingFunction().method1


def score(reference, output):
    return sentence_bleu([reference.split()], output.split(), smoothing_function=smooth)


if __name__ == "__main__":
    scores = [score(r, o) for r, o in zip(references, outputs)]
    print(sum(scores) / len(scores))
    for r, o, s in zip(references, outputs, scores):
        print(f"{s:.3f} {r} {o}")
