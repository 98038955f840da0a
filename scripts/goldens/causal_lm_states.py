"""Causal language models that keep states of the tokens so far, in all layers or in most."""

from causal import GPT2_BOTH, GPT2_SAVED, LLAMA, LLAMA3, NEOX, QWEN, SMALL, causal
from tokenizers_on_disk import byte_bpe

LFM = dict(hidden_size=32, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, intermediate_size=48, block_multiple_of=8, max_position_embeddings=128)
causal("lfm2", "causal_lm", LLAMA3, dict(LFM, layer_types=["conv", "full_attention", "conv"]))
causal("lfm2", "causal_lm_b", LLAMA, dict(LFM, num_key_value_heads=1, full_attn_idxs=[1], conv_L_cache=5, conv_bias=True, norm_eps=1e-3, tie_word_embeddings=False, block_auto_adjust_ff_dim=False,
                                          rope_parameters=dict(rope_type="default", rope_theta=100.0)),
       generation=4, coupled="side by side: the bias of in_proj fills the padding, which the convolution sees")

BESIDE = "side by side: the bias of in_proj fills the padding, which the convolution sees"
CHANNELS = dict(hidden_size=24, num_hidden_layers=3, state_size=6)
causal("mamba", "causal_lm", NEOX, CHANNELS)
causal("mamba", "causal_lm_b", GPT2_SAVED, dict(CHANNELS, expand=3, conv_kernel=3, time_step_rank=5, state_size=5, use_bias=True, use_conv_bias=False, hidden_act="gelu",
                                                layer_norm_epsilon=1e-3, tie_word_embeddings=False), coupled=BESIDE)

causal("falcon_mamba", "causal_lm", NEOX, CHANNELS)
causal("falcon_mamba", "causal_lm_b", GPT2_SAVED, dict(CHANNELS, conv_kernel=2, time_step_rank=3, state_size=4, use_bias=True, mixer_rms_eps=0.1, tie_word_embeddings=False), coupled=BESIDE)

HEADS = dict(hidden_size=24, num_hidden_layers=2, num_heads=4, head_dim=12, state_size=6, n_groups=1, chunk_size=4)
causal("mamba2", "causal_lm", NEOX, HEADS)
causal("mamba2", "causal_lm_b", GPT2_SAVED, dict(HEADS, expand=1, num_heads=6, head_dim=4, n_groups=3, conv_kernel=3, use_bias=True, use_conv_bias=False, hidden_act="gelu",
                                                 layer_norm_epsilon=1e-3, tie_word_embeddings=True, time_step_limit=(0.2, 0.9)), coupled=BESIDE)

FALCON_H1 = dict(SMALL, num_key_value_heads=2, mamba_d_ssm=24, mamba_n_heads=4, mamba_d_state=6, mamba_chunk_size=8)
causal("falcon_h1", "causal_lm", GPT2_SAVED, FALCON_H1)
causal("falcon_h1", "causal_lm_b", NEOX, dict(FALCON_H1, num_key_value_heads=1, mamba_d_ssm=None, mamba_expand=1, mamba_n_groups=2, mamba_d_conv=3, mamba_rms_norm=True, mamba_norm_before_gate=False,
                                              projectors_bias=True, attention_bias=True, mlp_bias=True, rms_norm_eps=1e-3, tie_word_embeddings=True, lm_head_multiplier=0.7,
                                              embedding_multiplier=2.5, mlp_multipliers=[0.8, 1.4], key_multiplier=0.6, attention_out_multiplier=1.2, attention_in_multiplier=0.9,
                                              ssm_multipliers=[0.7, 1.1, 1.3, 0.9, 0.5], ssm_in_multiplier=1.2, ssm_out_multiplier=0.8))
causal("falcon_h1", "causal_lm_norm_first", NEOX, dict(FALCON_H1, num_hidden_layers=1, mamba_n_groups=2, mamba_rms_norm=True, mamba_conv_bias=False))

GRANITE = dict(SMALL, num_key_value_heads=2, num_hidden_layers=3, shared_intermediate_size=20, mamba_n_heads=4, mamba_d_state=6, mamba_expand=1, mamba_chunk_size=8,
               embedding_multiplier=6.0, logits_scaling=2.0, residual_multiplier=0.5, attention_multiplier=0.2)
