"""Writes the ready-made exports of tests/ready.rs: python scripts/goldens/ready.py [MODEL...], in version 4 of the reference with optimum-onnx 0.1.0.

Each folder of tests/goldens/ready has the ONNX files that an exporter makes of a checkpoint in tests/goldens/generate/models, whose answers they must give:
Optimum's of today, and what older versions wrote: two files, both merged into one, and caches of other shapes. Those of onnxruntime-genai are made by
ready_genai.py. All of a checkpoint's exports share the weights.
"""

import sys
import tempfile
from pathlib import Path

import drawn
from common import GOLDENS
from ready_files import write

import numpy as np
import onnx
import transformers
from onnx import TensorProto, helper, numpy_helper
from optimum.exporters.onnx import main_export, onnx_export_from_model
from optimum.exporters.tasks import TasksManager
from optimum.onnx import merge_decoders

OUT = GOLDENS / "ready"
MODELS = GOLDENS / "generate" / "models"


def main(parts):
    decoders = {"gpt2": [plain, without_cache, two, merged], "llama": [plain, embedded], "bloom": [plain, flat], "gpt_bigcode": [plain, fused], "opt": [plain, one_row, fragile]}
    for model, forms in (decoders | {"bart": [sides_merged, sides_two, sides_without_cache], "t5": [sides_merged], "marian": [sides_merged]}).items():
        if parts and model not in parts:
            continue
        checkpoint, weights = drawn.checkpoint(MODELS / model / ("causal_lm" if model in decoders else "seq2seq")), {}
        for form in forms:
            with tempfile.TemporaryDirectory() as folder:
                write(OUT / model / form.__name__, form(checkpoint, Path(folder)), weights)
        (OUT / model / "weights.onnx_data").write_bytes(b"".join(weights))


def exported(checkpoint, folder, task):
    main_export(str(checkpoint), output=folder, task=task, do_validation=False)
    return onnx.load(folder / "model.onnx")


def plain(checkpoint, folder):
    return {"model": exported(checkpoint, folder, "text-generation-with-past")}


def without_cache(checkpoint, folder):
    return {"model": exported(checkpoint, folder, "text-generation")}


def pair(checkpoint, folder):
    """What older versions made of it: one graph for prompts, and one that goes on."""
    model = transformers.AutoModelForCausalLM.from_pretrained(checkpoint)
    config = TasksManager.get_exporter_config_constructor("onnx", model=model, task="text-generation")(model.config, task="text-generation", use_past=True)
    onnx_export_from_model(model, folder / "first", task="text-generation-with-past", custom_onnx_configs={"model": config}, do_validation=False)
    return onnx.load(folder / "first" / "model.onnx"), exported(checkpoint, folder, "text-generation-with-past")


def two(checkpoint, folder):
    first, later = pair(checkpoint, folder)
    return {"decoder_model": first, "decoder_with_past_model": later}


def merged(checkpoint, folder):
    first, later = pair(checkpoint, folder)
    path = folder / "merged.onnx"
    merge_decoders(first, later, strict=False, save_path=path)
    return {"decoder_model_merged": onnx.load(path)}


def flat(checkpoint, folder):
    """Bloom's cache until 2024: rows and heads on one axis, keys turned."""
    model = plain(checkpoint, folder)["model"]
    heads = transformers.AutoConfig.from_pretrained(checkpoint).n_head
    batch = before(model, "Shape", ["input_ids"], start=0, end=1)
    for value in caches(model.graph.input):
        _, _, tokens, width = sizes(value)
        turned = value.name.endswith(".key")
        inner = inside(model, value.name)
        old = helper.make_tensor_value_info(value.name, TensorProto.FLOAT, ["batch_size x num_heads", *([width, tokens] if turned else [tokens, width])])
        value.CopyFrom(old)
        length = before(model, "Shape", [value.name], start=2 if turned else 1, end=3 if turned else 2)
        parts = [numbers(model, [heads]), *([numbers(model, [width]), length] if turned else [length, numbers(model, [width])])]
        apart = before(model, "Reshape", [value.name, before(model, "Concat", [batch, *parts], axis=0)], allowzero=1)
        before(model, "Transpose", [apart], inner, perm=[0, 1, 3, 2] if turned else [0, 1, 2, 3])
    for value in caches(model.graph.output):
        _, _, tokens, width = sizes(value)
        turned = value.name.endswith(".key")
        inner = inside(model, value.name)
        value.CopyFrom(helper.make_tensor_value_info(value.name, TensorProto.FLOAT, ["batch_size x num_heads", *([width, tokens] if turned else [tokens, width])]))
        there = after(model, "Transpose", [inner], perm=[0, 1, 3, 2] if turned else [0, 1, 2, 3])
        rows = after(model, "Mul", [batch, numbers(model, [heads])])
        rest = after(model, "Shape", [there], start=2)
        after(model, "Reshape", [there, after(model, "Concat", [rows, rest], axis=0)], value.name, allowzero=1)
    return {"model": model}


