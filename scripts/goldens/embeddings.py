"""Checkpoints of sentence-transformers: pooling, dense and normalize modules in both generations of their files, and cross-encoders."""

import math

import torch
from common import TEXTS, Case, checkpoint
from heads import labels
from safetensors.torch import save_file
from tokenizers_on_disk import ROBERTA, byte_bpe, pieces, wordpiece
from transformers import AlbertConfig, BertConfig, DistilBertConfig, LongT5Config, MPNetConfig, MT5Config, RobertaConfig, T5Config, UMT5Config, XLMRobertaConfig
from vocabularies import write_json

A = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=37, max_position_embeddings=128)
LONG = " ".join(TEXTS * 2)
PAIRS = {"source_sentence": "The film was great.", "sentences": [TEXTS[0], "The food was cold.", TEXTS[1], "Hi", ""]}
OLD = {name: f"sentence_transformers.models.{name}" for name in ("Transformer", "Pooling", "Dense", "Normalize")}
NEW = {"Transformer": "sentence_transformers.base.modules.transformer.Transformer", "Pooling": "sentence_transformers.sentence_transformer.modules.pooling.Pooling",
       "Dense": "sentence_transformers.base.modules.dense.Dense", "Normalize": "sentence_transformers.base.modules.normalize.Normalize"}
MODES = {"mean": "pooling_mode_mean_tokens", "cls": "pooling_mode_cls_token", "max": "pooling_mode_max_tokens", "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
         "weightedmean": "pooling_mode_weightedmean_tokens", "lasttoken": "pooling_mode_lasttoken"}


def modules(*wanted, names=OLD, transformer=None, settings=None):
    """Writes modules.json and each module's folder. A module is (name, what goes into its folder)."""

    def write(folder):
        rows = [{"idx": 0, "name": "0", "path": "", "type": names["Transformer"]}]
        for i, (name, fill) in enumerate(wanted, 1):
            path = f"{i}_{name}"
            rows.append({"idx": i, "name": str(i), "path": path, "type": names[name]})
            (folder / path).mkdir()
            fill(folder / path)
        write_json(folder / "modules.json", rows)
        if transformer is not None:
            write_json(folder / "sentence_bert_config.json", transformer)
        if settings is not None:
            write_json(folder / "config_sentence_transformers.json", settings)

    return write


def pooling(*modes, size=32, new=False, **more):
    def write(folder):
        if new:
            write_json(folder / "config.json", {"embedding_dimension": size, "pooling_mode": modes[0] if len(modes) == 1 else list(modes), "include_prompt": True, **more})
        else:
            write_json(folder / "config.json", {"word_embedding_dimension": size, **{key: mode in modes for mode, key in MODES.items()}, **more})

    return "Pooling", write


def dense(inputs, outputs, activation="torch.nn.modules.activation.Tanh", bias=True, file="model.safetensors"):
    def write(folder):
        torch.manual_seed(outputs)
        state = {"linear.weight": torch.randn(outputs, inputs) / math.sqrt(inputs), **({"linear.bias": torch.randn(outputs) * 0.2} if bias else {})}
        write_json(folder / "config.json", {"in_features": inputs, "out_features": outputs, "bias": bias, "activation_function": activation})
        save_file(state, folder / file) if file.endswith("safetensors") else torch.save(state, folder / file)

    return "Dense", write


NORMALIZE = ("Normalize", lambda folder: (folder / "config.json").write_text("{}\n"))


def with_files(*writers):
    def write(folder):
        for one in writers:
            one(folder)

    return write


def cases(*more):
    return {
        "feature-extraction": [Case(TEXTS[0], pooling="model"), Case([*TEXTS, ""], pooling="model"), Case([LONG], "cut to the checkpoint's length", pooling="model"), *more],
        "sentence-similarity": [Case(PAIRS), Case({"source_sentence": LONG, "sentences": [TEXTS[1]]})],
    }


