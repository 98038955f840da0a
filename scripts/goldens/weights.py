"""weights: what torch.save writes, in each of its formats, and the values that are in it.

Its oldest format names storages by their addresses, so that the legacy files differ from run to run.
"""

import collections
import json
import shutil
import sys
from pathlib import Path

import torch

HERE = Path(__file__).parents[2] / "tests" / "goldens" / "weights"
DTYPES = "float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 uint16 uint32 uint64 bool float8_e4m3fn float8_e5m2".split()


def numbers(*shape, dtype=torch.float32):
    count = torch.Size(shape).numel()
    return ((torch.arange(count) * 7 % 23 - 11) / 4).reshape(shape).to(dtype)


def of(dtype):
    small = torch.tensor([[0, 1, 2], [3, 100, 1]])
    if dtype == "bool":
        return small % 2 == 1
    kind = getattr(torch, dtype)
    return (small * -1.5 if kind.is_floating_point else small).to(kind)


class Hostile:
    def __reduce__(self):
        return exec, ("raise SystemExit('the pickle was executed')",)


def with_attribute(tensor):
    tensor.note = "kept by torch as a state of its own"
    return tensor


def views():
    base = numbers(4, 6)
    return {
        "base": base,
        "transposed": base.t(),
        "rows": base[1:3],
        "columns": base[:, 2:5],
        "every_other": base[::2, 1::3],
        "permuted": numbers(2, 3, 4).permute(2, 0, 1),
        "expanded": numbers(3, 1).expand(3, 4),
        "one_row_transposed": numbers(1, 5).t(),
        "scalar": base[2, 3],
        "empty": base[:0],
        "empty_transposed": torch.zeros(0, 3).t(),
    }


def module():
    torch.manual_seed(0)
    layer = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.LayerNorm(4), torch.nn.Linear(4, 3, bias=False))
    layer[2].weight = layer[0].weight
    return layer


def flat(value, prefix=""):
    """The tensors of nested dictionaries, with the names joined by dots."""
    for key, item in value.items():
        if isinstance(item, torch.Tensor):
            yield f"{prefix}{key}", item.detach()
        elif isinstance(item, dict):
            yield from flat(item, f"{prefix}{key}.")


training = {"epoch": 3, "lr": 1e-5, "name": "run", "tokens": [1, 2], "optimizer": {"state": {0: {"exp_avg": numbers(2)}}}}
nested = {"encoder": {"layer": {0: {"w": numbers(2, 2)}}, "bias": numbers(2)}, "big": 2**70, "step": torch.Size([1, 2])}
dtypes = {dtype: of(dtype) for dtype in DTYPES}
parameters = {"p": torch.nn.Parameter(numbers(2, 3)), "q": torch.nn.Parameter(numbers(3, dtype=torch.half), requires_grad=False),
              "attribute": with_attribute(numbers(3, 2).t()), "hostile": Hostile(), "sparse": torch.eye(2).to_sparse()}

# What is saved, which part of it are the model's tensors, and how torch.save is told to write it.
CASES = {
    "dtypes": (dtypes, dtypes, {}),
    "views": (views(), None, {}),
    "module": (module().state_dict(), None, {}),
    "parameters": (parameters, {k: v for k, v in parameters.items() if k in ("p", "q", "attribute")}, {}),
    "training": ({**training, "state_dict": module().state_dict()}, module().state_dict(), {}),
    "model": ({"model": collections.OrderedDict(w=numbers(2, 3)), **training}, {"w": numbers(2, 3)}, {}),
    "nested": (nested, None, {}),
    "protocol4": (views(), None, dict(pickle_protocol=4)),
    "legacy": (views(), None, dict(_use_new_zipfile_serialization=False)),
    "legacy_module": (module().state_dict(), None, dict(_use_new_zipfile_serialization=False)),
    "legacy_dtypes": ({k: dtypes[k] for k in DTYPES[:9] + ["bool"]}, None, dict(_use_new_zipfile_serialization=False)),
}


def expected(tensors):
    return {
        name: {"dtype": str(t.dtype).removeprefix("torch."), "shape": list(t.shape),
               "values": t.double().flatten().tolist() if t.is_floating_point() else [int(v) for v in t.flatten().tolist()]}
        for name, t in flat(tensors)
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir(parents=True)
    answers = {}
    for name, (saved, tensors, options) in CASES.items():
        torch.save(saved, HERE / f"{name}.bin", **options)
        answers[name] = expected(tensors if tensors is not None else saved)
    (HERE / "expected.json").write_text(json.dumps(answers, separators=(",", ":")) + "\n")
    print(sum(f.stat().st_size for f in HERE.iterdir()), "bytes", file=sys.stderr)
