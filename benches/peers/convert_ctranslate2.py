"""Converts a checkpoint for CTranslate2: convert_ctranslate2.py CHECKPOINT OUT

Its converter takes the vocabulary from the tokenizer; here tokens are numbers, so each has its number as its name.
"""

import sys

from ctranslate2.converters import transformers as converters
from transformers import AutoConfig, AutoTokenizer

config = AutoConfig.from_pretrained(sys.argv[1])


class Numbers:
    """A tokenizer as the converter sees it."""

    def __init__(self):
        self.bos_token = self.unk_token = "t2"
        self.eos_token, self.pad_token = (self.convert_ids_to_tokens(i) for i in (config.eos_token_id, config.pad_token_id))
        self.additional_special_tokens = []
        self.vocab_size = config.vocab_size

    def get_vocab(self):
        return {self.convert_ids_to_tokens(i): i for i in range(config.vocab_size)}

    def convert_ids_to_tokens(self, token):
        # The converter takes the padding of Marian away by this name.
        return "<pad>" if token == config.pad_token_id else f"t{token}"

    def __getattr__(self, name):
        if name.endswith("_token_id"):
            return getattr(config, name, 0)
        if name.endswith("_token"):
            return self.convert_ids_to_tokens(getattr(config, name + "_id", 0) or 0)
        raise AttributeError(name)


AutoTokenizer.from_pretrained = lambda *arguments, **options: Numbers()
converters.TransformersConverter(sys.argv[1]).convert(sys.argv[2])
