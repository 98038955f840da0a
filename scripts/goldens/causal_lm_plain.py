"""Causal language models that are little else than Llama or GPT-2, and two with sines for positions."""

from causal import COHERE, GPT2, GPT2_BOTH, GPT2_SAVED, GROUPED, LLAMA, LLAMA3, NEOX, OPT, SMALL, WIDE, causal, rope
from tokenizers_on_disk import bare

CODES = bare(["<unk>", "Links", "<pad>"], [], ("Links $A", "Links $A $B"), merges=40, bos_token="Links", unk_token="<unk>", pad_token="<pad>")
LAYERS = ["sliding_attention", "full_attention"]
PLAIN = {"rope_type": "default", "rope_theta": 50.0}

causal("arcee", "causal_lm", LLAMA3, GROUPED)
causal("arcee", "causal_lm_b", LLAMA, dict(SMALL, num_key_value_heads=1, head_dim=12, attention_bias=True, mlp_bias=True, tie_word_embeddings=True, hidden_act="gelu", rms_norm_eps=1e-3,
                                           **rope(1000.0, "yarn", factor=4.0, original_max_position_embeddings=16)))

causal("cohere2", "causal_lm", COHERE, dict(GROUPED, num_hidden_layers=3, layer_types=[*LAYERS, LAYERS[0]], sliding_window=6, logit_scale=0.25))
causal("cohere2", "causal_lm_b", COHERE, dict(SMALL, num_key_value_heads=1, num_hidden_layers=3, sliding_window=5, attention_bias=True, tie_word_embeddings=False, logit_scale=1.5,
                                              layer_norm_eps=1e-3, **rope(100.0), sliding_window_pattern=2),
       generation=4, without=["layer_types"], extra_fields={"sliding_window_pattern": 2})

causal("ctrl", "causal_lm", CODES, dict(n_embd=32, n_layer=2, n_head=4, n_positions=96, dff=40))
causal("ctrl", "causal_lm_b", CODES, dict(n_embd=33, n_layer=2, n_head=3, n_positions=80, dff=37, layer_norm_epsilon=1e-2, tie_word_embeddings=False))

causal("hunyuan_v1_dense", "causal_lm", LLAMA3, dict(GROUPED, head_dim=8))
causal("hunyuan_v1_dense", "causal_lm_b", LLAMA3, dict(GROUPED, num_key_value_heads=1, head_dim=12, attention_bias=True, tie_word_embeddings=True, rms_norm_eps=1e-3,
                                                       **rope(100.0, "dynamic", alpha=1000.0, factor=1.0)), generation=4)

causal("ministral", "causal_lm", LLAMA, dict(GROUPED, head_dim=8, num_hidden_layers=3, layer_types=[*LAYERS, LAYERS[0]], sliding_window=6))
causal("ministral", "causal_lm_b", LLAMA3, dict(GROUPED, num_key_value_heads=1, head_dim=12, sliding_window=5, tie_word_embeddings=True, hidden_act="gelu", rms_norm_eps=1e-3, **rope(100.0)),
       generation=4, without=["layer_types"])

GROWTH = dict(factor=4.0, original_max_position_embeddings=8, beta_fast=4.0, beta_slow=1.0, mscale=1.0, mscale_all_dim=0.7)
causal("ministral3", "causal_lm", LLAMA3, dict(GROUPED, head_dim=8, **rope(10000.0, "yarn", llama_4_scaling_beta=0.5, **GROWTH)))
causal("ministral3", "causal_lm_b", LLAMA, dict(GROUPED, num_key_value_heads=1, head_dim=12, sliding_window=9, tie_word_embeddings=True, rms_norm_eps=1e-3,
                                                **rope(100.0, "default", llama_4_scaling_beta=1.5, original_max_position_embeddings=5)))

causal("modernbert-decoder", "causal_lm", NEOX, dict(SMALL, local_attention=12, num_hidden_layers=3, global_attn_every_n_layers=2, cls_token_id=0, sep_token_id=0))
causal("modernbert-decoder", "causal_lm_b", GPT2_SAVED, dict(SMALL, num_attention_heads=2, local_attention=9, layer_types=LAYERS, norm_bias=True, attention_bias=True, mlp_bias=True, classifier_bias=True,
                                                             decoder_bias=False, classifier_activation="relu", hidden_activation="gelu_new", norm_eps=1e-3, tie_word_embeddings=False, cls_token_id=0, sep_token_id=0,
                                                             rope_parameters={"sliding_attention": PLAIN, "full_attention": {"rope_type": "linear", "factor": 4.0, "rope_theta": 1000.0}}))

causal("nemotron", "causal_lm", LLAMA, dict(WIDE, num_key_value_heads=1))
causal("nemotron", "causal_lm_b", GPT2_BOTH, dict(WIDE, head_dim=12, attention_bias=True, mlp_bias=True, tie_word_embeddings=True, hidden_act="gelu", norm_eps=1e-3,
                                                  **rope(100.0, partial_rotary_factor=0.67)), generation=4)

causal("olmo3", "causal_lm", NEOX, dict(GROUPED, num_hidden_layers=3, layer_types=[*LAYERS, LAYERS[0]], sliding_window=6))
causal("olmo3", "causal_lm_b", GPT2_SAVED, dict(SMALL, num_hidden_layers=4, intermediate_size=20, sliding_window=5, attention_bias=True, tie_word_embeddings=True, rms_norm_eps=1e-3,
                                                rope_parameters={"sliding_attention": PLAIN, "full_attention": {"rope_type": "yarn", "factor": 4.0, "rope_theta": 50.0, "original_max_position_embeddings": 16}}),
       without=["layer_types"])
causal("olmo3", "causal_lm_c", NEOX, dict(GROUPED, sliding_window=7, layer_types=LAYERS, rope_parameters={
    "sliding_attention": {"rope_type": "default", "rope_theta": 500000.0}, "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 100.0}}),
       generation=4, without=["rope_parameters"], extra_fields={"rope_theta": 100.0, "rope_scaling": {"rope_type": "linear", "factor": 8.0}})

causal("seed_oss", "causal_lm", GPT2, dict(GROUPED, head_dim=8))
causal("seed_oss", "causal_lm_b", LLAMA3, dict(GROUPED, num_key_value_heads=1, head_dim=12, attention_bias=False, attention_out_bias=True, mlp_bias=True, tie_word_embeddings=True, hidden_act="gelu",
                                               rms_norm_eps=1e-3, **rope(100.0)), generation=4)

causal("xglm", "causal_lm", OPT, dict(d_model=32, num_layers=2, attention_heads=4, ffn_dim=40, max_position_embeddings=96, tie_word_embeddings=False))
# The number of the padding token is that of the first position's row, which is zero for it.
causal("xglm", "causal_lm_b", CODES, dict(d_model=30, num_layers=2, attention_heads=5, ffn_dim=37, max_position_embeddings=80, scale_embedding=False, activation_function="relu"))

causal("llama", "causal_lm_proportional", LLAMA3, dict(GROUPED, num_hidden_layers=1, num_attention_heads=2, tie_word_embeddings=True, **rope(100.0, "proportional", partial_rotary_factor=0.6, factor=2.0)))
