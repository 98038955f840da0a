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
