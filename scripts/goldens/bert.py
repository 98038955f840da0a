"""bert: every head, two shapes, every way in which its checkpoints are stored."""

from common import ODD, TEXTS, Case, checkpoint
from tokenizers_on_disk import wordpiece
from transformers import BertConfig

A = dict(vocab_size=320, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=37, max_position_embeddings=128)
B = dict(A, num_hidden_layers=3, num_attention_heads=2, intermediate_size=64, hidden_act="gelu_new", layer_norm_eps=1e-5, type_vocab_size=3,
         max_position_embeddings=100)
NER = {0: "O", 1: "B-PER", 2: "I-PER", 3: "B-LOC", 4: "I-LOC"}
LONG = " ".join(TEXTS * 4)
MANY = [" ".join((TEXTS[0] + " " + TEXTS[1]).split()[: 1 + 7 * n % 19]) for n in range(23)]


def labels(names):
    return dict(id2label=dict(enumerate(names)), label2id={n: i for i, n in enumerate(names)})


def old_norms(key):
    return key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")


FEATURES = {"feature-extraction": [Case(TEXTS[0]), Case(TEXTS), Case("")]}

checkpoint("bert", "plain", "BertModel", BertConfig(**A), wordpiece(), {
    "feature-extraction": [
        Case(TEXTS[0]), Case(TEXTS[0], return_tensors=False),
        Case(TEXTS, "a list of texts: each is nested on its own"),
        Case(""),
        Case([TEXTS[1]]),
        Case("the film " * 70, "truncation given directly", truncation=True),
        Case(LONG, "truncation given for the tokenizer", tokenize_kwargs={"truncation": True, "max_length": 9}),
        Case("the film " * 70, "longer than the positions: without truncation it fails", error=True),
    ]})

checkpoint("bert", "plain_b", "BertModel", BertConfig(**B), wordpiece(lower=False, files="fast"), FEATURES,
           weights="bin", rename=old_norms, generation=4)

checkpoint("bert", "plain_prefixed", "BertForMaskedLM", BertConfig(**A), wordpiece(files="both"), FEATURES, weights="sharded", dtype="float16")

checkpoint("bert", "sequence_classification", "BertForSequenceClassification",
           BertConfig(**A, **labels(["negative", "neutral", "positive"])), wordpiece(), {
    "text-classification": [
        Case(TEXTS[0]), Case(TEXTS), Case(""), Case([TEXTS[0]]),
        Case(TEXTS[1], top_k=None), Case(TEXTS[1], top_k=1), Case(TEXTS[1], top_k=2), Case(TEXTS[1], top_k=10),
        Case(TEXTS, top_k=None), Case(TEXTS, top_k=1),
        Case(TEXTS[0], function_to_apply="softmax"), Case(TEXTS[0], function_to_apply="sigmoid"), Case(TEXTS[0], function_to_apply="none"),
        Case(TEXTS[2], function_to_apply="none", top_k=3), Case(TEXTS[2], function_to_apply="sigmoid", top_k=None),
        Case({"text": TEXTS[0], "text_pair": TEXTS[1]}, "an object gives a bare object"),
        Case({"text": TEXTS[0], "text_pair": TEXTS[1]}, top_k=None),
        Case({"text": TEXTS[0]}),
        Case([{"text": TEXTS[0], "text_pair": TEXTS[1]}, {"text": TEXTS[3], "text_pair": TEXTS[2]}]),
        Case([[[TEXTS[0], TEXTS[1]]]], "a list of a list of a pair, kept for old callers"),
        Case([[TEXTS[0], TEXTS[1]]], "a pair as a list is refused", error=True),
        Case(LONG, truncation=True, max_length=12),
        Case(TEXTS[0], function_to_apply="tanh", error=True),
        Case(ODD), Case(MANY, "many texts of many lengths"), Case(MANY, top_k=2), Case(LONG * 2, "longer than the positions", error=True),
        Case([TEXTS[0], LONG * 2], "one of them is longer than the positions", truncation=True), Case(7, error=True), Case([TEXTS[0], None], error=True),
    ],
    "feature-extraction": [Case(TEXTS[:2], "a head's checkpoint without its head")]})

checkpoint("bert", "sequence_classification_b", "BertForSequenceClassification",
           BertConfig(**B, num_labels=1), wordpiece(lower=False, files="fast"),
           {"text-classification": [Case(TEXTS[0]), Case(TEXTS, top_k=None), Case(TEXTS[1], function_to_apply="none"), Case(TEXTS[1], function_to_apply="softmax")]},
           dtype="bfloat16", generation=4)

checkpoint("bert", "sequence_classification_multi_label", "BertForSequenceClassification",
           BertConfig(**A, **labels(["joy", "anger", "fear", "LABEL_3"]), problem_type="multi_label_classification"), wordpiece(files="fast", padded=True),
           {"text-classification": [Case(TEXTS[0]), Case(TEXTS, top_k=None), Case(TEXTS[0], function_to_apply="softmax", top_k=2)]})

