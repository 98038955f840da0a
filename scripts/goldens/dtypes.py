"""generate/dtypes.json: what decoders write whose weights are stored in fewer bits, for tests/dtypes.rs: python scripts/goldens/dtypes.py

Each checkpoint's weights are rounded here as the README says of each type, and put back into the reference's own model, whose linear layers round what they
read as the operators do (ONNX's DynamicQuantizeLinear, MatMulNBits with 8-bit inputs). What is left between this and ONNX Runtime is the order of sums, and
inputs that lie between two steps. Where a processor has no product of 4 by 8 bits, inputs stay as they are: those logits do as well. Prompts are drawn until no
token is chosen by less than such differences are worth, nor by what inputs are.
"""

import json
import sys

import drawn
import numpy as np
import torch
import transformers
from causal import MODELS
from common import GOLDENS
from torch import nn
from transformers.pytorch_utils import Conv1D

OUT = GOLDENS / "generate" / "dtypes.json"
CHECKPOINTS = ["gemma3_text/causal_lm", "gpt2/causal_lm", "llama/causal_lm", "llama/causal_lm_b", "phi3/causal_lm_b", "qwen2/causal_lm_b", "qwen3/causal_lm"]
SMALL = 1024  # weights with fewer numbers stay as they are
NEW = 16
# How far a logit may be, and twice that the least distance between the best two: in parts of the largest logit.
TOLERANCES = {"fp16": 1e-4, "int8": 0.004, "q4": 0.004}


def main():
    torch.set_num_threads(1)
    rows = []
    for name in CHECKPOINTS:
        for dtype, tolerance in TOLERANCES.items():
            models = [loaded(name, dtype, rounds) for rounds in ([True, False] if dtype == "q4" else [True])]
            for length in (1, 21):
                rows.append({"model": name, "dtype": dtype, "tolerance": tolerance, **drawn(models, length, tolerance)})
                print(name, dtype, length, rows[-1].pop("draw"))
    OUT.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


def loaded(name, dtype, rounds):
    """A checkpoint with its weights in a type; `rounds` says whether layers round what they read, too."""
    model = transformers.AutoModelForCausalLM.from_pretrained(drawn.checkpoint(MODELS / name), dtype=torch.float32, attn_implementation="eager").eval()
    exact = logits(model, [[1, 2, 3]])
    store(model, dtype, rounds)
    # What a checkpoint has in bf16 is rarely too small for fp16, and else the same.
    assert dtype == "fp16" or not torch.equal(exact, logits(model, [[1, 2, 3]])), f"{name}: nothing is stored in {dtype}"
    return model


def drawn(models, length, tolerance):
    """A prompt of so many tokens, what follows, and the logits before the last new token, of each of the models."""
    for draw in range(200):
        random = np.random.default_rng(1000 * length + draw)
        prompt = random.integers(3, models[0].config.vocab_size, length).tolist()
        written = [greedy(model, prompt, tolerance) for model in models]
        tokens = written[0] and written[0][0]
        if tokens and len(set(tokens)) > 3 and all(one and one[0] == tokens for one in written):
            return {"prompt": prompt, "tokens": tokens, "logits": [rounded(logits) for _, logits in written], "draw": draw}
    sys.exit(f"{models[0].config.model_type}: every prompt has a near-tie")


def greedy(model, prompt, tolerance):
    """New tokens and the logits before the last; None where there is a near-tie."""
    run, tokens, fresh = cached(model), [], prompt
    while len(tokens) < NEW:
        found = run(fresh)
        best = found.topk(2).values
        if best[0] - best[1] < 2 * tolerance * found.abs().max():
            return None
        tokens.append(int(found.argmax()))
        fresh = tokens[-1:]
    return tokens, found


def cached(model):
    """A function that runs further tokens and gives the logits after the last."""
    kept = None

    def run(tokens):
        nonlocal kept
        with torch.no_grad():
            output = model(torch.tensor([tokens]), past_key_values=kept, use_cache=True, logits_to_keep=1)
        kept = output.past_key_values
        return output.logits[0, -1]

    return run


def logits(model, ids):
    with torch.no_grad():
        return model(torch.tensor(ids)).logits


def rounded(values):
    return [float(f"{value:.5g}") for value in values.tolist()]


# ---- how weights are stored


