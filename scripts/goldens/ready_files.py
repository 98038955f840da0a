"""How ready.py and ready_genai.py keep graphs: small, with their weights in a file that they share."""

from onnx import TensorProto, numpy_helper

LEAST = 256  # bytes from which a tensor goes into the file of weights


def write(folder, files, weights, location="weights.onnx_data"):
    """The graphs without what only people read; their weights go among those that there are."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for name, model in files.items():
        for graph in graphs(model.graph):
            graph.ClearField("value_info")
            for node in graph.node:
                node.ClearField("doc_string")
                node.ClearField("name")
            for tensor in graph.initializer:
                data = numpy_helper.to_array(tensor).tobytes()
                if len(data) >= LEAST:
                    offset = weights.setdefault(data, sum(map(len, weights)))
                    dtype, dims, called = tensor.data_type, list(tensor.dims), tensor.name
                    tensor.Clear()
                    tensor.MergeFrom(TensorProto(name=called, data_type=dtype, dims=dims, data_location=TensorProto.EXTERNAL))
                    for key, value in (("location", location), ("offset", offset), ("length", len(data))):
                        tensor.external_data.add(key=key, value=str(value))
        (folder / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))


def graphs(graph):
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from graphs(attribute.g)
