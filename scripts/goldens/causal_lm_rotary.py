"""Causal language models beside Llama: rotated queries and keys, gated layers, and what each adds."""

from causal import COHERE, GEMMA, GPT2, GPT2_BOTH, GPT2_SAVED, GROUPED, LLAMA, LLAMA3, NEOX, SMALL, WIDE, causal, rope
from tokenizers_on_disk import bare

PLAIN = ("$A", "$A $B")
GLM = bare([], ["<|endoftext|>", "[gMASK]", "<sop>", "<|user|>"], ("[gMASK] <sop> $A", "[gMASK] <sop> $A $B"), merges=40, eos_token="<|endoftext|>", pad_token="<|endoftext|>",
           padding_side="left", extra_special_tokens=["[gMASK]", "<sop>", "<|user|>"])
EXAONE = bare(["[PAD]", "[BOS]", "[EOS]"], [], PLAIN, merges=40, bos_token="[BOS]", eos_token="[EOS]", pad_token="[PAD]")

causal("gemma", "causal_lm", GEMMA, dict(GROUPED, num_key_value_heads=1, head_dim=8))
causal("gemma", "causal_lm_b", GEMMA, dict(GROUPED, num_attention_heads=3, num_key_value_heads=3, head_dim=14, attention_bias=True, hidden_act="gelu", **rope(50.0)), generation=4)