causal("granitemoehybrid", "causal_lm", GPT2_BOTH, dict(GRANITE, layer_types=["linear_attention", "full_attention", "linear_attention"], num_local_experts=0, num_experts_per_tok=0))
causal("granitemoehybrid", "causal_lm_b", GPT2_SAVED, dict(GRANITE, num_hidden_layers=2, layer_types=["full_attention", "linear_attention"], intermediate_size=12, num_local_experts=4,
                                                           num_experts_per_tok=2, position_embedding_type="rope", mamba_n_groups=2, mamba_d_conv=3, mamba_conv_bias=False,
                                                           rms_norm_eps=1e-3, tie_word_embeddings=True, embedding_multiplier=0.7, rope_parameters=dict(rope_type="default", rope_theta=100.0)),
       extra_fields={"layer_types": ["attention", "mamba"]})

NEXT = dict(SMALL, num_key_value_heads=2, num_hidden_layers=3, head_dim=8, linear_key_head_dim=6, linear_value_head_dim=4, linear_num_key_heads=2, linear_num_value_heads=4,
            rope_parameters=dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.5))
SPARSE = dict(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=8, shared_expert_intermediate_size=12)
TYPES = ["linear_attention", "full_attention", "linear_attention"]
QWEN_NEXT = byte_bpe("Qwen2Tokenizer", files="fast", **QWEN)
causal("qwen3_next", "causal_lm", QWEN_NEXT, dict(NEXT | SPARSE, num_hidden_layers=2, layer_types=TYPES[:2]))
causal("qwen3_next", "causal_lm_b", QWEN_NEXT, dict(NEXT, num_experts=0, num_key_value_heads=1, head_dim=16, linear_num_value_heads=2, linear_value_head_dim=10, linear_conv_kernel_dim=3,
                                                    full_attention_interval=2, attention_bias=True, tie_word_embeddings=True, rms_norm_eps=1e-3, hidden_act="gelu",
                                                    rope_parameters=dict(rope_type="default", rope_theta=100.0)), generation=4)
causal("qwen3_next", "causal_lm_mixed", QWEN_NEXT, dict(NEXT | SPARSE, layer_types=TYPES, mlp_only_layers=[0], norm_topk_prob=False, linear_num_key_heads=1, decoder_sparse_step=1))

causal("qwen3_5_text", "causal_lm", QWEN_NEXT, dict(NEXT, layer_types=TYPES))
causal("qwen3_5_text", "causal_lm_b", QWEN_NEXT, dict(NEXT, num_key_value_heads=1, head_dim=16, linear_num_value_heads=2, linear_value_head_dim=10, linear_conv_kernel_dim=3,
                                                      full_attention_interval=2, attention_bias=True, tie_word_embeddings=True, rms_norm_eps=1e-3,
                                                      rope_parameters=dict(rope_type="default", rope_theta=100.0, partial_rotary_factor=0.25, mrope_section=[1, 1, 0], mrope_interleaved=True)))

causal("qwen3_5_moe_text", "causal_lm", QWEN_NEXT, dict(NEXT | SPARSE, num_hidden_layers=2, layer_types=TYPES[:2]))
causal("qwen3_5_moe_text", "causal_lm_b", QWEN_NEXT, dict(NEXT | SPARSE, num_hidden_layers=2, num_experts_per_tok=3, num_key_value_heads=1, linear_num_key_heads=1, full_attention_interval=2,
                                                          tie_word_embeddings=True, rms_norm_eps=1e-3, rope_parameters=dict(rope_type="default", rope_theta=100.0, partial_rotary_factor=0.25)))

EXPERTS = dict(SMALL, num_hidden_layers=3, num_key_value_heads=2, intermediate_size=24, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=12, num_dense_layers=1)
causal("lfm2_moe", "causal_lm", LLAMA3, dict(EXPERTS, layer_types=["conv", "full_attention", "conv"]))
causal("lfm2_moe", "causal_lm_b", LLAMA3, dict(EXPERTS, num_hidden_layers=2, layer_types=["full_attention", "conv"], num_experts_per_tok=3, use_expert_bias=False, norm_topk_prob=False,
                                               routed_scaling_factor=1.7, conv_L_cache=4, norm_eps=1e-3, tie_word_embeddings=False))

