"""Makes tiny tokenizers of every kind, in every generation of files, and records what the reference's tokenizers make of nasty texts.

Writes tests/goldens/tokenizers/<class>_<files>/: the files, and tokens.json with what the reference answers. Run by version 4 of the
reference, it adds tokens_v4.json for the kinds that version 4's tasks use.
Usage: text_tokenizers.py [PART OF A FOLDER'S NAME...]
"""

import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", TRANSFORMERS_VERBOSITY="error", RUST_BACKTRACE="0")
warnings.filterwarnings("ignore")

import transformers
import vocabularies
from vocabularies import write_json

transformers.logging.set_verbosity_error()
GOLDENS = Path(__file__).parents[2] / "tests" / "goldens" / "tokenizers"
OLDER = Path(sys.prefix).parent / "v4" / "bin" / "python"

LONG = "The river Danube flows through ten countries; it rises in Germany."
TEXTS = [
    "",
    "   ",
    "  leading and trailing  ",
    "Hello, world! It's a test; isn't it? I'm sure they've 'quoted' ``this'' \"too\".",
    "Zoë's café, naïve Crème Brûlée, Ångström ÀÉÎÕÜ ß ẞ İı",
    "Zoe\u0308's cafe\u0301 nai\u0308ve A\u030angstro\u0308m",
    "東京は大きいです。北京大学 你好，世界！ 한국어 ｶﾅ カナ",
    "👩\u200d👩\u200d👧\u200d👦 family 🙂👍🏽 🇩🇪 ☺\ufe0f",
    "a\u0000b\u0001c\u0007d\u007fe\u200bf\ufeffg\u00adh\u0085i",
    "nbsp\u00a0thin\u2009ideographic\u3000zero\u200bline\u2028par\u2029end\u00a0 ",
    "tab\tnew\nline\r\nend\n\n  indented\n",
    "multiple    spaces   inside \u00a0 mixed",
    "w" * 101 + " pneumonoultramicroscopic",
    "Кириллица Ελληνικά עברית العربية ไทย हिन्दी \u202eabc\u202c mixed",
    "[MASK] and <mask></s> [CLS] <s> <pad>[SEP]<sep>  <mask> x<mask>y <|endoftext|>  <unk> [UNK] </s>",
    "<extra_id_0> <cls> ##hash Ġbyte ▁meta▁space <0x41> @@ </w> <s>NOTUSED",
    "ﬁ ligature ① ½ ² ＡＢＣ！ ™ … № ǆ Ω",
    "UPPER MiXeD CamelCase snake_case http://a.b/c?d=e&f#g 3,000.50 $5 50% 1, 2, x,y 12:30 v1.2",
    "I loved it .  Was it good ?  Yes , it wasn't bad !",
]
PAIRS = [("The film was great.", "I loved it!"), ("", "empty first"), (LONG, "[SEP] in the second, and [MASK]")]
WORDS = [["The", "film", "wasn't", "", "grand-parents", "東京", " spaced ", "<mask>", "[MASK]"], []]
WORD_PAIR = (["Zoë's", "film"], ["was", "great!"])
CUTS = [
    {"truncation": "longest_first", "max_length": 12},
    {"truncation": "longest_first", "max_length": 12, "stride": 4},
    {"truncation": "longest_first", "max_length": 2},
    {"truncation": "longest_first", "max_length": 1},
    {"truncation": "only_first", "max_length": 14, "stride": 3},
    {"truncation": "longest_first", "max_length": 6, "stride": 4},
    {"truncation": "longest_first", "max_length": 10, "side": "left"},
    {"truncation": "longest_first", "max_length": 10, "add_special_tokens": False},
]
PAIR_CUTS = [
    {"truncation": "longest_first", "max_length": 20},
    {"truncation": "longest_first", "max_length": 20, "side": "left"},
    {"truncation": "only_first", "max_length": 24, "stride": 2},
    {"truncation": "only_second", "max_length": 40, "stride": 2},
    {"truncation": "only_second", "max_length": 40, "stride": 2, "side": "left"},
]


