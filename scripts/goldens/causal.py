"""What is asked of a causal language model: what it writes, and the logits behind it.

The folders lie in tests/goldens/generate/models. Beside golden.json, logits.json has what the graph alone answers: the token ids of one
prompt, the best token after each of them, and all logits after the last.
"""

import functools
import json
import re
import shutil
import tempfile
from pathlib import Path

import torch
import transformers
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES

import heads
from common import GAP, GOLDENS, TEXTS, Case, checkpoint, plain, wanted
from tasks import adjacent
from tokenizers_on_disk import bare, byte_bpe, pieces

MODELS = GOLDENS / "generate" / "models"
PROMPTS = ["The river Danube flows", "Hi", "My name is Wolfgang and I live in Berlin, near Zoë."]
GREEDY = dict(do_sample=False, max_new_tokens=24)
BY_COLUMN = ("gpt_oss", "llama4_text")  # experts are multiplied from the right
OTHERS = ("bloom", "gemma2", "gpt2", "gpt_bigcode", "llama", "mistral", "opt", "phi3", "qwen2", "qwen3")  # what other goldens ask or export stays in 32 bits
VARIETY = 8  # how many different tokens each answer has at least


def causal(model_type, name, tokenizer, config, thorough=False, extra=None, coupled=None, extra_fields=None, adjust=None, whole=None, steady=False, **saving):
    """One folder: `config` and the special tokens of the tokenizer.

    `whole` is what a model that sees pictures as well has beside `config`, which is its text_config then.
    `extra` is a function of the folder that gives more cases; `extra_fields` go into config.json; `adjust` changes the model's weights once they are drawn.
    `steady` asks for weights with which rounding does not grow from layer to layer.
    `coupled` says why answers of this model depend on the rest of their batch, or on the calls before: then nothing is asked in batches.
    """
    if not wanted(model_type, name):
        return
    tokenizer = once(tokenizer)
    if name in ("causal_lm", "causal_lm_b") and model_type not in OTHERS:
        saving.setdefault("dtype", "bfloat16")  # as most are published, and half the bytes
    config = special_ids(tokenizer) | config
    filled = transformers.AutoConfig.for_model(model_type, **(config if whole is None else {"text_config": config, **whole}))
    head = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[model_type]
    checkpoint(model_type, name, head if whole is None else head.replace("ForCausalLM", "ForConditionalGeneration"), filled, tokenizer,
               functools.partial(cases, thorough=thorough, extra=extra, coupled=coupled), confirm=functools.partial(confirmed, coupled=coupled, steady=steady),
               initialize=lambda model: (lively(model), adjust and adjust(model)), under=MODELS, extra=extra_fields, **saving)


def once(write):
    """Writes the tokenizer's files a single time, and copies them for every draw of the weights."""
    made = []

    def copy(folder):
        if not made:
            made.append(tempfile.TemporaryDirectory())
            write(Path(made[0].name))
        shutil.copytree(made[0].name, folder, dirs_exist_ok=True)

    return copy


def special_ids(tokenizer):
    with tempfile.TemporaryDirectory() as folder:
        tokenizer(Path(folder))
        read = transformers.AutoTokenizer.from_pretrained(folder)
    return {"vocab_size": 1 + max(read.get_vocab().values()), "bos_token_id": read.bos_token_id, "eos_token_id": read.eos_token_id,
            "pad_token_id": read.pad_token_id}


def lively(model):
    """With a head tied to the embedding, each token would vote for itself; signs in the last norm undo that.

    Experts that lie in one tensor are drawn as wide as single ones, and what only moves the choice of experts so that it does.
    """
    for name, p in [*model.named_parameters(), *model.named_buffers()]:
        if "experts." in name and p.dim() == 3:
            inputs = p.shape[1] if model.config.model_type in BY_COLUMN else p.shape[2]
            p.data.normal_(0.0, 1.1 / inputs ** 0.5)
        elif "e_score_correction_bias" in name or "expert_bias" in name:
            p.data.normal_(0.0, 0.1)
        elif name.endswith(".sinks"):
            p.data.normal_(0.0, 1.0)
    norms = {name: m for name, m in model.named_modules() if "norm" in type(m).__name__.lower() and getattr(m, "weight", None) is not None}
    outermost = min((name.count(".") for name in norms), default=0)
    last = [m for name, m in norms.items() if name.count(".") == outermost][-1:]
    if model.config.tie_word_embeddings:
        for norm in last:
            norm.weight.data.normal_(-1.0 if model.config.model_type.startswith("gemma") else 0.0, 1.2)


