"""Weights that are drawn from a seed, not stored: `weights.json` in place of `model.safetensors`.

    python scripts/goldens/drawn.py CLASS CONFIG.json [dtype] > weights.json     for a model that is as wide everywhere as it is at birth
    python scripts/goldens/drawn.py types > tests/testing/types.json             for the tests of the Rust side: every type

tests/testing/lib.rs describes the file, and draws the same to the bit. A program that makes goldens passes `drawn=True` to
`common.checkpoint`; nothing of this page has to be called for it. Element i of a tensor, in row-major order, is

    bits  = SplitMix64((FNV-1a of the name in 64 bits ^ seed) + i)
    value = float32(float32(sum of the four 16-bit parts of bits - 131070) * scale) + mean, rounded to float32

and then rounded to the tensor's type, half to even. Arithmetic of numpy arrays of float32 rounds after each operation, as this asks for.
"""

import functools
import json
import math
import os
import shutil
import struct
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np

DEVIATION = 37837.2  # of the sum of four numbers below 65,536
CHUNK = 1 << 16
NUMPY = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "I64": np.int64, "I32": np.int32}
SIZES = {"BF16": 2} | {name: np.dtype(kind).itemsize for name, kind in NUMPY.items()}
# What tokenizers are read from: many folders have the same.
SHARED = {"tokenizer.json", "vocab.json", "vocab.txt", "merges.txt", "tokenizer.model", "sentencepiece.bpe.model", "spiece.model", "source.spm", "target.spm"}


def key(name, seed):
    hashed = 0xCBF29CE484222325
    for byte in name.encode():
        hashed = (hashed ^ byte) * 0x100000001B3 % 2**64
    return hashed ^ seed


def split_mix(state):
    z = state + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def numbers(name, seed, start, end, mean, scale):
    """Elements `start` to `end`, as float32."""
    bits = split_mix(np.uint64(key(name, seed)) + np.arange(start, end, dtype=np.uint64))
    total = sum((bits >> np.uint64(shift)) & np.uint64(0xFFFF) for shift in (0, 16, 32, 48))
    return (total.astype(np.int64) - 131070).astype(np.float32) * np.float32(scale) + np.float32(mean)


def rounded(values, dtype):
    """float32 numbers as the bytes of a type."""
    if dtype == "BF16":
        bits = values.view(np.uint32)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()
    kind = np.dtype(NUMPY[dtype]).newbyteorder("<")
    return (values if kind.kind == "f" else np.rint(values)).astype(kind).tobytes()


