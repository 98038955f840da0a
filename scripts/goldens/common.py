"""Makes tiny checkpoints with random weights, and records what the reference's pipelines answer with them.

A family's program calls `checkpoint(...)` once per folder. Version 5 of the reference and version 4 (for the tasks that version 5 removed)
each run every program; a folder belongs to exactly one of the two.
"""

import copy
import json
import math
import os
import shutil
import sys
import tempfile
import warnings
import zlib
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", TRANSFORMERS_VERBOSITY="error", HF_HUB_DISABLE_PROGRESS_BARS="1")
warnings.filterwarnings("ignore")

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file

import drawn as draws

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

GOLDENS = Path(__file__).parents[2] / "tests" / "goldens"
VERSION = int(transformers.__version__.split(".")[0])
SEEDS = 40  # how many draws of the weights to try for answers without near-ties
GAP = 1e-3  # the least distance between two logits whose order shows in an answer

TEXTS = [
    "The film was wonderful and the actors were great.",
    "Zoë's café in München costs 12.50€ — naïve, isn't it?",
    "東京 is big 🙂 and\tсветло!",
    "Hi",
]
# What tokenizers disagree about: spaces, composed and wide characters, controls, joined emoji, scripts without spaces, special tokens in the text.
ODD = [
    "  two  spaces\n\nand\tlines ",
    "e\u0301 u\u0308 ﬁne Ｆｕｌｌ ２½ №5 … naïve",
    "a\u200bb\u00a0c\u0007d\ufeffe\u2028f",
    "👩‍👩‍👧 🇩🇪 ☃️ ok",
    "한국어 ไทย عربى日本",
    "don't I'll 3.14 1,000 #tag snake_case",
    "<s> [CLS] x [SEP] y </s> <unk> [UNK]",
]


class Case:
    """One request: the pipeline's first argument and its keyword arguments."""

    def __init__(self, inputs, note=None, error=None, **parameters):
        self.inputs, self.note, self.error, self.parameters = inputs, note, error, parameters


def checkpoint(model_type, name, head, config, tokenizer, cases, *, reference=5, initialize=None, confirm=None,
               fit_vocabulary=False, under=GOLDENS, drawn=False, **saving):
    """Makes tests/goldens/<model_type>/<name>: the class `head` with `config`, the files that `tokenizer(folder)` writes, and golden.json.

    `cases` is {task: [Case, …]}, or a function of the folder that gives it, for cases that depend on what this draw of the weights answers;
    it gives None where the draw is of no use. Weights are drawn again until no answer depends on a near-tie and `confirm(folder)` holds.
    `fit_vocabulary` sets the vocabulary's size to the tokenizer's. `drawn` is for every new folder whose weights need not be a file: the
    repository has weights.json (drawn.py), whose numbers are spread as `randomize` and `initialize` spread them.
    """
    if not wanted(model_type, name, reference):
        return
    folder = under / model_type / name
    for attempt in range(SEEDS):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        tokenizer(folder)
        if fit_vocabulary:
            config.vocab_size = 1 + max(transformers.AutoTokenizer.from_pretrained(folder, config=config).get_vocab().values())
        save_checkpoint(folder, head, config, seed=zlib.crc32(f"{model_type}/{name}/{attempt}".encode()), initialize=initialize, drawn=drawn,
                        **saving)
        asked = cases(folder) if callable(cases) else cases
        if asked is None:
            gap = 0.0
            continue
        gap, varied = record(folder, asked)
        if gap > GAP and varied and (confirm is None or confirm(folder)):
            break
    else:
        raise SystemExit(f"{folder}: every draw of the weights has a near-tie or one label for all (last gap {gap})")
    if drawn:
        hidden = list(unseen(folder))
        draws.settle(folder, GOLDENS / "shared")
    size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) // 1024
    print(f"{model_type}/{name}: draw {attempt}, gap {gap:.4f}, {size} KB")
    if drawn and hidden:
        print(f"  no answer changes with {', '.join(hidden)}")


def wanted(model_type, name, reference=5):
    """Whether the command line asks for this folder, and it is this version's of the reference."""
    parts = sys.argv[1:]
    return reference == VERSION and (not parts or any(part in f"{model_type}/{name}" for part in parts))


