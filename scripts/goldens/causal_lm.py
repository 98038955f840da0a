"""Causal language models: two shapes or more of each, the second off the beaten track."""

from causal import CHAT, GEMMA, GPT2, GPT2_SAVED, GREEDY, GROUPED, LLAMA, LLAMA3, NEOX, OPT, PROMPTS, QWEN, SMALL, causal, classifier
from common import Case
from tokenizers_on_disk import byte_bpe


def chat(folder):
    return [Case([{"role": "user", "content": "Where is the tower?"}], "a chat", **GREEDY),
            Case([{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "It was"}], "an answer to go on with", **GREEDY)]


TINY = dict(n_embd=32, n_layer=2, n_head=4, n_positions=80)
causal("gpt2", "causal_lm", GPT2, TINY, thorough=True,
       extra=lambda folder: [Case(PROMPTS[0], "more tokens than positions", error=True, do_sample=False, max_new_tokens=90)])
causal("gpt2", "causal_lm_b", GPT2_SAVED, dict(n_embd=33, n_layer=2, n_head=3, n_positions=80, n_inner=37, scale_attn_by_inverse_layer_idx=True, reorder_and_upcast_attn=False,
                                               activation_function="relu", layer_norm_epsilon=1e-3, tie_word_embeddings=False))
classifier("gpt2", "GPT2ForSequenceClassification", GPT2_SAVED, TINY)

causal("llama", "causal_lm", LLAMA, GROUPED, thorough=True)
LLAMA3_ROPE = dict(rope_type="llama3", rope_theta=500.0, factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16)
causal("llama", "causal_lm_b", LLAMA3, dict(SMALL, num_key_value_heads=1, head_dim=10, attention_bias=True, mlp_bias=True, rms_norm_eps=1e-3, hidden_act="gelu", tie_word_embeddings=True,
                                            rope_parameters=LLAMA3_ROPE),
       generation=4, defaults=dict(do_sample=True, temperature=0.6, top_p=0.9, repetition_penalty=1.1))
for kind, more in {"linear": {}, "dynamic": {}, "yarn": dict(original_max_position_embeddings=16, beta_fast=4.0, beta_slow=1.0)}.items():
    shape = dict(GROUPED, num_hidden_layers=1, tie_word_embeddings=True, max_position_embeddings=64 if kind == "yarn" else 24)
    causal("llama", f"causal_lm_{kind}", LLAMA3, dict(shape, rope_parameters=dict(rope_type=kind, factor=4.0, rope_theta=10000.0, **more)),
           coupled="side by side: the longest row's length sets the base of all" if kind == "dynamic" else None)
# Heads as wide as onnxruntime-genai's attention wants them (ready_genai.py).
WIDE = dict(SMALL, num_attention_heads=2, num_key_value_heads=1, head_dim=16)
causal("llama", "causal_lm_wide", LLAMA, WIDE)
classifier("llama", "LlamaForSequenceClassification", LLAMA, GROUPED)

causal("mistral", "causal_lm", LLAMA, GROUPED)
causal("mistral", "causal_lm_b", LLAMA3, dict(GROUPED, sliding_window=7, head_dim=12, rope_parameters=dict(rope_type="default", rope_theta=100.0)), generation=4)

causal("qwen2", "causal_lm", byte_bpe("Qwen2Tokenizer", **QWEN, chat_template=CHAT), GROUPED, extra=chat)
causal("qwen2", "causal_lm_b", byte_bpe("Qwen2Tokenizer", files="fast", **QWEN),
       dict(GROUPED, num_hidden_layers=3, tie_word_embeddings=True, use_sliding_window=True, sliding_window=6, max_window_layers=1, hidden_act="gelu_new"))
classifier("qwen2", "Qwen2ForSequenceClassification", byte_bpe("Qwen2Tokenizer", **QWEN), GROUPED)

causal("qwen3", "causal_lm", byte_bpe("Qwen2Tokenizer", **QWEN), dict(GROUPED, head_dim=8))
causal("qwen3", "causal_lm_b", byte_bpe("Qwen2Tokenizer", files="fast", **QWEN),
       dict(SMALL, num_attention_heads=3, num_key_value_heads=1, head_dim=14, attention_bias=True, tie_word_embeddings=True, rms_norm_eps=1e-4), generation=4)

causal("gemma2", "causal_lm", GEMMA, dict(GROUPED, head_dim=8, query_pre_attn_scalar=8, sliding_window=6))
causal("gemma2", "causal_lm_b", GEMMA, dict(GROUPED, num_hidden_layers=3, head_dim=10, query_pre_attn_scalar=5, sliding_window=5, attn_logit_softcapping=3.0, final_logit_softcapping=9.0,
                                            attention_bias=True, hidden_activation="gelu"))
causal("gemma2", "causal_lm_wide", GEMMA, dict(WIDE, query_pre_attn_scalar=16, sliding_window=6))

causal("gpt_neox", "causal_lm", NEOX, dict(SMALL, num_attention_heads=2))
causal("gpt_neox", "causal_lm_b", NEOX, dict(SMALL, num_attention_heads=2, use_parallel_residual=False, attention_bias=False, tie_word_embeddings=True, hidden_act="gelu_new",
                                             rope_parameters=dict(rope_type="default", rope_theta=1000.0, partial_rotary_factor=0.5)))

ONLY = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, ffn_dim=40, max_position_embeddings=96)
causal("opt", "causal_lm", OPT, ONLY)
causal("opt", "causal_lm_b", OPT, dict(ONLY, do_layer_norm_before=False, word_embed_proj_dim=20, activation_function="gelu", enable_bias=False))
