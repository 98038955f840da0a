"""The tokenizer files of each family, in the shapes in which repositories publish them.

Each function returns one that writes the files into a folder. `files` says which:

slow    vocabulary files and a short tokenizer_config.json, as old repositories have
fast    tokenizer.json, and beside it what the running version of the reference saves
both    all of them
v4      all of them, as version 4 of the reference saved them: most repositories are of that time
none    vocabulary files alone
"""

import json
import subprocess
import sys
from pathlib import Path

import vocabularies
from vocabularies import write_json


def finish(folder, files, slow, settings):
    """Writes tokenizer_config.json, and tokenizer.json where wanted; removes the slow files where not."""
    if files == "none":
        return
    padded, extras = settings.pop("padded", False), settings.pop("extras", {})
    write_json(folder / "tokenizer_config.json", settings)
    for name, value in extras.items():
        write_json(folder / name, value)
    if files == "slow":
        return
    if files == "v4":
        python = Path(sys.prefix).parent / "v4" / "bin" / "python"
        program = "import sys, transformers; transformers.AutoTokenizer.from_pretrained(sys.argv[1]).save_pretrained(sys.argv[1])"
        subprocess.run([python, "-c", program, folder], check=True)
        return
    import transformers

    transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(folder)
    if files == "fast":
        for name in slow:
            (folder / name).unlink(missing_ok=True)
    if padded:
        save_padding(folder)


def save_padding(folder):
    """Leaves a padding and a truncation in tokenizer.json, as whoever saved it happened to have them set."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_padding(length=40)
    tokenizer.enable_truncation(9)
    tokenizer.save(str(folder / "tokenizer.json"))


def wordpiece(cls="BertTokenizer", lower=True, files="slow", size=320, specials=None, **settings):
    def write(folder):
        lines = vocabularies.wordpiece(size, lower, specials or vocabularies.BERT_SPECIALS)
        (folder / "vocab.txt").write_text("\n".join(lines) + "\n", "utf-8")
        finish(folder, files, ["vocab.txt"], {"do_lower_case": lower, "tokenizer_class": cls, "model_max_length": 128, **settings})

    return write


ROBERTA = (["<s>", "<pad>", "</s>", "<unk>"], ["<mask>"])
DEBERTA = (["[PAD]", "[CLS]", "[SEP]", "[UNK]"], ["[MASK]"])


def byte_bpe(cls="RobertaTokenizer", files="slow", specials=ROBERTA, merges=80, **settings):
    """Byte-level BPE: vocab.json with the special tokens around the pieces, and merges.txt."""

    def write(folder):
        pieces, learned = vocabularies.byte_bpe(merges)
        first, last = specials
        (folder / "vocab.json").write_text(json.dumps({piece: i for i, piece in enumerate([*first, *pieces, *last])}, ensure_ascii=False), "utf-8")
        (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in learned), "utf-8")
        finish(folder, files, ["vocab.json", "merges.txt"], {"tokenizer_class": cls, "model_max_length": 128, **settings})

    return write


PIECES = {
    "XLMRobertaTokenizer": ("sentencepiece.bpe.model", {}),
    "CamembertTokenizer": ("sentencepiece.bpe.model", {}),
    "AlbertTokenizer": ("spiece.model", dict(pad_id=0, unk_id=1, bos_id=-1, eos_id=-1, control_symbols="[CLS],[SEP],[MASK]")),
    "XLNetTokenizer": ("spiece.model", dict(control_symbols="<cls>,<sep>,<pad>,<mask>,<eod>", user_defined_symbols="<eop>")),
    "DebertaV2Tokenizer": ("spm.model", dict(pad_id=0, bos_id=1, eos_id=2, unk_id=3, pad_piece="[PAD]", bos_piece="[CLS]", eos_piece="[SEP]", unk_piece="[UNK]")),
    "T5Tokenizer": ("spiece.model", dict(pad_id=0, eos_id=1, unk_id=2, bos_id=-1)),
    "LlamaTokenizer": ("tokenizer.model", dict(kind="bpe", unk_id=0, bos_id=1, eos_id=2, pad_id=-1, byte_fallback=True, split_digits=True, remove_extra_whitespaces=False)),
    "GemmaTokenizer": ("tokenizer.model", dict(kind="bpe", pad_id=0, eos_id=1, bos_id=2, unk_id=3, bos_piece="<bos>", eos_piece="<eos>", byte_fallback=True,
                                               remove_extra_whitespaces=False)),
}


def pieces(cls, files="slow", size=260, table="small", **settings):
    """SentencePiece, with the special pieces of the family."""
    name, options = PIECES[cls]

    def write(folder):
        vocabularies.sentencepiece(folder / name, size, table=table, **options)
        finish(folder, files, [name], {"tokenizer_class": cls, "model_max_length": 128, **settings})

    return write


def bare(first, last, template, lower=False, merges=80, **settings):
    """tokenizer.json alone, without a class of its own: byte-level BPE as newer models publish it. `template` is (single, pair)."""

    def write(folder):
        import transformers
        from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

        learned, joined = vocabularies.byte_bpe(merges)
        vocab = {piece: i for i, piece in enumerate([*first, *learned, *last])}
        tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=joined))
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()]) if lower else normalizers.NFC()
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        special = [t for t in (*first, *last)]
        tokenizer.post_processor = processors.TemplateProcessing(single=template[0], pair=template[1], special_tokens=[(t, vocab[t]) for t in special])
        transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=128, **settings).save_pretrained(folder)

    return write


def lines(cls, tokens, **settings):
    """One token a line in vocab.txt, split at nothing but the tokens themselves."""

    def write(folder):
        (folder / "vocab.txt").write_text("\n".join(tokens), "utf-8")
        write_json(folder / "tokenizer_config.json", {"tokenizer_class": cls, **settings})
        write_json(folder / "special_tokens_map.json", {k: v for k, v in settings.items() if k.endswith("_token")})

    return write