def cases(folder, thorough, extra, coupled):
    """What is asked of every model; None where the answers are dull."""
    pipe = transformers.pipeline("text-generation", model=str(folder), dtype=torch.float32, device="cpu")
    written = []
    for prompt in PROMPTS:
        length = pipe.tokenizer(prompt, return_tensors="pt")["input_ids"].shape[1]
        written.append(pipe(prompt, return_tensors=True, **GREEDY)[0]["generated_token_ids"][length:])
    text = pipe.tokenizer.decode(written[0], skip_special_tokens=True)
    stop = re.compile(r"[!-~][ -~]{1,3}[!-~]").search(text, 6)
    if not stop or any(len(set(row)) < VARIETY for row in written):
        return None
    first, ends = PROMPTS[0], list(dict.fromkeys(written[0]))[4:7:2]
    beams = dict(do_sample=False, num_beams=3, num_return_sequences=2)
    asked = [
        Case(first, **GREEDY),
        Case(PROMPTS, "one by one", **GREEDY),
        Case(PROMPTS, "side by side, padded on the left: the same answers as one by one", batch_size=3, **GREEDY),
        Case(first, return_full_text=False, stop_sequence=stop[0], **GREEDY),
        Case(PROMPTS, "the prompts' and the new ids", return_tensors=True, **GREEDY),
        Case(first, max_new_tokens=12, **beams),
        Case(PROMPTS, batch_size=3, early_stopping=True, eos_token_id=ends, max_new_tokens=10, **beams),
        empty(pipe),
    ]
    if thorough:
        asked += [
            Case(first, eos_token_id=ends, **GREEDY), Case(first, "an end token is forbidden at first", eos_token_id=ends, min_new_tokens=12, **GREEDY),
            Case(first, "an end token is shown", eos_token_id=ends, skip_special_tokens=False, **GREEDY),
            Case(first, repetition_penalty=1.3, **GREEDY), Case(PROMPTS, batch_size=3, repetition_penalty=1.3, no_repeat_ngram_size=2, **GREEDY),
            Case(first, prefix="Is this a question? ", **GREEDY), Case(first, prefix="Is this ", return_full_text=False, **GREEDY),
            Case(PROMPTS[2], "a total length", do_sample=False, max_length=64), Case(PROMPTS[2], prefix="Yes, ", do_sample=False, max_length=64),
            Case(first, "sampling among one", do_sample=True, top_k=1, temperature=0.5, max_new_tokens=12),
            Case(first, stop_sequence=["never written", stop[0][:2]], **GREEDY), Case(PROMPTS, batch_size=2, stop_sequence=stop[0], **GREEDY),
            Case(first, early_stopping="never", eos_token_id=ends, length_penalty=2.0, max_new_tokens=10, **beams),
            Case(first, early_stopping=True, length_penalty=-1.0, eos_token_id=ends, max_new_tokens=10, **beams),
            Case(first, no_repeat_ngram_size=2, return_full_text=False, max_new_tokens=10, **beams),
            Case(first, "more ends than one", do_sample=False, num_beams=2, eos_token_id=sorted(set(written[0])), min_new_tokens=3, max_new_tokens=8),
            Case(first, tokenizer_encode_kwargs={"truncation": True, "max_length": 6}, **GREEDY), Case([first], **GREEDY),
            Case(first, "several answers need beams or sampling", error=True, num_return_sequences=2, **GREEDY),
            Case(first, "more answers than beams", error=True, do_sample=False, num_beams=2, num_return_sequences=3),
            Case(first, error=True, do_sample=False, max_new_tokens=0), Case(7, error=True, **GREEDY),
            Case(first, "two ways of saying what to return", error=True, return_full_text=False, return_tensors=True, **GREEDY),
        ]
    if coupled:
        asked = [case for case in asked if "batch_size" not in case.parameters]
    return {"text-generation": [*asked, *(extra(folder) if extra else [])]}