checkpoint("bert", "sentence_mean", "BertModel", BertConfig(**A, vocab_size=320),
           with_files(wordpiece(), modules(pooling("mean"), NORMALIZE, transformer={"max_seq_length": 16, "do_lower_case": False})), cases(
    Case(TEXTS, pooling="model", normalize=True), Case(TEXTS, pooling="model", normalize=False),
    *(Case(TEXTS[1], pooling=how) for how in ("none", "mean", "cls", "first_token", "last_token", "eos", "max")),
    *(Case([TEXTS[0], TEXTS[3]], pooling=how, normalize=True) for how in ("mean", "cls", "last_token", "max")),
    Case(["", "Hi"], pooling="mean"), Case([TEXTS[1]], pooling="none"), Case(TEXTS[0]), Case(TEXTS[0], pooling="median", error=True)))

checkpoint("roberta", "sentence_cls_dense", "RobertaModel",
           RobertaConfig(**{**A, "max_position_embeddings": 130}, vocab_size=341, type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2),
           with_files(byte_bpe(files="fast"), modules(pooling("cls"), dense(32, 12), NORMALIZE, transformer={"max_seq_length": 20, "do_lower_case": True})),
           cases(), dtype="float16")

checkpoint("distilbert", "sentence_max_dense", "DistilBertModel", DistilBertConfig(dim=32, n_layers=2, n_heads=4, hidden_dim=37, max_position_embeddings=128, vocab_size=320),
           with_files(wordpiece("DistilBertTokenizer", files="fast", model_max_length=14),
                      modules(pooling("max"), dense(32, 16, "torch.nn.modules.linear.Identity", bias=False, file="pytorch_model.bin"))),
           cases(Case([TEXTS[0]], pooling="model", normalize=True)))

checkpoint("mpnet", "sentence_weighted", "MPNetModel", MPNetConfig(**{**A, "max_position_embeddings": 130}, vocab_size=320),
           with_files(wordpiece("MPNetTokenizer", specials=["<s>", "<pad>", "</s>", "<unk>", "[UNK]", "<mask>"], files="both"),
                      modules(pooling("weightedmean"), transformer={"max_seq_length": 12, "do_lower_case": False})), cases(), dtype="bfloat16")

checkpoint("xlm-roberta", "sentence_last", "XLMRobertaModel",
           XLMRobertaConfig(**{**A, "max_position_embeddings": 130}, vocab_size=262, type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2),
           with_files(pieces("XLMRobertaTokenizer"), modules(pooling("lasttoken", new=True), NORMALIZE, names=NEW, settings={
               "__version__": {"sentence_transformers": "6.2.0"}, "default_prompt_name": None, "model_type": "SentenceTransformer", "prompts": {"query": "", "document": ""},
               "similarity_fn_name": "cosine"})), cases(), dtype="float16")

checkpoint("albert", "sentence_sqrt", "AlbertModel", AlbertConfig(**A, embedding_size=16, vocab_size=260),
           with_files(pieces("AlbertTokenizer"), modules(pooling("mean_sqrt_len_tokens"), transformer={"max_seq_length": 24})), cases())

checkpoint("bert", "sentence_cls_and_mean", "BertModel", BertConfig(**A, vocab_size=320),
           with_files(wordpiece(files="fast"), modules(pooling("cls", "mean", "max"), dense(96, 10, "torch.nn.modules.activation.ReLU"), dense(10, 6), NORMALIZE,
                                                       transformer={"max_seq_length": None, "do_lower_case": False})), {
    "feature-extraction": [Case(TEXTS, pooling="model")], "sentence-similarity": [Case(PAIRS)]}, weights="bin")

checkpoint("bert", "sentence_prompt", "BertModel", BertConfig(**A, vocab_size=320),
           with_files(wordpiece(), modules(pooling("mean", include_prompt=False), transformer={"max_seq_length": 32}, settings={
               "prompts": {"query": "question: ", "passage": "text: "}, "default_prompt_name": "query"})), {
    "feature-extraction": [Case(TEXTS, "the default prompt stands before each text and is left out of the mean", pooling="model")], "sentence-similarity": [Case(PAIRS)]},
    dtype="float16")

