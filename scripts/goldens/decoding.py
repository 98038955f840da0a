"""What the checkpoints of causal_lm.py answer where there is more to a step than the next token: its scores, guidance, drafts.

Writes tests/goldens/generate/decoding.json: the folder of the model, that of its assistant if it has one, the request, and the answer of
the reference's pipeline. Numbers that JSON has not (minus infinity) are null.
"""

import json
import math

import torch
import transformers

import drawn
from causal import MODELS, PROMPTS
from common import GAP, GOLDENS, plain

TOLD = dict(return_dict_in_generate=True, output_scores=True)
REPEATS = "one two three four one two three four one two three four one two"
GREEDY = dict(do_sample=False, max_new_tokens=24)


def pipeline(model, assistant=None):
    more = {} if assistant is None else {"assistant_model": str(drawn.checkpoint(MODELS / assistant))}
    return transformers.pipeline("text-generation", model=str(drawn.checkpoint(MODELS / model)), dtype=torch.float32, device="cpu", **more)


def finite(value):
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, list):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def ask(recorded, folder, inputs, assistant=None, error=False, **parameters):
    pipe = pipeline(folder, assistant)
    given = {name: torch.tensor(value) if name == "negative_prompt_ids" else value for name, value in parameters.items()}
    torch.manual_seed(0)
    row = {"model": folder} | ({"assistant_model": assistant} if assistant else {}) | {"inputs": inputs, "parameters": parameters}
    if error:
        try:
            pipe(inputs, **given)
        except Exception as failure:
            return recorded.append(row | {"error": f"{type(failure).__name__}: {failure}"[:200]})
        raise SystemExit(f"{folder}: {parameters} should fail")
    answer = finite(plain(pipe(inputs, **given)))
    if given.get("num_beams", 1) == 1 and given.get("top_k") != 1:
        for one in [inputs] if isinstance(inputs, str) else inputs:
            check_gap(pipe, folder, one, {k: v for k, v in given.items() if k not in ("batch_size", "return_tensors")})
    recorded.append(row | {"answer": answer})


def check_gap(pipe, folder, prompt, parameters):
    scores = torch.tensor(pipe(prompt, **parameters | TOLD)[0]["scores"])
    best = scores.topk(2).values
    gap = (best[:, 0] - best[:, 1]).min().item()
    if gap < GAP:
        raise NearTie(f"{folder}: {parameters} has a near-tie ({gap}) after {prompt!r}")


class NearTie(Exception):
    """The answer depends on the last digits."""


def guided(recorded, folder, inputs, guidance_scale, **parameters):
    nudged(recorded, folder, inputs, "guidance_scale", guidance_scale, 0.07, **parameters)


def nudged(recorded, folder, inputs, name, value, step, **parameters):
    """With a number a little larger, where an answer depends on a near-tie."""
    for more in range(8):
        try:
            return ask(recorded, folder, inputs, **{name: round(value + step * more, 2)}, **parameters)
        except NearTie as tie:
            print(tie)
    raise SystemExit("near-ties everywhere")


