"""Embeds the lines of a file: embed_sentence_transformers.py MODEL_DIR SENTENCES THREADS"""

import json
import sys
import time

import torch
from sentence_transformers import SentenceTransformer

folder, file, threads = sys.argv[1:]
torch.set_num_threads(int(threads))
model = SentenceTransformer(folder, device="cpu")
with open(file) as lines:
    sentences = lines.read().splitlines()
model.encode(sentences[:1])
print("first", flush=True)
model.encode(sentences[:64], batch_size=32)
start, spent = time.perf_counter(), time.process_time()
model.encode(sentences, batch_size=32)
print(json.dumps({"median_ms": 1e3 * (time.perf_counter() - start), "processor_ms": 1e3 * (time.process_time() - spent)}))
