"""Writes the small graphs of tests/session.rs: python scripts/goldens/session.py tests/goldens/session"""

import struct
import sys
from pathlib import Path

import onnx
from onnx import TensorProto as T
from onnx import helper

OPSET = [helper.make_opsetid("", 17)]


def save(path, nodes, inputs, outputs, initializers=()):
    graph = helper.make_graph(nodes, path.stem, inputs, outputs, list(initializers))
    model = helper.make_model(graph, opset_imports=OPSET, ir_version=8, producer_name="")
    # External data is checked where the tests put it.
    if not any(i.data_location == T.EXTERNAL for i in initializers):
        onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def external(name, dtype, shape, file, offset, length):
    tensor = T(name=name, data_type=dtype, dims=shape, data_location=T.EXTERNAL)
    for key, value in (("location", file), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def main(out):
    out.mkdir(parents=True, exist_ok=True)

    # sum = a + b, of float32 [batch, 3]; count = how many numbers a holds; flipped = not flag.
    save(
        out / "plain.onnx",
        [
            helper.make_node("Add", ["a", "b"], ["sum"]),
            helper.make_node("Size", ["ids"], ["count"]),
            helper.make_node("Not", ["flag"], ["flipped"]),
        ],
        [
            helper.make_tensor_value_info("a", T.FLOAT, ["batch", 3]),
            helper.make_tensor_value_info("b", T.FLOAT, ["batch", 3]),
            helper.make_tensor_value_info("ids", T.INT64, ["batch", None]),
            helper.make_tensor_value_info("flag", T.BOOL, []),
        ],
        [
            helper.make_tensor_value_info("sum", T.FLOAT, ["batch", 3]),
            helper.make_tensor_value_info("count", T.INT64, []),
            helper.make_tensor_value_info("flipped", T.BOOL, []),
        ],
    )

    # y = x @ w, with w in the file `weights.bin` from byte 5: an offset that no alignment allows.
    weights = struct.pack("<6f", 1, 2, 3, 4, 5, 6)
    save(
        out / "external.onnx",
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        [helper.make_tensor_value_info("x", T.FLOAT, ["batch", 2])],
        [helper.make_tensor_value_info("y", T.FLOAT, ["batch", 3])],
        [external("w", T.FLOAT, [2, 3], "weights.bin", 5, len(weights))],
    )
    (out / "weights.bin").write_bytes(b"head:" + weights + b":tail")

    # Float16 in and out: twice = half + half.
    save(
        out / "half.onnx",
        [helper.make_node("Add", ["half", "half"], ["twice"])],
        [helper.make_tensor_value_info("half", T.FLOAT16, ["n"])],
        [helper.make_tensor_value_info("twice", T.FLOAT16, ["n"])],
    )

    # A slow graph: x is multiplied by itself, 512 times over.
    nodes = [helper.make_node("MatMul", [f"x{i}" if i else "x", "x"], [f"x{i + 1}"]) for i in range(512)]
    nodes.append(helper.make_node("Identity", ["x512"], ["y"]))
    square = ["n", "n"]
    save(
        out / "slow.onnx",
        nodes,
        [helper.make_tensor_value_info("x", T.FLOAT, square)],
        [helper.make_tensor_value_info("y", T.FLOAT, square)],
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
