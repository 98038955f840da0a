"""What the checkpoints of seq2seq_lm.py answer with guidance and with drafts.

Writes tests/goldens/generate/decoding_seq2seq.json: the folder of the model, that of its assistant if it has one, the task, the request,
and the answer of the pipeline of version 4 of the reference.
"""

import json

import torch
import transformers

import drawn
from causal import MODELS
from common import GAP, GOLDENS, TEXTS, plain

GREEDY = dict(num_beams=1, max_new_tokens=24)


def pipeline(task, model, assistant=None):
    more = {} if assistant is None else {"assistant_model": str(drawn.checkpoint(MODELS / assistant))}
    return transformers.pipeline(task, model=str(drawn.checkpoint(MODELS / model)), dtype=torch.float32, device="cpu", **more)


def ask(recorded, task, folder, inputs, assistant=None, error=False, **parameters):
    """With a scale a little larger, where an answer depends on a near-tie."""
    for more in range(8):
        if more:
            parameters["guidance_scale"] = round(parameters["guidance_scale"] + 0.07, 2)
        pipe = pipeline(task, folder, assistant)
        given = {name: torch.tensor(value) if name == "negative_prompt_ids" else value for name, value in parameters.items()}
        row = {"task": task, "model": folder} | ({"assistant_model": assistant} if assistant else {}) | {"inputs": inputs, "parameters": parameters | {}}
        if error:
            try:
                pipe(inputs, **given)
            except Exception as failure:
                return recorded.append(row | {"error": f"{type(failure).__name__}: {failure}"[:200]})
            raise SystemExit(f"{folder}: {parameters} should fail")
        answer = plain(pipe(inputs, **given))
        if "guidance_scale" not in parameters or gap(pipe, inputs, given) >= GAP:
            return recorded.append(row | {"answer": answer})
        print(f"{folder}: {parameters} has a near-tie")
    raise SystemExit("near-ties everywhere")


def gap(pipe, inputs, parameters):
    """How far the best token of each step is ahead; beams are not looked at."""
    parameters = {name: value for name, value in parameters.items() if name not in ("batch_size", "src_lang", "tgt_lang", "return_tensors")}
    if parameters["num_beams"] > 1:
        return GAP
    found = []
    for text in [inputs] if isinstance(inputs, str) else inputs:
        ids = pipe.tokenizer(text, return_tensors="pt").input_ids
        told = pipe.model.generate(ids, generation_config=pipe.generation_config, return_dict_in_generate=True, output_scores=True, **parameters)
        best = torch.cat(told.scores).topk(2).values
        found.append((best[:, 0] - best[:, 1]).min().item())
    return min(found)


def main():
    recorded = []
    for task, folder, languages in (("text2text-generation", "bart/seq2seq", {}), ("summarization", "bart/seq2seq_c", {}), ("text2text-generation", "mbart/seq2seq", {}),
                                    ("text2text-generation", "mbart/seq2seq_b", {})):
        for scale in (1.5, 3.0, 0.4, 0.0):
            ask(recorded, task, folder, TEXTS[0], guidance_scale=scale, **GREEDY)
        ask(recorded, task, folder, TEXTS[0], guidance_scale=1.0, **GREEDY)
        ask(recorded, task, folder, TEXTS, guidance_scale=2.0, **GREEDY)
        ask(recorded, task, folder, TEXTS, guidance_scale=2.0, batch_size=3, **GREEDY)
        ask(recorded, task, folder, TEXTS[0], guidance_scale=2.0, negative_prompt_ids=[[9, 30, 12, 77]], **GREEDY)
        ask(recorded, task, folder, TEXTS[0], guidance_scale=-0.5, negative_prompt_ids=[[40]], **GREEDY)
        ask(recorded, task, folder, TEXTS[0], guidance_scale=1.7, num_beams=3, num_return_sequences=2, max_new_tokens=10)
        ask(recorded, task, folder, TEXTS, guidance_scale=1.7, num_beams=3, max_new_tokens=10)
        ask(recorded, task, folder, TEXTS[0], guidance_scale=2.0, repetition_penalty=1.2, no_repeat_ngram_size=2, **GREEDY)
    for folder in ("t5/seq2seq", "marian/seq2seq", "pegasus/seq2seq", "m2m_100/seq2seq", "blenderbot/seq2seq", "longt5/seq2seq", "encoder-decoder/seq2seq"):
        ask(recorded, "text2text-generation", folder, TEXTS[0], guidance_scale=1.5, error=True, **GREEDY)
    # The lookup of version 4 ends at once where answers start from an end token, as BART's do, and goes beyond max_new_tokens where guesses
    # are right there, as T5's are; version 5 does neither.
    for folder in ("t5/seq2seq", "marian/seq2seq", "pegasus/seq2seq", "longt5/seq2seq"):
        ask(recorded, "text2text-generation", folder, TEXTS[0], prompt_lookup_num_tokens=3, **GREEDY)
        if folder != "t5/seq2seq":
            ask(recorded, "text2text-generation", folder, TEXTS, prompt_lookup_num_tokens=6, max_matching_ngram_size=1, **GREEDY)
    for folder, assistant in (("bart/seq2seq", "bart/seq2seq_c"), ("bart/seq2seq_c", "bart/seq2seq"), ("t5/seq2seq", "t5/seq2seq"), ("mbart/seq2seq", "mbart/seq2seq")):
        ask(recorded, "text2text-generation", folder, TEXTS[0], assistant, **GREEDY)
        ask(recorded, "text2text-generation", folder, TEXTS, assistant, repetition_penalty=1.1, **GREEDY)

    lines = ",\n".join("  " + json.dumps(row, ensure_ascii=False, allow_nan=False) for row in recorded)
    (GOLDENS / "generate" / "decoding_seq2seq.json").write_text(f'{{"reference": "transformers {transformers.__version__}", "cases": [\n{lines}\n]}}\n', "utf-8")
    print(len(recorded), "cases")


if __name__ == "__main__":
    main()
