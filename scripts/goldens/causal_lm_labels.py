"""Causal language models that give labels: of a text, from its last token, and of each token from what stands before it."""

from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES as OF_TEXTS
from transformers.models.auto.modeling_auto import MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES as OF_TOKENS

from causal import SHAPES, classifier, tagger

for model_type, (tokenizer, config) in SHAPES.items():
    if model_type in OF_TEXTS and model_type not in ("gpt2", "llama", "qwen2"):  # theirs are in causal_lm.py
        classifier(model_type, OF_TEXTS[model_type], tokenizer, config, dtype="bfloat16")
    if model_type in OF_TOKENS:
        tagger(model_type, OF_TOKENS[model_type], tokenizer, config, dtype="bfloat16")
