"""Looks for graphs that crash ONNX Runtime: changes inputs, outputs and attributes of operators one at a time, each in a process of its own.

Usage: onnx_crashes.py [MODEL.onnx...]   (needs onnx and onnxruntime)

Without models, the graphs of one operator that ONNX's own tests have, about 8,000 changes of them. What crashes belongs into
converters/reader/check.rs, with a line in its tests.
"""

import os
import resource
import signal
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import AttributeProto as Attribute

ort.set_default_logger_severity(4)
INTEGERS = [-(2**63), -(2**31) - 1, -(2**31), -1000, -1, 0, 1, 3, 1000, 2**31 - 1, 2**31, 2**62, 2**63 - 1]
FLOATS = [float("nan"), float("inf"), 0.0, -1.0, 1e38]
KINDS = {"int64": np.int64, "int32": np.int32, "bool": bool, "float16": np.float16}


def changes(node):
    """(what is changed, a function that changes a node)"""
    for place in range(len(node.input)):
        yield f"input {place} empty", lambda n, p=place: n.input.__setitem__(p, "")
        yield f"without input {place} and later ones", lambda n, p=place: n.input.__delitem__(slice(p, None))
        yield f"input {place} is input 0", lambda n, p=place: n.input.__setitem__(p, n.input[0])
    for count in (1, 3, 40):
        yield f"{count} empty inputs more", lambda n, c=count: n.input.extend([""] * c)
    yield "an empty input first", lambda n: n.input.insert(0, "")
    if node.input:
        yield "more inputs", lambda n: n.input.extend([n.input[0]] * 8)
    for place in range(len(node.output)):
        yield f"output {place} empty", lambda n, p=place: n.output.__setitem__(p, "")
    for count in (1, 20):
        yield f"{count} outputs more", lambda n, c=count: n.output.extend(f"more{i}" for i in range(c))
    yield "no outputs", lambda n: n.output.__delitem__(slice(None))
    known = {attribute.name for attribute in node.attribute}
    for attribute in node.attribute:
        for what, change in values(attribute):
            yield f"{attribute.name} {what}", lambda n, k=attribute.name, c=change: [c(a) for a in n.attribute if a.name == k]
        yield f"without {attribute.name}", lambda n, k=attribute.name: n.attribute.__delitem__([a.name for a in n.attribute].index(k))
    for name, kind in SCHEMAS.get((node.domain, node.op_type), []):
        if name not in known and kind in (Attribute.INT, Attribute.INTS):
            for value in INTEGERS:
                yield f"new {name} {value}", lambda n, k=name, t=kind, v=value: n.attribute.append(
                    Attribute(name=k, type=t, **({"i": v} if t == Attribute.INT else {"ints": [v] * 4})))


def values(attribute):
    def replaced(field, new):
        return lambda a: (getattr(a, field).__delitem__(slice(None)), getattr(a, field).extend(new(list(getattr(attribute, field)))))

    if attribute.type == Attribute.INT:
        for value in INTEGERS:
            yield str(value), lambda a, v=value: setattr(a, "i", v)
    elif attribute.type == Attribute.FLOAT:
        for value in FLOATS:
            yield str(value), lambda a, v=value: setattr(a, "f", v)
    elif attribute.type == Attribute.STRING:
        for value in (b"", b"x" * 300):
            yield f"{value[:3]!r}", lambda a, v=value: setattr(a, "s", v)
    elif attribute.type == Attribute.INTS:
        for value in INTEGERS:
            yield f"all {value}", replaced("ints", lambda old, v=value: [v] * len(old))
            yield f"first {value}", replaced("ints", lambda old, v=value: [v] + old[1:])
        yield "empty", replaced("ints", lambda old: [])
        yield "longer", replaced("ints", lambda old: (old or [1]) * 20)
        yield "one less", replaced("ints", lambda old: old[:-1])
    elif attribute.type == Attribute.GRAPH:
        yield "cleared", lambda a: a.g.Clear()
        yield "without operators", lambda a: a.g.node.__delitem__(slice(None))
        yield "without outputs", lambda a: a.g.output.__delitem__(slice(None))


def schemas():
    import onnxruntime.capi.onnxruntime_pybind11_state as state

    return {(s.domain, s.name): [(name, int(a.type)) for name, a in s.attributes.items()] for s in state.get_all_operator_schema()}


SCHEMAS = schemas()


def guessed(session):
    """Inputs of a size that most graphs take."""
    causal, random = any("past" in port.name for port in session.get_inputs()), np.random.default_rng(0)
    found = {}
    for port in session.get_inputs():
        size = lambda dim: 4 if "total" in dim else 1 if "past" in dim or ("batch" in dim and causal) else 2 if "batch" in dim else 3
        shape = [dim if isinstance(dim, int) else size(str(dim)) for dim in port.shape]
        kind = next((kind for name, kind in KINDS.items() if name in port.type), np.float32)
        found[port.name] = random.standard_normal(shape).astype(kind) if kind in (np.float32, np.float16) else np.ones(shape, kind)
    return found


def survives(model, folder, inputs):
    """What became of opening and running a model: 0, an exit code, or the negative number of a signal."""
    child = os.fork()
    if child == 0:
        try:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            os.dup2(os.open("/dev/null", os.O_WRONLY), 2)
            signal.alarm(20)
            options = ort.SessionOptions()
            options.intra_op_num_threads, options.log_severity_level = 1, 4
            options.add_session_config_entry("session.model_external_initializers_file_folder_path", folder)
            session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
            session.run(None, dict(zip((port.name for port in session.get_inputs()), inputs)) if inputs else guessed(session))
            os._exit(0)
        except BaseException:
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def models(paths):
    """(model, the folder of its weights, its inputs or None)"""
    for path in paths:
        yield onnx.load(path, load_external_data=False), os.path.dirname(os.path.abspath(path)), None
    if not paths:
        from onnx.backend.test.case.node import collect_testcases

        for case in sorted(collect_testcases(""), key=lambda case: case.name):
            if len(case.model.graph.node) == 1:
                yield case.model, ".", case.data_sets[0][0]


def main():
    tried, crashed, seen = 0, 0, {}
    for model, folder, inputs in models(sys.argv[1:]):
        if survives(model.SerializeToString(), folder, inputs) != 0:
            continue
        for node in model.graph.node:
            kind = (node.domain, node.op_type, len(node.input), tuple(sorted(a.name for a in node.attribute)))
            if kind in seen:
                continue
            seen[kind] = onnx.NodeProto()
            seen[kind].CopyFrom(node)
            for what, change in changes(seen[kind]):
                change(node)
                outcome = survives(model.SerializeToString(), folder, inputs)
                node.CopyFrom(seen[kind])
                tried += 1
                if outcome < 0:
                    crashed += 1
                    print(f"signal {-outcome}: {node.domain}:{node.op_type} with {len(node.input)} inputs: {what}", flush=True)
    print(f"{crashed} of {tried} changes crash")


if __name__ == "__main__":
    main()
