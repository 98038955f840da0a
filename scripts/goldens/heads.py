"""The heads that most text encoders have, each with the cases that show that an architecture is right."""

import re

from common import ODD, TEXTS, VERSION, Case, checkpoint

PAIR = {"text": TEXTS[0], "text_pair": TEXTS[1]}
NAMES = "My name is Wolfgang and I live in Berlin, near Zoë."
CONTEXT = ("Ada Lovelace was born in London in 1815. She wrote the first program for a machine that was never built. "
           "The river Danube flows through ten countries; it rises in Germany.")
ASK = {"question": "Where does the river rise?", "context": CONTEXT}
ACCENTS = {"question": "Où est le café?", "context": "Le café est à Zoë; 東京  is big 🙂,\tand München too. It costs 12.50€."}
LABELS = {
    "sequence_classification": ["negative", "neutral", "positive"],
    "token_classification": ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"],
}


def cases(head, mask):
    """{task: [Case]} for a head."""
    if head == "plain":
        return {"feature-extraction": [Case(TEXTS[0]), Case([*TEXTS[1:], ""])]}
    if head == "sequence_classification":
        return {"text-classification": [Case(TEXTS[0]), Case(TEXTS, "texts of different lengths", top_k=None), Case(PAIR, top_k=None), Case("", top_k=2), Case(ODD)]}
    if head == "token_classification":
        return {"token-classification": [Case(NAMES), Case([NAMES, *TEXTS], aggregation_strategy="simple"), Case(TEXTS[1], aggregation_strategy="average"),
                                         Case(ODD, ignore_labels=[])]}
    if head == "masked_lm":
        return {"fill-mask": [Case(f"The {mask} was great."), Case([f"Zoë's {mask} café costs 12.50€.", f"{mask} 東京 {mask}"], top_k=3),
                              Case(f"A {mask} in Paris.", targets=["river", "boat", "the"])]}
    return {"question-answering": [Case(ASK), Case(ACCENTS, top_k=3), Case([ASK, ACCENTS], max_seq_len=48, doc_stride=12), Case(ACCENTS, align_to_words=False)]}


SUFFIX = {"plain": "Model", "sequence_classification": "ForSequenceClassification", "token_classification": "ForTokenClassification",
          "masked_lm": "ForMaskedLM", "question_answering": "ForQuestionAnswering"}
ALL = list(SUFFIX)
# Stored in half precision where nothing else is said, to keep the repository small.
STORED = {"sequence_classification": "bfloat16", "token_classification": "float16", "masked_lm": "float16", "question_answering": "bfloat16"}


def labels(names):
    return dict(id2label=dict(enumerate(names)), label2id={n: i for i, n in enumerate(names)})


def family(model_type, prefix, config, tokenizer, heads=ALL, suffix="", mask="[MASK]", saving=None, only=5, replace=None, named=None,
           **everywhere):
    """One folder for each head. `saving` is {head: how to save}, `everywhere` goes to all; `replace` is {head: cases},
    `named` {head: the end of its class's name}.

    Question answering is recorded by version 4, the rest by `only`.
    """
    import transformers

    for head in heads:
        if VERSION != (4 if head == "question_answering" else only):
            continue
        extra = labels(LABELS[head]) if head in LABELS else {}
        filled = getattr(transformers, f"{prefix}Config")(**{**config, **extra})
        name = (named or SUFFIX)[head]
        options = {"dtype": STORED.get(head, "bfloat16" if suffix else "float32"), **everywhere, **(saving or {}).get(head, {})}
        checkpoint(model_type, head + suffix, prefix + name, filled, options.pop("tokenizer", tokenizer), (replace or {}).get(head) or cases(head, mask),
                   reference=VERSION, fit_vocabulary=True, **options)


def rename(*pairs):
    """A function on keys that applies regular expressions one after another; None as replacement drops the key."""

    def apply(key):
        for pattern, new in pairs:
            if new is None and re.search(pattern, key):
                return None
            key = re.sub(pattern, new, key) if new is not None else key
        return key

    return apply


OLD_NORMS = rename((r"LayerNorm\.weight", "LayerNorm.gamma"), (r"LayerNorm\.bias", "LayerNorm.beta"))
