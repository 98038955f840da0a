"""Experts in blocks of 4-bit floats, as checkpoints of gpt-oss have them."""

import json

import torch
from safetensors.torch import load_file, save_file
from transformers.integrations.mxfp4 import FP4_VALUES, convert_moe_packed_tensors

BLOCK = 32
MATRICES = ("experts.gate_up_proj", "experts.down_proj")


def blocks(weight):
    """The numbers (…, outputs, blocks, 32) and exponents (…, outputs, blocks) that are nearest to `weight`, (…, inputs, outputs)."""
    rows = weight.transpose(-1, -2).unflatten(-1, (-1, BLOCK))
    exponents = rows.abs().amax(-1).log2().floor() - 2
    values = torch.tensor(FP4_VALUES)
    return ((rows / 2 ** exponents.unsqueeze(-1)).unsqueeze(-1) - values).abs().argmin(-1), exponents


def coarse(model):
    """Experts become numbers that blocks can express."""
    for name, p in model.named_parameters():
        if name.endswith(MATRICES):
            numbers, exponents = blocks(p.data)
            p.data = (torch.tensor(FP4_VALUES)[numbers] * 2 ** exponents.unsqueeze(-1)).flatten(-2).transpose(-1, -2).contiguous()


def pack(folder):
    """Writes such experts as blocks and scales, which the reference reads as the same numbers."""
    file = folder / "model.safetensors"
    state = load_file(file)
    for name in [name for name in state if name.endswith(MATRICES)]:
        weight = state.pop(name)
        numbers, exponents = blocks(weight)
        packed = (numbers[..., 0::2] | numbers[..., 1::2] << 4).to(torch.uint8)
        scales = (exponents + 127).to(torch.uint8)
        assert torch.equal(convert_moe_packed_tensors(packed, scales, dtype=torch.float32), weight), name
        state |= {f"{name}_blocks": packed.contiguous(), f"{name}_scales": scales.contiguous()}
    save_file(state, file, metadata={"format": "pt"})
    path = folder / "config.json"
    config = json.loads(path.read_text()) | {"quantization_config": {"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"]}}
    path.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n")
