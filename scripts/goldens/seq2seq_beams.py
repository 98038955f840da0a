"""Encoder-decoder language models whose beams are scored and end in every way; and T5 with its tasks."""

from common import TEXTS, Case
from seq2seq import BART, GREEDY, SMALL, old, seq2seq
from tokenizers_on_disk import pieces

T5 = dict(d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4, decoder_start_token_id=0)
LANGUAGES = {"de": "German", "fr": "French", "ro": "Romanian"}
# As the checkpoints of 2019 have them.
PARAMETERS = dict(early_stopping=True, num_beams=4)
TASKS = {"summarization": dict(PARAMETERS, length_penalty=2.0, max_length=200, min_length=30, no_repeat_ngram_size=3, prefix="summarize: ")}
TASKS |= {f"translation_en_to_{to}": dict(PARAMETERS, max_length=300, prefix=f"translate English to {name}: ") for to, name in LANGUAGES.items()}

seq2seq("t5", "seq2seq_tasks", pieces("T5Tokenizer", extra_ids=5), T5, dtype="float16", extra=dict(task_specific_params=TASKS, n_positions=512), more={
    "summarization": [Case(TEXTS[0], max_new_tokens=14), Case(TEXTS, min_length=0, max_new_tokens=14, num_beams=1), Case(TEXTS[0], "less than the task asks for", max_length=7, min_length=2)],
    "translation_en_to_de": [Case(TEXTS[0], max_new_tokens=8), Case(TEXTS, **GREEDY)], "translation_en_to_ro": [Case(TEXTS[0], return_tensors=True, num_beams=2, max_new_tokens=8)],
    "translation_en_to_nl": [Case(TEXTS[0], "a task that it was not told of", num_beams=1, max_new_tokens=12)], "translation": [Case(TEXTS[1], num_beams=1, max_new_tokens=12)]})
seq2seq("t5", "seq2seq_beams", pieces("T5Tokenizer", extra_ids=5), T5, beams=True, dtype="float16")
seq2seq("bart", "seq2seq_beams", BART, SMALL, beams=True)
seq2seq("marian", "seq2seq_beams", old("marian"), dict(SMALL, activation_function="swish", scale_embedding=True), task="translation", start="pad", beams=True)
seq2seq("m2m_100", "seq2seq_beams", old("m2m_100"), dict(SMALL, activation_function="relu", vocab_size=327), task="translation", start="eos", forced=False,
        parameters=dict(src_lang="de", tgt_lang="fr"), beams=True)
