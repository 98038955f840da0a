"""Causal language models that are little else than ones before them, newer and older."""

from causal import GEMMA, GPT2, GPT2_BOTH, GPT2_SAVED, GROUPED, LAYERS, LLAMA, LLAMA3, NEOX, SHAPES, SMALL, WIDE, causal, classifier, rope, tagger

LLAMA3_ROPE = dict(rope_type="llama3", rope_theta=500.0, factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16)

APERTUS = dict(GROUPED, hidden_act="xielu")
causal("apertus", "causal_lm", LLAMA3, dict(APERTUS, rope_parameters=LLAMA3_ROPE))
causal("apertus", "causal_lm_b", LLAMA, dict(APERTUS, num_key_value_heads=1, attention_bias=True, tie_word_embeddings=True, rms_norm_eps=1e-3), without=["rope_parameters"])

def fainter(model):
    """Words that are scaled up would leave nothing else to see."""
    model.biogpt.embed_tokens.weight.data.mul_(0.3)


causal("biogpt", "causal_lm", GPT2, SMALL, adjust=fainter)
causal("biogpt", "causal_lm_b", GPT2_SAVED, dict(SMALL, hidden_size=30, num_attention_heads=5, hidden_act="relu", scale_embedding=False, layer_norm_eps=1e-3, tie_word_embeddings=False))

causal("cwm", "causal_lm", LLAMA3, dict(GROUPED, head_dim=8, sliding_window=6, layer_types=LAYERS["layer_types"], rope_parameters=LLAMA3_ROPE))
causal("cwm", "causal_lm_b", LLAMA3, dict(GROUPED, num_hidden_layers=3, num_key_value_heads=1, head_dim=12, sliding_window=5, mlp_bias=True, tie_word_embeddings=True),
       without=["rope_parameters", "layer_types"])

causal("hyperclovax", "causal_lm", GPT2_BOTH, dict(GROUPED, embedding_multiplier=6.0, logits_scaling=0.5, residual_multiplier=0.5))
causal("hyperclovax", "causal_lm_b", GPT2_SAVED, dict(GROUPED, num_key_value_heads=1, use_post_norm=False, attention_bias=True, mlp_bias=True, tie_word_embeddings=True, attention_multiplier=0.6,
                                                      embedding_multiplier=0.7, logits_scaling=2.0, residual_multiplier=1.3, **rope(100.0)))

causal("internlm3", "causal_lm", LLAMA, dict(GROUPED, head_dim=8))
causal("internlm3", "causal_lm_b", LLAMA, dict(GROUPED, num_key_value_heads=1, head_dim=12, attention_bias=True, mlp_bias=True, tie_word_embeddings=True, rms_norm_eps=1e-3, **rope(100.0)), generation=4,
       without=["attention_bias", "mlp_bias"], extra_fields={"qkv_bias": True, "bias": True})

causal("iquestcoder", "causal_lm", LLAMA, dict(GROUPED, head_dim=8))
causal("iquestcoder", "causal_lm_b", LLAMA, dict(GROUPED, num_key_value_heads=1, head_dim=12, attention_bias=True, mlp_bias=True, tie_word_embeddings=True, rms_norm_eps=1e-3, **rope(100.0)), generation=4)

causal("jais2", "causal_lm", GPT2, GROUPED)
causal("jais2", "causal_lm_b", GPT2_SAVED, dict(GROUPED, num_key_value_heads=1, head_dim=12, attention_bias=False, mlp_bias=False, hidden_act="gelu", layer_norm_eps=1e-3, tie_word_embeddings=True,
                                                **rope(100.0)), generation=4)

LATENT = dict(SMALL, q_lora_rank=12, kv_lora_rank=16, qk_nope_head_dim=8, qk_rope_head_dim=4, v_head_dim=6)
causal("minicpm3", "causal_lm", LLAMA, dict(LATENT, scale_emb=2.0, dim_model_base=16))
causal("minicpm3", "causal_lm_b", LLAMA3, dict(LATENT, q_lora_rank=None, v_head_dim=None, scale_emb=0.7, scale_depth=None, dim_model_base=None, attention_bias=True, mlp_bias=True, tie_word_embeddings=False,
                                               rms_norm_eps=1e-3, **rope(100.0)), generation=4)