def fused(checkpoint, folder):
    """GPT BigCode's cache until 2025: one head, keys and values side by side."""
    model = plain(checkpoint, folder)["model"]
    for values, add in ((model.graph.input, before), (model.graph.output, after)):
        for key in [value for value in caches(values) if value.name.endswith(".key")]:
            batch, _, tokens, width = sizes(key)
            inner = [inside(model, key.name), inside(model, key.name.replace(".key", ".value"))]
            whole = helper.make_tensor_value_info(key.name.replace(".key", ".key_value"), TensorProto.FLOAT, [batch, tokens, 2 * width])
            [value] = [value for value in values if value.name == key.name.replace(".key", ".value")]
            values.remove(value)
            key.CopyFrom(whole)
            axis = numbers(model, [1])
            if add is before:
                apart = add(model, "Unsqueeze", [whole.name, axis])
                add(model, "Split", [apart, numbers(model, [width, width])], *inner, axis=-1)
            else:
                add(model, "Squeeze", [add(model, "Concat", inner, axis=-1), axis], whole.name)
    return {"model": model}


def embedded(checkpoint, folder):
    """As transformers.js has models that see pictures too: a graph of its own looks tokens up, and the decoder takes what it found."""
    model = plain(checkpoint, folder)["model"]
    [lookup] = [node for node in model.graph.node if "input_ids" in node.input]
    model.graph.node.remove(lookup)
    [ids] = [value for value in model.graph.input if value.name == "input_ids"]
    [table] = [tensor for tensor in model.graph.initializer if tensor.name == lookup.input[0]]
    shape = [*sizes(ids), table.dims[1]]
    found = helper.make_tensor_value_info("inputs_embeds", TensorProto.FLOAT, shape)
    embed = helper.make_graph([helper.make_node("Gather", [table.name, "input_ids"], ["inputs_embeds"])], "embed", [ids], [found], [table])
    embed = helper.make_model(embed, opset_imports=model.opset_import, ir_version=model.ir_version)
    ids.CopyFrom(found)
    for node in model.graph.node:
        node.input[:] = ["inputs_embeds" if name == lookup.output[0] else name for name in node.input]
    return {"embed_tokens": embed, "decoder_model_merged": model}


def one_row(checkpoint, folder):
    """As exports for devices that want fixed shapes."""
    model = plain(checkpoint, folder)["model"]
    for value in [*model.graph.input, *model.graph.output]:
        value.type.tensor_type.shape.dim[0].dim_value = 1
    return {"model": model}


def fragile(checkpoint, folder):
    """One that makes no numbers where anything is padded."""
    model = plain(checkpoint, folder)["model"]
    inner = inside(model, "logits")
    least = after(model, "ReduceMin", ["attention_mask"], keepdims=0)
    logarithm = after(model, "Log", [after(model, "Cast", [least], to=TensorProto.FLOAT)])
    model.graph.initializer.append(numpy_helper.from_array(np.float32(0), "nothing"))
    after(model, "Add", [inner, after(model, "Mul", [logarithm, "nothing"])], "logits")
    return {"model": model}


def sides(checkpoint, folder, *names):
    main_export(str(checkpoint), output=folder, task="text2text-generation-with-past", do_validation=False)
    return {name: onnx.load(folder / f"{name}.onnx") for name in names}


def sides_merged(checkpoint, folder):
    return sides(checkpoint, folder, "encoder_model", "decoder_model_merged")


def sides_two(checkpoint, folder):
    return sides(checkpoint, folder, "encoder_model", "decoder_model", "decoder_with_past_model")


def sides_without_cache(checkpoint, folder):
    return sides(checkpoint, folder, "encoder_model", "decoder_model")


# ---- changes of a graph


def caches(values):
    return [value for value in values if value.name.startswith(("past", "present"))]


def sizes(value):
    return [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]


def inside(model, name):
    """A new name for a graph's input or output among its nodes."""
    new = f"{name}/inside"
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [new if there == name else there for there in names]
    return new


def numbers(model, values):
    name = f"numbers/{len(model.graph.initializer)}"
    model.graph.initializer.append(numpy_helper.from_array(np.array(values, np.int64), name))
    return name


def node(model, operator, inputs, outputs, attributes):
    names = list(outputs) or [f"{operator}/added/{len(model.graph.node)}"]
    return helper.make_node(operator, inputs, names, name=names[0], **attributes), names[0]


def before(model, operator, inputs, *outputs, **attributes):
    made, name = node(model, operator, inputs, outputs, attributes)
    place = sum("/added/" in there.name or "/inside" in there.name for there in model.graph.node)
    model.graph.node.insert(place, made)
    return name


def after(model, operator, inputs, *outputs, **attributes):
    made, name = node(model, operator, inputs, outputs, attributes)
    model.graph.node.append(made)
    return name


if __name__ == "__main__":
    main(sys.argv[1:])