def main():
    recorded = []
    told = dict(do_sample=False, max_new_tokens=3, **TOLD)
    for folder in ("gpt2/causal_lm", "llama/causal_lm"):
        ask(recorded, folder, PROMPTS[0], output_logits=True, **told)
        ask(recorded, folder, PROMPTS[0], repetition_penalty=1.3, suppress_tokens=[5, 7], return_full_text=False, **told)
    ask(recorded, "gpt2/causal_lm", PROMPTS[0], **told | {"output_scores": False})
    ask(recorded, "gpt2/causal_lm", PROMPTS[0], **told | {"return_dict_in_generate": False})
    ask(recorded, "gpt2/causal_lm", PROMPTS[:2], return_dict_in_generate=True, output_logits=True, do_sample=False, max_new_tokens=2)
    ask(recorded, "gpt2/causal_lm", PROMPTS[0], return_tensors=True, **told)
    ask(recorded, "gpt2/causal_lm", PROMPTS[0], top_k=1, temperature=0.5, **told | {"do_sample": True})
    ask(recorded, "gpt2/causal_lm", PROMPTS[0], num_beams=3, num_return_sequences=3, output_logits=True, **told)
    ask(recorded, "llama/causal_lm", PROMPTS[0], num_beams=3, num_return_sequences=2, output_logits=True, **told)
    ask(recorded, "llama/causal_lm", PROMPTS[0], num_beams=2, **told | {"output_scores": False, "max_new_tokens": 8})
    ends = [11, 20, 33, 60, 101, 150, 202, 260, 301]
    ask(recorded, "llama/causal_lm", PROMPTS[0], num_beams=4, num_return_sequences=3, eos_token_id=ends, **told | {"max_new_tokens": 12})

    for folder in ("gpt2/causal_lm", "llama/causal_lm", "qwen3/causal_lm_b", "gemma2/causal_lm", "bloom/causal_lm"):
        for scale in (1.5, 3.0, 0.4, 0.0):
            guided(recorded, folder, PROMPTS[0], guidance_scale=scale, **GREEDY)
        ask(recorded, folder, PROMPTS[0], guidance_scale=1.0, **GREEDY)
        guided(recorded, folder, PROMPTS, guidance_scale=2.0, **GREEDY)
        guided(recorded, folder, PROMPTS, guidance_scale=2.0, batch_size=3, **GREEDY)
        guided(recorded, folder, PROMPTS[0], guidance_scale=2.0, negative_prompt_ids=[[9, 30, 12, 77]], **GREEDY)
        guided(recorded, folder, PROMPTS[:2], guidance_scale=-0.5, negative_prompt_ids=[[40]], **GREEDY)
        guided(recorded, folder, PROMPTS[0], guidance_scale=1.7, num_beams=3, num_return_sequences=2, do_sample=False, max_new_tokens=10)
    guided(recorded, "gpt2/causal_lm", PROMPTS[0], guidance_scale=2.0, repetition_penalty=1.2, no_repeat_ngram_size=2, **GREEDY)
    guided(recorded, "gpt2/causal_lm", PROMPTS[0], guidance_scale=2.0, top_k=1, do_sample=True, temperature=0.6, max_new_tokens=24)
    guided(recorded, "llama/causal_lm", PROMPTS[0], guidance_scale=2.0, **told)
    ask(recorded, "llama/causal_lm", PROMPTS[0], guidance_scale=2.0, negative_prompt_ids=[[9, 30]], num_beams=3, error=True, do_sample=False, max_new_tokens=10)

    for folder in ("gpt2/causal_lm", "llama/causal_lm", "mistral/causal_lm_b", "gemma2/causal_lm", "bloom/causal_lm", "phi3/causal_lm"):
        for tokens, size in ((1, None), (3, 1), (10, None), (10, 4)):
            size = {} if size is None else {"max_matching_ngram_size": size}
            ask(recorded, folder, REPEATS, prompt_lookup_num_tokens=tokens, **size, **GREEDY)
        ask(recorded, folder, [PROMPTS[0], REPEATS], prompt_lookup_num_tokens=4, **GREEDY)
    ask(recorded, "llama/causal_lm", REPEATS, prompt_lookup_num_tokens=4, repetition_penalty=0.6, **GREEDY)
    ask(recorded, "llama/causal_lm", REPEATS, prompt_lookup_num_tokens=4, repetition_penalty=0.6, eos_token_id=ends, **GREEDY)
    ask(recorded, "llama/causal_lm", REPEATS, prompt_lookup_num_tokens=4, **told)
    ask(recorded, "llama/causal_lm", REPEATS, prompt_lookup_num_tokens=4, top_k=1, do_sample=True, max_new_tokens=24)
    ask(recorded, "llama/causal_lm", REPEATS, prompt_lookup_num_tokens=4, num_beams=2, do_sample=False, max_new_tokens=10)
    ask(recorded, "llama/causal_lm", REPEATS, prompt_lookup_num_tokens=0, error=True, **GREEDY)
    ask(recorded, "llama/causal_lm", REPEATS, prompt_lookup_num_tokens=2, num_return_sequences=2, do_sample=True, error=True)
    ask(recorded, "llama/causal_lm", [PROMPTS[0], REPEATS], prompt_lookup_num_tokens=2, batch_size=2, error=True, **GREEDY)

    for folder, assistant in (("llama/causal_lm", "mistral/causal_lm"), ("llama/causal_lm", "llama/causal_lm"), ("qwen2/causal_lm", "qwen3/causal_lm"),
                              ("mistral/causal_lm", "llama/causal_lm")):
        ask(recorded, folder, PROMPTS[0], assistant, **GREEDY)
        ask(recorded, folder, PROMPTS, assistant, repetition_penalty=1.1, **GREEDY)
    ask(recorded, "llama/causal_lm", PROMPTS[0], "llama/causal_lm", eos_token_id=ends, **GREEDY)
    ask(recorded, "llama/causal_lm", PROMPTS[0], "llama/causal_lm", eos_token_id=ends, min_new_tokens=12, **GREEDY)
    ask(recorded, "llama/causal_lm", PROMPTS[0], "llama/causal_lm", **told)
    ask(recorded, "llama/causal_lm", PROMPTS[0], "mistral/causal_lm", top_k=1, do_sample=True, temperature=0.5, max_new_tokens=24)
    ask(recorded, "llama/causal_lm", PROMPTS[0], "mistral/causal_lm", num_return_sequences=2, do_sample=True, error=True)

    for folder, assistant in (("llama/causal_lm", "mistral/causal_lm"), ("qwen2/causal_lm", "qwen3/causal_lm"), ("mistral/causal_lm", "llama/causal_lm")):
        for weight in (0.2, 0.5, 0.8):
            nudged(recorded, folder, PROMPTS[0], "assistant_ensemble_weight", weight, 0.02, assistant=assistant, **GREEDY)
        nudged(recorded, folder, PROMPTS, "repetition_penalty", 1.2, 0.02, assistant=assistant, assistant_ensemble_weight=0.4, **GREEDY)
    ask(recorded, "llama/causal_lm", PROMPTS[0], "mistral/causal_lm", assistant_ensemble_weight=1.0, error=True, **GREEDY)
    ask(recorded, "llama/causal_lm", PROMPTS[0], assistant_ensemble_weight=0.4, prompt_lookup_num_tokens=3, error=True, **GREEDY)
    ask(recorded, "llama/causal_lm", PROMPTS[0], assistant_ensemble_weight=0.4, **GREEDY)

    lines = ",\n".join("  " + json.dumps(row, ensure_ascii=False, allow_nan=False) for row in recorded)
    (GOLDENS / "generate" / "decoding.json").write_text(f'{{"reference": "transformers {transformers.__version__}", "cases": [\n{lines}\n]}}\n', "utf-8")
    print(len(recorded), "cases")


if __name__ == "__main__":
    main()
