"""Runs what `formers convert` writes with Python's onnxruntime, against torch. Usage: exported.py FORMERS [PART OF A FOLDER'S NAME...]

FORMERS is the program. Every golden checkpoint is converted to fp32, fp16, int8 and q4; each folder must answer like the checkpoint, with the tokenizer that
lies in it. Random weights say nothing in 4 bits, so q4 must answer like the checkpoint with its weights rounded to the 4 bits that they have, which numpy does
here: what is left is what `MatMulNBits` loses where it rounds its inputs. In version 4 of the reference the folders go through Optimum instead.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import drawn
from common import GOLDENS, ODD, TEXTS, VERSION

import numpy as np
import onnx
import onnxruntime
import torch
import transformers
from safetensors.torch import load_file, save_file

# Of fp32 the largest difference, in parts of the largest value where that is beyond one; of the others the least cosine.
FP32 = 1e-4
COSINES = {"fp16": 0.999, "int8": 0.98, "q4": 0.98}
HEADS = ("ForMaskedLM", "ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering", "ForImageClassification", "ForCTC")


def main():
    program, *parts = sys.argv[1:]
    folders = sorted(p.parent for p in GOLDENS.glob("*/*/golden.json") if (p.parent / "config.json").exists())
    folders = [f for f in folders if not parts or any(part in str(f) for part in parts)]
    check = through_optimum if VERSION == 4 else through_onnxruntime
    failures, worst = [], {}
    for folder in folders:
        with tempfile.TemporaryDirectory() as out:
            try:
                for name, found, wanted in check(program, drawn.checkpoint(folder), Path(out)):
                    exact = name.startswith("fp32")
                    now, before = (found, str(folder.relative_to(GOLDENS))), worst.get(name)
                    worst[name] = now if before is None else max(now, before) if exact else min(now, before)
                    if not (found <= wanted if exact else found >= wanted):
                        failures.append(f"{folder.relative_to(GOLDENS)}: {name}: {found:.3g}, not {wanted:g}")
            except Exception as error:
                failures.append(f"{folder.relative_to(GOLDENS)}: {type(error).__name__}: {str(error)[:300]}")
    for name, (value, folder) in sorted(worst.items()):
        print(f"{name}: at worst {value:.3g} {folder}")
    print(*failures, f"{len(folders)} checkpoints, {len(failures)} failures", sep="\n")
    sys.exit(bool(failures))


def convert(program, folder, out, dtype):
    done = subprocess.run([program, "convert", folder, out, "--dtype", dtype], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{dtype}: {done.stderr.strip()}")


def through_onnxruntime(program, folder, out):
    config = json.loads((folder / "config.json").read_text())
    model = getattr(transformers, config["architectures"][0]).from_pretrained(folder, dtype=torch.float32).eval()
    for dtype, suffix in (("fp32", ""), ("fp16", "_fp16"), ("int8", "_int8"), ("q4", "_q4")):
        convert(program, folder, out, dtype)
        listed = json.loads((out / "config.json").read_text()).get("transformers.js_config", {}).get("use_external_data_format", {})
        assert (f"model{suffix}.onnx" in listed) == (out / "onnx" / f"model{suffix}.onnx_data").exists(), listed
        session = onnxruntime.InferenceSession(out / "onnx" / f"model{suffix}.onnx", providers=["CPUExecutionProvider"])
        if dtype == "q4":
            copy = rounded(folder, out / "onnx" / "model_q4.onnx", out / "rounded")
            model = type(model).from_pretrained(copy, dtype=torch.float32).eval()
        for inputs in batches(folder, out, config):
            with torch.no_grad():
                expected = model(**inputs)
            feeds = {i.name: feed(i.name, inputs) for i in session.get_inputs()}
            names = [o.name for o in session.get_outputs()]
            for name, given in zip(names, session.run(names, feeds)):
                torch_name = {"token_embeddings": "last_hidden_state"}.get(name, name)
                if torch_name not in expected:  # sentence-transformers' modules, which the goldens of the tasks hold
                    continue
                want = expected[torch_name].numpy()
                mask = inputs.get("attention_mask")
                if mask is not None and want.shape[:2] == tuple(mask.shape):
                    want, given = want[mask.numpy() == 1], given[mask.numpy() == 1]
                if given.shape != want.shape:
                    raise AssertionError(f"{name} has shape {given.shape}, not {want.shape}")
                if dtype == "fp32":
                    yield f"fp32 {name}", float(np.abs(given - want).max() / max(1, np.abs(want).max())), FP32
                else:
                    yield f"{dtype} {name}", cosine(given, want), COSINES[dtype]


def rounded(folder, path, copy):
    """A copy of a checkpoint whose weights have the values that a file in 4 bits has: in a block of 32, from -8 to 7 eighths of the largest."""
    shutil.copytree(folder, copy)
    initializers = onnx.load(path, load_external_data=False).graph.initializer
    rows = {i.name.removesuffix("_rows").removesuffix("_Q4"): i.dims[0] for i in initializers if i.name.removesuffix("_rows").endswith("_Q4")}
    for file in [*copy.glob("*.safetensors"), *copy.glob("*.bin")]:
        safe = file.suffix == ".safetensors"
        weights = load_file(file) if safe else torch.load(file)
        places = {weights[name].data_ptr(): rows.pop(name) for name in list(rows) if name in weights}  # two keys of a .bin may name one weight
        weights = {k: round_blocks(w, places[w.data_ptr()]) if w.data_ptr() in places else w for k, w in weights.items()}
        save_file(weights, file, {"format": "pt"}) if safe else torch.save(weights, file)
    if rows:
        raise AssertionError(f"{', '.join(rows)} are no weights of the checkpoint")
    return copy


def round_blocks(weight, rows):
    matrix = weight.float().numpy().reshape(rows, -1)
    width = matrix.shape[1]
    blocks = np.pad(matrix, ((0, 0), (0, -width % 32))).reshape(rows, -1, 32)
    scale = np.take_along_axis(blocks, np.abs(blocks).argmax(-1, keepdims=True), -1) / -8
    steps = np.divide(blocks, scale, out=np.zeros_like(blocks), where=scale != 0)
    values = np.clip(np.floor(steps + 0.5), -8, 7) * scale
    return torch.from_numpy(values.reshape(rows, -1)[:, :width].copy()).reshape(weight.shape)


def batches(folder, out, config):
    """What the model is run on: texts of a batch, each with the tokenizer of the exported folder; else noise of the right shape."""
    generator = torch.Generator().manual_seed(0)
    if "image_size" in config:
        size = config["image_size"]
        height, width = (size, size) if isinstance(size, int) else size
        yield {"pixel_values": torch.randn(2, config.get("num_channels", 3), height, width, generator=generator)}
    elif "conv_kernel" in config and "feat_extract_norm" in config:
        yield {"input_values": torch.randn(1, 4000, generator=generator)}
    else:
        tokenizer = transformers.AutoTokenizer.from_pretrained(out)
        original = transformers.AutoTokenizer.from_pretrained(folder)
        if VERSION == 4:
            original = tokenizer
        for text in (*TEXTS, *ODD, f"The {original.mask_token} was\n great"):
            if tokenizer(text)["input_ids"] != original(text)["input_ids"]:
                raise AssertionError(f"the exported tokenizer makes {tokenizer.tokenize(text)} of {text!r}, not {original.tokenize(text)}")
        most = min(config.get("max_position_embeddings") or 64, 64) - 2
        yield tokenizer(TEXTS, return_tensors="pt", padding=True, padding_side="right", truncation=True, max_length=most)
        yield tokenizer([ODD[0]], ["A second text."], return_tensors="pt", truncation=True, max_length=most)


def feed(name, inputs):
    if name == "position_ids":
        mask = inputs["attention_mask"]
        return (mask.cumsum(-1) - 1).clamp(min=0).numpy()
    if name == "token_type_ids" and name not in inputs:
        return np.zeros(inputs["input_ids"].shape, np.int64)
    if name == "prompt_length":
        return np.array([0], np.int64)
    if name == "attention_mask" and name not in inputs:
        return np.ones(next(iter(inputs.values())).shape[:2], np.int64)
    return inputs[name].numpy()


def cosine(a, b):
    a, b = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    return float(a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-12))


def through_optimum(program, folder, out):
    import optimum.onnxruntime as optimum

    config = json.loads((folder / "config.json").read_text())
    name = config["architectures"][0].removesuffix("Simple")
    task = next((head for head in HEADS if name.endswith(head)), "ForFeatureExtraction")
    if not hasattr(transformers, name) or (folder / "modules.json").exists():  # an architecture of version 5, or outputs of their own
        return
    try:
        transformers.AutoTokenizer.from_pretrained(folder)
    except Exception:  # as version 5 saves it
        return
    convert(program, folder, out, "fp32")
    session = onnxruntime.InferenceSession(out / "onnx" / "model.onnx", providers=["CPUExecutionProvider"])
    loaded = getattr(optimum, f"ORTModel{task}").from_pretrained(out)
    for inputs in batches(folder, out, config):
        names = [o.name for o in session.get_outputs()]
        expected = dict(zip(names, session.run(names, {i.name: feed(i.name, inputs) for i in session.get_inputs()})))
        for name, given in loaded(**inputs).items():
            yield f"fp32 {name}", float(np.abs(given.numpy() - expected[name]).max() / max(1, np.abs(expected[name]).max())), FP32


if __name__ == "__main__":
    main()