BAMBA = dict(SMALL, num_hidden_layers=3, num_key_value_heads=2, mamba_n_heads=4, mamba_d_state=6, mamba_expand=1, mamba_chunk_size=8)
causal("bamba", "causal_lm", GPT2_SAVED, dict(BAMBA, attn_layer_indices=[1]))
causal("bamba", "causal_lm_b", NEOX, dict(BAMBA, num_hidden_layers=2, attn_layer_indices=[0], num_key_value_heads=1, mamba_n_groups=2, mamba_d_conv=3, mamba_conv_bias=False, attention_bias=True,
                                          mlp_bias=True, rms_norm_eps=1e-3, tie_word_embeddings=True), generation=4)

NEMOTRON_H = dict(hidden_size=32, num_attention_heads=4, num_key_value_heads=2, head_dim=8, intermediate_size=30, ssm_state_size=6, mamba_num_heads=4, mamba_head_dim=8, n_groups=1, chunk_size=8,
                  moe_intermediate_size=12, moe_shared_expert_intermediate_size=20, n_routed_experts=4)
causal("nemotron_h", "causal_lm", NEOX, dict(NEMOTRON_H, layers_block_type=["linear_attention", "moe", "full_attention", "mlp"]))
causal("nemotron_h", "causal_lm_b", GPT2_SAVED, dict(NEMOTRON_H, layers_block_type=["linear_attention", "full_attention", "moe"], num_key_value_heads=1, head_dim=12, mamba_num_heads=6, mamba_head_dim=6,
                                                     n_groups=2, conv_kernel=3, use_conv_bias=False, mlp_bias=True, mlp_hidden_act="silu", moe_latent_size=8, n_group=2, norm_topk_prob=False,
                                                     routed_scaling_factor=1.6, layer_norm_epsilon=1e-3),
       without=["layers_block_type", "layer_types"], extra_fields={"hybrid_override_pattern": "M*E"})

JAMBA = dict(hidden_size=32, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2, intermediate_size=16, mamba_d_state=6, mamba_expand=1, num_experts=4, attn_layer_period=3,
             attn_layer_offset=1, expert_layer_period=2, expert_layer_offset=1)
causal("jamba", "causal_lm", NEOX, JAMBA, dtype="float16")
causal("jamba", "causal_lm_b", LLAMA, dict(JAMBA, num_hidden_layers=3, num_key_value_heads=1, num_experts_per_tok=3, expert_layer_offset=0, attn_layer_offset=2, mamba_d_conv=3, mamba_dt_rank=5,
                                           mamba_conv_bias=False, mamba_proj_bias=False, rms_norm_eps=1e-3, hidden_act="gelu", tie_word_embeddings=True), own_keys=True, dtype="float16")

ZAMBA2 = dict(hidden_size=24, num_hidden_layers=4, num_attention_heads=3, intermediate_size=20, mamba_d_state=6, mamba_expand=1, n_mamba_heads=4, chunk_size=4, adapter_rank=3)
causal("zamba2", "causal_lm", LLAMA, dict(ZAMBA2, layers_block_type=["linear_attention", "hybrid", "linear_attention", "hybrid"]))
causal("zamba2", "causal_lm_b", LLAMA3, dict(ZAMBA2, num_hidden_layers=5, mamba_ngroups=2, mamba_d_conv=3, layers_block_type=["linear_attention", "hybrid", "hybrid", "linear_attention", "hybrid"],
                                             num_mem_blocks=2, use_shared_attention_adapter=True, use_mem_rope=True, hidden_act="silu", rms_norm_eps=1e-3, tie_word_embeddings=False,
                                             rope_parameters=dict(rope_type="default", rope_theta=100.0)), extra_fields={"layers_block_type": ["mamba", "hybrid", "hybrid", "mamba", "hybrid"]}, dtype="float16", steady=True)
