"""Completes the checkpoints that generation is measured on: make_models.py DIR MINILM

DIR has `qwen2.5-0.5b` with weights that `formers-testing` drew, and gets a tokenizer into it. Qwen2 is read with its own kind of tokenizer whatever
lies there; its words are those of the tokenizer in the folder MINILM. And DIR gets `qwen2.5-0.5b-copies`: this writes a text of 256 words, whatever
its weights cost, and its `prompt.txt` is that text with every 16th word changed, as when code is edited.
"""

import sys
from pathlib import Path

import torch
from transformers import AutoTokenizer, GenerationConfig, Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer


def copies(config, tokenizer, words):
    """Each word has one that follows it: only the embeddings and the head say which, and the layers add nothing."""
    config.tie_word_embeddings = False
    model = Qwen2ForCausalLM(config).float()
    written = tokenizer(" " + " ".join(words[:256])).input_ids
    changed = tokenizer(" " + " ".join(words[256:272])).input_ids
    assert (len(written), len(changed)) == (256, 16)
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        table = model.model.embed_tokens.weight.normal_()
        following = torch.arange(config.vocab_size).roll(1)
        for before, after in zip(written, [*written[1:], written[0]], strict=True):
            following[before] = after
        # A word that follows two others has the embedding of both.
        model.lm_head.weight.zero_().index_add_(0, following, table)
    prompt = [changed[i // 16] if i % 16 == 7 else word for i, word in enumerate(written)]
    return model.to(torch.bfloat16), GenerationConfig(eos_token_id=1, pad_token_id=0), tokenizer.decode(prompt)


def byte_level(words):
    """A tokenizer of Qwen2's kind and size in which the first 4,000 of these words are one token each, with a space before them or without;
    pairs of words fill the rest of it, for to read a vocabulary takes time too.
    """
    whole = [f"{word} {word}" for word in words[:4000]] * 20
    pairs = [f" {word}{words[(i + 1) * step % len(words)]}" for step in (1, 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31) for i, word in enumerate(words)]
    return Qwen2Tokenizer().train_new_from_iterator([whole, pairs], 151643, show_progress=False)


def main():
    folder, tokenizer = Path(sys.argv[1]), AutoTokenizer.from_pretrained(sys.argv[2])
    model, part, whole = folder / "qwen2.5-0.5b", folder / ".copies", folder / "qwen2.5-0.5b-copies"
    if (model / "tokenizer.json").exists() and whole.is_dir():
        return
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    words = [word for word, _ in vocabulary if len(word) > 4 and word.isascii() and word.isalpha()]
    own = byte_level(words)
    if not (model / "tokenizer.json").exists():
        own.save_pretrained(model)
    if not whole.is_dir():
        torch.manual_seed(0)
        copy, generation, prompt = copies(Qwen2Config.from_pretrained(model), own, words)
        copy.eval().save_pretrained(part)
        generation.save_pretrained(part)
        own.save_pretrained(part)
        (part / "prompt.txt").write_text(prompt)
        part.rename(whole)


main()