def empty(pipe):
    """An empty prompt starts from the token that begins texts; where there is none, the reference fails."""
    try:
        pipe("", **GREEDY)
    except Exception:
        return Case("", "nothing to start from", error=True, **GREEDY)
    return Case("", **GREEDY)


def confirmed(folder, coupled, steady=False):
    """Answers do not depend on the batch, but where that is known; and the graph's answer is recorded, if its best tokens are clearly best."""
    golden = json.loads((folder / "golden.json").read_text("utf-8"))["cases"]
    alone, together = (row["answer"] for row in golden[1:3])
    return (coupled or alone == together) and record_logits(folder) and (not steady or rounding(folder) < 2e-5)


@torch.no_grad()
def rounding(folder):
    """How far logits in 32 bits are from those in 64, as a share of the largest."""
    few, many = (transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()(input_ids=torch.tensor([[3, 7, 5, 11, 2, 9]]), use_cache=False).logits.double()
                 for dtype in (torch.float32, torch.float64))
    return float((few - many).abs().max() / many.abs().max())


@torch.no_grad()
def record_logits(folder):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    prompt = PROMPTS[2]
    inputs = tokenizer(prompt, return_tensors="pt")
    logits = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False).logits[0]
    record = {"reference": f"transformers {transformers.__version__}", "inputs": prompt, "input_ids": inputs["input_ids"][0].tolist(),
              "argmax": logits.argmax(-1).tolist(), "last": plain(logits[-1])}
    (folder / "logits.json").write_text(json.dumps(record, ensure_ascii=False) + "\n", "utf-8")
    return bool(adjacent(logits, 2) > GAP)


LABELS = {"id2label": {0: "negative", 1: "neutral", 2: "positive"}, "label2id": {"negative": 0, "neutral": 1, "positive": 2}}


def classifier(model_type, head, tokenizer, config, **saving):
    """The last token that is not padding decides."""
    if not wanted(model_type, "sequence_classification"):
        return
    tokenizer = once(tokenizer)
    filled = transformers.AutoConfig.for_model(model_type, **(special_ids(tokenizer) | config | LABELS))
    checkpoint(model_type, "sequence_classification", head, filled, tokenizer, {"text-classification": [
        Case(TEXTS[0]), Case(TEXTS, top_k=None), Case(TEXTS, "side by side, padded", batch_size=4, top_k=None), Case(TEXTS * 2, batch_size=3),
        Case({"text": TEXTS[0], "text_pair": TEXTS[1]}), Case(TEXTS[1], function_to_apply="none", top_k=2),
    ]}, under=MODELS, **saving)


def tagger(model_type, head, tokenizer, config, **saving):
    """Each token gets a label from what stands before it."""
    if not wanted(model_type, "token_classification"):
        return
    tokenizer = once(tokenizer)
    filled = transformers.AutoConfig.for_model(model_type, **(special_ids(tokenizer) | config | LABELS))
    checkpoint(model_type, "token_classification", head, filled, tokenizer, {"token-classification": [
        Case(PROMPTS[2]), Case([PROMPTS[2], *TEXTS], aggregation_strategy="simple"),
    ]}, under=MODELS, **saving)


def answerer(model_type, tokenizer, config, name="question_answering", **saving):
    """Each token may begin or end the answer. The task is one of version 4 of the reference."""
    if not wanted(model_type, name, 4):
        return
    tokenizer = once(tokenizer)
    filled = transformers.AutoConfig.for_model(model_type, **(special_ids(tokenizer) | config))
    checkpoint(model_type, name, MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES[model_type], filled, tokenizer, heads.cases("question_answering", None), reference=4,
               under=MODELS, **saving)


