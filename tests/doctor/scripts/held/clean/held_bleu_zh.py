import sys

import sacrebleu
from nltk.translate.bleu_score import corpus_bleu as nltk_bleu


def read(path):
    with open(path, encoding="utf-8") as f:
        return [line.strip() for line in f]


def main(hypotheses, references, language):
    hyp, ref = read(hypotheses), read(references)
    if language == "zh":
        print(sacrebleu.corpus_bleu(hyp, [ref], tokenize="zh").score)
        print(100 * nltk_bleu([[list(r)] for r in ref], [list(h) for h in hyp]))
    else:
        print(sacrebleu.corpus_bleu(hyp, [ref]).score)


if __name__ == "__main__":
    main(*sys.argv[1:4])
