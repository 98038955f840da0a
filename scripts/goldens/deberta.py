"""deberta, deberta-v2 and -v3: attention to relative positions in its several ways."""

from common import TEXTS, Case
from heads import OLD_NORMS, family
from tokenizers_on_disk import DEBERTA, byte_bpe, pieces

LONG = {"feature-extraction": [Case(TEXTS[0]), Case([*TEXTS[1:], ""]), Case(" ".join(TEXTS), "longer than the buckets")]}
SHAPE = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=37, max_position_embeddings=128, type_vocab_size=0, layer_norm_eps=1e-7,
             pad_token_id=0)

V1 = dict(SHAPE, relative_attention=True, pos_att_type="c2p|p2c", position_biased_input=False, max_relative_positions=-1)
BPE = dict(specials=DEBERTA, add_prefix_space=False)
family("deberta", "Deberta", V1, byte_bpe("DebertaTokenizer", **BPE), replace={"plain": LONG}, saving={
    "plain": dict(tokenizer=byte_bpe("DebertaTokenizer", files="fast", **BPE), dtype="float16"),
    "token_classification": dict(tokenizer=byte_bpe("DebertaTokenizer", files="v4", **BPE)),
    "masked_lm": dict(extra=dict(pos_att_type="c2p|p2c"), generation=4),
    "sequence_classification": dict(weights="bin", rename=OLD_NORMS, extra=dict(pos_att_type="c2p|p2c")),
})
family("deberta", "Deberta", dict(V1, pos_att_type=["c2p"], position_biased_input=True, type_vocab_size=2, max_relative_positions=9, legacy=False, hidden_act="gelu_new",
                                  pooler_hidden_act="tanh", embedding_size=20, num_attention_heads=2),
       byte_bpe("DebertaTokenizer", files="both", **BPE), ["plain", "sequence_classification"], "_b", replace={"plain": LONG})
family("deberta", "Deberta", dict(V1, legacy=False, pos_att_type=["p2c"], talking_head=True), byte_bpe("DebertaTokenizer", **BPE), ["masked_lm", "plain"], "_c",
       replace={"plain": LONG})
family("deberta", "Deberta", dict(SHAPE, relative_attention=False, position_biased_input=True), byte_bpe("DebertaTokenizer", **BPE), ["plain"], "_d")

V3 = dict(SHAPE, relative_attention=True, pos_att_type="p2c|c2p", position_biased_input=False, max_relative_positions=-1, position_buckets=8, norm_rel_ebd="layer_norm",
          share_att_key=True)
family("deberta-v2", "DebertaV2", V3, pieces("DebertaV2Tokenizer", do_lower_case=False), replace={"plain": LONG}, saving={
    "plain": dict(tokenizer=pieces("DebertaV2Tokenizer", files="fast", do_lower_case=False)),
    "sequence_classification": dict(extra=dict(pos_att_type="p2c|c2p"), dtype="float16", generation=4),
    "token_classification": dict(tokenizer=pieces("DebertaV2Tokenizer", files="both", do_lower_case=True)),
    "masked_lm": dict(tokenizer=pieces("DebertaV2Tokenizer", files="v4", do_lower_case=False), weights="bin"),
    "question_answering": dict(tokenizer=pieces("DebertaV2Tokenizer", files="fast", do_lower_case=False)),
})
family("deberta-v2", "DebertaV2", dict(V3, conv_kernel_size=3, conv_act="gelu", attention_head_size=8, pooler_hidden_act="tanh"), pieces("DebertaV2Tokenizer", split_by_punct=True),
       ["plain", "sequence_classification"], "_b", replace={"plain": LONG}, saving={"sequence_classification": dict(weights="sharded")})
family("deberta-v2", "DebertaV2", dict(SHAPE, relative_attention=True, pos_att_type=["c2p", "p2c"], max_relative_positions=11, position_biased_input=True, type_vocab_size=2,
                                       embedding_size=20, conv_kernel_size=5, conv_groups=2, num_attention_heads=2, hidden_act="relu"),
       pieces("DebertaV2Tokenizer", files="fast"), ["plain", "sequence_classification"], "_c", replace={"plain": LONG})
family("deberta-v2", "DebertaV2", dict(SHAPE, relative_attention=True, pos_att_type=["p2c"], position_buckets=6, norm_rel_ebd="none", position_biased_input=False,
                                       legacy=False),
       pieces("DebertaV2Tokenizer"), ["plain", "token_classification", "masked_lm"], "_d", replace={"plain": LONG}, saving={"masked_lm": dict(dtype="bfloat16")})