# ---- the tokenizers' own kinds

END = ([], ["<|endoftext|>"])
GPT2 = byte_bpe("GPT2Tokenizer", specials=END, merges=30, pad_token="<|endoftext|>")
GPT2_BOTH = byte_bpe("GPT2Tokenizer", files="both", specials=END, merges=30, pad_token="<|endoftext|>")
GPT2_SAVED = byte_bpe("GPT2Tokenizer", files="fast", specials=([], ["<|endoftext|>", "<|pad|>"]), merges=40, pad_token="<|pad|>")
NEOX = byte_bpe("GPTNeoXTokenizer", files="fast", specials=(["<|endoftext|>", "<|padding|>"], []), merges=50, pad_token="<|padding|>")
QWEN = dict(specials=([], ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]), merges=50, pad_token="<|endoftext|>", eos_token="<|im_end|>")
CHAT = "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
OPT = byte_bpe("GPT2Tokenizer", specials=(["<s>", "<pad>", "</s>", "<unk>"], []), merges=50, add_bos_token=True, bos_token="</s>", eos_token="</s>", unk_token="</s>",
               pad_token="<pad>")
LLAMA = pieces("LlamaTokenizer", size=360, table="identity", add_bos_token=True, legacy=False, pad_token="</s>")
LLAMA3 = bare(merges=40, first=[], last=["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"], template=("<|begin_of_text|> $A", "<|begin_of_text|> $A <|begin_of_text|> $B"),
              bos_token="<|begin_of_text|>", eos_token="<|end_of_text|>", pad_token="<|eot_id|>")
GEMMA = pieces("GemmaTokenizer", size=360, table="identity", add_bos_token=True)
COHERE = byte_bpe("CohereTokenizer", specials=(["<PAD>", "<UNK>", "<CLS>", "<SEP>", "<MASK_TOKEN>", "<BOS_TOKEN>", "<|END_OF_TURN_TOKEN|>"], []), merges=40)

# ---- shapes

SMALL = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=30, max_position_embeddings=128)
GROUPED = dict(SMALL, num_key_value_heads=2)
WIDE = dict(SMALL, num_attention_heads=2, num_key_value_heads=2)  # heads wide enough for rotating a part of them


TINY = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1, intermediate_size=20, max_position_embeddings=128, head_dim=8)
TINY_GPT2 = dict(n_embd=16, n_layer=2, n_head=2, n_positions=80, n_inner=20)
LAYERS = dict(sliding_window=6, layer_types=["sliding_attention", "full_attention"])
PART = dict(hidden_size=16, num_attention_heads=1, num_key_value_heads=1, num_hidden_layers=2, intermediate_size=20, max_position_embeddings=128)  # of each head turns
SPARSE = TINY | dict(num_experts=4, num_local_experts=4, num_experts_per_tok=2, moe_intermediate_size=8, shared_expert_intermediate_size=12)
LATENT = {**TINY, "num_key_value_heads": 2, "head_dim": 4} | dict(q_lora_rank=None, kv_lora_rank=8, qk_nope_head_dim=8, qk_rope_head_dim=4, v_head_dim=6, n_routed_experts=4, n_group=1, topk_group=1, num_experts_per_tok=2,
                     moe_intermediate_size=8, n_shared_experts=1, first_k_dense_replace=1)
