"""Writes a classifier of BERT-base's size with random weights, which cost the same to run: make_bert_base.py OUT TOKENIZER_DIR"""

import sys

import torch
import transformers

out, tokenizer = sys.argv[1:]
torch.manual_seed(0)
transformers.BertForSequenceClassification(transformers.BertConfig(num_labels=2)).eval().save_pretrained(out)
transformers.AutoTokenizer.from_pretrained(tokenizer).save_pretrained(out)
