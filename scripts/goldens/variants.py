"""Checkpoints with something changed in their files, and what the reference answers with them or whether it fails.

A variant is a golden's folder, the changes, a task, and its requests. tests/goldens/variants/<group>.json says all of it, so that no checkpoint
is stored twice; tests/variants.rs makes the same changes. A change sets a value in a JSON file (by JSON pointer), removes one, writes a file or
removes it.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import common
import drawn
import tasks
from common import GOLDENS, plain

TEXT = "The film was wonderful and the actors were great."


def variant(note, base, task, *requests, set=None, drop=None, write=None, remove=()):
    """`set` is {file: {pointer: value}}, `drop` {file: [pointer]}, `write` {file: text}, `remove` a list of files and folders."""
    changes = {"set": set or {}, "drop": drop or {}, "write": write or {}, "remove": list(remove)}
    return {"note": note, "base": base, "task": task, **{k: v for k, v in changes.items() if v}, "requests": [dict(request) for request in requests]}


def ask(inputs, **parameters):
    return {"inputs": inputs, "parameters": parameters}


def change(folder, row):
    for file, values in row.get("set", {}).items():
        edit(folder / file, lambda json, values=values: [put(json, pointer, value) for pointer, value in values.items()])
    for file, pointers in row.get("drop", {}).items():
        edit(folder / file, lambda json, pointers=pointers: [take(json, pointer) for pointer in pointers])
    for file, text in row.get("write", {}).items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text, "utf-8")
    for name in row.get("remove", []):
        shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink()


def edit(path, work):
    value = json.loads(path.read_text("utf-8")) if path.exists() else {}
    work(value)
    path.write_text(json.dumps(value, ensure_ascii=False), "utf-8")


def place(value, pointer):
    *way, last = pointer.split("/")[1:]
    for part in way:
        value = value[int(part)] if isinstance(value, list) else value.setdefault(part, {})
    return value, int(last) if isinstance(value, list) else last


def put(value, pointer, new):
    value, last = place(value, pointer)
    value[last] = new


def take(value, pointer):
    value, last = place(value, pointer)
    value.pop(last, None)


def record(group, rows):
    if sys.argv[1:] and not any(part in f"variants/{group}" for part in sys.argv[1:]):
        return
    for row in rows:
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder) / "model"
            shutil.copytree(drawn.checkpoint(GOLDENS / row["base"]), folder)
            change(folder, row)
            common.os.chdir(GOLDENS / row["base"])  # where media are looked for
            answer(folder, row)
    lines = ",\n".join(json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows)
    path = GOLDENS / "variants" / f"{group}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"[\n{lines}\n]\n", "utf-8")
    print(f"variants/{group}: {len(rows)} variants, {path.stat().st_size // 1024} KB")


def answer(folder, row):
    gaps = []
    try:
        run = tasks.open_task(row["task"], folder, lambda gap, *_: gaps.append(float(gap)))
    except Exception as error:
        fails(row, error)
        for request in row["requests"]:
            request["error"] = True
        return
    for request in row["requests"]:
        gaps.clear()
        try:
            common.torch.manual_seed(0)
            request["answer"] = plain(run(request["inputs"], dict(request["parameters"])))
        except Exception as error:
            fails(row, error)
            request["error"] = True
        if gaps and min(gaps) < 1e-3:
            print(f"  {row['base']}: {row['note']}: a near-tie ({min(gaps):.5f}) in {request['inputs']!r}")


def fails(row, error):
    if common.os.environ.get("SHOW"):
        print(f"  {row['base']}: {row['note']}: {type(error).__name__}: {str(error).splitlines()[0][:140]}")


# --- Labels -----------------------------------------------------------------------------------------------------------------------

CLASSES = "bert/sequence_classification"
TOKENS = "bert/token_classification"
ENTAILS = "bert/zero_shot"
PICTURES = "vit/image_classification"


def labels():
    number = len(json.loads((GOLDENS / CLASSES / "config.json").read_text())["id2label"])
    both = [ask(TEXT), ask(TEXT, top_k=None), ask([TEXT, "Hi"], top_k=1)]

    def classes(note, names, *requests, **fields):
        changes = {"/id2label": names, **fields}
        return variant(note, CLASSES, "text-classification", *(requests or both), set={"config.json": changes})

    yield classes("numbers", {"0": 0, "1": 1, "2": 2})
    yield classes("of several types", {"0": 1.5, "1": True, "2": None})
    yield classes("lists and objects", {"0": ["a", 1], "1": {"x": None}, "2": "c"})
    yield classes("nulls", {"0": None, "1": None, "2": None})
    yield classes("a gap", {"0": "a", "1": "b", "3": "d"}, ask(TEXT), ask(TEXT, top_k=None))
    yield classes("a gap at the beginning", {"7": "a", "8": "b", "9": "c"}, ask(TEXT))
    yield classes("a negative number", {"-1": "n", "0": "a", "1": "b"}, ask(TEXT))
    yield classes("numbers as int() reads them", {" 0 ": "a", "+1": "b", "0_2": "c"})
    yield classes("one number twice", {"0": "a", "00": "z", "1": "b", "2": "c"})
    yield classes("fractions", {"0.0": "a", "1": "b", "2": "c"}, ask(TEXT))
    yield classes("words", {"a": "a", "1": "b", "2": "c"}, ask(TEXT))
    yield classes("a huge number", {"0": "a", "1": "b", "9" * 30: "c"}, ask(TEXT))
    yield classes("a list", ["a", "b", "c"], ask(TEXT))
    alone = {"id2label", "label2id"}
    for note, drop, fields in [
        ("label2id alone", ["/id2label"], {"/num_labels": number}),
        ("num_labels alone", ["/id2label", "/label2id"], {"/num_labels": number}),
        ("num_labels as a word", ["/id2label", "/label2id"], {"/num_labels": "3"}),
        ("num_labels that disagrees", [], {"/num_labels": 7, "/id2label": {"0": "a", "1": "b", "2": "c"}}),
        ("one class is no single label", [], {"/problem_type": "single_label_classification", "/id2label": {"0": "a"}}),
    ]:
        yield variant(note, CLASSES, "text-classification", *both, set={"config.json": fields}, drop={"config.json": drop})

    tokens = json.loads((GOLDENS / TOKENS / "config.json").read_text())["id2label"]
    for note, name in [("numbers", lambda i, label: int(i)), ("numbers for some", lambda i, label: label if int(i) % 2 else int(i)),
                       ("nulls", lambda i, label: None)]:
        names = {i: name(i, label) for i, label in tokens.items()}
        yield variant(f"tokens: {note}", TOKENS, "token-classification", ask(TEXT), ask(TEXT, ignore_labels=[0, 2.0]), ask(TEXT, ignore_labels=[None]),
                      ask(TEXT, ignore_labels=[]), ask(TEXT, aggregation_strategy="simple"), ask(TEXT, aggregation_strategy="max"),
                      ask("", aggregation_strategy="simple"), set={"config.json": {"/id2label": names}})

    three = ["politics", "sport"]
    for note, changes, drop in [
        ("label2id alone", {"/label2id": {"entailment": 0, "neutral": 1, "contradiction": 2}, "/num_labels": 3}, ["/id2label"]),
        ("numbers for names", {"/id2label": {"0": 0, "1": 1, "2": 2}, "/label2id": {"entailment": 0, "neutral": 1, "contradiction": 2}}, []),
        ("a string for a number", {"/label2id": {"entailment": "2"}}, []),
        ("names of no use", {"/label2id": {"LABEL_0": 0}}, []),
    ]:
        yield variant(f"zero-shot: {note}", ENTAILS, "zero-shot-classification", ask(TEXT, candidate_labels=three),
                      set={"config.json": changes}, drop={"config.json": drop})

    pictures = json.loads((GOLDENS / PICTURES / "config.json").read_text())["id2label"]
    picture = "../../media/small.png"
    yield variant("pictures: numbers and null", PICTURES, "image-classification", ask(picture), ask(picture, top_k=2),
                  set={"config.json": {"/id2label": {i: None if i == "1" else int(i) for i in pictures}}})


# --- Special tokens ---------------------------------------------------------------------------------------------------------------

MODEL = "generate/models/llama/causal_lm"
ODD = "a [A] b [B] c [C] d<e>f"


def special_tokens():
    """Which of the lists counts, in which form, and which of the tokens are cut out of the text that is answered."""
    def tokens(note, *, config=None, map=None, added=None):
        write = {"special_tokens_map.json": json.dumps(map)} if map is not None else {}
        if added is not None:
            write["added_tokens.json"] = json.dumps(added)
        # The ids beyond the vocabulary are no matter: the text is not generated from, it is only told as tokens.
        return variant(note, "bert/masked_lm", "tokens", ask(ODD), set={"tokenizer_config.json": {f"/{k}": v for k, v in (config or {}).items()}}, write=write)

    a, b, c = "[A]", "[B]", "[C]"
    flags = {"lstrip": True, "rstrip": False, "normalized": False, "single_word": False, "special": True}
    added = lambda content: {"content": content, "__type": "AddedToken", **flags}
    bare = lambda content: {"content": content, **flags}
    both = [
        ({"image_token": a}, [b]), ([a], [b]), ([], [b]), ({}, [b]), (None, [b]), ([a], None), ({"image_token": a}, None), (None, None),
        ({"image_token": a}, [b, c]), ({"image_token": a}, {"video_token": b}), ([a], {"video_token": b}), ("[A]", [b]), (0, [b]), (5, None),
        ({"image_token": added(a)}, [added(b), c]), ([added(a), b], []), ([5, a], None),
        ([None, a], None), ({"image_token": None}, [b]), ({"image_token": 5}, [b]), ([[a]], None), ([a, a], [a]), ({"x": a}, [a]), ("", [b]),
    ]
    for extra, additional in both:
        yield tokens(f"both: {json.dumps(extra)[:40]}, {json.dumps(additional)[:40]}", config={"extra_special_tokens": extra, "additional_special_tokens": additional})
    for value in [[a, b], {"image_token": a}, None, [], [added(a)], "[A]", 7, [a, 7]]:
        yield tokens(f"extra alone: {json.dumps(value)[:60]}", config={"extra_special_tokens": value})
        yield tokens(f"additional alone: {json.dumps(value)[:60]}", config={"additional_special_tokens": value})
    for config, map in [
        ({"extra_special_tokens": {"image_token": a}}, {"additional_special_tokens": [b]}),
        ({"extra_special_tokens": [a]}, {"additional_special_tokens": [b]}),
        ({"extra_special_tokens": []}, {"additional_special_tokens": [b]}),
        ({"extra_special_tokens": None}, {"additional_special_tokens": [b]}),
        ({"additional_special_tokens": [a]}, {"additional_special_tokens": [b]}),
        ({"extra_special_tokens": {"image_token": a}, "additional_special_tokens": [c]}, {"additional_special_tokens": [b]}),
        ({"extra_special_tokens": [a]}, {"extra_special_tokens": [b, {"content": c, "lstrip": True}]}),
        ({"extra_special_tokens": [a]}, {"extra_special_tokens": {"image_token": b}}),
        ({"extra_special_tokens": [a]}, {"extra_special_tokens": {"image_token": b}, "additional_special_tokens": [c]}),
        ({}, {"extra_special_tokens": [a], "additional_special_tokens": [b]}),
        ({}, {"image_token": a, "additional_special_tokens": [b]}),
        ({}, {"image_token": bare(a)}),
        ({"image_token": a, "video_token": added(b), "audio_token": bare(c)}, {}),
        ({"image_token": a, "extra_special_tokens": {"image_token": b}}, {}),
    ]:
        yield tokens(f"{json.dumps(config)[:60]} and special_tokens_map.json {json.dumps(map)[:60]}", config=config, map=map)
    yield tokens("added_tokens.json", config={"extra_special_tokens": [a]}, added={a: 400, b: 401})


def open_tokens(folder):
    """The ids of a text, and what is left of them without special tokens."""
    tokenizer = common.transformers.AutoTokenizer.from_pretrained(folder)

    def run(inputs, parameters):
        ids = tokenizer(inputs)["input_ids"]
        return {"ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=True), "special": sorted(set(tokenizer.all_special_ids))}

    return run


# --- Numbers ----------------------------------------------------------------------------------------------------------------------

def numbers():
    """Whole numbers with a fraction of zero, and flags as numbers, where the reference takes them."""
    usual = {"do_sample": False, "max_new_tokens": 5, "return_tensors": True}
    requests = [ask("The river", **{**usual, **changes}) for changes in [
        {"max_new_tokens": 4.0}, {"max_new_tokens": True}, {"max_new_tokens": "4"}, {"num_beams": True},
        {"num_return_sequences": 1.0}, {"eos_token_id": 2.0}, {"eos_token_id": [2.0, 7]}, {"pad_token_id": 0.0}, {"do_sample": 0}, {"do_sample": 0.0},
        {"suppress_tokens": [5.0]}, {"begin_suppress_tokens": [5.0]}, {"renormalize_logits": 1}, {"remove_invalid_values": 1, "use_cache": 1},
        {"num_beams": 3, "early_stopping": 1}, {"num_beams": 3, "early_stopping": 0}, {"num_beams": 3, "early_stopping": 1.0},
        {"prompt_lookup_num_tokens": 3.0}, {"exponential_decay_length_penalty": [2.0, 2]}, {"temperature": 1, "max_time": 100},
    ]]
    requests += [ask("The river", do_sample=False, max_new_tokens=5.0, return_full_text=flag) for flag in (0, 1)]
    yield variant("arguments", MODEL, "text-generation", *requests)
    for name, value in [("max_new_tokens", 4.0), ("max_length", 12.0), ("eos_token_id", 2.0), ("eos_token_id", [2.0]),
                        ("num_beams", True), ("do_sample", 0), ("pad_token_id", 2.0)]:
        yield variant(f"generation_config.json: {name} {value}", MODEL, "text-generation",
                      ask("The river", return_tensors=True, **({} if name == "do_sample" else {"do_sample": False})),
                      set={"generation_config.json": {f"/{name}": value}})


# --- Indexes ----------------------------------------------------------------------------------------------------------------------

def indexes():
    """Indexes that do not say what is in their files; the one file is cut in two by `split`."""
    weights = sorted(common.load_file(drawn.checkpoint(GOLDENS / CLASSES) / "model.safetensors"))
    one, two = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    where = {name: one if place < len(weights) // 2 else two for place, name in enumerate(weights)}
    swapped = {name: two if file == one else one for name, file in where.items()}

    def sharded(note, weight_map, files=None, **changes):
        index = {"metadata": {}, "weight_map": weight_map}
        row = variant(note, CLASSES, "text-classification", ask(TEXT, top_k=None), remove=["model.safetensors"],
                      write={"model.safetensors.index.json": json.dumps(index)}, **changes)
        return {**row, "split": files or {one: [n for n in weights if where[n] == one], two: [n for n in weights if where[n] == two]}}

    yield sharded("as it is", where)
    yield sharded("a tensor that is nowhere", {**where, "vision_tower.weight": two})
    yield sharded("many tensors that are nowhere", {**where, **{f"visual.{i}.weight": one for i in range(40)}})
    yield sharded("tensors in the other file", swapped)
    yield sharded("half of the tensors only", {name: file for place, (name, file) in enumerate(where.items()) if place % 2})
    yield sharded("a file that is missing", {**where, "classifier.weight": "model-00003-of-00003.safetensors"})
    yield sharded("an empty map", {})
    yield sharded("a file in a folder", {n: f"deep/{f}" for n, f in where.items()},
                  files={f"deep/{f}": [n for n in weights if where[n] == f] for f in (one, two)})


def split(folder, row):
    for file, names in row.get("split", {}).items():
        tensors = common.load_file(drawn.checkpoint(GOLDENS / row["base"]) / "model.safetensors")
        (folder / file).parent.mkdir(exist_ok=True)
        common.save_file({name: tensors[name] for name in names}, folder / file, metadata={"format": "pt"})


# --- Rotary positions -------------------------------------------------------------------------------------------------------------

def rotary():
    """Which architectures turn a part of each head only, where partial_rotary_factor says so: in the parameters, and beside them."""
    bases = sorted(path.parent for path in GOLDENS.glob("generate/models/*/causal_lm/golden.json"))
    bases += [GOLDENS / base for base in ("eurobert/sequence_classification", "modernbert/sequence_classification", "nomic_bert/sequence_classification",
                                          "esm/sequence_classification", "roformer/sequence_classification")]
    for base in bases:
        config = json.loads((base / "config.json").read_text())
        text = "/text_config" if "rope_parameters" in config.get("text_config", {}) else ""
        parameters = (config["text_config"] if text else config).get("rope_parameters")
        if not isinstance(parameters, dict) or common.VERSION != 5:
            continue
        kinds = [kind for kind, value in parameters.items() if isinstance(value, dict)]
        places = [f"{text}/rope_parameters/{kind}/partial_rotary_factor" for kind in kinds] or [f"{text}/rope_parameters/partial_rotary_factor"]
        name = str(base.relative_to(GOLDENS))
        if config.get("qk_rope_head_dim") == 4 or config["model_type"] == "mellum":
            continue  # one angle for two pairs, which torch stretches, as it would not in models of real size; and one that reads no old names
        task, request = ("text-generation", ask("The river Danube flows", do_sample=False, max_new_tokens=4, return_tensors=True)) \
            if name.startswith("generate") else ("text-classification", ask(TEXT, top_k=None))
        yield variant("in the parameters: 0.5", name, task, dict(request), set={"config.json": {place: 0.5 for place in places}})
        yield variant("beside them: 0.5", name, task, dict(request), set={"config.json": {f"{text}/partial_rotary_factor": 0.5}},
                      drop={"config.json": places})
        if not kinds:
            linear = {f"{text}/rope_parameters/rope_type": "linear", f"{text}/rope_parameters/factor": 2.0, places[0]: 0.5}
            yield variant("linear, and 0.5", name, task, dict(request), set={"config.json": linear})


# --- Modules of sentence-transformers ---------------------------------------------------------------------------------------------

SENTENCES = "bert/sentence_mean"
DENSE = "bert/sentence_cls_and_mean"


def sentences():
    texts = ["The film was great.", "Hi", ""]

    def modules(note, base=SENTENCES, **changes):
        return variant(note, base, "feature-extraction", ask(texts, pooling="model"), ask(texts[0], pooling="model", normalize=True), **changes)

    saved = "config_sentence_transformers.json"
    for dim in (5, 32, 100, 0, -3, 5.0, 4.5, True, "5", None):
        yield modules(f"truncate_dim {json.dumps(dim)}", set={saved: {"/truncate_dim": dim}})
    yield modules("truncate_dim behind dense layers", DENSE, set={saved: {"/truncate_dim": 3}})
    yield variant("truncate_dim in similarities", SENTENCES, "sentence-similarity",
                  ask({"source_sentence": texts[0], "sentences": [TEXT, "Hi"]}), set={saved: {"/truncate_dim": 5}})
    pooling = "1_Pooling/config.json"
    yield modules("no config of the pooling", remove=[pooling])
    yield modules("no folder of the pooling", remove=["1_Pooling"])
    yield modules("an empty config of the pooling", write={pooling: "{}"})
    yield modules("a config of the pooling that is a list", write={pooling: "[]"})
    for path in ("../1_Pooling", "../../etc", "/etc", "1_Pooling/", "./1_Pooling", "1_Pooling/.", ""):
        yield modules(f"the pooling at {path!r}", set={"modules.json": {"/1/path": path}})
    for value in ("cls", "cls+mean", ["cls", "mean"], [], "median", 5, None, ["cls", 5]):
        yield modules(f"pooling_mode {json.dumps(value)}", set={pooling: {"/pooling_mode": value}})
    yield modules("pooling flags as numbers", set={pooling: {"/pooling_mode_mean_tokens": 0, "/pooling_mode_cls_token": 1}})
    yield modules("no pooling flag", set={pooling: {"/pooling_mode_mean_tokens": False}})
    yield modules("a setting that pooling has not", set={pooling: {"/pooling_mode_sum": True}})
    yield modules("include_prompt as a number", set={pooling: {"/include_prompt": 1}})
    yield modules("a Normalize without a folder", set={"modules.json": {"/2/path": "nowhere"}})
    for kind in ("sentence_transformers.models.Nothing", "Pooling", "os.path", "sentence_transformers.models.Normalize", "", 5):
        yield modules(f"a module of type {kind!r}", set={"modules.json": {"/1/type": kind}})
    yield modules("a module without a path", drop={"modules.json": ["/1/path"]})
    yield modules("modules.json is an object", write={"modules.json": "{}"})
    yield modules("modules.json is empty", write={"modules.json": "[]"})
    yield modules("no config of a dense layer", DENSE, remove=["2_Dense/config.json"])
    yield modules("no weights of a dense layer", DENSE, remove=["2_Dense/model.safetensors"])
    yield modules("no folder of a dense layer", DENSE, remove=["2_Dense"])
    yield modules("no config of the normalization", DENSE, remove=["4_Normalize"])


if __name__ == "__main__":
    opened = tasks.open_task
    tasks.open_task = lambda task, folder, watch: open_tokens(folder) if task == "tokens" else opened(task, folder, watch)
    changed = change
    change = lambda folder, row: (split(folder, row), changed(folder, row))
    if common.VERSION == 5:
        for group in (labels, special_tokens, numbers, indexes, rotary, sentences):
            record(group.__name__, list(group()))
