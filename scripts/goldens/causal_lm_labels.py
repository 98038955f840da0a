"""Causal language models that give labels: of a text, from its last token, and of each token from what stands before it."""

from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES as OF_TEXTS
from transformers.models.auto.modeling_auto import MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES as OF_TOKENS

from causal import GEMMA, GPT2_SAVED, LLAMA3, NEOX, classifier, tagger

TINY = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1, intermediate_size=20, max_position_embeddings=128, head_dim=8)
OLDER = dict(n_embd=16, n_layer=2, n_head=2, n_positions=80, n_inner=20)
LAYERS = dict(sliding_window=6, layer_types=["sliding_attention", "full_attention"])
BLOOM = dict(hidden_size=16, n_layer=2, n_head=2)
NEO = dict(hidden_size=16, num_heads=2, intermediate_size=20, max_position_embeddings=80, num_layers=2, attention_types=[[["global", "local"], 1]], window_size=6)
TURNING = dict(hidden_size=16, num_attention_heads=1, num_key_value_heads=1, num_hidden_layers=2, intermediate_size=20, max_position_embeddings=128)  # a part of each head

for model_type, tokenizer, config in [
    ("arcee", LLAMA3, TINY), ("bloom", LLAMA3, BLOOM), ("ctrl", GPT2_SAVED, dict(n_embd=16, n_layer=2, n_head=2, n_positions=80, dff=20)),
    ("exaone4", LLAMA3, TINY | LAYERS), ("falcon", NEOX, dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, ffn_hidden_size=20, max_position_embeddings=128)),
    ("gemma", GEMMA, TINY), ("gemma2", GEMMA, TINY | dict(query_pre_attn_scalar=8, sliding_window=6)), ("gemma3_text", GEMMA, TINY | LAYERS | dict(query_pre_attn_scalar=8)),
    ("glm", LLAMA3, TINY), ("glm4", LLAMA3, TINY), ("gpt2", GPT2_SAVED, OLDER), ("gpt_bigcode", GPT2_SAVED, OLDER), ("gpt_neo", GPT2_SAVED, NEO), ("gpt_neox", NEOX, TURNING), ("gptj", GPT2_SAVED, OLDER | dict(rotary_dim=4)),
    ("helium", LLAMA3, TINY), ("hunyuan_v1_dense", LLAMA3, TINY), ("llama", LLAMA3, TINY), ("ministral", LLAMA3, TINY | LAYERS), ("ministral3", LLAMA3, TINY), ("mistral", LLAMA3, TINY | dict(sliding_window=6)),
    ("modernbert-decoder", NEOX, TURNING | dict(local_attention=12, cls_token_id=0, sep_token_id=0)), ("mpt", NEOX, dict(d_model=16, n_heads=2, n_layers=2, max_seq_len=128)),
    ("nemotron", LLAMA3, TURNING), ("olmo", NEOX, TINY), ("olmo2", NEOX, TINY), ("olmo3", NEOX, TINY | LAYERS),
    ("opt", LLAMA3, dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, ffn_dim=20, max_position_embeddings=128, word_embed_proj_dim=12)),
    ("phi", GPT2_SAVED, TURNING), ("phi3", LLAMA3, TURNING), ("qwen2", LLAMA3, TINY), ("qwen3", LLAMA3, TINY), ("seed_oss", LLAMA3, TINY), ("smollm3", LLAMA3, TINY), ("stablelm", NEOX, TURNING),
    ("starcoder2", GPT2_SAVED, TINY),
]:
    if model_type not in ("gpt2", "llama", "qwen2"):  # theirs are in causal_lm.py
        classifier(model_type, OF_TEXTS[model_type], tokenizer, config, dtype="bfloat16")
    if model_type in OF_TOKENS:
        tagger(model_type, OF_TOKENS[model_type], tokenizer, config, dtype="bfloat16")