def save_checkpoint(folder, head, config, seed, initialize=None, dtype="float32", weights="safetensors", rename=None, own_keys=False, generation=5,
                    without=(), extra=None, defaults=None, drawn=False):
    """Writes config.json and the weights; where they are `drawn`, weights.json as well.

    dtype       what the tensors are stored as
    weights     safetensors | sharded | bin
    rename      key -> key (None drops it), for checkpoints that older code wrote
    own_keys    the keys of the reference's own modules, where it keeps an older repository's by default
    generation  4 or 5: which names config.json uses
    without     fields left out of config.json, so that their defaults apply
    extra       fields put into config.json
    defaults    fields put into generation_config.json
    """
    torch.manual_seed(seed)
    model = getattr(transformers, head)(copy.deepcopy(config)).eval()  # saving writes into it
    randomize(model)
    if initialize:
        initialize(model)
    for field, value in (defaults or {}).items():
        setattr(model.generation_config, field, value)
    model.to(getattr(torch, dtype)).save_pretrained(folder, max_shard_size="20KB" if weights == "sharded" else "5GB",
                                                        **({"save_original_format": False} if own_keys else {}))
    rewrite_weights(folder, weights, rename)
    path = folder / "config.json"
    path.write_text(json.dumps(rewrite_config(json.loads(path.read_text()), generation, without, extra or {}), indent=2, ensure_ascii=False) + "\n")
    check_loads(folder, head, model)
    if drawn:
        draws.replace(folder, seed)


def check_loads(folder, head, model):
    """The reference reads back every weight under the names that were written; one that it missed would be drawn again at each load."""
    config = transformers.AutoConfig.from_pretrained(folder)
    loaded = getattr(transformers, head).from_pretrained(folder, config=config, dtype=model.dtype).state_dict()
    for name, tensor in model.state_dict().items():
        if not torch.equal(tensor, loaded[name]):
            raise SystemExit(f"{folder}: the reference does not read {name} back")


def randomize(model):
    """Draws every parameter wide enough to show in the answer: also biases, norms and positions, which are constants at birth."""
    norms = {id(p) for m in model.modules() if "norm" in type(m).__name__.lower() for p in m.parameters(recurse=False)}
    with torch.no_grad():
        for name, p in model.named_parameters():
            if not p.requires_grad:  # tables of sines
                continue
            last = name.rsplit(".", 1)[-1]
            if id(p) in norms:
                p.normal_(1.0 if last != "bias" else 0.0, 0.2)
            elif p.dim() < 2:
                p.normal_(0.0, 0.15)
            elif "embed" in name and p.dim() == 2:
                p.normal_(0.0, 0.5 if "word" in name or "tok" in name and "type" not in name else 0.2)
            else:
                sharp = any(part in name for part in ("query", "key", "q_lin", "k_lin", "q_proj", "k_proj", "attn.q", "attn.k"))
                p.normal_(0.0, (1.8 if sharp else 1.1) / math.sqrt(p[0].numel()))


def rewrite_weights(folder, weights, rename):
    if weights != "bin" and not rename:
        return
    for file in sorted(folder.glob("*.safetensors")):
        state = load_file(file)
        state = {rename(k): v for k, v in state.items() if rename(k)} if rename else state
        if weights == "bin":
            torch.save(state, folder / "pytorch_model.bin")
            file.unlink()
        else:
            save_file(state, file, metadata={"format": "pt"})


def rewrite_config(config, generation, without, extra):
    if generation == 4:
        if "dtype" in config:
            config["torch_dtype"] = config.pop("dtype")
        rope = config.get("rope_parameters")
        if isinstance(rope, dict) and "rope_theta" in rope:
            config.pop("rope_parameters")
            config["rope_theta"] = rope.pop("rope_theta")
            if "partial_rotary_factor" in rope:
                config["partial_rotary_factor"] = rope.pop("partial_rotary_factor")
            if rope.get("rope_type", "default") != "default":
                config["rope_scaling"] = rope
        config["transformers_version"] = "4.40.2"
    config.pop("_name_or_path", None)
    for field in without:
        config.pop(field, None)
    return {**config, **extra}


