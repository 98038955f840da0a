"""Makes the checkpoints that generation is measured on, of the shapes of well-known models with random weights, which cost as much to run as
trained ones: make_models.py DIR MINILM

DIR gets `qwen2.5-0.5b`, `t5-small`, `marian`, and `qwen2.5-0.5b-copies`: this writes a text of 256 words, whatever its weights cost, and its
`prompt.txt` is that text with every 16th word changed, as when code is edited. MINILM is a folder whose tokenizer the encoder-decoders share:
what is measured are tokens, not words. Qwen2 is read with its own kind of tokenizer whatever lies there; its words are those of MINILM.
"""

import sys
from pathlib import Path

import torch
from transformers import (
    AutoTokenizer,
    GenerationConfig,
    MarianConfig,
    MarianMTModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2Tokenizer,
    T5Config,
    T5ForConditionalGeneration,
)


def qwen():
    config = Qwen2Config(
        vocab_size=151936,
        hidden_size=896,
        intermediate_size=4864,
        num_hidden_layers=24,
        num_attention_heads=14,
        num_key_value_heads=2,
        max_position_embeddings=32768,
        rope_theta=1e6,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=1,
    )
    return Qwen2ForCausalLM(config).to(torch.bfloat16), GenerationConfig(eos_token_id=1, pad_token_id=0)


def copies(tokenizer, words):
    """Each word has one that follows it: only the embeddings and the head say which, and the layers add nothing."""
    config = qwen()[0].config
    config.tie_word_embeddings = False
    model = Qwen2ForCausalLM(config)
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


def t5():
    config = T5Config(vocab_size=32128, d_model=512, d_kv=64, d_ff=2048, num_layers=6, num_heads=8, decoder_start_token_id=0, pad_token_id=0)
    return T5ForConditionalGeneration(config), GenerationConfig(decoder_start_token_id=0, eos_token_id=1, pad_token_id=0)


def marian():
    config = MarianConfig(
        vocab_size=58101,
        d_model=512,
        encoder_layers=6,
        decoder_layers=6,
        encoder_attention_heads=8,
        decoder_attention_heads=8,
        encoder_ffn_dim=2048,
        decoder_ffn_dim=2048,
        max_position_embeddings=512,
        activation_function="swish",
        scale_embedding=True,
        static_position_embeddings=True,
        pad_token_id=58100,
        eos_token_id=0,
        decoder_start_token_id=58100,
        forced_eos_token_id=0,
    )
    return MarianMTModel(config), GenerationConfig(decoder_start_token_id=58100, eos_token_id=0, pad_token_id=58100)


def main():
    folder, tokenizer = Path(sys.argv[1]), AutoTokenizer.from_pretrained(sys.argv[2])
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    words = [word for word, _ in vocabulary if len(word) > 4 and word.isascii() and word.isalpha()]
    own = byte_level(words)
    makers = {
        "qwen2.5-0.5b": (qwen, own),
        "qwen2.5-0.5b-copies": (lambda: copies(own, words), own),
        "t5-small": (t5, tokenizer),
        "marian": (marian, tokenizer),
    }
    for name, (make, tokenizer) in makers.items():
        if (folder / name).is_dir():
            continue
        torch.manual_seed(0)
        model, generation, *prompt = make()
        part = folder / f".{name}"
        model.eval().save_pretrained(part)
        generation.save_pretrained(part)
        tokenizer.save_pretrained(part)
        for text in prompt:
            (part / "prompt.txt").write_text(text)
        part.rename(folder / name)


main()
