"""Latency of one batch of an exported encoder: encode_onnx.py FILE.onnx BATCH TOKENS THREADS"""

import json
import resource
import sys
import time
from statistics import median

import numpy as np
import onnxruntime as ort

file, batch, tokens, threads = sys.argv[1], *map(int, sys.argv[2:])
options = ort.SessionOptions()
options.intra_op_num_threads = threads
session = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
shape = (batch, tokens)
values = {"input_ids": np.random.RandomState(0).randint(1000, 30000, shape), "attention_mask": np.ones(shape), "token_type_ids": np.zeros(shape)}
inputs = {i.name: values[i.name].astype(np.int64) for i in session.get_inputs()}


def run():
    start = time.perf_counter()
    session.run(None, inputs)
    return 1e3 * (time.perf_counter() - start)


run()
spent = time.process_time()
milliseconds = median(run() for _ in range(40))
spent = 1e3 * (time.process_time() - spent) / 40
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
print(json.dumps({"median_ms": milliseconds, "processor_ms": spent, "peak_mb": peak}))