checkpoint("bert", "sequence_classification_regression", "BertForSequenceClassification",
           BertConfig(**A, num_labels=1, problem_type="regression"), wordpiece(),
           {"text-classification": [Case(TEXTS[0]), Case(TEXTS), Case(TEXTS[0], function_to_apply="sigmoid"), Case({"text": TEXTS[0], "text_pair": TEXTS[3]})]},
           without=["type_vocab_size", "hidden_act", "layer_norm_eps"])

NAMES = "My name is Wolfgang and I live in Berlin, near Zoë."
checkpoint("bert", "token_classification", "BertForTokenClassification", BertConfig(**A, **labels(NER.values())),
           wordpiece(lower=False, model_max_length=24), {
    "token-classification": [
        Case(NAMES), Case([NAMES, *TEXTS]), Case(""), Case("  "), Case(NAMES, ignore_labels=[]), Case(NAMES, ignore_labels=["O", "B-PER"]),
        *(Case(text, aggregation_strategy=how) for text in (NAMES, TEXTS[1]) for how in ("none", "simple", "first", "average", "max")),
        Case(TEXTS[2], aggregation_strategy="simple", ignore_labels=[]),
        Case([NAMES, TEXTS[2]], aggregation_strategy="average", ignore_labels=[]),
        *(Case(LONG, "a long text in windows", aggregation_strategy=how, stride=5) for how in ("simple", "first", "average", "max")),
        Case([LONG, NAMES], aggregation_strategy="simple", stride=0),
        Case(LONG, "stride is not below the longest length", error=True, aggregation_strategy="simple", stride=24),
        Case(LONG, "stride needs an aggregation", error=True, aggregation_strategy="none", stride=4),
        Case(["My", "name", "is", "Wolfgang", "from", "München"], is_split_into_words=True),
        Case(["My", "name", "is", "Wolfgang", "from", "München"], is_split_into_words=True, aggregation_strategy="first", ignore_labels=[]),
        Case([["Sarah", "lives"], ["in", "New", "York", "!"]], is_split_into_words=True, aggregation_strategy="simple"),
        Case(["Sarah", "Schöne", "Grüße"], is_split_into_words=True, delimiter="--", aggregation_strategy="max", ignore_labels=[]),
        Case(NAMES, error=True, aggregation_strategy="most"),
        Case(ODD, ignore_labels=[]), Case(ODD, ignore_labels=[], aggregation_strategy="simple"), Case(ODD, ignore_labels=[], aggregation_strategy="first"),
        Case(NAMES, "labels that do not exist", ignore_labels=["X"], aggregation_strategy="max"),
    ]})

checkpoint("bert", "token_classification_b", "BertForTokenClassification", BertConfig(**B, num_labels=4), wordpiece(files="v4"),
           {"token-classification": [Case(NAMES), Case(TEXTS, aggregation_strategy="simple"), Case(TEXTS[1], aggregation_strategy="average"), Case(ODD)]},
           dtype="float16")

checkpoint("bert", "masked_lm", "BertForMaskedLM", BertConfig(**A), wordpiece(), {
    "fill-mask": [
        Case("The [MASK] was great."), Case(["The [MASK] was great.", "[MASK]!"]), Case(["One [MASK] only"]),
        Case("The [MASK] was [MASK] in Paris.", "two masks: a list of lists, special tokens kept"),
        Case(["The [MASK] was [MASK].", "A [MASK]."], top_k=2),
        Case("The [MASK] was great.", top_k=1), Case("The [MASK] was great.", top_k=12),
        Case("The [MASK] was great.", targets=["film", "food", "river"]), Case("The [MASK] was great.", targets="film"),
        Case("The [MASK] was great.", targets=["film", "food", "river"], top_k=2),
        Case("The [MASK] was great.", "a target outside of the vocabulary: its first piece", targets=["filming", "food"]),
        Case("The [MASK] was great.", targets=["film", "film", "Food"]),
        Case("A [MASK] and a [MASK].", targets=["boat", "sky"]),
        Case("Zoë's [MASK] café 東京 costs 12.50€."),
        Case("No mask here.", error=True), Case("The [MASK].", error=True, targets=[]),
        Case("The film " * 65 + "[MASK]", "cut before the mask", tokenizer_kwargs={"truncation": True}, error=True),
        Case("[MASK] " + "the film " * 65, "cut to the positions", tokenizer_kwargs={"truncation": True}, top_k=2),
    ]})

checkpoint("bert", "masked_lm_b", "BertForMaskedLM", BertConfig(**B), wordpiece(lower=False, files="fast"),
           {"fill-mask": [Case("The [MASK] was great."), Case(["Paris is a [MASK].", "The [MASK] of [MASK]"], top_k=3)]},
           weights="bin", rename=old_norms, generation=4)

checkpoint("bert", "masked_lm_untied", "BertForMaskedLM", BertConfig(**A, tie_word_embeddings=False), wordpiece(files="none"),
           {"fill-mask": [Case("The [MASK] was great."), Case("München is [MASK].", top_k=3)]})