causal("nanochat", "causal_lm", NEOX, GROUPED)
causal("nanochat", "causal_lm_b", GPT2_SAVED, dict(GROUPED, num_key_value_heads=1, attention_bias=True, final_logit_softcapping=None, hidden_act="gelu", rms_norm_eps=1e-3, **rope(100.0)))

PADDED = "side by side: it sees padding, and counts it as positions"
causal("openai-gpt", "causal_lm", GPT2, dict(n_embd=32, n_layer=2, n_head=4, n_positions=80), coupled=PADDED)
causal("openai-gpt", "causal_lm_b", GPT2_SAVED, dict(n_embd=33, n_layer=2, n_head=3, n_positions=80, afn="relu", layer_norm_epsilon=1e-3, tie_word_embeddings=False), coupled=PADDED)

causal("persimmon", "causal_lm", LLAMA, WIDE)
causal("persimmon", "causal_lm_b", LLAMA, dict(WIDE, qk_layernorm=False, hidden_act="gelu", layer_norm_eps=1e-3, tie_word_embeddings=True, **rope(100.0, partial_rotary_factor=0.75)), generation=4)

causal("vaultgemma", "causal_lm", GEMMA, dict(GROUPED, head_dim=8, query_pre_attn_scalar=8, sliding_window=6))
causal("vaultgemma", "causal_lm_b", GEMMA, dict(GROUPED, num_key_value_heads=1, head_dim=12, query_pre_attn_scalar=5, sliding_window=5, layer_types=LAYERS["layer_types"], attention_bias=True,
                                                attn_logit_softcapping=3.0, final_logit_softcapping=None, rms_norm_eps=1e-3, **rope(100.0)))

def without_padding(model):
    """The reference makes the row of the padding token zero when it loads a checkpoint."""
    model.model.embed_tokens.weight.data[model.config.pad_token_id] = 0.0


causal("youtu", "causal_lm", LLAMA3, dict(LATENT, num_key_value_heads=4), adjust=without_padding)
causal("youtu", "causal_lm_b", LLAMA, dict(LATENT, num_key_value_heads=4, q_lora_rank=None, kv_lora_rank=10, v_head_dim=9, rope_interleave=False, attention_bias=True, tie_word_embeddings=False,
                                           rms_norm_eps=1e-3, **rope(100.0)), adjust=without_padding)

# ---- mixtures of experts

TINY = dict(GROUPED, intermediate_size=12)
CORRECTED = dict(TINY, num_experts_per_tok=2, moe_intermediate_size=8, n_group=1, topk_group=1)

EXAONE = dict(CORRECTED, num_experts=6, num_hidden_layers=3, head_dim=8, sliding_window=6, sliding_window_pattern=2)
causal("exaone_moe", "causal_lm", LLAMA3, EXAONE)
causal("exaone_moe", "causal_lm_b", LLAMA3, dict(EXAONE, num_hidden_layers=2, num_key_value_heads=1, n_group=3, topk_group=2, num_experts_per_tok=3, num_shared_experts=2, norm_topk_prob=False,
                                                 routed_scaling_factor=1.5, mlp_layer_types=["sparse", "sparse"], sliding_window=5, layer_types=["full_attention"] * 2, tie_word_embeddings=True,
                                                 **rope(100.0)), own_keys=True)

causal("flex_olmo", "causal_lm", NEOX, dict(TINY, num_experts=6, num_experts_per_tok=2))
causal("flex_olmo", "causal_lm_b", GPT2_SAVED, dict(TINY, num_key_value_heads=1, num_experts=5, num_experts_per_tok=3, norm_topk_prob=True, attention_bias=True, tie_word_embeddings=True, rms_norm_eps=1e-3,
                                                    **rope(100.0)), own_keys=True, generation=4)

LITE = dict(LATENT, num_key_value_heads=4, intermediate_size=20, n_routed_experts=6, num_experts_per_tok=2, moe_intermediate_size=8, n_shared_experts=1)
causal("glm4_moe_lite", "causal_lm", LLAMA3, LITE)
causal("glm4_moe_lite", "causal_lm_b", LLAMA, dict(LITE, q_lora_rank=None, kv_lora_rank=10, v_head_dim=9, n_group=3, topk_group=2, mlp_layer_types=["sparse", "dense"], norm_topk_prob=False,
                                                   routed_scaling_factor=1.5, rope_interleave=False, attention_bias=True, tie_word_embeddings=True, rms_norm_eps=1e-3, **rope(100.0)), own_keys=True)

