"""What the reference's logits processors, greedy search and beam search do with logits that are a function of the history, for tests/generate."""

import json
import pathlib
from types import SimpleNamespace

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import GenerationConfig, GenerationMixin, Pipeline, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerFast
from transformers.generation import StopStringCriteria, SynthIDTextWatermarkingConfig
from transformers.modeling_outputs import CausalLMOutput

torch.set_num_threads(1)
OUT = pathlib.Path(__file__).parents[2] / "tests/goldens/generate"
VOCAB = 64
MASK = 0xFFFFFFFF


def mixed(x):
    x = (x ^ (x >> 15)) * 2246822519 & MASK
    x = (x ^ (x >> 13)) * 3266489917 & MASK
    return x ^ (x >> 16)


def logits_of(history, vocab, window):
    """Numbers from -6 to 6 that depend on the last tokens; the test computes the same."""
    state = 12345
    for token in history[-window:]:
        state = mixed((state * 1664525 + token + 1) & MASK)
    return [mixed((state ^ (token * 2654435761)) & MASK) % 1048576 / 1048576 * 12 - 6 for token in range(vocab)]


def noise(step, place):
    return mixed((step * 40503 + place * 2654435761) & MASK) % 65536 / 65536 * 4


class FakeConfig(PreTrainedConfig):
    model_type = "fake"

    def __init__(self, vocab_size=VOCAB, window=2, **kwargs):
        super().__init__(**kwargs)
        self.vocab_size, self.window = vocab_size, window


class Fake(PreTrainedModel, GenerationMixin):
    config_class = FakeConfig

    def __init__(self, config):
        super().__init__(config)
        self.anchor = torch.nn.Parameter(torch.zeros(1))

    def forward(self, input_ids, attention_mask=None, past_key_values=None, use_cache=None, **kwargs):
        rows = [logits_of(row, self.config.vocab_size, self.config.window) for row in input_ids.tolist()]
        return CausalLMOutput(logits=torch.tensor(rows)[:, None, :])

    def prepare_inputs_for_generation(self, input_ids, **kwargs):
        return {"input_ids": input_ids}


def fake(defaults=None, **config):
    model = Fake(FakeConfig(**config))
    model.generation_config = GenerationConfig(**(defaults or {}))
    return model


def number(x):
    x = float(torch.tensor(x, dtype=torch.float32))
    return x if x == x and abs(x) != float("inf") else str(x)


def short(x):
    x = number(x)
    return x if isinstance(x, str) else float(f"{x:.7g}")


def packed(output, inputs):
    """A character for each number: as it was, minus infinity, or the next of the numbers that follow."""
    marks = ["." if a == b else "-" if a == "-inf" else "#" for a, b in zip(output, inputs)]
    return ["".join(marks), *(a for a, mark in zip(output, marks) if mark == "#")]


# ---- processors

generator = torch.Generator().manual_seed(0)
INF = float("inf")
LOGITS = {
    "random": torch.randn(2, VOCAB, generator=generator) * 3,
    "flat": torch.randn(2, VOCAB, generator=generator) * 0.1,
    "peaked": torch.randn(2, VOCAB, generator=generator) * 3 + torch.eye(VOCAB)[[5, 17]] * 30,
    "ties": torch.round(torch.randn(2, VOCAB, generator=generator) * 2),
    "same": torch.zeros(2, VOCAB),
    "filtered": (torch.randn(2, VOCAB, generator=generator) * 3).masked_fill(torch.arange(VOCAB) % 3 != 0, -INF),
    "all_filtered": torch.full((2, VOCAB), -INF),
    "one_left": torch.full((2, VOCAB), -INF).index_fill(1, torch.tensor([7]), 1.5),
    "nan": torch.randn(2, VOCAB, generator=generator).index_fill(1, torch.tensor([3, 9]), float("nan")),
    "infinite": torch.randn(2, VOCAB, generator=generator).index_fill(1, torch.tensor([4]), INF).index_fill(1, torch.tensor([6]), -INF),
    "tiny": torch.linspace(0, -90, VOCAB).repeat(2, 1).flip(1),
    "large": torch.randn(2, 150, generator=generator) * 2,
}
LOGITS = {name: torch.tensor([[short(x) if isinstance(short(x), float) else x for x in row] for row in rows.tolist()]) for name, rows in LOGITS.items()}
HISTORY = [[5, 3, 9, 3, 9, 12, 5, 3], [1, 1, 2, 60, 7, 1, 1, 2]]
SHAPE = ["random", "flat", "peaked", "ties", "same", "filtered", "all_filtered", "one_left", "tiny", "infinite", "large"]
NAN = [*SHAPE, "nan"]
cases = []


