"""Causal language models of GPT-2's time, each with its own positions and its own order of layers."""

from causal import END, GPT2, GPT2_BOTH, GPT2_SAVED, NEOX, causal
from tokenizers_on_disk import bare, byte_bpe

PLAIN = ("$A", "$A $B")
CODEGEN = byte_bpe("CodeGenTokenizer", specials=END, merges=40, pad_token="<|endoftext|>")
BLOOM = bare(["<unk>", "<s>", "</s>", "<pad>"], [], PLAIN, merges=40, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>", padding_side="left")
FALCON = bare([">>TITLE<<"], ["<|endoftext|>"], PLAIN, merges=40, eos_token="<|endoftext|>", pad_token="<|endoftext|>", extra_special_tokens=[">>TITLE<<"])
TINY = dict(n_embd=32, n_layer=2, n_head=2, n_positions=80, n_inner=50)

causal("gptj", "causal_lm", GPT2, dict(TINY, rotary_dim=8))
causal("gptj", "causal_lm_b", GPT2_SAVED, dict(TINY, n_head=4, n_inner=None, rotary_dim=4, tie_word_embeddings=True, activation_function="relu", layer_norm_epsilon=1e-3))

causal("codegen", "causal_lm", CODEGEN, dict(TINY, n_head=4, rotary_dim=6))
causal("codegen", "causal_lm_b", CODEGEN, dict(TINY, n_head=4, rotary_dim=8, n_inner=37, activation_function="relu", layer_norm_epsilon=1e-3))

NEO = dict(hidden_size=32, num_heads=4, intermediate_size=72, max_position_embeddings=80)
causal("gpt_neo", "causal_lm", GPT2, dict(NEO, num_layers=2, attention_types=[[["global", "local"], 1]], window_size=6))
causal("gpt_neo", "causal_lm_b", GPT2_SAVED, dict(NEO, num_layers=3, attention_types=[[["local"], 2], [["global"], 1]], window_size=5, intermediate_size=21, activation_function="relu"))

causal("bloom", "causal_lm", BLOOM, dict(hidden_size=32, n_layer=2, n_head=4))
causal("bloom", "causal_lm_b", BLOOM, dict(hidden_size=30, n_layer=2, n_head=6, apply_residual_connection_post_layernorm=True, layer_norm_epsilon=1e-3))

RAVEN = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, ffn_hidden_size=80, max_position_embeddings=128)
causal("falcon", "causal_lm", FALCON, RAVEN)
causal("falcon", "causal_lm_b", FALCON, dict(RAVEN, new_decoder_architecture=True, num_kv_heads=2, bias=True, tie_word_embeddings=False))
causal("falcon", "causal_lm_alibi", FALCON, dict(RAVEN, alibi=True, parallel_attn=False, multi_query=False, bias=True))
causal("falcon", "causal_lm_one_norm", FALCON, dict(RAVEN, new_decoder_architecture=True, num_kv_heads=1, num_ln_in_parallel_attn=1,
                                                    rope_parameters={"rope_type": "default", "rope_theta": 100.0}), generation=4)

causal("gpt_bigcode", "causal_lm", GPT2_BOTH, TINY)
causal("gpt_bigcode", "causal_lm_b", GPT2_SAVED, dict(TINY, n_head=4, n_inner=37, multi_query=False, activation_function="relu", tie_word_embeddings=False))

MPT = dict(d_model=32, n_heads=4, n_layers=2, max_seq_len=128)
causal("mpt", "causal_lm", NEOX, MPT)
causal("mpt", "causal_lm_b", NEOX, dict(MPT, d_model=30, n_heads=6, layer_norm_epsilon=1e-3, tie_word_embeddings=False,
                                        attn_config={"clip_qkv": 0.3, "softmax_scale": 0.8}))