checkpoint("bert", "sentence_no_modules", "BertModel", BertConfig(**A, vocab_size=320), wordpiece(), {
    "feature-extraction": [Case(TEXTS, "no modules.json: the mean", pooling="model")], "sentence-similarity": [Case(PAIRS)]}, dtype="float16")

T5 = dict(d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4, vocab_size=262)
checkpoint("t5", "sentence", "T5EncoderModel", T5Config(**T5),
           with_files(pieces("T5Tokenizer", extra_ids=5), modules(pooling("mean"), dense(32, 24, "torch.nn.modules.linear.Identity", bias=False), NORMALIZE,
                                                                  transformer={"max_seq_length": 40, "do_lower_case": False})), cases())
# What is beside the encoder is left alone.
checkpoint("t5", "sentence_b", "T5Model",
           T5Config(**{**T5, "d_kv": 6, "num_layers": 3, "num_decoder_layers": 1}, relative_attention_num_buckets=8, relative_attention_max_distance=14, feed_forward_proj="gated-silu",
                    layer_norm_epsilon=1e-3),
           with_files(pieces("T5Tokenizer", files="v4", extra_ids=0), modules(pooling("mean"))), cases(), dtype="float16")
checkpoint("mt5", "sentence", "MT5EncoderModel", MT5Config(**T5), with_files(pieces("T5Tokenizer", files="v4", extra_ids=0), modules(pooling("max"))), cases(), generation=4)
checkpoint("mt5", "sentence_b", "MT5EncoderModel", MT5Config(**{**T5, "d_kv": 10, "num_heads": 3}, relative_attention_num_buckets=12, relative_attention_max_distance=40),
           with_files(pieces("T5Tokenizer", extra_ids=0), modules(pooling("mean"))), cases(), dtype="bfloat16",
           without=("feed_forward_proj", "dense_act_fn", "is_gated_act", "tie_word_embeddings"))
checkpoint("umt5", "sentence", "UMT5EncoderModel", UMT5Config(**T5), with_files(pieces("T5Tokenizer", files="fast", extra_ids=3), modules(pooling("mean"))), cases())
checkpoint("umt5", "sentence_b", "UMT5EncoderModel",
           UMT5Config(**{**T5, "d_kv": 7, "num_layers": 3}, relative_attention_num_buckets=10, relative_attention_max_distance=20, feed_forward_proj="relu"),
           with_files(pieces("T5Tokenizer", files="v4", extra_ids=3), modules(pooling("cls"))), cases(), dtype="bfloat16", generation=4)
LONGER = Case([LONG * 3, TEXTS[0], LONG], "texts of several blocks", pooling="model")
checkpoint("longt5", "sentence", "LongT5EncoderModel", LongT5Config(**T5, local_radius=9),
           with_files(pieces("T5Tokenizer", extra_ids=5, model_max_length=512), modules(pooling("mean"))), cases(LONGER))
checkpoint("longt5", "sentence_b", "LongT5EncoderModel",
           LongT5Config(**{**T5, "d_kv": 6, "num_layers": 3}, local_radius=5, global_block_size=4, encoder_attention_type="transient-global", feed_forward_proj="gated-gelu",
                        relative_attention_num_buckets=10, relative_attention_max_distance=20, tie_word_embeddings=False),
           with_files(pieces("T5Tokenizer", files="v4", extra_ids=5, model_max_length=512), modules(pooling("mean"))), cases(LONGER), generation=4, dtype="float16")

TEXTS_TO_RANK = ["The tower stands in Paris.", "The food was cold.", TEXTS[1], "It is 330 metres high.", "", LONG * 4]
QUERY = {"query": "Where is the tower?", "texts": TEXTS_TO_RANK}
RANKING = [Case(QUERY), Case(QUERY, top_k=2), Case(QUERY, return_documents=True, top_k=3), Case(QUERY, raw_scores=True), Case({"query": "", "texts": ["Hi", "sky"]}),
           Case({"query": "Who?", "texts": ["Ada"]}, return_documents=True)]