def case(on, expand=1, pad=None, history=HISTORY, encoder=None, prompt=None, steps=1, **parameters):
    for name in [on] if isinstance(on, str) else on:
        logits = LOGITS[name]
        model = fake(vocab_size=logits.shape[-1])
        length = len(history[0]) if prompt is None else prompt
        record = {"on": name, "parameters": parameters, "history": history, "prompt": length, "expand": expand}
        mask = None
        if pad is not None:
            record["padding"] = pad
            mask = torch.tensor([[int(i >= p) for i in range(len(history[0]))] for p in pad])
        if encoder is not None:
            record["encoder"] = encoder
        allowed = None
        if "prefix" in parameters:
            allowed = lambda row, ids: parameters["prefix"][row]
        outputs = []
        try:
            config, rest = model._prepare_generation_config(None, **{k: v for k, v in parameters.items() if k != "prefix"})
            assert not rest, rest
            model._prepare_special_tokens(config, device="cpu")
            no_max, no_min = parameters.get("max_length") is None, parameters.get("min_length") is None
            config = model._prepare_generated_length(config, no_max, no_min, "input_ids", length, torch.tensor(history))
            processors = model._get_logits_processor(config, length, torch.tensor(encoder) if encoder else None, allowed, device="cpu",
                                                     model_kwargs={"attention_mask": mask} if mask is not None else {})
            ids = torch.tensor(history)
            for step in range(steps):
                scores = processors(ids, logits.clone())
                outputs.append([[short(x) for x in row] for row in scores.tolist()])
                if steps > 1:
                    ids = torch.cat([ids, torch.tensor([[step * 7 % 20], [step // 4 % 3]])], dim=1)
            record["steps"] = [ids[:, len(history[0]):].tolist()] if steps > 1 else []
            inputs = [[short(x) for x in row] for row in logits.tolist()]
            record["expected"] = [[packed(*rows) for rows in zip(output, inputs)] for output in outputs]
        except Exception as error:
            record["error"] = type(error).__name__
        cases.append(record)


sample = dict(do_sample=True, top_k=0)
for value in (0.3, 1.7):
    case(["random", "filtered", "nan"], **sample, temperature=value)
for value in (1, 2, 10, 1000):
    case(NAN if value == 10 else ["ties", "filtered", "random"], do_sample=True, top_k=value)
case("nan", do_sample=True, top_k=1)
case(["same", "random"], do_sample=True, top_k=2, num_beams=3, eos_token_id=[1, 2, 3])
for value in (0.0, 0.05, 0.5, 0.9, 0.999):
    case(NAN if value == 0.9 else ["random", "flat", "peaked", "ties", "same", "tiny", "large"], **sample, top_p=value)
case(["random", "peaked", "one_left"], **sample, top_p=0.1, num_beams=2, eos_token_id=[1, 2])
for value in (0.0, 0.02, 0.3, 1.0):
    case(NAN if value == 0.02 else ["random", "ties", "peaked"], **sample, min_p=value)
case(["random", "peaked"], **sample, min_p=0.9, num_beams=2)
for value in (0.1, 0.45, 0.9):
    case(["random", "flat", "peaked", "filtered", "one_left", "all_filtered", "large", "tiny", "nan"], **sample, top_h=value)
for value in (0.05, 0.5, 0.95):
    case(["random", "flat", "peaked", "ties", "filtered", "one_left", "all_filtered", "nan", "large", "tiny", "infinite"], **sample, typical_p=value)
case(["random", "peaked"], **sample, typical_p=0.05, num_beams=4, eos_token_id=3)
for value in (1e-4, 0.01, 0.2):
    case(NAN if value == 0.01 else ["random", "peaked", "ties"], **sample, epsilon_cutoff=value)
    case(NAN if value == 0.01 else ["random", "flat", "peaked"], **sample, eta_cutoff=value)
case(["random", "ties"], **sample, epsilon_cutoff=0.3, num_beams=2, eos_token_id=[4, 5])
case(["random", "ties"], **sample, eta_cutoff=0.3, num_beams=2, eos_token_id=[4, 5])
for value in (0.7, 1.3):
    case(["random", "filtered", "nan"], repetition_penalty=value)
    case(["random", "filtered"], encoder_repetition_penalty=value, encoder=[[3, 4, 4, 50], [1, 2, 3, 0]])
case("random", repetition_penalty=2.0, pad=[3, 0])
case("random", encoder_repetition_penalty=1.5, encoder=[[9, 10, 63]], expand=2, num_beams=2)
for value in (1, 2, 3, 8, 9):
    case("random", no_repeat_ngram_size=value)
    case("random", encoder_no_repeat_ngram_size=value, encoder=[[5, 3, 10, 3, 11, 5, 3, 5], [1, 2, 3, 2, 3, 1, 2, 4]])
case("random", history=[[3], [4]], no_repeat_ngram_size=3)
case("random", history=[[3], [4]], encoder_no_repeat_ngram_size=3, encoder=[[3, 3, 3, 4], [4, 4, 4, 4]])
words = [[12], [3, 8], [9, 12, 5, 3, 7], [2, 13], [5, 3, 9, 3, 9, 12, 5, 3, 20], [7, 5, 3, 9, 3, 9, 12, 5, 3, 21], [1, 1, 1, 2, 22]]
case(["random", "infinite"], bad_words_ids=words)
case("random", bad_words_ids=[[12], [5]], eos_token_id=[5, 6])
case("random", bad_words_ids=[[5]], eos_token_id=5)
case("random", bad_words_ids=[[VOCAB]])
case("random", bad_words_ids=[[]])
case(["random", "filtered"], sequence_bias=[[[12], 1.5], [[12], -2.5], [[3, 8], 4.0], [[5, 3, 8], -1.25], [[1, 2, 6], -1e9], [[2, 2], 3.0]])
case("random", sequence_bias=[[[1, VOCAB + 3], 1.0]])
case("random", sequence_bias=[])
for value in (8, 9):
    case("random", min_length=value, eos_token_id=[4, 60, 1000])
case("random", min_length=9)
case("random", min_new_tokens=3, eos_token_id=4, prompt=5)
case("random", min_new_tokens=4, eos_token_id=4, prompt=5)
case("random", history=[[3], [4]], forced_bos_token_id=11)
case("random", forced_bos_token_id=11)
case("random", history=[[3], [4]], forced_bos_token_id=1000)
case("random", forced_eos_token_id=[4, 9], max_length=9, prompt=3)
case("random", forced_eos_token_id=4, max_length=10, prompt=3)
case(NAN, remove_invalid_values=True)
for start, factor in ((0, 1.5), (2, 1.01), (4, 2.0), (-3, 0.5)):
    case(["random", "filtered", "infinite"], exponential_decay_length_penalty=(start, factor), eos_token_id=[4, 6, 4], prompt=4)
case("random", exponential_decay_length_penalty=(0, 1e300), eos_token_id=4, prompt=2)
case("random", suppress_tokens=[3, 9, 1000, -1])
case("random", begin_suppress_tokens=[3, 9])
case("random", begin_suppress_tokens=[3, 9], prompt=7)
case("random", history=[[3, 2], [4, 2]], begin_suppress_tokens=[3], forced_bos_token_id=1, prompt=1)
case(NAN, renormalize_logits=True)
case("random", prefix=[[1, 2, 3], [60]])
case("filtered", prefix=[[1, 2], [0, 1]])
case("filtered", prefix=[[1, 3]], num_beams=2, expand=2)
case("filtered", prefix=[[1, 2]], num_beams=2, expand=2)
case("random", prefix=[[], [1]])
case("random", prefix=[[VOCAB], [1]])
for scheme in ({}, {"seeding_scheme": "selfhash"}, {"seeding_scheme": "selfhash", "context_width": 4, "bias": 3.5}, {"greenlist_ratio": 0.5, "hashing_key": 7, "context_width": 3},
               {"seeding_scheme": "selfhash", "hashing_key": 1234567891}):
    case(["random", "large"], watermarking_config=scheme)
case("random", watermarking_config={"context_width": 20})
case("random", watermarking_config={"greenlist_ratio": 1.0})
case("random", watermarking_config={"seeding_scheme": "other"})
for scheme in (dict(ngram_len=5, keys=[654, 400, 836, 123, 340]), dict(ngram_len=2, keys=[1, 2, 3], sampling_table_size=100, sampling_table_seed=9, context_history_size=3),
               dict(ngram_len=3, keys=[7, 2**60, -5], skip_first_ngram_calls=True)):
    case(["random", "filtered"], watermarking_config=SynthIDTextWatermarkingConfig(**scheme), steps=9 if len(scheme) > 2 else 2)
    for record in cases[-2:]:
        record["parameters"] = {"watermarking_config": scheme}
everything = dict(do_sample=True, temperature=0.8, top_k=20, top_p=0.9, min_p=0.01, typical_p=0.9, epsilon_cutoff=0.001, repetition_penalty=1.2, no_repeat_ngram_size=3,
                  bad_words_ids=[[12]], sequence_bias=[[[8], 2.0]], min_new_tokens=5, eos_token_id=3, suppress_tokens=[30], renormalize_logits=True)
case(["random", "flat", "ties", "large"], **everything)
case("random", **everything, num_beams=2)
# A pair of parameters of which the order shows.
case("random", forced_bos_token_id=11, suppress_tokens=[12], remove_invalid_values=True, history=[[3], [4]])
for wrong in (dict(**sample, temperature=0.0), dict(**sample, temperature=-1.0), dict(**sample, top_p=-0.1), dict(do_sample=True, top_k=-1), dict(**sample, min_p=1.5), dict(**sample, typical_p=0.0),
              dict(**sample, top_h=0.0), dict(**sample, top_h=1.5), dict(repetition_penalty=0.0), dict(repetition_penalty=-1.0)):
    case("random", **wrong)
case("random", encoder_repetition_penalty=-1.0, encoder=[[1], [2]])

# ---- whole runs

runs = []
PROMPTS = [[3, 4, 5], [9, 8, 7]]
real_multinomial = torch.multinomial


def run(prompts=PROMPTS, model=None, defaults=None, pad=None, stop=None, **parameters):
    settings = dict(vocab_size=24, window=2) | (model or {})
    subject = fake(defaults, **settings)
    ids = torch.tensor(prompts)
    mask = torch.ones_like(ids)
    for row, count in enumerate(pad or []):
        mask[row, :count] = 0
    step = iter(range(1000))

    def multinomial(probabilities, num_samples):
        now = next(step)
        keys = [[float(torch.tensor(p).log()) + noise(now, i) for i, p in enumerate(row)] for row in probabilities.tolist()]
        return torch.topk(torch.tensor(keys, dtype=torch.float64), num_samples)[1]

    torch.multinomial = multinomial
    extra = {}
    if "negative" in parameters:
        extra["negative_prompt_ids"] = torch.tensor(parameters.pop("negative"))
        parameters_record = parameters | {"negative": extra["negative_prompt_ids"].tolist()}
    else:
        parameters_record = dict(parameters)
    if stop is not None:
        extra["stopping_criteria"] = [lambda rows, scores: torch.tensor([row[-1] in stop and len(row) > 5 for row in rows.tolist()])]
    record = {"prompts": prompts, "model": settings, "parameters": parameters_record}
    record |= {"defaults": defaults} if defaults else {}
    record |= {"padding": pad} if pad else {}
    record |= {"stop": stop} if stop else {}
    try:
        output = subject.generate(ids, attention_mask=mask, use_cache=False, return_dict_in_generate=True, output_scores=True, **extra, **parameters)
        record["sequences"] = output.sequences[:, ids.shape[1]:].tolist()
        if getattr(output, "sequences_scores", None) is not None:
            record["scores"] = [short(x) for x in output.sequences_scores.tolist()]
            record["beam_indices"] = output.beam_indices.tolist()
    except Exception as error:
        record["error"] = type(error).__name__
    finally:
        torch.multinomial = real_multinomial
    runs.append(record)


new = dict(max_new_tokens=12)
for parameters in (dict(), dict(eos_token_id=3), dict(eos_token_id=[3, 9, 11], pad_token_id=1), dict(repetition_penalty=1.4), dict(no_repeat_ngram_size=2), dict(min_new_tokens=8, eos_token_id=[3, 9, 11]),
                   dict(bad_words_ids=[[3], [4, 5]]), dict(forced_eos_token_id=7), dict(suppress_tokens=[1, 2, 3], begin_suppress_tokens=[9]), dict(guidance_scale=1.8), dict(guidance_scale=3.0, negative=[[1, 2], [5, 6]]),
                   dict(watermarking_config={"bias": 4.0}), dict(exponential_decay_length_penalty=(3, 1.6), eos_token_id=2), dict(encoder_no_repeat_ngram_size=1), dict(encoder_repetition_penalty=3.0),
                   dict(sequence_bias=[[[3], 2.0], [[5, 4], 3.0]])):
    run(**new, **parameters)
run(prompts=[[0, 0, 5, 6], [1, 2, 3, 4]], pad=[2, 0], repetition_penalty=1.5, **new)
run(defaults={"eos_token_id": [3, 9], "max_new_tokens": 5, "repetition_penalty": 1.3}, max_new_tokens=14)
run(defaults={"max_length": 9, "eos_token_id": 3})
run(defaults={"min_length": 12, "eos_token_id": [3, 4, 5, 6, 7]}, max_length=16)
run(prompts=[[4]], forced_bos_token_id=9, begin_suppress_tokens=[5, 6])
# Without an end token, the reference lets rows that have stopped go on until all have.
run(stop=[1, 2, 3, 4], eos_token_id=0, **new)
run(max_length=3)
run(max_new_tokens=0)
run(num_return_sequences=2)
run(num_beams=2, num_return_sequences=3, **new)
run(suppress_tokens=[5], forced_eos_token_id=5, **new)
beam = dict(num_beams=3, eos_token_id=3, pad_token_id=1, max_new_tokens=12)
for parameters in (dict(), dict(num_beams=2, length_penalty=0.0), dict(length_penalty=2.0), dict(length_penalty=-1.0), dict(early_stopping=True), dict(early_stopping="never"), dict(early_stopping="never", length_penalty=-0.5),
                   dict(num_return_sequences=3), dict(num_beams=4, num_return_sequences=2, eos_token_id=[3, 7, 9]), dict(eos_token_id=[3, 7, 9, 11, 13], early_stopping=True, num_return_sequences=3),
                   dict(eos_token_id=None), dict(repetition_penalty=1.3), dict(no_repeat_ngram_size=2, num_return_sequences=2), dict(min_new_tokens=6, eos_token_id=[3, 7, 9]), dict(bad_words_ids=[[3, 4], [5]]),
                   dict(forced_eos_token_id=3), dict(max_new_tokens=1), dict(max_new_tokens=2, num_return_sequences=3), dict(num_beams=8, num_return_sequences=8), dict(pad_token_id=0, eos_token_id=[3, 5]),
                   dict(renormalize_logits=True, suppress_tokens=[1, 2]), dict(encoder_no_repeat_ngram_size=1, num_return_sequences=2), dict(exponential_decay_length_penalty=(2, 1.3)), dict(guidance_scale=1.5),
                   dict(do_sample=True, top_k=0), dict(do_sample=True, top_k=5, temperature=1.5, num_return_sequences=3), dict(do_sample=True, top_p=0.7, eos_token_id=[3, 7]), dict(do_sample=True, min_p=0.05, early_stopping=True),
                   dict(num_beams=12, model=dict(vocab_size=24)), dict(model=dict(vocab_size=200, window=3), num_beams=5, num_return_sequences=5), dict(prompts=[[4, 4], [5, 6], [7, 8], [1, 2]], early_stopping=True, eos_token_id=[3, 4, 5]),
                   dict(prompts=[[0, 0, 5, 6], [1, 2, 3, 4]], pad=[2, 0], repetition_penalty=1.5), dict(stop=[1, 2, 3, 4, 9], num_return_sequences=2), dict(model=dict(window=1), max_new_tokens=30, length_penalty=0.7, eos_token_id=[3, 4, 5]),
                   dict(sequence_bias=[[[3], 2.5]], early_stopping=True, num_return_sequences=3)):
    run(**(beam | parameters))

# ---- configurations

configurations = []


def configuration(call, file=None, config=None, pipeline=None):
    model = fake()
    record = {"call": call, "file": file, "config": config or {}, "pipeline": pipeline or {}}
    try:
        model.generation_config = GenerationConfig.from_model_config(dict(config or {})) if file is None else GenerationConfig.from_dict(dict(file))
        subject = SimpleNamespace(model=model, _generate_kwargs={}, _generation_defaults=pipeline or {})
        subject._get_set_generation_params = lambda kwargs: Pipeline._get_set_generation_params(subject, kwargs)
        kwargs = Pipeline._prepare_generate_kwargs(subject, dict(call))
        no_max, no_min = (kwargs.get(name) is None and getattr(model.generation_config, name) is None for name in ("max_length", "min_length"))
        resolved, rest = model._prepare_generation_config(None, **kwargs)
        assert not rest, rest
        model._prepare_special_tokens(resolved, device="cpu")
        names = ("do_sample", "num_beams", "num_return_sequences", "temperature", "top_k", "top_p", "repetition_penalty", "early_stopping", "length_penalty", "no_repeat_ngram_size", "pad_token_id",
                 "forced_bos_token_id", "max_new_tokens", "decoder_start_token_id")
        record["fields"] = {name: getattr(resolved, name) for name in names}
        eos, pad = resolved._eos_token_tensor, resolved._pad_token_tensor
        record["fields"] |= {"eos_token_id": None if eos is None else eos.tolist(), "fill": None if pad is None else pad.item()}
        resolved = model._prepare_generated_length(resolved, no_max, no_min, "input_ids", 7, torch.zeros(1, 7))
        record["fields"] |= {"max_length": resolved.max_length, "min_length": resolved.min_length}
        model._validate_generated_length(resolved, 7, no_max)
    except Exception as error:
        record["error"] = type(error).__name__
    configurations.append(record)


TEXT = {"max_new_tokens": 256, "do_sample": True, "temperature": 0.7, "pad_token_id": 2}
for pipeline in (None, TEXT):
    for call in ({}, {"do_sample": False}, {"do_sample": None}, {"max_new_tokens": 5}, {"max_length": 30}, {"max_new_tokens": None}, {"max_length": 7}, {"top_k": None}, {"top_k": 0}, {"temperature": 0.1},
                 {"num_beams": 4, "early_stopping": "never"}, {"eos_token_id": None}, {"eos_token_id": 9}, {"pad_token_id": 3}, {"min_new_tokens": 3}, {"min_length": 3}):
        for file in ({}, {"eos_token_id": [5, 6], "do_sample": True, "top_p": 0.8, "top_k": 20, "temperature": 0.6}, {"eos_token_id": 5, "max_length": 20, "repetition_penalty": 1.1, "num_beams": 2, "unknown_field": 1},
                     {"max_new_tokens": 9, "pad_token_id": 0, "min_length": 8, "do_sample": None}):
            configuration(call, file, pipeline=pipeline)
for config in ({}, {"eos_token_id": 5, "max_length": 11, "num_beams": 4, "vocab_size": 9}, {"eos_token_id": 5, "bos_token_id": 8, "force_bos_token_to_be_generated": True},
               {"eos_token_id": 5, "decoder": {"eos_token_id": 6, "max_length": 15, "decoder_start_token_id": 3}}, {"text_config": {"eos_token_id": [6, 7], "pad_token_id": 1}, "decoder": {}},
               {"early_stopping": True, "no_repeat_ngram_size": 3, "length_penalty": 2.0, "min_length": 12, "max_length": 142}):
    configuration({}, config=config)
    configuration({"max_length": 9}, config=config)
for call in ({"early_stopping": "soon"}, {"num_return_sequences": 3}, {"num_return_sequences": 3, "num_beams": 2}, {"num_return_sequences": 3, "do_sample": True}, {"num_return_sequences": 2, "num_beams": 2}, {"max_new_tokens": 0},
             {"max_new_tokens": -1}, {"suppress_tokens": [1, 2], "forced_bos_token_id": 1}, {"suppress_tokens": [1, 2], "forced_eos_token_id": [1, 3]}, {"suppress_tokens": [1, 2], "forced_eos_token_id": [1, 2]},
             {"no_such_parameter": 1}, {"watermarking_config": {"greenlist": 0.5}}, {"watermarking_config": {"context_width": 0}}):
    configuration(call, {"eos_token_id": 5})

# ---- stop strings

WORDS = ["s", "t", "o", "p", "st", "op", "stop", "a", "b", "c", "d", "e", "f", "!", "tops", "pst"]
BYTES = pre_tokenizers.ByteLevel.alphabet()
level = Tokenizer(models.BPE({token: i for i, token in enumerate([*dict.fromkeys([*WORDS, "Ġ", "Ġs", "Ġstop", "Ã", "¶", "Ã¶", "Ċ", *sorted(BYTES)[:20]])])}, []))
level.pre_tokenizer, level.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
fallback = Tokenizer(models.BPE({token: i for i, token in enumerate(["<unk>", *WORDS, "▁", "▁s", "▁stop", "ö", "<0xC3>", "<0xB6>", "<0x0A>"])}, [], unk_token="<unk>", byte_fallback=True))
fallback.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
stops = []
random = torch.Generator().manual_seed(5)
for tokenizer in (level, fallback):
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    size = len(tokenizer)
    mode = StopStringCriteria._get_stop_string_matching_mode(tokenizer)
    texts, places = StopStringCriteria.clean_tokenizer_vocab(tokenizer, stop_string_matching_mode=mode)
    table = dict(zip(places, texts))
    histories = torch.randint(0, size, (400, 6), generator=random)
    for strings in (["stop"], ["op", "a stop!"], [" s", "ö"], ["\n"], ["tt", "pp", "so", "ob"], [""]):
        hits = StopStringCriteria(tokenizer, strings)(histories, None)
        chosen = [i for i in range(400) if hits[i]][:12] + [i for i in range(400) if not hits[i]][:12]
        stops.append({"strings": strings, "tokens": [list(table[i]) for i in range(size)], "hits": [histories[i].tolist() for i in chosen if hits[i]], "misses": [histories[i].tolist() for i in chosen if not hits[i]]})

OUT.mkdir(parents=True, exist_ok=True)
lines = lambda records: "[\n" + ",\n".join(json.dumps(record, allow_nan=False, separators=(",", ":")) for record in records) + "\n]"
inputs = json.dumps({name: [[short(x) for x in row] for row in rows.tolist()] for name, rows in LOGITS.items()}, separators=(",", ":"))
(OUT / "processors.json").write_text(f'{{"logits":{inputs},\n"cases":{lines(cases)}}}\n')
(OUT / "runs.json").write_text(lines(runs) + "\n")
(OUT / "stop_strings.json").write_text(lines(stops) + "\n")
(OUT / "configurations.json").write_text(lines(configurations) + "\n")
defaults = GenerationConfig()._get_default_generation_params()
parameters = {name: defaults.get(name) for name in sorted(vars(GenerationConfig())) if not name.startswith("_")}
(OUT / "parameters.json").write_text(json.dumps(parameters, indent=1) + "\n")
