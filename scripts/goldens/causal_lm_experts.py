"""Causal language models whose feed-forward layers are mixtures of experts.

The second shape of each keeps the matrices of all experts in one tensor, as the reference's own modules do.
"""

from causal import GPT2_BOTH, GPT2_SAVED, GROUPED, LLAMA, LLAMA3, MODELS, NEOX, QWEN, SMALL, causal
from common import wanted
from mxfp4 import coarse, pack
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

YARN = dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=16, beta_fast=4.0, beta_slow=1.0)
V3 = dict(SMALL, q_lora_rank=12, kv_lora_rank=16, qk_nope_head_dim=8, qk_rope_head_dim=4, v_head_dim=6, n_routed_experts=8, n_group=4, topk_group=2, num_experts_per_tok=3, moe_intermediate_size=8,
          n_shared_experts=1, first_k_dense_replace=1, max_position_embeddings=64)
causal("deepseek_v3", "causal_lm", LLAMA3, dict(V3, rope_parameters=dict(YARN, mscale=1.0, mscale_all_dim=0.7)))
causal("deepseek_v3", "causal_lm_b", LLAMA, dict(V3, q_lora_rank=None, kv_lora_rank=10, qk_rope_head_dim=6, v_head_dim=9, n_group=1, topk_group=1, n_routed_experts=6, first_k_dense_replace=0,
                                                  norm_topk_prob=False, routed_scaling_factor=1.5, rope_interleave=False, attention_bias=True, tie_word_embeddings=True, rms_norm_eps=1e-3, **rope(100.0)),
       own_keys=True)

V2 = dict(V3, topk_method="greedy", n_group=None, topk_group=None, n_shared_experts=2, norm_topk_prob=False)
causal("deepseek_v2", "causal_lm", LLAMA3, dict(V2, q_lora_rank=None, rope_parameters=dict(YARN, mscale=0.7, mscale_all_dim=0.7)))
causal("deepseek_v2", "causal_lm_b", LLAMA, dict(V2, topk_method="group_limited_greedy", n_group=4, topk_group=2, routed_scaling_factor=4.0, first_k_dense_replace=0, attention_bias=True, mlp_bias=True,
                                                 tie_word_embeddings=True, n_shared_experts=1, rms_norm_eps=1e-3, **rope(100.0)), own_keys=True, generation=4)

OSS = dict(TINY, head_dim=8, num_local_experts=4, num_experts_per_tok=2, sliding_window=6)
causal("gpt_oss", "causal_lm", LLAMA3, OSS)
causal("gpt_oss", "causal_lm_b", LLAMA, dict(OSS, num_hidden_layers=3, num_key_value_heads=1, head_dim=12, layer_types=["full_attention", "sliding_attention", "full_attention"], num_local_experts=5,
                                             num_experts_per_tok=3, swiglu_alpha=1.2, swiglu_limit=0.6, attention_bias=False, tie_word_embeddings=True, rms_norm_eps=1e-3,
                                             rope_parameters=dict(YARN, truncate=False)), generation=4)
# The answers are those of the same numbers in 32 bits: the reference computes with 4 only on other devices.
causal("gpt_oss", "causal_lm_mxfp4", LLAMA3, dict(OSS, intermediate_size=32), adjust=coarse)
if wanted("gpt_oss", "causal_lm_mxfp4"):
    pack(MODELS / "gpt_oss" / "causal_lm_mxfp4")

LLAMA4 = dict(TINY, intermediate_size_mlp=20, head_dim=8, num_local_experts=4, attention_chunk_size=6, no_rope_layers=[1, 0])
causal("llama4_text", "causal_lm", LLAMA3, LLAMA4)
causal("llama4_text", "causal_lm_b", LLAMA, dict(LLAMA4, num_hidden_layers=4, num_key_value_heads=1, num_local_experts=3, num_experts_per_tok=2, use_qk_norm=False, no_rope_layers=None, no_rope_layer_interval=3,
                                                 interleave_moe_layer_step=2, attn_temperature_tuning=True, floor_scale=5, attn_scale=0.9, attention_bias=True, tie_word_embeddings=True, **rope(100.0)),
       generation=4, coupled="side by side: padding counts as positions where scores grow with them")

CORRECTED = dict(TINY, n_routed_experts=6, num_experts_per_tok=2, moe_intermediate_size=8, n_shared_experts=1, n_group=1, topk_group=1, first_k_dense_replace=1)
causal("glm4_moe", "causal_lm", LLAMA3, dict(CORRECTED, head_dim=16))
causal("glm4_moe", "causal_lm_b", LLAMA, dict(CORRECTED, num_key_value_heads=1, head_dim=12, n_group=3, topk_group=2, num_experts_per_tok=3, n_shared_experts=2, norm_topk_prob=False, routed_scaling_factor=1.5,
                                              first_k_dense_replace=0, use_qk_norm=True, attention_bias=True, tie_word_embeddings=True, **rope(100.0, partial_rotary_factor=0.34)), own_keys=True)
causal("dots1", "causal_lm", LLAMA3, dict(CORRECTED, head_dim=8, sliding_window=6, max_window_layers=1))
causal("dots1", "causal_lm_b", LLAMA, dict(CORRECTED, num_key_value_heads=1, head_dim=12, n_group=2, topk_group=1, first_k_dense_replace=0, norm_topk_prob=True, routed_scaling_factor=1.5, sliding_window=None,
                                           attention_bias=True, tie_word_embeddings=True, **rope(100.0)), own_keys=True, generation=4)