def main():
    wanted = sys.argv[1:]
    if transformers.__version__.startswith("4."):
        for folder in sorted(GOLDENS.iterdir()):
            kind, generation = folder.name.rsplit("_", 1)
            if kind in VERSION_4 and generation != "v5" and (not wanted or any(part in folder.name for part in wanted)):
                record(folder, complete=False)
        return
    for name, write in KINDS.items():
        for generation in GENERATIONS.get(name, ("slow", "v4")):
            folder = GOLDENS / f"{name}_{generation}"
            if wanted and not any(part in folder.name for part in wanted):
                continue
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            write(folder)
            if generation != "slow":
                convert(folder, generation)
            record(folder, complete=generation == "slow" or len(GENERATIONS.get(name, ("slow", "v4"))) == 1)


def convert(folder, generation):
    """Lets one version of the reference read the folder and write what it would publish."""
    before = {f.name for f in folder.iterdir()}
    program = "import sys, transformers; transformers.AutoTokenizer.from_pretrained(sys.argv[1]).save_pretrained(sys.argv[1])"
    python = sys.executable if generation == "v5" else OLDER
    subprocess.run([python, "-c", program, str(folder)], check=True, stderr=subprocess.DEVNULL if not os.environ.get("SHOW") else None)
    if (folder / "tokenizer.json").exists():
        for name in before - {"config.json", "tokenizer_config.json"}:
            (folder / name).unlink()
        for name in ("vocab.txt", "vocab.json", "merges.txt"):
            (folder / name).unlink(missing_ok=True)
        path = folder / "tokenizer.json"
        path.write_text(json.dumps(json.loads(path.read_text("utf-8")), ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8")


def record(folder, complete):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    cases = []

    def case(text, pair=None, **options):
        words = isinstance(text, list)
        row = {k: v for k, v in (("text", text), ("pair", pair), ("options", options)) if v not in (None, {})}
        arguments = {k: v for k, v in options.items() if k != "side"}
        side, tokenizer.truncation_side = tokenizer.truncation_side, options.get("side", tokenizer.truncation_side)
        try:
            cases.append(row | answer(tokenizer, text, pair, words, arguments))
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            cases.append(row | {"error": f"{type(error).__name__}: {error}"[:150]})
        tokenizer.truncation_side = side

    for text in TEXTS:
        case(text)
    for first, second in PAIRS[: None if complete else 1]:
        case(first, second)
    for words in WORDS[: None if complete and tokenizer.is_fast else 1]:
        case(words)
    if complete:
        case("The film was great.", add_special_tokens=False)
        case("The film", "was great.", add_special_tokens=False)
        case(*WORD_PAIR)
        for cut in CUTS:
            case(LONG, **cut)
        for cut in PAIR_CUTS:
            case(LONG, "The people were watching the sky.", **cut)
    name = "tokens.json"
    if transformers.__version__.startswith("4."):
        name = "tokens_v4.json"
        for window in (window for case in cases for window in case.get("windows", [])):
            for key in ("special", "tokens", "words", "sequences", *([] if tokenizer.is_fast else ["type_ids"])):
                window.pop(key, None)
        cases = [case for case in cases if "error" not in case]
    write(folder / name, about(tokenizer) | speech(tokenizer), cases)
    size = sum(f.stat().st_size for f in folder.iterdir()) // 1024
    errors = sum("error" in row for row in cases)
    print(f"{folder.name}: {type(tokenizer).__name__}, {len(cases)} cases, {errors} errors, {size} KB", flush=True)


def answer(tokenizer, text, pair, words, arguments):
    """Everything that the reference says about one input, also of what truncation cut off."""
    if tokenizer.is_fast:
        # In a batch, so that an empty second text counts as one.
        inputs = ([text], [pair]) if pair is not None else ([text],)
        encoded = tokenizer(*inputs, is_split_into_words=words, return_overflowing_tokens=bool(arguments.get("truncation")), **arguments)
        windows = [window(e) for e in encoded.encodings]
        for further in windows[2:]:
            for key in ("special", "tokens", "words", "sequences"):
                del further[key]
    else:
        e = tokenizer(text, pair, is_split_into_words=words, return_special_tokens_mask=True, return_token_type_ids=True, **arguments)
        ids, mask = list(e["input_ids"]), list(e["special_tokens_mask"])
        windows = [{"ids": ids, "type_ids": digits(e["token_type_ids"]), "special": digits(mask), "tokens": tokenizer.convert_ids_to_tokens(ids)}]
    ids = windows[0]["ids"]
    result = {"windows": windows, "decoded": tokenizer.decode(ids), "skipped": tokenizer.decode(ids, skip_special_tokens=True)}
    clean = tokenizer.decode(ids, clean_up_tokenization_spaces=True)
    return result | ({"clean": clean} if clean != result["decoded"] else {})


def window(e):
    row = {"ids": e.ids, "type_ids": digits(e.type_ids), "special": digits(e.special_tokens_mask), "tokens": e.tokens, "offsets": [list(o) for o in e.offsets]}
    return row | {"words": e.word_ids, "sequences": digits(e.sequence_ids)}


def digits(values):
    """Small numbers, one character each; a dash for none."""
    return "".join("-" if value is None else str(value) for value in values)


def speech(tokenizer):
    """What a CTC tokenizer reads in the output of a speech model."""
    if not hasattr(tokenizer, "word_delimiter_token"):
        return {}
    spell = lambda text: tokenizer.convert_tokens_to_ids([c if len(c) == 1 else c for c in text])
    heard = [
        spell(["<pad>", "H", "H", "<pad>", "E", "L", "<pad>", "L", "L", "O", "|", "|", "<pad>", "W", "O", "R", "L", "D", "<pad>"]),
        spell(["|", "|", "A", "|", "<pad>", "|", "B", "<unk>", "<s>", "</s>", "|"]),
        spell(["<pad>", "<pad>"]),
        [],
    ]
    rows = []
    for ids in heard:
        for skip in (False, True):
            out = tokenizer.decode(ids, skip_special_tokens=skip, output_char_offsets=True, output_word_offsets=True)
            chars = [[o["char"], int(o["start_offset"]), int(o["end_offset"])] for o in out.char_offsets]
            words = [[o["word"], int(o["start_offset"]), int(o["end_offset"])] for o in out.word_offsets]
            rows.append({"ids": ids, "skip": skip, "text": out.text, "chars": chars, "words": words})
    return {"ctc": rows}


def about(tokenizer):
    length = tokenizer.model_max_length
    special = {k: v for k, v in tokenizer.special_tokens_map.items() if isinstance(v, str)}
    return {
        "reference": f"transformers {transformers.__version__}",
        "class": type(tokenizer).__name__,
        "fast": tokenizer.is_fast,
        "model_max_length": length if length < 1e20 else None,
        "padding_side": tokenizer.padding_side,
        "truncation_side": tokenizer.truncation_side,
        "model_input_names": tokenizer.model_input_names,
        "vocab_size": tokenizer.vocab_size,
        "len": len(tokenizer),
        "special": {k: [v, tokenizer.convert_tokens_to_ids(v)] for k, v in special.items()},
        "extra": getattr(tokenizer, "extra_special_tokens", None) if tokenizer.is_fast else None,
    }


def write(path, about, cases):
    lines = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in cases)
    path.write_text(json.dumps(about, ensure_ascii=False)[:-1] + f', "cases": [\n{lines}\n]}}\n', "utf-8")


def files(folder, model_type, cls, settings, **more):
    write_json(folder / "config.json", {"model_type": model_type})
    if settings is not None:
        write_json(folder / "tokenizer_config.json", {**({"tokenizer_class": cls} if cls else {}), **settings})
    for name, value in more.items():
        write_json(folder / f"{name}.json", value)


def wordpiece(model_type, cls=None, lower=True, specials=vocabularies.BERT_SPECIALS, size=240, settings=None, **more):
    def write(folder):
        lines = vocabularies.wordpiece(size, lower, specials)
        (folder / "vocab.txt").write_text("\n".join(lines) + "\n", "utf-8")
        files(folder, model_type, cls, settings, **more)

    return write


ROBERTA = (["<s>", "<pad>", "</s>", "<unk>"], ["<mask>"])
DEBERTA = (["[PAD]", "[CLS]", "[SEP]", "[UNK]"], ["[MASK]"])


def byte_bpe(model_type, cls=None, specials=ROBERTA, merges=60, settings=None, **more):
    def write(folder):
        pieces, learned = vocabularies.byte_bpe(merges)
        first, last = specials
        vocab = {piece: i for i, piece in enumerate([*first, *pieces, *last])}
        (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False), "utf-8")
        (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in learned), "utf-8")
        files(folder, model_type, cls, settings, **more)

    return write


