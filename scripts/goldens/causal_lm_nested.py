"""Models that see pictures as well, asked about text alone: the text model has a config of its own, and a scope of its own among the weights."""

from causal import GEMMA, GROUPED, LAYERS, LLAMA3, QWEN, SMALL, causal
from tokenizers_on_disk import byte_bpe

NEXT = dict(SMALL, num_key_value_heads=2, head_dim=8, linear_key_head_dim=6, linear_value_head_dim=4, linear_num_key_heads=2, linear_num_value_heads=4, layer_types=["linear_attention", "full_attention"],
            rope_parameters=dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.5, mrope_section=[1, 1, 0], mrope_interleaved=True))
SPARSE = dict(NEXT, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=8, shared_expert_intermediate_size=12)
EYES = dict(depth=1, hidden_size=8, intermediate_size=8, num_heads=1, in_channels=1, patch_size=2, temporal_patch_size=1, out_hidden_size=32, num_position_embeddings=4)
TOKENS = byte_bpe("Qwen2Tokenizer", files="fast", **QWEN)
causal("qwen3_5", "causal_lm", TOKENS, NEXT, whole=dict(vision_config=EYES))
causal("qwen3_5", "causal_lm_b", TOKENS, dict(NEXT, num_key_value_heads=1, rms_norm_eps=1e-3, tie_word_embeddings=True), whole=dict(vision_config=EYES, tie_word_embeddings=True), own_keys=True)
causal("qwen3_5_moe", "causal_lm", TOKENS, SPARSE, whole=dict(vision_config=EYES))
causal("qwen3_5_moe", "causal_lm_b", TOKENS, dict(SPARSE, num_experts_per_tok=3, tie_word_embeddings=True), whole=dict(vision_config=EYES, tie_word_embeddings=True), own_keys=True)

SIGLIP = dict(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, num_channels=1, image_size=4, patch_size=2)
GEMMA3 = dict(GROUPED, head_dim=8, query_pre_attn_scalar=8, **LAYERS)
causal("gemma3", "causal_lm", GEMMA, GEMMA3, whole=dict(vision_config=SIGLIP, mm_tokens_per_image=4))
causal("gemma3", "causal_lm_b", GEMMA, dict(GEMMA3, num_key_value_heads=1, query_pre_attn_scalar=5), whole=dict(vision_config=SIGLIP, mm_tokens_per_image=4), own_keys=True)

EYES4 = dict(hidden_size=8, intermediate_size=32, num_hidden_layers=1, num_attention_heads=1, num_channels=1, image_size=4, patch_size=2, vision_output_dim=8, projector_input_dim=8, projector_output_dim=8)
LLAMA4 = dict(GROUPED, intermediate_size=12, intermediate_size_mlp=20, head_dim=8, num_local_experts=4, attention_chunk_size=6, no_rope_layers=[1, 0])
causal("llama4", "causal_lm", LLAMA3, LLAMA4, whole=dict(vision_config=EYES4))
causal("llama4", "causal_lm_b", LLAMA3, dict(LLAMA4, num_local_experts=3, num_experts_per_tok=2, use_qk_norm=False), whole=dict(vision_config=EYES4), own_keys=True)

# Wider heads and fewer of them where all is seen; the last layers look at what others keep.
GEMMA4 = dict(GROUPED, num_hidden_layers=4, head_dim=8, global_head_dim=12, hidden_size_per_layer_input=6, sliding_window=6, layer_types=LAYERS["layer_types"] * 2)
GEMMA4["vocab_size_per_layer_input"] = 361


def alive(model):
    """Signs in the last norm, which is not the last that the model has; and factors near 1."""
    text = getattr(model.model, "language_model", model.model)
    for name, tensor in [*text.named_parameters(), *text.named_buffers()]:
        if name == "norm.weight":
            tensor.data.normal_(0.0, 1.2)
        elif name.endswith(("per_layer_projection_norm.weight", "layer_scalar", "router.scale", "per_expert_scale")):
            tensor.data.normal_(1.0, 0.2)


causal("gemma4_text", "causal_lm", GEMMA, dict(GEMMA4, num_kv_shared_layers=2, use_double_wide_mlp=True, final_logit_softcapping=9.0), adjust=alive, dtype="float16")
causal("gemma4_text", "causal_lm_b", GEMMA, dict(GEMMA4, num_hidden_layers=3, layer_types=[*LAYERS["layer_types"], "full_attention"], hidden_size_per_layer_input=0, attention_k_eq_v=True,
                                                 num_global_key_value_heads=1, enable_moe_block=True, num_experts=4, top_k_experts=2, moe_intermediate_size=8, attention_bias=True, rms_norm_eps=1e-3,
                                                 rope_parameters={"sliding_attention": {"rope_type": "default", "rope_theta": 30.0},
                                                                  "full_attention": {"rope_type": "proportional", "partial_rotary_factor": 0.5, "rope_theta": 1000.0}}), adjust=alive, dtype="float16")
EYES_G = dict(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, num_key_value_heads=1, head_dim=8, patch_size=2, position_embedding_size=4)
causal("gemma4", "causal_lm", GEMMA, dict(GEMMA4, num_kv_shared_layers=2), whole=dict(vision_config=EYES_G), adjust=alive, dtype="float16")
causal("gemma4", "causal_lm_b", GEMMA, dict(GEMMA4, num_kv_shared_layers=1), whole=dict(vision_config=EYES_G), adjust=alive, own_keys=True, dtype="float16")

# Layers that look at pictures stay out.
EYES_M = dict(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_global_layers=1, attention_heads=1, num_channels=1, image_size=4, patch_size=2, max_num_tiles=1, vision_output_dim=16,
              intermediate_layers_indices=[0], supported_aspect_ratios=[[1, 1]])
MLLAMA = dict(GROUPED, num_hidden_layers=3, cross_attention_layers=[1])
causal("mllama", "causal_lm", LLAMA3, MLLAMA, whole=dict(vision_config=EYES_M, tie_word_embeddings=False), dtype="float16")
causal("mllama", "causal_lm_b", LLAMA3, dict(MLLAMA, num_key_value_heads=1, cross_attention_layers=[2], num_hidden_layers=4,
                                             rope_parameters=dict(rope_type="llama3", rope_theta=10000.0, factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16)),
       whole=dict(vision_config=EYES_M, tie_word_embeddings=False), dtype="float16")