def record(folder, cases):
    """Answers every case with the reference and writes golden.json.

    Returns the smallest gap between logits that order the answers, and whether different inputs have different winners.
    """
    recorded, gap, varied = [], math.inf, True
    for task, requests in cases.items():
        with Reference(task, folder) as reference:
            for case in requests:
                row = {"task": task}
                if case.note:
                    row["note"] = case.note
                row |= {"inputs": case.inputs, "parameters": case.parameters}
                if case.error:
                    row["error"] = reference.failure(case)
                else:
                    row["answer"] = plain(reference.answer(case))
                recorded.append(row)
            gap, varied = min(gap, reference.gap), varied and len(reference.winners) >= reference.variety
    write_golden(folder / "golden.json", recorded)
    return gap, varied


def write_golden(path, recorded):
    lines = ",\n".join("  " + json.dumps(row, ensure_ascii=False, allow_nan=False) for row in recorded)
    path.write_text(f'{{"reference": "transformers {transformers.__version__}", "cases": [\n{lines}\n]}}\n', "utf-8")


def unseen(folder):
    """The names of the drawn tensors that no answer of golden.json depends on: those that are reflected at their mean and change none.

    Biases of keys are such, because a softmax takes them out.
    """
    import tasks

    weights = json.loads((folder / "weights.json").read_text("utf-8"))
    rows = [row for row in json.loads((folder / "golden.json").read_text("utf-8"))["cases"] if "answer" in row]
    with tempfile.TemporaryDirectory() as copy:
        copy = shutil.copytree(folder, Path(copy) / folder.name)
        os.chdir(folder)  # where media are looked for
        for name, tensor in weights["tensors"].items():
            other = {**tensor, "scale": -tensor["scale"], "mean": tensor["mean"] + (0 if tensor["scale"] else 0.1)}
            draws.write({**weights, "tensors": {**weights["tensors"], name: other}}, copy / "model.safetensors")
            opened = {task: tasks.open_task(task, copy, lambda *_: None) for task in {row["task"] for row in rows}}
            if all(answers_alike(opened[row["task"]], row) for row in rows):
                yield name
        os.chdir(GOLDENS)


def answers_alike(run, row):
    """Whether a test that compares with this row of golden.json would pass."""
    torch.manual_seed(0)
    try:
        answer = plain(run(row["inputs"], dict(row["parameters"])))
    except Exception:  # such as a time without words
        return False
    return alike(row["answer"], answer)


def alike(a, b):
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(alike(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return abs(a - b) <= 1e-4 * max(abs(a), 1)
    return a == b


class Reference:
    """A pipeline of the reference that watches how close the logits behind its answers are."""

    def __init__(self, task, folder):
        import tasks

        self.task, self.folder, self.gap, self.winners, self.variety = task, folder, math.inf, set(), 0
        self.run = tasks.open_task(task, folder, self.watch)

    def __enter__(self):
        os.chdir(self.folder)
        return self

    def __exit__(self, *_):
        os.chdir(GOLDENS)

    def watch(self, gap, winners=(), variety=None):
        self.gap = min(self.gap, float(gap))
        self.winners.update(winners)
        self.variety = self.variety if variety is None else variety

    def answer(self, case):
        torch.manual_seed(0)
        answer = self.run(copy.deepcopy(case.inputs), copy.deepcopy(case.parameters))  # pipelines write into them
        self.watch_order(answer)
        return answer

    def watch_order(self, answer):
        """Scores in an order of their own must be apart as well."""
        if self.task not in ("zero-shot-classification", "text-ranking", "fill-mask", "question-answering"):
            return
        if isinstance(answer, dict):
            scores = answer.get("scores", [])
        else:
            scores = [row["score"] for row in answer if isinstance(row, dict) and "score" in row]
            for row in answer:
                if not scores or "scores" in row:
                    self.watch_order(row)
        if scores != sorted(scores, reverse=True):  # one answer for each of several questions
            return
        for high, low in zip(scores, scores[1:]):
            self.watch(max(high - low, (high - low) / abs(high)))

    def failure(self, case):
        try:
            answer = self.answer(case)
        except Exception as error:
            if os.environ.get("SHOW"):
                print(f"  {self.task} {case.inputs!r} {case.parameters}: {type(error).__name__}: {error}")
            return case.error
        raise SystemExit(f"{self.folder}: {case.inputs!r} {case.parameters} should fail, but gives {answer!r}")


def plain(value):
    """The answer as JSON: arrays as nested lists, numbers with seven digits."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, torch.Tensor):
        return plain((value.detach().float() if value.is_floating_point() else value).cpu().numpy())
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return float(f"{value:.7g}")
    return value
