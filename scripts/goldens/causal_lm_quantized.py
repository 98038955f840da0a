"""Quantized checkpoints: the answers are those of the model with the numbers that the integers stand for."""

import functools
import json
import re

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from causal import GPT2, LLAMA3, MODELS, NEOX, cases, confirmed, lively, once, special_ids
from common import checkpoint, wanted
from packing import Awq, AwqGemv, Bnb, BnbInt8, Compressed, Floats, Gptq, HalfSteps, StackedFloats


def quantized(model_type, name, tokenizer, config, scheme):
    """One folder, whose linear layers but the head are stored by the scheme."""
    if not wanted(model_type, name):
        return
    tokenizer, stored = once(tokenizer), {}

    def initialize(model):
        lively(model)
        stored.clear()
        for layer, module in model.named_modules():
            turned = type(module).__name__ == "Conv1D"
            if not (turned or isinstance(module, torch.nn.Linear)) or layer.endswith("lm_head"):
                continue
            weight, tensors = scheme(module.weight.data.T if turned else module.weight.data)
            module.weight.data = (weight.T if turned else weight).contiguous()
            keep(layer, {key: tensor for key, tensor in tensors.items() if key != "bias" or module.bias is None})
        for name, experts in model.named_parameters():
            if ".experts." not in name or experts.dim() != 3:
                continue
            if hasattr(scheme, "stacked"):
                wide, tensors = scheme.stacked(name, experts.data)
                experts.data = wide.contiguous()
                stored.update({key: tensor.contiguous() for key, tensor in tensors.items()})
                continue
            # Most published checkpoints have a layer for each matrix of each expert.
            parts = ["gate_proj", "up_proj"] if name.endswith("gate_up_proj") else [name.rsplit(".", 1)[1]]
            for i, expert in enumerate(experts.data):
                for part, matrix in zip(parts, expert.chunk(len(parts))):
                    weight, tensors = scheme(matrix.clone())
                    matrix.copy_(weight)
                    keep(f"{name.rsplit('.', 1)[0]}.{i}.{part}", {key: tensor for key, tensor in tensors.items() if key != "bias"})

    def is_stacked(key):
        """Whether it is an expert's matrix that lies in one tensor with others."""
        return hasattr(scheme, "stacked") and re.search(r"\.experts\.(\d+\.)?[a-z_]+(\.weight)?$", key)

    def keep(layer, tensors):
        stored.update({f"{layer}.{key}": tensor.contiguous() for key, tensor in tensors.items()})

    def confirm(folder):
        if not confirmed(folder, None):
            return False
        path = folder / "model.safetensors"
        layers = {key.rsplit(".", 1)[0] for key in stored}
        plain = {key: tensor for key, tensor in load_file(path).items() if not (key.endswith(".weight") and key[:-7] in layers) and not is_stacked(key)}
        save_file(plain | stored, path, metadata={"format": "pt"})
        written = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(written | {"quantization_config": scheme.config}, indent=2) + "\n")
        return True

    filled = transformers.AutoConfig.for_model(model_type, **(special_ids(tokenizer) | config))
    checkpoint(model_type, name, MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[model_type], filled, tokenizer, functools.partial(cases, thorough=False, extra=None, coupled=None),
               confirm=confirm, initialize=initialize, under=MODELS)


SHAPE = dict(hidden_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=8, intermediate_size=64, max_position_embeddings=128, tie_word_embeddings=True)
EVEN = dict(SHAPE, hidden_size=64, num_hidden_layers=1)

quantized("llama", "gptq", LLAMA3, SHAPE, Gptq(biases=True))
quantized("llama", "gptq_order", LLAMA3, EVEN, Gptq(bits=8, group_size=32, desc_act=True, sym=True, version="gptq_v2"))
quantized("qwen2", "gptq_3bit", LLAMA3, dict(EVEN, head_dim=16), Gptq(bits=3, group_size=-1))
quantized("qwen3", "gptq_2bit", NEOX, EVEN, Gptq(bits=2, group_size=16, desc_act=True, sym=True, listed=True))
quantized("gpt2", "gptq", GPT2, dict(n_embd=48, n_layer=2, n_head=4, n_positions=80), Gptq(group_size=24, listed=False))
quantized("llama", "awq", NEOX, dict(SHAPE, attention_bias=True), Awq())
quantized("mistral", "awq", LLAMA3, EVEN, Awq(group_size=32))
quantized("llama", "compressed_int4", LLAMA3, dict(SHAPE, hidden_size=44), Compressed(group_size=-1))
quantized("qwen3", "compressed_int4", NEOX, SHAPE, Compressed(symmetric=False, actorder=True))
quantized("llama", "compressed_int8", LLAMA3, SHAPE, Compressed(bits=8, group_size=-1, packed=False))
quantized("qwen2", "compressed_int8", NEOX, SHAPE, Compressed(bits=8, group_size=16, packed=False, symmetric=False))
quantized("qwen2", "compressed_int8_packed", LLAMA3, SHAPE, Compressed(bits=8, symmetric=False))
quantized("llama", "compressed_fp8", LLAMA3, SHAPE, Floats())
quantized("qwen3", "fp8", LLAMA3, SHAPE, Floats(block=16))
quantized("llama", "bnb_nf4", LLAMA3, dict(SHAPE, attention_bias=True), Bnb(nested=True))
quantized("qwen3", "bnb_fp4", NEOX, SHAPE, Bnb("fp4", block=128))
quantized("gpt2", "bnb_nf4", GPT2, dict(n_embd=48, n_layer=2, n_head=4, n_positions=80), Bnb(block=32))

# More forms of those above, and mixtures of experts in them
EXPERTS = dict(EVEN, moe_intermediate_size=32, num_experts=4, num_experts_per_tok=2, norm_topk_prob=True, decoder_sparse_step=1)
quantized("qwen2", "awq_gemv", LLAMA3, dict(EVEN, head_dim=16), AwqGemv())
quantized("llama", "awq_gemv", NEOX, dict(EVEN, attention_bias=True), AwqGemv(group_size=64))
quantized("llama", "bnb_int8", LLAMA3, dict(SHAPE, attention_bias=True), BnbInt8())
quantized("gpt2", "bnb_int8", GPT2, dict(n_embd=48, n_layer=2, n_head=4, n_positions=80), BnbInt8())
quantized("llama", "compressed_nvfp4", LLAMA3, SHAPE, HalfSteps())
quantized("qwen3", "compressed_mxfp4", NEOX, EVEN, HalfSteps(block=32))
quantized("mistral", "modelopt_nvfp4", LLAMA3, SHAPE, HalfSteps(modelopt=True))
quantized("qwen3_moe", "gptq", NEOX, EXPERTS, Gptq(group_size=32, sym=True))
quantized("qwen3_moe", "compressed_nvfp4", LLAMA3, EXPERTS, HalfSteps())
quantized("qwen3_moe", "fp8", NEOX, EXPERTS, Floats(block=16))
quantized("qwen3_moe", "fp8_stacked", LLAMA3, EXPERTS, StackedFloats(block=16))
quantized("llama4_text", "fbgemm_fp8", LLAMA3, dict(hidden_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=8, intermediate_size=32, intermediate_size_mlp=48,
          max_position_embeddings=128, num_local_experts=3, num_experts_per_tok=1, interleave_moe_layer_step=1, tie_word_embeddings=True), StackedFloats())