def word_end_bpe(model_type, cls=None, specials=("<unk>",), merges=80, settings=None, byte_level=False, **more):
    """Merges over characters (or bytes), the last of a word marked: CLIP, OpenAI GPT, HerBERT."""

    def write(folder):
        pieces, learned = vocabularies.byte_bpe(merges)
        learned = [pair for pair in learned if "Ġ" not in pair[0] + pair[1]]
        letters = [p for p in pieces if len(p) == 1]
        vocab = [*letters, *(p + "</w>" for p in letters), *("".join(pair) for pair in learned), *("".join(pair) + "</w>" for pair in learned)]
        every = [f"{a} {b}" for a, b in learned] + [f"{a} {b}</w>" for a, b in learned]
        vocab = list(dict.fromkeys([*specials, *vocab]))
        (folder / "vocab.json").write_text(json.dumps({piece: i for i, piece in enumerate(vocab)}, ensure_ascii=False), "utf-8")
        (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(line + "\n" for line in every), "utf-8")
        files(folder, model_type, cls, settings, **more)

    return write


def pieces(model_type, name, cls=None, size=230, kind="unigram", table="small", settings=None, also=None, options=None, **more):
    def write(folder):
        vocabularies.sentencepiece(folder / name, size, kind=kind, table=table, **(options or {}))
        files(folder, model_type, cls, settings, **more)
        if also:
            also(folder)

    return write


