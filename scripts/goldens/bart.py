"""BART and its relatives as encoders: labels, and the parts of texts that answer a question."""

from common import TEXTS, Case
from heads import cases, family, labels
from seq2seq import BART, ODD, SMALL, old
from text_tokenizers import pieces
from tokenizers_on_disk import ROBERTA, byte_bpe

ENTAILMENT = labels(["contradiction", "neutral", "entailment"])
LABELS = ["travel", "food", "a long story"]
ZERO_SHOT = [Case(TEXTS[0], candidate_labels=LABELS), Case(TEXTS[:2], candidate_labels="sport, music", multi_label=True),
             Case(TEXTS[1], candidate_labels=LABELS, hypothesis_template="It is {}.")]
# Pipelines cut texts to the tokenizer's length, which is no longer than the table of positions.
SHORT = pieces("mbart", "sentencepiece.bpe.model", "MBartTokenizer", settings={"src_lang": "de_DE", "model_max_length": 96})
HEADS = ["plain", "sequence_classification", "question_answering"]
for name, tokenizer, config in [("bart", BART, SMALL), ("mbart", old("mbart"), SMALL)]:
    prefix = {"bart": "Bart", "mbart": "MBart"}[name]
    family(name, prefix, {**config, **ENTAILMENT}, tokenizer, HEADS, mask="<mask>", saving={"sequence_classification": dict(generation=4), "question_answering": dict(tokenizer=SHORT if name == "mbart" else tokenizer)},
           replace={"sequence_classification": {**cases("sequence_classification", "<mask>"), "zero-shot-classification": ZERO_SHOT}})
family("bart", "Bart", {**ODD, **ENTAILMENT}, BART, HEADS, suffix="_b", mask="<mask>")
family("mvp", "Mvp", {**SMALL, **ENTAILMENT}, byte_bpe("MvpTokenizer", specials=ROBERTA, merges=40, model_max_length=64), ["sequence_classification", "question_answering"], mask="<mask>",
       drawn=True)
family("plbart", "PLBart", {**SMALL, **ENTAILMENT}, BART, ["sequence_classification"], mask="<mask>", drawn=True)
LONG = {field: value for field, value in SMALL.items() if field != "max_position_embeddings"} | dict(max_encoder_position_embeddings=100, max_decoder_position_embeddings=100, attention_window=6)
family("led", "LED", LONG, byte_bpe("LEDTokenizer", specials=ROBERTA, merges=40, model_max_length=64), ["question_answering"], drawn=True)
