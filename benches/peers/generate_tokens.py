"""How fast a peer reads a prompt and writes tokens, greedily: generate_tokens.py genai|llamacpp MODEL PROMPT NEW [--runs N] THREADS

Prints JSON: prefill and decode in tokens a second, medians of N runs (5) after one to warm up, and the most memory that the process had.
"""

import argparse
import json
import resource
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

    # Room for the prompt and what follows, in steps of 256 as llama.cpp takes them, and no more.
    context = -(-(prompt.size + new + 1) // 256) * 256
    model = llama_cpp.Llama(path, n_ctx=context, n_threads=threads, n_threads_batch=threads, verbose=False)

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
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["genai", "llamacpp"])
    parser.add_argument("path")
    parser.add_argument("prompt", type=int)
    parser.add_argument("new", type=int)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("threads", type=int)
    given = parser.parse_args()
    prompt = np.random.RandomState(0).randint(1000, 30000, given.prompt)
    run = genai(given.path, prompt, given.new) if given.kind == "genai" else llamacpp(given.path, prompt, given.new, given.threads)
    run()
    runs = [np.diff(run()) for _ in range(given.runs)]
    prefill = median(given.prompt / times[0] for times in runs)
    decode = median(1 / times[1:].mean() for times in runs)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(json.dumps({"prefill": prefill, "decode": decode, "peak_mb": peak}))


main()
