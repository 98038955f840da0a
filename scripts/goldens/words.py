"""Words, windows and targets where a token may hold a space: byte-level BPE and SentencePiece; and the tasks' other names."""

from common import ODD, TEXTS, Case
from heads import NAMES, PAIR, family
from tokenizers_on_disk import byte_bpe, pieces, wordpiece

LONG = " ".join([*TEXTS, NAMES] * 2)
WORDS = ["My", "name", "is", "Wolfgang", "from", "München"]
TOKENS = {"token_classification": {"token-classification": [
    *(Case([NAMES, TEXTS[1], TEXTS[2]], aggregation_strategy=how, ignore_labels=[]) for how in ("none", "simple", "first", "average", "max")),
    *(Case(LONG, "a long text in windows", aggregation_strategy=how, stride=7) for how in ("simple", "first", "average", "max")),
    *(Case(WORDS, is_split_into_words=True, aggregation_strategy=how, ignore_labels=[]) for how in ("none", "first")),
    Case(ODD, aggregation_strategy="max", ignore_labels=[]),
]}}
MASKS = {"masked_lm": {"fill-mask": [
    Case("The <mask> was great."), Case("The<mask> was great."), Case("<mask>"), Case("The <mask> and the <mask>.", top_k=2), Case(["A <mask>!", "Zoë's <mask> in 東京"], top_k=1),
    Case("The <mask> was great.", targets=["he", " he", "e", "Ġhe"]), Case("The <mask> was great.", targets=["wonderful", " wonderful"], top_k=3),
]}}
ROBERTA = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=37, max_position_embeddings=130, type_vocab_size=1, layer_norm_eps=1e-5,
               pad_token_id=1, bos_token_id=0, eos_token_id=2)
for model_type, prefix, tokenizer in (("roberta", "Roberta", byte_bpe(model_max_length=30)), ("xlm-roberta", "XLMRoberta", pieces("XLMRobertaTokenizer", model_max_length=30)),
                                      ("camembert", "Camembert", pieces("CamembertTokenizer", files="v4", model_max_length=30))):
    family(model_type, prefix, ROBERTA, tokenizer, ["token_classification", "masked_lm"], "_words", mask="<mask>", replace={**TOKENS, **MASKS})
family("roberta", "Roberta", ROBERTA, byte_bpe(files="v4", add_prefix_space=True, model_max_length=30), ["token_classification"], "_prefix_space", replace=TOKENS)

DISTIL = dict(dim=32, n_layers=2, n_heads=4, hidden_dim=37, max_position_embeddings=128)
family("distilbert", "DistilBert", DISTIL, wordpiece("DistilBertTokenizer", model_max_length=30), ["sequence_classification", "token_classification"], "_names", replace={
    "sequence_classification": {"sentiment-analysis": [Case(TEXTS[0]), Case(TEXTS, top_k=2), Case(PAIR), Case(TEXTS[1], function_to_apply="sigmoid", top_k=None)]},
    "token_classification": {"ner": TOKENS["token_classification"]["token-classification"]},
})
