"""Tiny vocabularies, learned from corpus.txt, in the files that each family of tokenizers publishes.

Everything is counted and sorted here (or by SentencePiece with one thread), so that the same corpus always gives the same bytes.
"""

import collections
import io
import json
import re
import unicodedata
from pathlib import Path

CORPUS = (Path(__file__).parent / "corpus.txt").read_text("utf-8")
BERT_SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SUFFIXES = ["##s", "##ing", "##ed", "##er", "##ly", "##al", "##on", "##ation", "##ß", "##é", "##ü", "##å"]


def strip_accents(text):
    return "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")


def wordpiece(size=320, lower=True, specials=BERT_SPECIALS, ideographs="東京大学日本"):
    """The lines of a vocab.txt: special tokens, characters, continued characters, then the most frequent words."""
    text = strip_accents(CORPUS.lower()) if lower else CORPUS
    counts = collections.Counter(re.findall(r"[^\W\d_]+", text))
    words = [w for w, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])) if len(w) > 1 and not re.search("[぀-鿿]", w)]
    letters = [chr(c) for c in range(33, 127) if lower is False or not chr(c).isupper()]
    letters += list("éèüöçñ¿") if not lower else list("ßø¿")
    pieces = [*specials, *letters, *ideographs, *("##" + c for c in letters if c.isalnum()), *SUFFIXES]
    pieces = list(dict.fromkeys(pieces))
    return pieces + [w for w in words if w not in pieces][: max(0, size - len(pieces))]


def bytes_to_characters():
    """The printable character that stands for each byte in byte-level vocabularies."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    spare = (256 + n for n in range(256))
    return {b: chr(b) if b in kept else chr(next(spare)) for b in range(256)}


def byte_bpe(merges=80):
    """(pieces in order, merges) of a byte-level BPE: the most frequent neighbours are joined, first come first on ties."""
    table = bytes_to_characters()
    words = collections.Counter(re.findall(r" ?[^\W\d_]+| ?\d+| ?[^\w\s]+|\s+", CORPUS))
    split = {w: [table[b] for b in w.encode()] for w in words}
    learned = []
    for _ in range(merges):
        pairs = collections.Counter()
        for word, parts in split.items():
            for pair in zip(parts, parts[1:]):
                pairs[pair] += words[word]
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        learned.append(best)
        for word, parts in split.items():
            joined, i = [], 0
            while i < len(parts):
                if tuple(parts[i : i + 2]) == best:
                    joined.append(parts[i] + parts[i + 1])
                    i += 2
                else:
                    joined.append(parts[i])
                    i += 1
            split[word] = joined
    return sorted(table.values()) + ["".join(pair) for pair in learned], learned


# What the large normalization tables of published models do, for a handful of characters: full width, ligatures, odd spaces, controls.
NORMALIZATION = {"\u00a0": " ", "\u3000": " ", "\u2009": " ", "\t": " ", "\n": " ", "\u200b": " ", "ﬁ": "fi", "ﬂ": "fl", "…": "...",
                 "Ａ": "A", "Ｂ": "B", "！": "!", "？": "?", "²": "2", "½": "1⁄2", "№": "No", "e\u0301": "é", "u\u0308": "ü", "\u0007": ""}


def sentencepiece(path, size=260, kind="unigram", table="small", **options):
    """Trains a SentencePiece model and writes it to `path`. `table`: small (NORMALIZATION), or the name of a built-in rule set."""
    import sentencepiece as spm

    rules = Path(path).with_suffix(".tsv")
    if table == "small":
        lines = [f"{' '.join(f'{ord(c):X}' for c in old)}\t{' '.join(f'{ord(c):X}' for c in new)}" for old, new in NORMALIZATION.items()]
        rules.write_text("\n".join(sorted(lines)) + "\n")
        options["normalization_rule_tsv"] = str(rules)
    else:
        options["normalization_rule_name"] = table
    model = io.BytesIO()
    spm.SentencePieceTrainer.train(sentence_iterator=iter(CORPUS.splitlines()), model_writer=model, vocab_size=size, model_type=kind,
                                   num_threads=1, character_coverage=0.98, hard_vocab_limit=False, minloglevel=2, **options)
    rules.unlink(missing_ok=True)
    Path(path).write_bytes(nameless(model.getvalue()))


def nameless(model):
    """The model without its trainer's notes of where files lay on this machine."""
    from sentencepiece import sentencepiece_model_pb2 as messages

    proto = messages.ModelProto.FromString(model)
    for field in ("model_prefix", "input"):
        proto.trainer_spec.ClearField(field)
    proto.normalizer_spec.ClearField("normalization_rule_tsv")
    return proto.SerializeToString(deterministic=True)


def write_json(path, value):
    Path(path).write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8")
