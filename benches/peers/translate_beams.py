"""How long a peer takes for sequences of tokens with four beams: translate_beams.py torch|ctranslate2 MODEL TOKENS NEW THREADS

MODEL is a checkpoint, or what ct2-transformers-converter made of one. One source of so many tokens, exactly so many new ones. Prints
JSON: the median of five runs in milliseconds, after one to warm up.
"""

import json
import sys
import time
from statistics import median

BEAMS = 4


def torch_model(path, source, new, threads):
    import torch
    from transformers import AutoModelForSeq2SeqLM

    torch.set_num_threads(threads)
    model = AutoModelForSeq2SeqLM.from_pretrained(path).eval()
    ids = torch.tensor([source])

    def run():
        with torch.inference_mode():
            model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), num_beams=BEAMS, max_new_tokens=new, min_new_tokens=new)

    return run


def ctranslate2_model(path, source, new, threads):
    import ctranslate2

    model = ctranslate2.Translator(path, device="cpu", compute_type="float32", inter_threads=1, intra_threads=threads)
    names = json.loads(open(f"{path}/shared_vocabulary.json").read())
    tokens = [names[i] for i in source]

    def run():
        model.translate_batch([tokens], beam_size=BEAMS, max_decoding_length=new, min_decoding_length=new)

    return run


def main():
    kind, path, count, new, threads = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
    source = [1000 + 37 * i % 20000 for i in range(count)]
    run = (torch_model if kind == "torch" else ctranslate2_model)(path, source, new, threads)
    run()
    times = []
    for _ in range(5):
        start = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - start))
    print(json.dumps({"median_ms": median(times)}))


main()
