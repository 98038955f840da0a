"""Causal language models whose feed-forward layers are mixtures of experts.

The second shape of each keeps the matrices of all experts in one tensor, as the reference's own modules do.
"""

from causal import GPT2_BOTH, GPT2_SAVED, GROUPED, LLAMA, LLAMA3, NEOX, QWEN, SMALL, causal
from tokenizers_on_disk import byte_bpe


def rope(theta, kind="default", **more):
    return {"rope_parameters": {"rope_type": kind, "rope_theta": theta, **more}}


TINY = dict(GROUPED, intermediate_size=12)
QWEN2 = byte_bpe("Qwen2Tokenizer", **QWEN)
QWEN2_FAST = byte_bpe("Qwen2Tokenizer", files="fast", **QWEN)

causal("mixtral", "causal_lm", LLAMA, dict(TINY, num_local_experts=4))
causal("mixtral", "causal_lm_b", LLAMA3, dict(TINY, num_local_experts=5, num_experts_per_tok=3, sliding_window=7, head_dim=12, tie_word_embeddings=True, hidden_act="gelu", **rope(100.0)), own_keys=True)

SHARED = dict(TINY, num_experts=6, num_experts_per_tok=2, moe_intermediate_size=8, shared_expert_intermediate_size=14)
causal("qwen2_moe", "causal_lm", QWEN2, SHARED)
causal("qwen2_moe", "causal_lm_b", QWEN2_FAST, dict(SHARED, num_hidden_layers=3, num_experts_per_tok=3, norm_topk_prob=True, qkv_bias=False, mlp_only_layers=[0], use_sliding_window=True, sliding_window=6,
                                                    max_window_layers=2, tie_word_embeddings=True, **rope(100.0)), own_keys=True)

causal("qwen3_moe", "causal_lm", QWEN2, dict(TINY, head_dim=8, num_experts=8, num_experts_per_tok=3, moe_intermediate_size=8, norm_topk_prob=True))
causal("qwen3_moe", "causal_lm_b", QWEN2_FAST, dict(TINY, num_attention_heads=3, num_key_value_heads=1, head_dim=14, num_experts=5, num_experts_per_tok=2, moe_intermediate_size=12, decoder_sparse_step=2,
                                                    attention_bias=True, tie_word_embeddings=True, use_sliding_window=True, sliding_window=6), own_keys=True, generation=4)

causal("olmoe", "causal_lm", NEOX, dict(TINY, num_experts=6, num_experts_per_tok=2))
causal("olmoe", "causal_lm_b", NEOX, dict(TINY, num_key_value_heads=1, num_experts=5, num_experts_per_tok=3, norm_topk_prob=True, clip_qkv=0.8, attention_bias=True, tie_word_embeddings=True, **rope(100.0)),
       own_keys=True, generation=4)

GRANITE = dict(TINY, embedding_multiplier=6.0, logits_scaling=2.0, residual_multiplier=0.5, attention_multiplier=0.2)
causal("granitemoe", "causal_lm", GPT2_BOTH, dict(GRANITE, num_local_experts=4))
causal("granitemoe", "causal_lm_b", GPT2_SAVED, dict(TINY, num_key_value_heads=1, num_local_experts=6, num_experts_per_tok=3, attention_bias=True, tie_word_embeddings=True, hidden_act="gelu", embedding_multiplier=0.7, logits_scaling=0.5,
                                                     residual_multiplier=1.3, attention_multiplier=0.6, **rope(100.0)),
       own_keys=True, generation=4)

ERNIE = dict(TINY, moe_num_experts=5, moe_k=2, moe_intermediate_size=8, moe_num_shared_experts=1)
causal("ernie4_5_moe", "causal_lm", LLAMA, ERNIE)
causal("ernie4_5_moe", "causal_lm_b", LLAMA3, dict(ERNIE, num_hidden_layers=3, moe_num_shared_experts=0, moe_k=3, moe_layer_start_index=0, moe_layer_interval=2, use_bias=True, tie_word_embeddings=False, **rope(100.0)),
       own_keys=True)
