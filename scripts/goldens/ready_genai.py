"""Writes the exports of onnxruntime-genai (0.18.0) for tests/ready.rs: python scripts/goldens/ready_genai.py [MODEL...]

As ready.py, with what the model builder makes: attention with the cache inside, sizes that only genai_config.json says, caches that keep a window, 16 bits.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import drawn
from common import GOLDENS
from ready_files import write

import onnx

OUT = GOLDENS / "ready"
MODELS = GOLDENS / "generate" / "models"


def main(models):
    for model, forms in {"llama": {"genai": ("fp32", "cpu"), "half": ("fp16", "cuda")}, "gemma2": {"genai": ("fp32", "cpu")}}.items():
        if models and model not in models:
            continue
        for form, (precision, provider) in forms.items():
            out, weights = OUT / model / form, {}
            with tempfile.TemporaryDirectory() as folder:
                builder = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-i", drawn.checkpoint(MODELS / model / "causal_lm_wide"), "-o", folder, "-p", precision, "-e", provider]
                subprocess.run(builder, check=True, capture_output=True)
                write(out, {"model": onnx.load(Path(folder) / "model.onnx")}, weights, "model.onnx.data")
                (out / "genai_config.json").write_bytes((Path(folder) / "genai_config.json").read_bytes())
            (out / "model.onnx.data").write_bytes(b"".join(weights))


if __name__ == "__main__":
    main(sys.argv[1:])
