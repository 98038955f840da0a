"""Causal language models that find the part of a text that answers a question."""

from transformers.models.auto.modeling_auto import MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES as OF_ANSWERS

from causal import GPT2_SAVED, SHAPES, answerer
from tokenizers_on_disk import bare, byte_bpe

# Without a class of its own, a tokenizer says itself that it makes no token types.
NAMED = bare(merges=40, first=[], last=["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"], template=("<|begin_of_text|> $A", "<|begin_of_text|> $A <|begin_of_text|> $B"),
             bos_token="<|begin_of_text|>", eos_token="<|end_of_text|>", pad_token="<|eot_id|>", model_input_names=["input_ids", "attention_mask"])

# No longer than the table of positions.
SHORT = byte_bpe("GPT2Tokenizer", files="fast", specials=([], ["<|endoftext|>", "<|pad|>"]), merges=40, pad_token="<|pad|>", model_max_length=72)

for model_type, (tokenizer, config) in SHAPES.items():
    if model_type in OF_ANSWERS:
        answerer(model_type, SHORT if tokenizer is GPT2_SAVED else NAMED, config, dtype="bfloat16")