checkpoint("bert", "cross_encoder", "BertForSequenceClassification", BertConfig(**A, vocab_size=320, num_labels=1), wordpiece(), {
    "text-ranking": RANKING, "text-classification": [Case({"text": QUERY["query"], "text_pair": TEXTS_TO_RANK[0]}), Case({"text": "Hi", "text_pair": "sky"}, function_to_apply="none")]})
checkpoint("roberta", "cross_encoder_identity", "RobertaForSequenceClassification",
           RobertaConfig(**{**A, "max_position_embeddings": 130}, vocab_size=341, num_labels=1, type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2),
           byte_bpe(specials=ROBERTA), {"text-ranking": RANKING}, dtype="float16",
           extra={"sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity", "version": "4.0.1"}})
checkpoint("distilbert", "cross_encoder_old_identity", "DistilBertForSequenceClassification",
           DistilBertConfig(dim=32, n_layers=2, n_heads=4, hidden_dim=37, max_position_embeddings=128, vocab_size=320, num_labels=1), wordpiece("DistilBertTokenizer", files="fast"),
           {"text-ranking": RANKING[:3]}, extra={"sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"}, dtype="bfloat16")

LABELS = ["sports", "politics", "science", "food"]
SEQUENCE = "The government said that the new law would be good for the economy and public health."
ZERO_SHOT = [
    Case(SEQUENCE, candidate_labels=LABELS), Case(SEQUENCE, candidate_labels="sports, politics ,science"), Case(SEQUENCE, candidate_labels=["politics"]),
    Case(SEQUENCE, candidate_labels="politics"), Case(SEQUENCE, candidate_labels=LABELS, multi_label=True), Case(SEQUENCE, candidate_labels=LABELS, multi_label=False),
    Case(SEQUENCE, candidate_labels=LABELS, hypothesis_template="The text is about {}."), Case(SEQUENCE, candidate_labels=LABELS, hypothesis_template="{}", multi_label=True),
    Case([SEQUENCE, TEXTS[1], TEXTS[2]], candidate_labels=LABELS), Case([SEQUENCE], candidate_labels=LABELS[:2]), Case([SEQUENCE, "Hi"], candidate_labels=LABELS, multi_label=True),
    Case("the film " * 90, "the text is cut, never the hypothesis", candidate_labels=LABELS), Case(TEXTS[1], candidate_labels=["café", "東京", "München"]),
    Case(SEQUENCE, candidate_labels=[], error=True), Case(SEQUENCE, error=True), Case(SEQUENCE, candidate_labels=LABELS, hypothesis_template="No place.", error=True),
    Case("", "an empty text is refused", candidate_labels=LABELS, error=True),
]
for name, names, config in (("zero_shot", ["contradiction", "neutral", "ENTAILMENT"], {}), ("zero_shot_entailment_first", ["entailment", "neutral", "contradiction"], {"hidden_act": "relu"}),
                            ("zero_shot_two_labels", ["entailment", "not_entailment"], {}), ("zero_shot_unnamed", ["LABEL_0", "LABEL_1", "LABEL_2"], {})):
    checkpoint("bert", name, "BertForSequenceClassification", BertConfig(**A, vocab_size=320, **labels(names), **config), wordpiece(),
               {"zero-shot-classification": ZERO_SHOT if name == "zero_shot" else ZERO_SHOT[:2] + ZERO_SHOT[4:5]}, dtype="float32" if name == "zero_shot" else "float16")
checkpoint("roberta", "zero_shot", "RobertaForSequenceClassification",
           RobertaConfig(**{**A, "max_position_embeddings": 130}, vocab_size=341, type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2,
                         **labels(["contradiction", "neutral", "entailment"])), byte_bpe(files="fast"), {"zero-shot-classification": ZERO_SHOT[:11]}, dtype="float16")