BOS_PAD = dict(pad_id=0, bos_id=1, eos_id=2, unk_id=3, pad_piece="[PAD]", bos_piece="[CLS]", eos_piece="[SEP]", unk_piece="[UNK]")
ALBERT = dict(pad_id=0, unk_id=1, bos_id=-1, eos_id=-1, control_symbols="[CLS],[SEP],[MASK]")
XLNET = dict(control_symbols="<cls>,<sep>,<pad>,<mask>,<eod>", user_defined_symbols="<eop>")
T5 = dict(pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
LLAMA = dict(unk_id=0, bos_id=1, eos_id=2, pad_id=-1, byte_fallback=True, split_digits=True)
GEMMA = dict(pad_id=0, eos_id=1, bos_id=2, unk_id=3, byte_fallback=True, user_defined_symbols="<start_of_turn>,<end_of_turn>",
             bos_piece="<bos>", eos_piece="<eos>")


def tiktoken(folder):
    import base64

    table = {c: b for b, c in vocabularies.bytes_to_characters().items()}
    pieces_, _ = vocabularies.byte_bpe(60)
    order = sorted((p for p in pieces_ if len(p) == 1), key=lambda p: table[p]) + [p for p in pieces_ if len(p) > 1]
    lines = [f"{base64.b64encode(bytes(table[c] for c in piece)).decode()} {rank}" for rank, piece in enumerate(order)]
    (folder / "tokenizer.model").write_text("\n".join(lines) + "\n")
    token = lambda content: {"content": content, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    decoder = {str(len(order)): token("<|endoftext|>"), str(len(order) + 3): token("<|mask|>")}
    files(folder, "unheard_of", "PreTrainedTokenizerFast", {"added_tokens_decoder": decoder, "eos_token": "<|endoftext|>"})


def esm(folder):
    tokens = ["<cls>", "<pad>", "<eos>", "<unk>", *"LAGVSERTIDPKQNFYMHWCXBUZO.-", "<null_1>", "<mask>"]
    (folder / "vocab.txt").write_text("\n".join(tokens), "utf-8")
    files(folder, "esm", "EsmTokenizer", {"model_max_length": 64})


def own_vocabulary(spm, folder):
    """A vocab.json in another order than SentencePiece's, and with fewer pieces."""
    from sentencepiece import SentencePieceProcessor

    model = SentencePieceProcessor(str(folder / spm))
    return sorted(model.id_to_piece(i) for i in range(4, model.get_piece_size() - 3))


def marian(separate=False, **settings):
    def write(folder):
        vocabularies.sentencepiece(folder / "source.spm", 230)
        vocabularies.sentencepiece(folder / "target.spm", 240)
        save = lambda name, first, spm: write_json(folder / name, {t: i for i, t in enumerate([*first, *own_vocabulary(spm, folder), "<pad>"])})
        save("vocab.json", ["</s>", "<unk>", ">>deu<<"], "source.spm")
        if separate:
            save("target_vocab.json", ["</s>", "<unk>"], "target.spm")
        files(folder, "marian", "MarianTokenizer", {"separate_vocabs": separate, **settings})

    return write


def m2m(folder):
    vocabularies.sentencepiece(folder / "sentencepiece.bpe.model", 230)
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *own_vocabulary("sentencepiece.bpe.model", folder)]
    write_json(folder / "vocab.json", {t: i for i, t in enumerate(tokens)})
    files(folder, "m2m_100", "M2M100Tokenizer", {"src_lang": "de"}, special_tokens_map={"additional_special_tokens": ["__af__", "__am__", "__ar__"]})


def blenderbot_small(folder):
    _, learned = vocabularies.byte_bpe(120)
    learned = [(a, b) for a, b in learned if "Ġ" not in a + b and (a + b).islower()]
    every = [(a, b) for a, b in learned] + [(a, b + "</w>") for a, b in learned]
    letters_ = [chr(c) for c in range(33, 127) if not chr(c).isupper()]
    tokens = ["__null__", "__start__", "__end__", "__unk__", "__newln__", *letters_, *(c + "@@" for c in letters_)]
    tokens += [a + b for a, b in learned] + [a + b + "@@" for a, b in learned]
    write_json(folder / "vocab.json", {t: i for i, t in enumerate(dict.fromkeys(tokens))})
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in every), "utf-8")
    files(folder, "blenderbot-small", "BlenderbotSmallTokenizer", {})