def store(model, dtype, rounds):
    """Rounds a model's weights, and what its linear layers read."""
    tied = model.get_output_embeddings().weight is model.get_input_embeddings().weight
    if tied:
        model.get_output_embeddings().weight = nn.Parameter(model.get_output_embeddings().weight.detach().clone())
    for module in model.modules():
        weight = getattr(module, "weight", None)
        if weight is None or weight.numel() < SMALL:
            continue
        if isinstance(module, (nn.Linear, Conv1D)):
            by_columns = isinstance(module, Conv1D)
            matrix = weight.detach().numpy().T if by_columns else weight.detach().numpy()
            values, read = LINEAR[dtype](matrix)
            module.weight = nn.Parameter(torch.from_numpy(np.ascontiguousarray(values.T if by_columns else values)))
            if rounds:
                module.register_forward_pre_hook(lambda _, inputs, read=read: (torch.from_numpy(read(inputs[0].numpy())),))
        elif isinstance(module, nn.Embedding):
            module.weight = nn.Parameter(torch.from_numpy(TABLE[dtype](weight.detach().numpy())))
        else:
            raise SystemExit(f"{type(module).__name__} has {weight.numel()} weights")


def half(matrix):
    return matrix.astype(np.float16).astype(np.float32)


def by_output(matrix):
    """8 bits with a scale for each output."""
    scale = (2 * np.abs(matrix).max(1, keepdims=True).astype(np.float64) / 254).astype(np.float32)
    return np.clip(np.rint(matrix / scale), -128, 127).astype(np.float32) * scale


def whole(x):
    """8 bits with one scale and one zero point."""
    low, high = min(x.min(), np.float32(0)), max(x.max(), np.float32(0))
    scale = np.float32((high - low) / np.float32(255))
    zero = np.clip(np.rint(-low / scale), 0, 255).astype(np.float32)
    return (np.clip(np.rint(x / scale) + zero, 0, 255).astype(np.float32) - zero) * scale


def by_row(x):
    """8 bits with a scale for each row, of what a layer reads that narrows."""
    scale = (np.abs(x).max(-1, keepdims=True) / np.float32(127)).astype(np.float32)
    return np.clip(np.rint(x / scale), -128, 127).astype(np.float32) * scale


def in_blocks(matrix):
    """4 bits with a scale for each 32 weights, or 64 where a layer widens: of several scales that with the least squared error."""
    rows, columns = matrix.shape
    size = 64 if rows > columns else 32
    blocks = np.pad(matrix, ((0, 0), (0, -columns % size))).reshape(rows, -1, size)
    low, high = blocks.min(-1, keepdims=True), blocks.max(-1, keepdims=True)
    usual = np.where(high > -low, high, low) / np.float32(-8)
    scale, least = usual, np.full(usual.shape, np.inf)
    for extreme in (8, 7, 7.5, 8.5, 9):
        # The extreme itself may lie between two numbers, so this is computed as it is there.
        numbers = np.clip(np.rint(blocks * (np.float32(extreme) / (np.float32(8) * usual))), -8, 7).astype(np.float64)
        fitted = (numbers * blocks).sum(-1, keepdims=True) / (numbers * numbers).sum(-1, keepdims=True)
        error = ((blocks - numbers * fitted) ** 2).sum(-1, keepdims=True)
        scale, least = np.where(error < least, fitted, scale), np.minimum(error, least)
    # What 16 bits express of it.
    scale = np.where(np.abs(scale) >= 1e-6, scale.astype(np.float32).astype(np.float16), scale.astype(np.float32)).astype(np.float32)
    steps = np.divide(np.float32(1), scale, out=np.zeros_like(scale), where=scale != 0)
    values = np.clip(np.floor(blocks * steps + np.float32(8.5)) - 8, -8, 7) * scale
    return values.reshape(rows, -1)[:, :columns].astype(np.float32), size


def rounded_in_blocks(size):
    """What `MatMulNBits` makes of its input: 8 bits with a scale for each block."""

    def read(x):
        width = x.shape[-1]
        blocks = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, -width % size)]).reshape(*x.shape[:-1], -1, size)
        scale = np.maximum(np.abs(blocks).max(-1, keepdims=True) / np.float32(127), np.float32(1e-30))
        return (np.rint(blocks / scale) * scale).reshape(*x.shape[:-1], -1)[..., :width].astype(np.float32)

    return read


def four_bits(matrix):
    values, size = in_blocks(matrix)
    return values, rounded_in_blocks(size)


LINEAR = {
    "fp16": lambda matrix: (half(matrix), lambda x: x),
    "int8": lambda matrix: (by_output(matrix), by_row if matrix.shape[0] < matrix.shape[1] else whole),
    "q4": four_bits,
}
TABLE = {"fp16": half, "int8": whole, "q4": lambda matrix: in_blocks(matrix)[0]}

if __name__ == "__main__":
    main()