def write(weights, path):
    """Writes the safetensors file of what weights.json says, and gives its CRC-32."""
    tensors = sorted(weights["tensors"].items(), key=lambda entry: (-SIZES[entry[1]["dtype"]], entry[0].encode()))
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, tensor in tensors:
        start, end = end, end + math.prod(tensor["shape"]) * SIZES[tensor["dtype"]]
        header[name] = {"dtype": tensor["dtype"], "shape": tensor["shape"], "data_offsets": [start, end]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    crc = 0
    with open(path, "wb") as out:
        def put(data):
            nonlocal crc
            crc = zlib.crc32(data, crc)
            out.write(data)

        put(struct.pack("<Q", len(text)) + text)
        for name, tensor in tensors:
            count = math.prod(tensor["shape"])
            for start in range(0, count, CHUNK):
                values = numbers(name, weights["seed"], start, min(start + CHUNK, count), tensor["mean"], tensor["scale"])
                put(rounded(values, tensor["dtype"]))
    return f"{crc:08x}"


def save(weights, path):
    """Writes weights.json, a tensor a line."""
    rows = ",\n".join(f"  {json.dumps(name, ensure_ascii=False)}: {json.dumps(tensor)}" for name, tensor in weights["tensors"].items())
    head = json.dumps({field: value for field, value in weights.items() if field != "tensors"}, ensure_ascii=False)
    path.write_text(f'{head[:-1]}, "tensors": {{\n{rows}\n}}}}\n', "utf-8")


def replace(folder, seed):
    """Puts drawn numbers in place of those in the folder's model.safetensors, spread as those are, and writes weights.json.

    What a program's `initialize` does to the width of a tensor or to where it lies holds for the drawn one too; what it does to single
    elements does not.
    """
    path = folder / "model.safetensors"
    weights = {"seed": seed, "crc32": "", "tensors": {name: spread(tensor) for name, tensor in stored(path)}}
    weights["crc32"] = write(weights, path)
    save(weights, folder / "weights.json")


def stored(path):
    """The names of the tensors in a safetensors file, and each with its name of the type."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        for name in sorted(file.keys(), key=str.encode):
            yield name, (file.get_slice(name).get_dtype(), file.get_tensor(name))


def spread(typed):
    """The entry of a tensor whose numbers lie as these do: both figures with two digits, means that are 0 or 1 but for chance as that."""
    dtype, tensor = typed
    if dtype not in SIZES:
        raise SystemExit(f"error: tensors of the type {dtype} are not drawn; store this checkpoint")
    values = tensor.double()
    mean, deviation = (values.mean().item(), values.std(correction=0).item()) if values.numel() else (0.0, 0.0)
    chance = 4 * deviation / max(values.numel(), 1) ** 0.5
    mean = next((whole for whole in (0, 1, -1) if abs(mean - whole) <= chance), float(f"{mean:.2g}") if deviation else mean)
    return {"dtype": dtype, "shape": list(tensor.shape), "mean": mean, "scale": scale(deviation)}


def scale(deviation):
    return float(f"{float(f'{deviation:.2g}') / DEVIATION:.4g}")


def settle(folder, shared):
    """Takes out of the folder what can be made again, and what lies in the folder `shared` for all who have it."""
    (folder / "model.safetensors").unlink()
    weights = json.loads((folder / "weights.json").read_text("utf-8"))
    files = {}
    for path in sorted(folder.iterdir()):
        if path.name in SHARED:
            content = path.read_bytes()
            place = shared / f"{path.stem}-{zlib.crc32(content):08x}{path.suffix}"
            shared.mkdir(exist_ok=True)
            place.write_bytes(content)
            path.unlink()
            files[path.name] = os.path.relpath(place, folder).replace(os.sep, "/")
    if files:
        weights = {"seed": weights["seed"], "crc32": weights["crc32"], "files": files, "tensors": weights["tensors"]}
        save(weights, folder / "weights.json")


@functools.cache
def made():
    return tempfile.TemporaryDirectory()


@functools.cache
def checkpoint(folder):
    """The folder, or where it has weights.json but no weights, a copy with those and what lies elsewhere, until the program ends."""
    folder = Path(folder)
    if not (folder / "weights.json").exists() or (folder / "model.safetensors").exists():
        return folder
    copy = Path(tempfile.mkdtemp(dir=made().name)) / folder.name
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("weights.json"))
    weights = json.loads((folder / "weights.json").read_text("utf-8"))
    for name, place in weights.get("files", {}).items():
        shutil.copyfile(folder / place, copy / name)
    crc = write(weights, copy / "model.safetensors")
    if crc != weights["crc32"]:
        raise SystemExit(f"error: {folder}: the weights that are drawn have the CRC-32 {crc}, and weights.json says {weights['crc32']}")
    return copy


def born(head, config, dtype):
    """weights.json of a model that is as it is at birth, in one type."""
    import torch
    import transformers

    model = getattr(transformers, head)(transformers.AutoConfig.from_pretrained(config)).to(getattr(torch, dtype))
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder, max_shard_size="50GB")
        return described({name: spread(tensor) for name, tensor in stored(Path(folder) / "model.safetensors")})


def types():
    """weights.json with a tensor of every type, with names that JSON and the order of names have to be right for."""
    shapes = {"F32": [300, 401], "F16": [77], "BF16": [70001], "F64": [2, 2], "I64": [], "I32": [9]}
    tensors = {f"{name.lower()}.größe": {"dtype": name, "shape": shape, "mean": mean, "scale": 1e-3 if name[0] == "I" else 3.2e-5}
               for mean, (name, shape) in enumerate(shapes.items(), -1)}
    small = {"dtype": "F16", "mean": 0.1, "scale": 1e-12}  # below the least normal number
    return described(tensors | {"b": small | {"shape": [50], "mean": 0}, "A": small | {"shape": [3, 0]}, 'Z"\\': small | {"shape": [1]}})


def described(tensors):
    weights = {"seed": 0, "crc32": "", "tensors": tensors}
    with tempfile.TemporaryDirectory() as folder:
        weights["crc32"] = write(weights, Path(folder) / "model.safetensors")
        save(weights, Path(folder) / "weights.json")
        return (Path(folder) / "weights.json").read_text("utf-8")


if __name__ == "__main__":
    sys.stdout.write(types() if sys.argv[1:] == ["types"] else born(*sys.argv[1:3], (sys.argv[3:] or ["float32"])[0]))