# One shape of each, for the heads that judge a text.
SHAPES = {
    "apertus": (LLAMA3, TINY | dict(hidden_act="xielu")),
    "arcee": (LLAMA3, TINY),
    "biogpt": (GPT2_SAVED, dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=20, max_position_embeddings=80)),
    "bloom": (LLAMA3, dict(hidden_size=16, n_layer=2, n_head=2)),
    "ctrl": (GPT2_SAVED, dict(n_embd=16, n_layer=2, n_head=2, n_positions=80, dff=20)),
    "deepseek_v2": (LLAMA3, LATENT | dict(n_group=None, topk_group=None)),
    "deepseek_v3": (LLAMA3, LATENT),
    "exaone4": (LLAMA3, TINY | LAYERS),
    "falcon": (NEOX, dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, ffn_hidden_size=20, max_position_embeddings=128)),
    "gemma": (GEMMA, TINY),
    "gemma2": (GEMMA, TINY | dict(query_pre_attn_scalar=8, sliding_window=6)),
    "gemma3_text": (GEMMA, TINY | LAYERS | dict(query_pre_attn_scalar=8)),
    "glm": (LLAMA3, TINY),
    "glm4": (LLAMA3, TINY),
    "gpt2": (GPT2_SAVED, TINY_GPT2),
    "gpt_bigcode": (GPT2_SAVED, TINY_GPT2),
    "gpt_neo": (GPT2_SAVED, dict(hidden_size=16, num_heads=2, intermediate_size=20, max_position_embeddings=80, num_layers=2, attention_types=[[["global", "local"], 1]], window_size=6)),
    "gpt_neox": (NEOX, PART),
    "gpt_oss": (LLAMA3, SPARSE | LAYERS),
    "gptj": (GPT2_SAVED, TINY_GPT2 | dict(rotary_dim=4)),
    "helium": (LLAMA3, TINY),
    "hunyuan_v1_dense": (LLAMA3, TINY),
    "hunyuan_v1_moe": (LLAMA3, SPARSE),
    "jamba": (LLAMA3, dict(SPARSE, mamba_d_state=4, mamba_expand=1, attn_layer_period=2, attn_layer_offset=1)),
    "llama": (LLAMA3, TINY),
    "minicpm3": (LLAMA3, {**LATENT, "intermediate_size": 20}),
    "ministral": (LLAMA3, TINY | LAYERS),
    "ministral3": (LLAMA3, TINY),
    "mistral": (LLAMA3, TINY | dict(sliding_window=6)),
    "mixtral": (LLAMA3, SPARSE),
    "modernbert-decoder": (NEOX, PART | dict(local_attention=12, cls_token_id=0, sep_token_id=0)),
    "mpt": (NEOX, dict(d_model=16, n_heads=2, n_layers=2, max_seq_len=128)),
    "nemotron": (LLAMA3, PART),
    "olmo": (NEOX, TINY),
    "olmo2": (NEOX, TINY),
    "olmo3": (NEOX, TINY | LAYERS),
    "openai-gpt": (GPT2_SAVED, TINY_GPT2),
    "opt": (LLAMA3, dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, ffn_dim=20, max_position_embeddings=128, word_embed_proj_dim=12)),
    "persimmon": (LLAMA3, PART),
    "phi": (GPT2_SAVED, PART),
    "phi3": (LLAMA3, PART),
    "phimoe": (LLAMA3, SPARSE),
    "qwen2": (LLAMA3, TINY),
    "qwen2_moe": (LLAMA3, SPARSE),
    "qwen3": (LLAMA3, TINY),
    "qwen3_5_text": (LLAMA3, TINY | dict(layer_types=["linear_attention", "full_attention"], linear_key_head_dim=6, linear_value_head_dim=4, linear_num_key_heads=2, linear_num_value_heads=2)),
    "qwen3_moe": (LLAMA3, SPARSE),
    "qwen3_next": (LLAMA3, SPARSE | dict(layer_types=["linear_attention", "full_attention"], linear_key_head_dim=6, linear_value_head_dim=4, linear_num_key_heads=2, linear_num_value_heads=2)),
    "seed_oss": (LLAMA3, TINY),
    "smollm3": (LLAMA3, TINY),
    "stablelm": (NEOX, PART),
    "starcoder2": (GPT2_SAVED, TINY),
    "zamba2": (LLAMA3, dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16, mamba_d_state=4, mamba_expand=1, n_mamba_heads=2, chunk_size=4, adapter_rank=2,
                            layers_block_type=["linear_attention", "hybrid"])),
}


def rope(theta, kind="default", **more):
    return {"rope_parameters": {"rope_type": kind, "rope_theta": theta, **more}}
