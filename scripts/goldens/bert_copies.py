"""BERT and RoBERTa under other names, and with norms before each part."""

from heads import family
from tokenizers_on_disk import byte_bpe, wordpiece

A = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=37, max_position_embeddings=130)
B = dict(A, num_hidden_layers=1, num_attention_heads=3, hidden_size=36, intermediate_size=64, hidden_act="relu", layer_norm_eps=1e-5)
PADDED = dict(pad_token_id=1, bos_token_id=0, eos_token_id=2, layer_norm_eps=1e-5)

family("ernie", "Ernie", dict(A, type_vocab_size=2), wordpiece())
family("ernie", "Ernie", dict(B, use_task_id=True, type_vocab_size=4), wordpiece(files="fast"), ["plain", "sequence_classification", "masked_lm"], "_b")

family("data2vec-text", "Data2VecText", A | PADDED | dict(type_vocab_size=1), byte_bpe(), mask="<mask>")
family("data2vec-text", "Data2VecText", B | PADDED | dict(type_vocab_size=1), byte_bpe(files="fast"), ["plain", "sequence_classification"], "_b", mask="<mask>")

family("megatron-bert", "MegatronBert", dict(A, type_vocab_size=2), wordpiece())
family("megatron-bert", "MegatronBert", dict(B, type_vocab_size=4), wordpiece(files="fast"), ["plain", "sequence_classification"], "_b")

family("roberta-prelayernorm", "RobertaPreLayerNorm", A | PADDED | dict(type_vocab_size=1), byte_bpe(), mask="<mask>")
family("roberta-prelayernorm", "RobertaPreLayerNorm", B | PADDED | dict(type_vocab_size=1), byte_bpe(files="fast"), ["plain", "sequence_classification"], "_b", mask="<mask>")
