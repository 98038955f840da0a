"""Writes a Qwen2 checkpoint as a GGUF file in Q4_0 for llama.cpp: make_gguf.py CHECKPOINT OUT.gguf

The vocabulary is a placeholder: tokens go in and come out as numbers.
"""

import json
import sys
from pathlib import Path

import gguf
import llama_cpp
import numpy as np
from safetensors import safe_open

LAYER = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
OUTSIDE = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}


def name_of(key):
    if key in OUTSIDE:
        return OUTSIDE[key]
    _, _, layer, *scope, kind = key.split(".")
    return f"blk.{layer}.{LAYER['.'.join(scope)]}.{kind}"


def write(checkpoint, out):
    config = json.loads((checkpoint / "config.json").read_text())
    writer = gguf.GGUFWriter(out, "qwen2")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_freq_base(1e6)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    size = config["vocab_size"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([f"t{i}" for i in range(size)])
    writer.add_token_types([1] * size)
    writer.add_token_merges(["t 0"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    with safe_open(checkpoint / "model.safetensors", "pt") as tensors:
        for key in tensors.keys():
            values = tensors.get_tensor(key).float().numpy()
            writer.add_tensor(name_of(key), values.astype(np.float16 if values.ndim == 2 else np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    checkpoint, out = Path(sys.argv[1]), Path(sys.argv[2])
    whole = out.with_suffix(".f16.gguf")
    write(checkpoint, whole)
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0
    if llama_cpp.llama_model_quantize(str(whole).encode(), str(out).encode(), parameters) != 0:
        sys.exit(f"error: llama.cpp cannot quantize {whole}")
    whole.unlink()


main()
