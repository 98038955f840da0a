"""Causal language models that keep states of the tokens so far, in all layers or in most."""

from causal import GPT2_SAVED, LLAMA, LLAMA3, NEOX, SMALL, causal

LFM = dict(hidden_size=32, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, intermediate_size=48, block_multiple_of=8, max_position_embeddings=128)
causal("lfm2", "causal_lm", LLAMA3, dict(LFM, layer_types=["conv", "full_attention", "conv"]))
causal("lfm2", "causal_lm_b", LLAMA, dict(LFM, num_key_value_heads=1, full_attn_idxs=[1], conv_L_cache=5, conv_bias=True, norm_eps=1e-3, tie_word_embeddings=False, block_auto_adjust_ff_dim=False,
                                          rope_parameters=dict(rope_type="default", rope_theta=100.0)),
       generation=4, coupled="side by side: the bias of in_proj fills the padding, which the convolution sees")