LAYERS = ["sliding_attention", "full_attention"]
causal("gemma3_text", "causal_lm", GEMMA, dict(GROUPED, head_dim=8, query_pre_attn_scalar=8, sliding_window=6, layer_types=LAYERS))
causal("gemma3_text", "causal_lm_b", GEMMA, dict(GROUPED, num_hidden_layers=3, head_dim=10, query_pre_attn_scalar=5, sliding_window=4, layer_types=["full_attention", *LAYERS], final_logit_softcapping=9.0,
                                                 rope_parameters={"sliding_attention": {"rope_type": "default", "rope_theta": 30.0},
                                                                  "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000.0}}))
OLDER = {"rope_theta": 1000.0, "rope_local_base_freq": 30.0, "sliding_window_pattern": 2, "rope_scaling": {"rope_type": "linear", "factor": 4.0}}
causal("gemma3_text", "causal_lm_c", GEMMA, dict(GROUPED, num_hidden_layers=3, num_key_value_heads=1, head_dim=6, query_pre_attn_scalar=6, sliding_window=5, attention_bias=True,
                                                 layer_types=[*LAYERS, LAYERS[0]], rope_parameters={"sliding_attention": {"rope_type": "default", "rope_theta": 30.0},
                                                                                                    "full_attention": {"rope_type": "linear", "factor": 4.0, "rope_theta": 1000.0}}),
       generation=4, without=["rope_parameters", "layer_types"], extra_fields=OLDER)

causal("phi", "causal_lm", GPT2, WIDE)
causal("phi", "causal_lm_b", GPT2_SAVED, dict(WIDE, num_key_value_heads=1, qk_layernorm=True, hidden_act="relu", **rope(100.0, partial_rotary_factor=0.75)), generation=4)

FACTORS = dict(short_factor=[1.0, 1.25, 1.5, 2.0], long_factor=[1.5, 3.0, 6.0, 9.0])
causal("phi3", "causal_lm", LLAMA, GROUPED)
causal("phi3", "causal_lm_b", LLAMA, dict(GROUPED, max_position_embeddings=512, original_max_position_embeddings=128, **rope(10000.0, "longrope", **FACTORS)), generation=4)
causal("phi3", "causal_lm_long", LLAMA, dict(GROUPED, tie_word_embeddings=True, original_max_position_embeddings=3, sliding_window=9, **rope(10000.0, "longrope", **FACTORS)))
causal("phi3", "causal_lm_crossing", LLAMA, dict(GROUPED, tie_word_embeddings=True, num_key_value_heads=4, original_max_position_embeddings=24, **rope(10000.0, "longrope", **FACTORS)),
       coupled="side by side: the longest row's length sets the factors of all")

causal("stablelm", "causal_lm", NEOX, dict(WIDE, use_qkv_bias=True))
causal("stablelm", "causal_lm_b", NEOX, dict(WIDE, num_key_value_heads=1, use_parallel_residual=True, qk_layernorm=True, layer_norm_eps=1e-3, **rope(100.0, partial_rotary_factor=0.5)), generation=4)

causal("starcoder2", "causal_lm", GPT2, GROUPED)
causal("starcoder2", "causal_lm_b", GPT2_SAVED, dict(GROUPED, num_key_value_heads=1, use_bias=False, sliding_window=6, tie_word_embeddings=False, hidden_act="gelu", norm_epsilon=1e-3))

causal("olmo", "causal_lm", NEOX, SMALL)
causal("olmo", "causal_lm_b", NEOX, dict(GROUPED, clip_qkv=0.8, attention_bias=True, **rope(100.0)), generation=4)

causal("olmo2", "causal_lm", GPT2_BOTH, SMALL)
causal("olmo2", "causal_lm_b", GPT2_SAVED, dict(GROUPED, num_key_value_heads=1, attention_bias=True, tie_word_embeddings=True, rms_norm_eps=1e-3, **rope(100.0)))

causal("cohere", "causal_lm", COHERE, dict(GROUPED, logit_scale=0.25))
causal("cohere", "causal_lm_b", COHERE, dict(GROUPED, use_qk_norm=True, attention_bias=True, tie_word_embeddings=False, logit_scale=1.5, layer_norm_eps=1e-3, **rope(100.0)))

causal("granite", "causal_lm", GPT2_BOTH, dict(GROUPED, embedding_multiplier=6.0, logits_scaling=2.0, residual_multiplier=0.5, attention_multiplier=0.2))
causal("granite", "causal_lm_b", GPT2_SAVED, dict(GROUPED, num_key_value_heads=1, attention_bias=True, mlp_bias=True, tie_word_embeddings=True, embedding_multiplier=0.7, logits_scaling=0.5,
                                                  residual_multiplier=1.3, attention_multiplier=0.6, **rope(100.0)), generation=4)

causal("smollm3", "causal_lm", LLAMA3, dict(GROUPED, num_hidden_layers=3, no_rope_layer_interval=2))
causal("smollm3", "causal_lm_b", LLAMA3, dict(GROUPED, no_rope_layers=[0, 1], use_sliding_window=True, sliding_window=6, attention_bias=True, mlp_bias=True, tie_word_embeddings=False, **rope(100.0)))

causal("helium", "causal_lm", LLAMA, dict(GROUPED, head_dim=8))
causal("helium", "causal_lm_b", LLAMA, dict(WIDE, num_key_value_heads=1, head_dim=16, attention_bias=True, mlp_bias=True, tie_word_embeddings=True, rms_norm_eps=1e-3, **rope(100.0)))

for model_type in ("glm", "glm4"):
    causal(model_type, "causal_lm", GLM, dict(WIDE, num_key_value_heads=1, head_dim=16))
    causal(model_type, "causal_lm_b", GLM, dict(GROUPED, head_dim=12, attention_bias=False, tie_word_embeddings=True, rms_norm_eps=1e-3, **rope(100.0, partial_rotary_factor=0.34)))

causal("exaone4", "causal_lm", EXAONE, dict(GROUPED, num_hidden_layers=3, head_dim=8, sliding_window=6, sliding_window_pattern=2, tie_word_embeddings=True))
causal("exaone4", "causal_lm_b", EXAONE, dict(GROUPED, num_key_value_heads=1, head_dim=10, sliding_window=None, layer_types=["full_attention"] * 2, rms_norm_eps=1e-3, **rope(100.0)))

causal("ernie4_5", "causal_lm", LLAMA, dict(GROUPED, head_dim=8))
causal("ernie4_5", "causal_lm_b", LLAMA3, dict(GROUPED, num_key_value_heads=1, head_dim=12, use_bias=True, tie_word_embeddings=False, **rope(100.0)))