def prophetnet(folder):
    lines = vocabularies.wordpiece(240, True, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[X_SEP]", "[MASK]"])
    (folder / "prophetnet.tokenizer").write_text("\n".join(lines) + "\n", "utf-8")
    files(folder, "prophetnet", "ProphetNetTokenizer", {"do_lower_case": True})


def letters(settings, nested=False):
    def write(folder):
        tokens = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ", "<noise>"]
        vocab = {token: i for i, token in enumerate(tokens)}
        write_json(folder / "vocab.json", {"eng": vocab, "deu": {**vocab, "Ä": len(vocab)}} if nested else vocab)
        files(folder, "wav2vec2", "Wav2Vec2CTCTokenizer", settings)

    return write


KINDS = {
    "bert": wordpiece("bert", settings={"do_lower_case": True, "model_max_length": 128}),
    "bert_cased": wordpiece("bert", "BertTokenizerFast", lower=False, settings={"do_lower_case": False, "strip_accents": False, "tokenize_chinese_chars": False}),
    "bert_bare": wordpiece("bert"),
    "bert_added": wordpiece("bert", "BertTokenizer", settings={"do_lower_case": False}, lower=False,
                            special_tokens_map={"mask_token": {"content": "[MASK]", "lstrip": True, "rstrip": False, "normalized": False, "single_word": False},
                                                "additional_special_tokens": ["<s>", "<sep>"]},
                            added_tokens={"Danube": 240, "film": 241, "<sep>": 242, "<s>": 243}),
    "distilbert": wordpiece("distilbert", "DistilBertTokenizer", settings={"padding_side": "left", "truncation_side": "left"}),
    "electra": wordpiece("electra", "ElectraTokenizer", settings={}),
    "mpnet": wordpiece("mpnet", "MPNetTokenizer", settings={}, specials=["<s>", "<pad>", "</s>", "[UNK]", "<mask>"]),
    "funnel": wordpiece("funnel", "FunnelTokenizer", settings={}, specials=["<pad>", "<unk>", "<cls>", "<sep>", "<mask>", "<s>", "</s>"]),
    "roformer": wordpiece("roformer", "RoFormerTokenizer", settings={}, specials=[*vocabularies.BERT_SPECIALS, "北京", "世界", "大学"]),
    "roberta": byte_bpe("roberta", settings={"model_max_length": 512}),
    "roberta_prefix": byte_bpe("roberta", "RobertaTokenizer", settings={"add_prefix_space": True, "trim_offsets": False}),
    "bart": byte_bpe("bart", "BartTokenizer", settings={}),
    "deberta": byte_bpe("deberta", "DebertaTokenizer", specials=DEBERTA, settings={}),
    "gpt2": byte_bpe("gpt2", "GPT2Tokenizer", specials=([], ["<|endoftext|>"]), settings={"clean_up_tokenization_spaces": True}),
    "gpt2_bos": byte_bpe("gpt2", "GPT2Tokenizer", specials=([], ["<|endoftext|>"]), settings={"add_bos_token": True}),
    "gpt_neox": byte_bpe("gpt_neox", "GPTNeoXTokenizer", specials=(["<|endoftext|>", "<|padding|>"], []), settings={}),
    "qwen2": byte_bpe("qwen2", "Qwen2Tokenizer", specials=([], ["<|endoftext|>", "<|im_start|>"]), settings={}),
    "blenderbot": byte_bpe("blenderbot", "BlenderbotTokenizer", settings={}),
    "whisper": byte_bpe("whisper", "WhisperTokenizer", settings={}, specials=([], ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|translate|>", "<|transcribe|>", "<|notimestamps|>", "<|0.00|>"])),
    "clip": word_end_bpe("clip", "CLIPTokenizer", ("<|startoftext|>", "<|endoftext|>"), settings={}),
    "openai_gpt": word_end_bpe("openai-gpt", "OpenAIGPTTokenizer", settings={}),
    "herbert": word_end_bpe("herbert", "HerbertTokenizer", ("<s>", "<pad>", "</s>", "<unk>", "<mask>"), settings={}),
    "albert": pieces("albert", "spiece.model", "AlbertTokenizer", settings={}, options=ALBERT),
    "albert_accents": pieces("albert", "spiece.model", table="identity", settings={"keep_accents": True, "do_lower_case": False}, options=ALBERT),
    "xlnet": pieces("xlnet", "spiece.model", "XLNetTokenizer", settings={}, options=XLNET),
    "xlm_roberta": pieces("xlm-roberta", "sentencepiece.bpe.model"),
    "camembert": pieces("camembert", "sentencepiece.bpe.model", "CamembertTokenizer", settings={}),
    "barthez": pieces("barthez", "sentencepiece.bpe.model", "BarthezTokenizer", settings={}),
    "deberta_v2": pieces("deberta-v2", "spm.model", settings={"do_lower_case": False, "vocab_type": "spm"}, options=BOS_PAD),
    "deberta_v2_punct": pieces("deberta-v2", "spm.model", "DebertaV2Tokenizer", settings={"do_lower_case": True, "split_by_punct": True}, options=BOS_PAD),
    "t5": pieces("t5", "spiece.model", "T5Tokenizer", settings={"extra_ids": 5}, options=T5),
    "pegasus": pieces("pegasus", "spiece.model", "PegasusTokenizer", settings={"offset": 5}, options=dict(pad_id=0, eos_id=1, unk_id=2, bos_id=-1)),
    "mbart": pieces("mbart", "sentencepiece.bpe.model", "MBartTokenizer", settings={"src_lang": "de_DE"}),
    "mbart50": pieces("mbart", "sentencepiece.bpe.model", "MBart50Tokenizer", settings={"src_lang": "fr_XX"}),
    "nllb": pieces("nllb", "sentencepiece.bpe.model", "NllbTokenizer", kind="bpe", settings={"src_lang": "deu_Latn"}),
    "big_bird": pieces("big_bird", "spiece.model", "BigBirdTokenizer", settings={}, options=dict(pad_id=0, eos_id=1, bos_id=2, unk_id=3, control_symbols="[CLS],[SEP],[MASK]")),
    "rembert": pieces("rembert", "sentencepiece.model", "RemBertTokenizer", settings={}, options=ALBERT),
    "xglm": pieces("xglm", "sentencepiece.bpe.model", "XGLMTokenizer", settings={}),
    "llama": pieces("llama", "tokenizer.model", "LlamaTokenizer", kind="bpe", table="identity", settings={"legacy": True, "add_bos_token": True}, size=400,
                    options=dict(LLAMA, add_dummy_prefix=True, remove_extra_whitespaces=False)),
    "code_llama": pieces("code_llama", "tokenizer.model", "CodeLlamaTokenizer", kind="bpe", table="identity", settings={}, size=400,
                         options=dict(LLAMA, remove_extra_whitespaces=False)),
    "gemma": pieces("gemma", "tokenizer.model", "GemmaTokenizer", kind="bpe", table="identity", settings={"add_bos_token": True}, size=400,
                    options=dict(GEMMA, remove_extra_whitespaces=False)),
    "generic_bpe": pieces("unheard_of", "tokenizer.model", "SomebodysTokenizer", kind="bpe", settings={}, size=400, options=LLAMA),
    "generic_unigram": pieces("unheard_of", "tokenizer.model", None, settings=None),
    "tiktoken": tiktoken,
    "codegen": byte_bpe("codegen", "CodeGenTokenizer", specials=([], ["<|endoftext|>"]), settings={"return_token_type_ids": True}),
    "cohere": byte_bpe("cohere", "CohereTokenizer", specials=(["<PAD>", "<UNK>", "<CLS>", "<SEP>", "<MASK_TOKEN>", "<BOS_TOKEN>", "<|END_OF_TURN_TOKEN|>"], []), settings={}),
    "fnet": pieces("fnet", "spiece.model", "FNetTokenizer", settings={}, options=ALBERT),
    "splinter": wordpiece("splinter", "SplinterTokenizer", settings={}, specials=[*vocabularies.BERT_SPECIALS, "[QUESTION]"]),
    "reformer": pieces("reformer", "spiece.model", "ReformerTokenizer", kind="bpe", settings={}, options=dict(eos_id=2, unk_id=0, bos_id=-1)),
    "seamless_m4t": pieces("seamless_m4t", "sentencepiece.bpe.model", "SeamlessM4TTokenizer", kind="bpe", settings={"src_lang": "deu", "additional_special_tokens": ["__eng__", "__deu__"]}, options=dict(unk_id=0, bos_id=1, eos_id=2)),
    "esm": esm,
    "convbert": wordpiece("convbert", "ConvBertTokenizer", settings={}),
    "marian": marian(source_lang="eng", target_lang="deu"),
    "marian_separate": marian(separate=True, model_max_length=64),
    "m2m_100": m2m,
    "blenderbot_small": blenderbot_small,
    "prophetnet": prophetnet,
    "wav2vec2": letters({"word_delimiter_token": "|", "do_lower_case": False}),
    "wav2vec2_lower": letters({"do_lower_case": True, "target_lang": "deu", "added_tokens_decoder": {}}, nested=True),
}

# What version 5 answers otherwise, or no longer uses.
VERSION_4 = """albert albert_accents barthez bart bert bert_added bert_cased big_bird camembert convbert deberta deberta_v2
    distilbert electra funnel m2m_100 marian mbart mbart50 mpnet nllb pegasus prophetnet rembert roberta roberta_prefix roformer t5
    xlm_roberta xlnet""".split()

# Other than the vocabulary files and what version 4 makes of them. Version 4 cannot convert some, and some equal others.
GENERATIONS = {
    "bert": ("slow", "v5", "v4"),
    "bert_bare": ("slow",),
    "electra": ("v4",),
    "bart": ("v4",),
    "roberta": ("slow", "v5", "v4"),
    "gpt2": ("slow", "v5", "v4"),
    "gpt_neox": ("slow", "v5"),
    "albert": ("slow", "v5", "v4"),
    "xlm_roberta": ("slow", "v5", "v4"),
    "deberta_v2": ("slow", "v5", "v4"),
    "t5": ("slow", "v5", "v4"),
    "llama": ("slow", "v5", "v4"),
    "codegen": ("slow",),
    "cohere": ("slow",),
    "esm": ("slow",),
    "herbert": ("slow",),
    "marian": ("slow",),
    "marian_separate": ("slow",),
    "m2m_100": ("slow",),
    "blenderbot_small": ("slow",),
    "prophetnet": ("slow",),
    "wav2vec2": ("slow",),
    "wav2vec2_lower": ("slow",),
    "xglm": ("v4",),
    "generic_bpe": ("slow",),
    "generic_unigram": ("slow",),
    "tiktoken": ("slow", "v5"),
}

if __name__ == "__main__":
    main()
