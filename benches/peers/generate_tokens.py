"""How fast a peer reads a prompt and writes tokens, greedily: generate_tokens.py genai|llamacpp MODEL PROMPT NEW THREADS

Prints JSON: prefill and decode in tokens a second, medians of five runs after one to warm up.
"""

import json
import sys
import time
from statistics import median

import numpy as np


def genai(path, prompt, new):
    import onnxruntime_genai as og

    model = og.Model(path)

    def run():
        parameters = og.GeneratorParams(model)
        length = prompt.size + new + 1
        parameters.set_search_options(max_length=length, min_length=length, do_sample=False)
        generator = og.Generator(model, parameters)
        times = [time.perf_counter()]
        generator.append_tokens(prompt[None].astype(np.int32))
        while not generator.is_done():
            generator.generate_next_token()
            times.append(time.perf_counter())
        return times

    return run


def llamacpp(path, prompt, new, threads):
    import llama_cpp

    model = llama_cpp.Llama(path, n_ctx=2048, n_threads=threads, n_threads_batch=threads, verbose=False)

    def run():
        model.reset()
        times = [time.perf_counter()]
        model.eval(prompt.tolist())
        for _ in range(new):
            logits = np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(model.ctx, -1), shape=(model.n_vocab(),))
            token = int(logits.argmax())
            times.append(time.perf_counter())
            model.eval([token])
        times.append(time.perf_counter())
        return times

    return run


def main():
    kind, path, count, new, threads = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
    prompt = np.random.RandomState(0).randint(1000, 30000, count)
    run = genai(path, prompt, new) if kind == "genai" else llamacpp(path, prompt, new, threads)
    run()
    runs = [np.diff(run()) for _ in range(5)]
    prefill = median(count / times[0] for times in runs)
    decode = median(1 / times[1:].mean() for times in runs)
    print(json.dumps({"prefill": prefill, "decode": decode}))


main()