GRANITE = dict(TINY, embedding_multiplier=6.0, logits_scaling=2.0, residual_multiplier=0.5, attention_multiplier=0.2, num_local_experts=4)
causal("granitemoeshared", "causal_lm", GPT2_BOTH, dict(GRANITE, shared_intermediate_size=14))
causal("granitemoeshared", "causal_lm_b", GPT2_SAVED, dict(TINY, num_key_value_heads=1, num_local_experts=5, num_experts_per_tok=3, shared_intermediate_size=10, attention_bias=True,
                                                           tie_word_embeddings=True, hidden_act="gelu", embedding_multiplier=0.7, logits_scaling=0.5, residual_multiplier=1.3,
                                                           attention_multiplier=0.6, **rope(100.0)), own_keys=True)

causal("hunyuan_v1_moe", "causal_lm", LLAMA3, dict(TINY, head_dim=8, num_experts=4, moe_topk=2))
causal("hunyuan_v1_moe", "causal_lm_b", LLAMA3, dict(TINY, num_key_value_heads=1, head_dim=12, num_experts=5, moe_topk=[3, 1], attention_bias=True, tie_word_embeddings=True, rms_norm_eps=1e-3,
                                                     **rope(100.0)), own_keys=True)

MELLUM = dict(TINY, head_dim=8, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=8, sliding_window=6, layer_types=LAYERS["layer_types"])
causal("mellum", "causal_lm", LLAMA3, MELLUM)
causal("mellum", "causal_lm_b", LLAMA, dict(MELLUM, num_key_value_heads=1, num_experts=5, num_experts_per_tok=3, norm_topk_prob=False, mlp_layer_types=["dense", "sparse"], attention_bias=True,
                                            tie_word_embeddings=True, rms_norm_eps=1e-3,
                                            rope_parameters={"sliding_attention": {"rope_type": "default", "rope_theta": 30.0},
                                                             "full_attention": {"rope_type": "linear", "factor": 4.0, "rope_theta": 1000.0}}), own_keys=True)

causal("minimax_m2", "causal_lm", LLAMA3, dict(TINY, head_dim=16, num_local_experts=4, num_experts_per_tok=2, **rope(10000.0, partial_rotary_factor=0.5)))
causal("minimax_m2", "causal_lm_b", LLAMA, dict(TINY, num_key_value_heads=1, head_dim=12, num_local_experts=5, num_experts_per_tok=3, tie_word_embeddings=True, rms_norm_eps=1e-3,
                                                **rope(100.0, partial_rotary_factor=2 / 3)), own_keys=True, without=["rope_parameters"], extra_fields={"rope_theta": 100.0, "rotary_dim": 8})

LONG = dict(short_factor=[1.0, 1.25, 1.5, 2.0], long_factor=[1.5, 3.0, 6.0, 9.0], short_mscale=1.3, long_mscale=1.3)
causal("phimoe", "causal_lm", LLAMA, dict(TINY, num_local_experts=4))
causal("phimoe", "causal_lm_b", LLAMA, dict(TINY, num_local_experts=5, num_key_value_heads=1, attention_bias=True, lm_head_bias=True, router_jitter_noise=0.3, sliding_window=7, rms_norm_eps=1e-3,
                                            **rope(10000.0, "longrope", original_max_position_embeddings=20, **LONG)), own_keys=True)

causal("solar_open", "causal_lm", LLAMA3, dict(CORRECTED, head_dim=8, n_routed_experts=6, n_shared_experts=1))
causal("solar_open", "causal_lm_b", LLAMA, dict(CORRECTED, num_key_value_heads=1, head_dim=12, n_routed_experts=6, n_group=3, topk_group=2, num_experts_per_tok=3, n_shared_experts=2, norm_topk_prob=False,
                                                routed_scaling_factor=1.5, attention_bias=True, tie_word_embeddings=True, **rope(100.0)), own_keys=True)
