"""Runs language models that `formers convert` writes in other programs, which must write the tokens that formers writes.

Usage: exported_language.py FORMERS genai|optimum|transformers.js [PART OF A FOLDER'S NAME...]

FORMERS is the program. Golden checkpoints are converted to fp32, fp16, int8 and q4. What each written folder gives elsewhere, greedily and one text at a time, is
held against what `formers run` makes of the checkpoint in the same type, whose answers in fp32 are those of the goldens. The other program is onnxruntime-genai
(with the genai_config.json that lies in the folder), Optimum in version 4 of the reference, or transformers.js, installed in the working folder. In 8 bits and
less, activations are rounded as well, which may make another token of two that are about as likely: a few of all tokens may differ there.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import drawn
from common import GOLDENS

MODELS = GOLDENS / "generate" / "models"
NEW = 24
TEXTS = ["The film was wonderful and the actors were great.", "My name is Wolfgang and I live in Berlin.", "Hi"]
SUFFIX = {"fp32": "", "fp16": "_fp16", "int8": "_int8", "q4": "_q4"}
DIFFER = {"fp32": 0, "fp16": 0, "int8": 0.03, "q4": 0.03}


def main():
    program, peer, *parts = sys.argv[1:]
    folders = sorted(p.parent for p in MODELS.glob("*/*/golden.json") if p.parent.name.startswith(("causal_lm", "seq2seq")))
    failures, count, left_out, different = [], Counter(), [], Counter()
    for folder in folders:
        name = str(folder.relative_to(MODELS))
        if parts and not any(part in name for part in parts):
            continue
        with tempfile.TemporaryDirectory() as out:
            try:
                model = Model(program, drawn.checkpoint(folder), Path(out))
                reason = unfit(peer, model)
                found = {} if reason else PEERS[peer](model)
                if isinstance(found, str):
                    reason = found
                if reason:
                    left_out.append(f"{name} ({reason})")
                    continue
                for dtype, rows in found.items():
                    wanted = model.written(dtype)
                    wrong = sum(a != b for row, other in zip(rows, wanted) for a, b in zip(row, other))
                    count += Counter({(dtype, "checkpoints"): 1, (dtype, "tokens"): sum(map(len, wanted)), (dtype, "differ"): wrong})
                    different += Counter({f"{name} {dtype}": wrong})
                    if (wrong and not DIFFER[dtype]) or [*map(len, rows)] != [*map(len, wanted)]:
                        failures.append(f"{name}: {dtype}: {rows}, not {wanted}")
            except Exception as error:
                failures.append(f"{name}: {type(error).__name__}: {str(error)[:500]}")
    for dtype, most in DIFFER.items():
        tokens, differ = count[dtype, "tokens"], count[dtype, "differ"]
        print(f"{peer} {dtype}: {count[dtype, 'checkpoints']} checkpoints, {tokens} tokens, {differ} differ")
        if differ > most * tokens:
            failures.append(f"{dtype}: {differ} of {tokens} tokens differ")
    print(f"{peer}: tokens differ in {', '.join(f'{name} ({wrong})' for name, wrong in different.most_common()) or 'none'}")
    print(f"{peer} cannot run {len(left_out)}: {', '.join(left_out)}", *failures, f"{len(failures)} failures", sep="\n")
    sys.exit(bool(failures) or not count)


class Model:
    """A checkpoint, its conversions in one folder, and texts for it."""

    def __init__(self, program, folder, out):
        self.program, self.folder, self.out = program, folder, out
        first = json.loads((folder / "golden.json").read_text("utf-8"))["cases"][0]
        self.task, self.two_sided = first["task"], folder.name.startswith("seq2seq")
        self.languages = {name: value for name, value in first["parameters"].items() if name.endswith("_lang")}
        self.config = json.loads((folder / "config.json").read_text("utf-8"))
        for dtype in SUFFIX:
            done = subprocess.run([program, "convert", folder, out, "--dtype", dtype], capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(f"{dtype}: {done.stderr.strip()}")
        self.prompts = self.sources() if self.two_sided else [row[:-1] for row in self.run("fp32", 1)]

    def run(self, dtype, new):
        """All tokens of each text."""
        parameters = dict(do_sample=False, num_beams=1, return_tensors=True, batch_size=1, max_new_tokens=new, min_new_tokens=new) | self.languages
        command = [self.program, "run", self.task, "--model", self.folder, "--dtype", dtype, "--request", "-"]
        done = subprocess.run(command, input=json.dumps({"inputs": TEXTS, "parameters": parameters}), capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{dtype}: {done.stderr.strip()}")
        rows = [row[0] if isinstance(row, list) else row for row in json.loads(done.stdout)]
        return [next(iter(row.values())) for row in rows]

    def written(self, dtype):
        """What formers writes, but for the last token, which some are forced to end with."""
        starts = [1] * len(TEXTS) if self.two_sided else map(len, self.prompts)
        return [row[start:-1] for row, start in zip(self.run(dtype, NEW), starts)]

    def sources(self):
        import transformers

        tokenizer = transformers.AutoTokenizer.from_pretrained(self.folder, **self.languages)
        prefix = (self.config.get("task_specific_params") or {}).get(self.task, self.config).get("prefix") or ""
        return [tokenizer(prefix + text)["input_ids"] for text in TEXTS]

    def forced(self):
        """The language that each answer starts with."""
        return self.written("fp32")[0][0] if "tgt_lang" in self.languages else None


def unfit(peer, model):
    """Why a program cannot run a model, whoever has exported it; None where it can."""
    longest = max(map(len, model.prompts)) + NEW
    rope = model.config.get("rope_parameters") or model.config.get("rope_scaling") or {}
    if rope.get("rope_type") == "longrope" and longest > (rope.get("original_max_position_embeddings") or model.config.get("original_max_position_embeddings", longest)):
        return "its positions change where a text gets longer"
    if rope.get("rope_type") == "dynamic":
        return "its positions depend on the longest text"
    if peer == "genai":
        path = model.out / "genai_config.json"
        if not path.exists():
            return "no genai_config.json"
        most = json.loads(path.read_text())["model"]["context_length"]
        return f"at most {most} tokens" if longest > most else None
    return None


def through_genai(model):
    """onnxruntime-genai."""
    import numpy as np
    import onnxruntime_genai as og

    found = {}
    for dtype, suffix in SUFFIX.items():
        path = model.out / "genai_config.json"
        config = json.loads(path.read_text())
        config["model"]["decoder"]["filename"] = f"onnx/model{suffix}.onnx"
        path.write_text(json.dumps(config))
        loaded = og.Model(str(model.out))
        found[dtype] = []
        for prompt in model.prompts:
            parameters = og.GeneratorParams(loaded)
            length = len(prompt) + NEW
            parameters.set_search_options(max_length=length, min_length=length, do_sample=False)
            generator = og.Generator(loaded, parameters)
            generator.append_tokens(np.array([prompt], np.int32))
            while not generator.is_done():
                generator.generate_next_token()
            found[dtype].append([int(token) for token in generator.get_sequence(0)][len(prompt):-1])
    return found


def through_optimum(model):
    """Optimum, on a folder of each type with the names that it knows; a reason where it cannot run the model."""
    import optimum.onnxruntime as optimum
    import torch

    found = {}
    for dtype, suffix in SUFFIX.items():
        with tempfile.TemporaryDirectory() as folder:
            for file in [*model.out.glob("*.json"), *(model.out / "onnx").glob("*.onnx_data")]:
                shutil.copy(file, folder)
            for name in ("encoder_model", "decoder_model_merged") if model.two_sided else ("model",):
                shutil.copy(model.out / "onnx" / f"{name}{suffix}.onnx", Path(folder) / f"{name}.onnx")
            kind = optimum.ORTModelForSeq2SeqLM if model.two_sided else optimum.ORTModelForCausalLM
            try:
                loaded = kind.from_pretrained(folder)
                found[dtype] = [through_generate(torch, loaded, model, prompt) for prompt in model.prompts]
            except Exception as error:
                for says, reason in FOREIGN.items():
                    if says in str(error):
                        return reason
                raise
    return found


FOREIGN = {
    "dimensions for input: past": "it makes a cache of other sizes",
    "Missing the following inputs: past": "it looks for a cache of other names",
    "Input past_": "it knows no states",
    "has no attribute 'num_attention_heads'": "it knows no states",
    "has no attribute 'hidden_size'": "it cannot read the config",
    "layer_types must be": "it cannot read the config",
    "does not recognize this architecture": "it does not know this architecture",
    "Unsupported model type": "it does not know this architecture",
    "rope_scaling` must be": "it cannot read the config",
    "Type 'tensor(float4e2m1)'": "its ONNX Runtime has no such type",
    "Unrecognized attribute": "its ONNX Runtime has no such operator",
    "file was not found locally": "it looks for other files",
}


def through_generate(torch, loaded, model, prompt):
    ids, more = torch.tensor([prompt]), {}
    if model.forced() is not None:
        more["forced_bos_token_id"] = model.forced()
    written = loaded.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, num_beams=1, max_new_tokens=NEW, min_new_tokens=NEW, **more)
    return written[0, 1 if model.two_sided else len(prompt):-1].tolist()


def through_transformers_js(model):
    """transformers.js; a reason where it cannot run the model."""
    request = dict(folder=str(model.out), two_sided=model.two_sided, prompts=model.prompts, new=NEW, dtypes=list(SUFFIX), forced=model.forced())
    program = Path(__file__).with_name("exported_language.mjs")
    done = subprocess.run(["node", program], input=json.dumps(request), capture_output=True, text=True)
    reason = next((reason for says, reason in FOREIGN.items() if says in done.stderr), None)
    if done.returncode and not reason:
        raise RuntimeError(done.stderr.strip()[-500:])
    return reason if done.returncode else json.loads(done.stdout)


PEERS = {"genai": through_genai, "optimum": through_optimum, "transformers.js": through_transformers_js}

if __name__ == "__main__":
    main()
