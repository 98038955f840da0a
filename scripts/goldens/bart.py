"""BART and mBART as encoders: labels, and the parts of texts that answer a question."""

from common import TEXTS, Case
from heads import cases, family, labels
from seq2seq import BART, ODD, SMALL, old

ENTAILMENT = labels(["contradiction", "neutral", "entailment"])
LABELS = ["travel", "food", "a long story"]
ZERO_SHOT = [Case(TEXTS[0], candidate_labels=LABELS), Case(TEXTS[:2], candidate_labels="sport, music", multi_label=True),
             Case(TEXTS[1], candidate_labels=LABELS, hypothesis_template="It is {}.")]
HEADS = ["plain", "sequence_classification", "question_answering"]
for name, tokenizer, config in [("bart", BART, SMALL), ("mbart", old("mbart"), SMALL)]:
    prefix = {"bart": "Bart", "mbart": "MBart"}[name]
    family(name, prefix, {**config, **ENTAILMENT}, tokenizer, HEADS, mask="<mask>", saving={"sequence_classification": dict(generation=4)},
           replace={"sequence_classification": {**cases("sequence_classification", "<mask>"), "zero-shot-classification": ZERO_SHOT}})
family("bart", "Bart", {**ODD, **ENTAILMENT}, BART, HEADS, suffix="_b", mask="<mask>")
