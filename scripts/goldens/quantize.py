"""quantize: what ONNX Runtime's own tools make of small weights, in 16, 8 and 4 bits."""

import tempfile
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, DefaultWeightOnlyQuantizer
from onnxruntime.transformers.float16 import convert_np_to_float16
from safetensors.torch import save_file

HERE = Path(__file__).parents[2] / "tests" / "goldens" / "quantize"


def weights():
    """[out, in] matrices: rows of every sign, of zeros, of ties, of tiny and of large numbers; lengths that no block divides."""
    random = np.random.default_rng(7)
    plain = random.standard_normal((9, 70)).astype(np.float32)
    plain[1] = 0
    plain[2], plain[3] = abs(plain[2]), -abs(plain[3])
    plain[4] = np.resize(np.float32([-8, 7.5, 3.5, -2.5, 0.5, -0.5, 1.5]), 70)
    plain[5] = np.resize(np.float32([127, -0.5, 0.5, 1.5, 2.5, -126.5]), 70)
    plain[6] *= np.float32(1e-39)
    plain[7] *= np.float32(1e5)
    plain[8, 32:64] = 0
    return {
        "plain": plain,
        "ragged": random.standard_normal((3, 62)).astype(np.float32),
        "one": np.float32([[0.75]]),
        "half": random.standard_normal((4, 64)).astype(np.float16),
        "brain": random.standard_normal((4, 64)).astype(ml_dtypes.bfloat16),
    }


def dynamic(weight, reduce_range):
    """The initializers of a quantized model that gathers from the weight and multiplies by it."""
    rows, columns = weight.shape
    graph = helper.make_graph(
        [helper.make_node("Gather", ["e", "ids"], ["x"]), helper.make_node("MatMul", ["x", "w"], ["y"])], "g",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["n"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", rows])],
        [numpy_helper.from_array(weight, "e"), numpy_helper.from_array(np.ascontiguousarray(weight.T), "w")])
    with tempfile.TemporaryDirectory() as folder:
        source, target = f"{folder}/a.onnx", f"{folder}/b.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), source)
        quantize_dynamic(source, target, per_channel=True, weight_type=QuantType.QInt8, reduce_range=reduce_range)
        return {i.name: numpy_helper.to_array(i) for i in onnx.load(target).graph.initializer}


def blocks(weight, bits, symmetric):
    config = DefaultWeightOnlyQuantConfig(block_size=32, is_symmetric=symmetric, bits=bits)
    values, scales, zero_points = DefaultWeightOnlyQuantizer(config).qbits_block_quant(np.ascontiguousarray(weight.T))
    return {"values": values, "scales": scales.astype(np.float32), **({} if symmetric else {"zero_points": zero_points})}


def torch_tensor(array):
    array = np.array(array, order="C")  # a copy: safetensors takes no shared memory
    return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16) if array.dtype == ml_dtypes.bfloat16 else torch.from_numpy(array)


if __name__ == "__main__":
    torch.set_num_threads(1)
    answers = {}
    for name, weight in weights().items():
        wide = weight.astype(np.float32)
        answers[name] = weight
        for range_, reduce_range in (("full", False), ("reduced", True)):
            made = dynamic(wide, reduce_range)
            assert not made["w_zero_point"].any()
            answers[f"{name}/int8/{range_}/values"] = made["w_quantized"]
            answers[f"{name}/int8/{range_}/scales"] = made["w_scale"]
        # What is only gathered from always keeps its full range.
        answers[f"{name}/uint8/values"] = made["e_quantized"]
        answers[f"{name}/uint8/scale"] = made["e_scale"].reshape(1)
        answers[f"{name}/uint8/zero_point"] = made["e_zero_point"].reshape(1)
        for dtype, source in (("f32", wide), ("f16", weight)):
            if dtype == "f32" or name == "half":
                for bits in (4, 8):
                    for form, symmetric in (("symmetric", True), ("asymmetric", False)):
                        for part, array in blocks(source, bits, symmetric).items():
                            answers[f"{name}/q{bits}/{dtype}/{form}/{part}"] = array
        if wide.shape[1] % 2 == 0:
            values, scales, _ = DefaultWeightOnlyQuantizer.quantize_ndarray(wide, 1, 32, True)
            answers[f"{name}/gather/values"], answers[f"{name}/gather/scales"] = values, scales
        answers[f"{name}/float16"] = convert_np_to_float16(wide)
    edges = np.float32([[0, -0.0, 65504, 65519, 65520, -65520, 1e30, -1e30, np.inf, -np.inf, 1e-9, -1e-9, 2**-24, 2**-25, 1.5 * 2**-24, 1e-40, 1 + 2**-11, 1 + 3 * 2**-11]])
    answers["edges"], answers["edges/float16"] = edges, convert_np_to_float16(edges)
    HERE.mkdir(parents=True, exist_ok=True)
    save_file({k: torch_tensor(v) for k, v in answers.items()}, HERE / "cases.safetensors")
