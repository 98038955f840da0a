"""modernbert, nomic_bert, eurobert, roformer: encoders with rotary positions."""

from common import TEXTS, Case
from heads import family
from tokenizers_on_disk import bare, wordpiece

LONG = {"feature-extraction": [Case(TEXTS[0]), Case([*TEXTS[1:], ""]), Case(" ".join(TEXTS), "several times the local window")]}
TEXT_HEADS = ["plain", "sequence_classification", "token_classification", "masked_lm"]

MODERN = bare(["<|padding|>"], ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"], ("[CLS] $A [SEP]", "[CLS] $A [SEP] $B [SEP]"), unk_token="[UNK]", cls_token="[CLS]",
              sep_token="[SEP]", pad_token="[PAD]", mask_token="[MASK]", model_input_names=["input_ids", "attention_mask"])
A = dict(hidden_size=32, num_hidden_layers=4, num_attention_heads=4, intermediate_size=37, max_position_embeddings=256, local_attention=8, global_attn_every_n_layers=3,
         classifier_pooling="mean", pad_token_id=0, cls_token_id=1, sep_token_id=2, bos_token_id=1, eos_token_id=2)
family("modernbert", "ModernBert", A, MODERN, replace={"plain": LONG}, saving={
    "sequence_classification": dict(generation=4, without=["rope_parameters", "layer_types"],
                                    extra=dict(global_rope_theta=160000.0, local_rope_theta=10000.0, global_attn_every_n_layers=3)),
    "plain": dict(dtype="bfloat16"),
    "token_classification": dict(dtype="bfloat16"),
    "masked_lm": dict(weights="sharded"),
})
B = dict(A, num_hidden_layers=3, num_attention_heads=2, local_attention=12, classifier_pooling="cls", norm_bias=True, attention_bias=True, mlp_bias=True, decoder_bias=False,
         classifier_bias=True, hidden_activation="silu", classifier_activation="relu", norm_eps=1e-3)
ROPE = dict(layer_types=["sliding_attention", "full_attention", "sliding_attention"],
            rope_parameters={"full_attention": {"rope_type": "default", "rope_theta": 2000.0}, "sliding_attention": {"rope_type": "default", "rope_theta": 100.0}})
family("modernbert", "ModernBert", {**B, **ROPE}, MODERN, TEXT_HEADS, "_b", replace={"plain": LONG})
family("modernbert", "ModernBert", dict(B, global_attn_every_n_layers=2, tie_word_embeddings=False), MODERN, ["masked_lm", "plain"], "_c", replace={"plain": LONG}, saving={
    "plain": dict(generation=4, without=["rope_parameters", "layer_types"], dtype="float16",
                  extra=dict(global_attn_every_n_layers=2, global_rope_theta=160000.0, local_rope_theta=10000.0)),
})


N = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=37, max_position_embeddings=256, type_vocab_size=2)
family("nomic_bert", "NomicBert", N, wordpiece(), TEXT_HEADS, saving={"plain": dict(tokenizer=wordpiece(files="fast"))})
family("nomic_bert", "NomicBert", N, wordpiece(), ["plain"], "_own_keys", own_keys=True)
family("nomic_bert", "NomicBert", dict(N, num_attention_heads=2, hidden_act="gelu", layer_norm_eps=1e-5, rope_parameters={"rope_type": "default", "rope_theta": 50.0}),
       wordpiece(lower=False, files="fast"), ["plain", "sequence_classification", "masked_lm"], "_b", saving={"sequence_classification": dict(dtype="float16"),
                                                                                                                          "masked_lm": dict(weights="sharded")})

EURO = bare([], ["<|begin_of_text|>", "<|end_of_text|>", "<|mask|>", "<|pad|>"], ("<|begin_of_text|> $A <|end_of_text|>",
            "<|begin_of_text|> $A <|end_of_text|> <|begin_of_text|> $B:1 <|end_of_text|>:1"), bos_token="<|begin_of_text|>", eos_token="<|end_of_text|>",
            mask_token="<|mask|>", pad_token="<|pad|>", model_input_names=["input_ids", "attention_mask"])
E = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=37, max_position_embeddings=256, pad_token_id=3, bos_token_id=0,
         eos_token_id=1, mask_token_id=2, rope_parameters={"rope_type": "default", "rope_theta": 250000.0})
family("eurobert", "EuroBert", E, EURO, TEXT_HEADS, mask="<|mask|>", saving={"sequence_classification": dict(generation=4), "masked_lm": dict(dtype="bfloat16")})
family("eurobert", "EuroBert", dict(E, num_key_value_heads=4, attention_bias=True, mlp_bias=True, hidden_act="gelu", classifier_pooling="mean", rms_norm_eps=1e-3,
                                    rope_parameters={"rope_type": "default", "rope_theta": 100.0}, head_dim=12), EURO,
       ["plain", "sequence_classification"], "_b", mask="<|mask|>")
family("eurobert", "EuroBert", dict(E, num_key_value_heads=1, classifier_pooling="bos", tie_word_embeddings=True), EURO, ["sequence_classification", "masked_lm"], "_c", mask="<|mask|>")

R = dict(hidden_size=32, embedding_size=16, num_hidden_layers=2, num_attention_heads=4, intermediate_size=37, max_position_embeddings=128, rotary_value=False)
family("roformer", "RoFormer", R, wordpiece(), saving={"token_classification": dict(tokenizer=wordpiece(files="fast")), "masked_lm": dict(weights="bin")})
family("roformer", "RoFormer", dict(R, embedding_size=32, rotary_value=True, num_attention_heads=2, hidden_act="relu", type_vocab_size=3, layer_norm_eps=1e-5),
       wordpiece(files="fast"), ["plain", "sequence_classification", "masked_lm"], "_b", saving={"sequence_classification": dict(dtype="float16")})
