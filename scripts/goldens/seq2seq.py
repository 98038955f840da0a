"""What is asked of an encoder-decoder language model: what it makes of texts.

The folders lie in tests/goldens/generate/models. The tasks are those of version 4 of the reference.
"""

import functools
import itertools
import json

import text_tokenizers
import torch
import transformers
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES

from causal import MODELS, once, special_ids
from common import TEXTS, Case, checkpoint, wanted
from tokenizers_on_disk import ROBERTA, byte_bpe

GREEDY = dict(num_beams=1, max_new_tokens=24)
VARIETY = 7  # how many different tokens each answer has at least


def seq2seq(model_type, name, tokenizer, config, task="text2text-generation", start=None, forced=True, thorough=False, beams=False, inputs=TEXTS, more=None,
            parameters=None, **saving):
    """One folder: `config` and the special tokens of the tokenizer.

    `start` is the special token that answers start from, where it is not the class's own, and `forced` whether one that is as long as it
    may be ends with the end token.
    `beams` asks for every way in which beams are scored and end. `more` is {task: cases} besides; `parameters` go into every case (languages).
    """
    if not wanted(model_type, name, 4):
        return
    tokenizer = once(tokenizer)
    ids = special_ids(tokenizer)
    if start:
        ids |= {"decoder_start_token_id": ids[f"{start}_token_id"], "forced_eos_token_id": ids["eos_token_id"] if forced else None}
    filled = transformers.AutoConfig.for_model(model_type, **(ids | config))
    checkpoint(model_type, name, MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES[model_type], filled, tokenizer,
               functools.partial(cases, task=task, thorough=thorough, beams=beams, inputs=inputs, more=more, parameters=parameters or {}), confirm=confirmed,
               initialize=lively, under=MODELS, reference=4, **saving)


def lively(model):
    """Words and their places must show in what comes next; and with a head tied to the embedding, each token would vote for itself:
    signs in the last norm undo that."""
    decoder = model.get_decoder()
    for table in (model.get_input_embeddings(), getattr(decoder, "embed_positions", None)):
        if getattr(table, "weight", None) is not None and table.weight.requires_grad:
            # Where nothing normalizes sums, words that are scaled up would leave nothing else to see.
            table.weight.data.normal_(0.0, 0.35 if getattr(model.config, "scale_embedding", False) and hasattr(decoder, "layer_norm") else 0.8)
    for name, weight in decoder.named_parameters():
        if name.endswith("out_proj.weight"):  # attention gives nearly the same at each step
            weight.data.mul_(0.5)
    if hasattr(decoder, "block"):  # T5 and its like
        for name, weight in model.named_parameters():
            weight.data.mul_({"shared": 2, "q": 2, "k": 2, "o": 16, "wo": 16, "relative_attention_bias": 7, "global_relative_attention_bias": 7}.get(name.split(".")[-2], 1))
    if model.config.model_type == "encoder-decoder":
        for name, module in decoder.named_modules():
            if name.endswith(("wte", "wpe", "word_embeddings", "position_embeddings")):
                module.weight.data.normal_(0.0, 0.8)
    last_norm(decoder).weight.data.normal_(0.0, 1.2)
    if hasattr(model, "final_logits_bias"):
        model.final_logits_bias.normal_(0.0, 0.3)