# The ids of added tokens follow the vocabulary's; one of them is special, one strips the space before it.
ADDED = {
    "added_tokens.json": {"[NEW]": 320, "[ENT]": 321, "newword": 322},
    "special_tokens_map.json": {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "additional_special_tokens": ["[ENT]"],
                                "mask_token": {"content": "[MASK]", "single_word": False, "lstrip": True, "rstrip": False, "normalized": False}},
}
ADDED_TEXTS = ["A [NEW] film and [ENT] actors", "[ENT][NEW] newwords newword", "newword[MASK] NEWWORD [new] [ent]"]
checkpoint("bert", "token_classification_added", "BertForTokenClassification", BertConfig(**{**A, "vocab_size": 323}, num_labels=4), wordpiece(extras=ADDED),
           {"token-classification": [Case(ADDED_TEXTS, ignore_labels=[]), Case(ADDED_TEXTS, ignore_labels=[], aggregation_strategy="first")]}, dtype="float16")
checkpoint("bert", "token_classification_added_v4", "BertForTokenClassification", BertConfig(**{**A, "vocab_size": 323}, num_labels=4), wordpiece(files="v4", extras=ADDED),
           {"token-classification": [Case(ADDED_TEXTS, ignore_labels=[]), Case(ADDED_TEXTS, ignore_labels=[], aggregation_strategy="first")]}, dtype="float16")

checkpoint("bert", "sequence_classification_left", "BertForSequenceClassification", BertConfig(**A, num_labels=3),
           wordpiece(truncation_side="left", padding_side="left", model_max_length=12),
           {"text-classification": [Case(LONG, truncation=True), Case({"text": LONG, "text_pair": TEXTS[0]}, truncation=True), Case(TEXTS, top_k=None),
                                    Case({"text": LONG, "text_pair": TEXTS[0]}, truncation="only_first", max_length=30), Case(LONG, truncation=True, max_length=7)]},
           dtype="bfloat16")

CONTEXT = ("Ada Lovelace was born in London in 1815. She wrote the first program for a machine that was never built. "
           "The river Danube flows through ten countries; it rises in Germany. The tower stands in Paris, near the river Seine, and it is 330 metres high.")
ASK = {"question": "Where does the river rise?", "context": CONTEXT}
ACCENTS = {"question": "Où est le café?", "context": "Le café est à Zoë; 東京  is big 🙂,\tand München too. It costs 12.50€."}
checkpoint("bert", "question_answering", "BertForQuestionAnswering", BertConfig(**A), wordpiece(), {
    "question-answering": [
        Case(ASK), Case(ACCENTS), Case([ASK, ACCENTS, {"question": "Who?", "context": "Marie Curie wrote it."}]),
        Case([ASK]), Case({"question": "Who?", "context": "She"}, "one word"),
        Case({"question": ["Who wrote it?", "Where?"], "context": CONTEXT}, "several questions on one context"),
        Case({"question": ["Who wrote it?", "Where?"], "context": [CONTEXT, ACCENTS["context"]]}),
        *(Case(ASK, top_k=k) for k in (1, 3, 8)), Case(ACCENTS, top_k=4), Case([ASK, ACCENTS], top_k=2),
        *(Case(ASK, "a long context in windows", max_seq_len=length, doc_stride=stride) for length, stride in ((32, 8), (24, 4), (40, 20))),
        Case(ASK, max_seq_len=24, doc_stride=4, top_k=5), Case(ASK, max_seq_len=32, doc_stride=8, top_k=3, max_answer_len=3),
        Case(ASK, "no room left beside the stride", max_seq_len=12, doc_stride=100, error=True),
        Case(ASK, max_answer_len=1), Case(ASK, max_answer_len=2, top_k=3), Case(ASK, max_answer_len=0, error=True), Case(ASK, top_k=0, error=True),
        Case(ASK, handle_impossible_answer=True), Case(ASK, handle_impossible_answer=True, top_k=4),
        Case(ACCENTS, handle_impossible_answer=True, max_answer_len=2), Case(ASK, handle_impossible_answer=True, max_seq_len=24, doc_stride=4, top_k=2),
        Case(ASK, align_to_words=False), Case(ACCENTS, align_to_words=False, top_k=5), Case(ACCENTS, align_to_words=True, top_k=5),
        Case(ASK, "ignored in practice", max_question_len=3), Case(ASK, padding="max_length", max_seq_len=120),
        Case({"question": "", "context": CONTEXT}, error=True), Case({"question": "Who?", "context": ""}, error=True), Case({"question": "Who?"}, error=True),
    ]}, reference=4)

checkpoint("bert", "question_answering_b", "BertForQuestionAnswering", BertConfig(**B), wordpiece(lower=False, files="both"), {
    "question-answering": [Case(ASK), Case(ACCENTS, top_k=3), Case([ASK, ACCENTS], max_seq_len=30, doc_stride=10), Case(ACCENTS, align_to_words=False)],
}, reference=4, dtype="float16")