def cases(folder, task, thorough, beams, inputs, more, parameters):
    """What is asked of every model; None where the answers are dull."""
    pipe = transformers.pipeline(task, model=str(folder), dtype=torch.float32, device="cpu")
    key = next(iter(pipe(inputs[0], return_tensors=True, max_new_tokens=2, **parameters)[0]))
    written = [pipe(text, return_tensors=True, **GREEDY, **parameters)[0][key].tolist() for text in inputs]
    if any(len(set(row)) < VARIETY for row in written) or len(set(map(tuple, written))) < len(written):
        return None
    first, ends = inputs[0], sorted(set(written[0][5:9:2]))
    late = next((token for place, token in enumerate(written[0]) if place > 12 and token not in written[0][:place]), None)
    if late is None:
        return None
    asked = [
        Case(first, **GREEDY),
        Case(inputs, "one by one", **GREEDY),
        Case(inputs, "side by side, padded: the same answers as one by one", batch_size=3, **GREEDY),
        Case(first, "4 beams", max_new_tokens=24),
        Case(inputs, "4 beams", max_new_tokens=24),
        Case(inputs, batch_size=3, num_beams=3, num_return_sequences=2, return_tensors=True, early_stopping=True, eos_token_id=ends, max_new_tokens=12),
        empty(pipe, parameters),
    ]
    if thorough:
        asked += [
            Case(first, return_tensors=True, **GREEDY), Case([first], return_tensors=False, **GREEDY), Case([], **GREEDY),
            Case(inputs, return_tensors=True, batch_size=2, eos_token_id=ends, **GREEDY), Case(inputs, return_tensors=True, eos_token_id=ends, **GREEDY),
            Case(inputs, "beams end at different lengths", return_tensors=True, eos_token_id=ends, num_return_sequences=2, max_new_tokens=10),
            Case(first, "256 new tokens go before a length in all", max_length=9, num_beams=1, eos_token_id=late), Case(first, max_length=9, max_new_tokens=None),
            Case(first, "an end token is forbidden at first", eos_token_id=ends, min_length=12, **GREEDY), Case(first, eos_token_id=ends, min_new_tokens=12, **GREEDY),
            Case(first, eos_token_id=ends, length_penalty=2.0, max_new_tokens=12), Case(first, eos_token_id=ends, length_penalty=-1.0, early_stopping=True, max_new_tokens=12),
            Case(first, no_repeat_ngram_size=2, max_new_tokens=16), Case(first, encoder_no_repeat_ngram_size=1, **GREEDY), Case(inputs, encoder_no_repeat_ngram_size=2, max_new_tokens=12),
            Case(first, encoder_repetition_penalty=2.0, **GREEDY), Case(inputs, encoder_repetition_penalty=0.6, **GREEDY), Case(first, repetition_penalty=1.4, **GREEDY),
            Case(first, forced_bos_token_id=ends[0], **GREEDY), Case(first, decoder_start_token_id=ends[0], **GREEDY), Case(first, bad_words_ids=[[ends[0]]], **GREEDY),
            Case(first * 9, truncation=True, **GREEDY), Case(first * 9, truncation="only_first", **GREEDY), Case(first * 40, "more tokens than positions", error=True, **GREEDY),
            Case(first, clean_up_tokenization_spaces=True, **GREEDY), Case(first, stop_sequence=" the", **GREEDY),
            Case(first, "sampling among one", do_sample=True, top_k=1, **GREEDY), Case(first, error=True, num_beams=2, num_return_sequences=3), Case(7, error=True),
            Case([first, 7], error=True), Case(first, error=True, max_new_tokens=0),
        ]
    if beams:
        ways = itertools.product((-1.5, 0.0, 0.7, 2.0), (False, True, "never"))
        asked += [Case(inputs[:2], return_tensors=True, num_beams=3, num_return_sequences=3, max_new_tokens=14, eos_token_id=ends, length_penalty=penalty, early_stopping=stopping)
                  for penalty, stopping in ways]
        asked += [Case(inputs, return_tensors=True, num_beams=4, num_return_sequences=4, max_new_tokens=10, eos_token_id=ends, min_new_tokens=4, batch_size=3),
                  Case(first, num_beams=3, num_return_sequences=2, max_new_tokens=24, no_repeat_ngram_size=2, length_penalty=1.4)]
    for case in asked:
        case.parameters |= parameters
    return {name: (asked if name == task else []) + (more or {}).get(name, []) for name in {task: None, **(more or {})}}


def empty(pipe, parameters):
    """An empty text still ends; where its tokenizer adds nothing, the reference fails."""
    try:
        pipe("", **GREEDY, **parameters)
    except Exception:
        return Case("", error=True, **GREEDY)
    return Case("", **GREEDY)


def confirmed(folder):
    """Answers do not depend on the batch."""
    golden = json.loads((folder / "golden.json").read_text("utf-8"))["cases"]
    alone, together = (row["answer"] for row in golden[1:3])
    return alone == together


def last_norm(decoder):
    for name in ("layer_norm", "final_layer_norm"):
        if hasattr(decoder, name):
            return getattr(decoder, name)
    if hasattr(decoder, "layers"):
        last = decoder.layers[-1]
        return last.final_layer_norm if hasattr(last, "final_layer_norm") else last.feed_forward_layer_norm
    return [module for module in decoder.modules() if "norm" in type(module).__name__.lower()][-1]


# ---- shapes and tokenizers

SMALL = dict(d_model=24, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=30, decoder_ffn_dim=34,
             max_position_embeddings=100)
ODD = dict(SMALL, encoder_layers=1, decoder_layers=3, encoder_attention_heads=2, decoder_attention_heads=3, scale_embedding=True)
BART = byte_bpe("BartTokenizer", specials=ROBERTA, merges=40, model_max_length=64)


def old(name):
    """The tokenizer of a family in its old files."""
    return text_tokenizers.KINDS[name]
