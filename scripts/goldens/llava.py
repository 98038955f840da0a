"""llava: pictures and text in, text out, from checkpoints of every layout."""

import json
import tempfile
from pathlib import Path

import transformers
from common import Case, checkpoint, wanted
from tokenizers_on_disk import bare, byte_bpe, pieces
from transformers import LlavaConfig
from vocabularies import write_json

EYES = dict(model_type="clip_vision_model", hidden_size=24, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32, image_size=24, patch_size=6, projection_dim=8)
WORDS = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=40, max_position_embeddings=256)
SHORT = dict(max_new_tokens=20)

# What LLaVA 1.5 has: pictures first, then the text; and one whose template says how texts begin.
CHAT = (
    "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() + ': ' }}{% endif %}"
    "{# Render all images first #}{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}"
    "{# Render all text next #}{% if message['role'] != 'assistant' %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' ' }}{% endfor %}"
    "{% else %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{% generation %}{{ content['text'] + ' ' }}{% endgeneration %}{% endfor %}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)
IM = (
    "{% if bos %}{{ bos_token }}{% endif %}{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' }}{% if message.content is string %}{{ message.content }}"
    "{% else %}{% for part in message.content %}{% if part.type == 'image' %}<image>{% else %}{{ part.text }}{% endif %}{% endfor %}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M/wHwAEBgIApD5fRAAAAABJRU5ErkJggg=="


def media(name):
    return f"../../media/{name}"


def picture(name, key="url"):
    return {"type": "image", key: media(name)}


def text(words):
    return {"type": "text", "text": words}


def user(*content):
    return {"role": "user", "content": list(content)}


def assistant(*content):
    return {"role": "assistant", "content": list(content)}


def clip(**config):
    return dict(crop_size={"height": 24, "width": 24}, do_center_crop=True, do_convert_rgb=True, do_normalize=True, do_rescale=True, do_resize=True,
                image_mean=[0.48145466, 0.4578275, 0.40821073], image_processor_type="CLIPImageProcessor", image_std=[0.26862954, 0.26130258, 0.27577711], resample=3,
                rescale_factor=1 / 255, size={"shortest_edge": 24}, **config)


def files(tokenizer, template, processor, preprocessor=None, name="chat_template.jinja"):
    """The files of a tokenizer, a chat template, and a processor of either generation."""

    def write(folder):
        tokenizer(folder)
        if name.endswith(".json"):
            write_json(folder / name, {"chat_template": template})
        elif template:
            (folder / name).write_text(template, "utf-8")
        if preprocessor:
            write_json(folder / "preprocessor_config.json", preprocessor)
        write_json(folder / "processor_config.json", processor)

    return write


def llava(name, tokenizer, text_type, cases, vision=EYES, words=WORDS, **more):
    """One folder; its answers must differ with its pictures."""
    if not wanted("llava", name):
        return
    saving = {key: more.pop(key) for key in ("generation", "own_keys", "rename", "without", "extra", "dtype", "weights", "defaults") if key in more}
    read = special(tokenizer)
    config = LlavaConfig(vision_config=dict(vision), text_config=dict(words, model_type=text_type, **read["text"]), image_token_index=read["image"], image_seq_length=16, **more)
    checkpoint("llava", name, "LlavaForConditionalGeneration", config, tokenizer, {"image-text-to-text": cases}, confirm=lively,
               initialize=widened, **{"dtype": "bfloat16", **saving})


def special(tokenizer):
    with tempfile.TemporaryDirectory() as folder:
        tokenizer(Path(folder))
        read = transformers.AutoTokenizer.from_pretrained(folder)
    text = {"vocab_size": 1 + max(read.get_vocab().values()), "bos_token_id": read.bos_token_id, "eos_token_id": read.eos_token_id, "pad_token_id": read.pad_token_id}
    return {"text": text, "image": read.convert_tokens_to_ids("<image>")}


def widened(model):
    """Pictures as loud as words; a head tied to the embedding lets each token vote for itself, which signs in the last norm undo."""
    model.model.multi_modal_projector.linear_2.weight.data.mul_(2.5)
    if model.config.tie_word_embeddings:
        model.model.language_model.norm.weight.data.normal_(0.0, 1.2)


def lively(folder):
    rows = [row for row in json.loads((folder / "golden.json").read_text("utf-8"))["cases"] if "answer" in row]
    written = {}
    for row in rows:
        if isinstance(row["inputs"], dict) and isinstance(row["inputs"].get("images"), str) and row["parameters"] == SHORT:
            written.setdefault(row["inputs"]["text"], []).append(row["answer"][0]["generated_text"])
    return all(len(set(answers)) == len(answers) for answers in written.values())


LLAMA = pieces("LlamaTokenizer", files="v4", size=360, table="identity", add_bos_token=True, legacy=False, pad_token="<pad>", padding_side="left",
               additional_special_tokens=["<image>"])
QWEN = byte_bpe("Qwen2Tokenizer", files="fast", specials=([], ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>"]), merges=50, pad_token="<|endoftext|>",
                eos_token="<|im_end|>", padding_side="left", extra_special_tokens={"image_token": "<image>"})
LLAMA3 = bare(merges=40, first=[], last=["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<image>"],
              template=("<|begin_of_text|> $A", "<|begin_of_text|> $A <|begin_of_text|> $B"), bos_token="<|begin_of_text|>", eos_token="<|end_of_text|>",
              pad_token="<|eot_id|>", padding_side="left", additional_special_tokens=["<image>"])

ASK = "USER: <image>\nWhat is this? ASSISTANT:"
TALK = [user(picture("rgb.png"), text("What is this?"))]
TWO = [user(picture("rgb.png", "path"), text("What?"), picture("photo.jpg", "image")), assistant(text("A tower.")), user(text("Why?"))]
PREFILLED = [*TALK, assistant(text("It is"))]
WORDS_ONLY = [user(text("Where is the tower?"))]

llava("image_text_to_text", files(LLAMA, CHAT, {"image_token": "<image>", "num_additional_image_tokens": 1, "patch_size": 6, "processor_class": "LlavaProcessor",
                                                "vision_feature_select_strategy": "default"}, clip(processor_class="LlavaProcessor"), name="chat_template.json"), "llama", [
    *(Case({"images": media(name), "text": ASK}, **SHORT) for name in ("rgb.png", "photo.jpg", "tall.png", "gray.png", "rgba.png")),
    Case({"images": [media("rgb.png"), media("photo.jpg")], "text": "<image> and <image>: which?"}, "two pictures", **SHORT),
    Case({"images": [media("rgb.png"), media("photo.jpg")], "text": [ASK, "<image>?"]}, "a batch, padded on the left", **SHORT),
    Case({"images": [[media("rgb.png")], [media("photo.jpg"), media("tall.png")]], "text": ["<image>?", "<image><image> Both? Or none of them?"]}, **SHORT),
    Case({"text": "The river Danube flows"}, "text alone", **SHORT), Case("The river Danube flows", "the same by its place", **SHORT),
    Case(["The river Danube flows", "Hi"], **SHORT), Case({"text": ["The river Danube flows", "Hi"]}, batch_size=2, **SHORT), Case(["Hi"], **SHORT), Case("", **SHORT),
    Case(["Hi", {"images": media("rgb.png"), "text": ASK}], **SHORT), Case({"images": [media("rgb.png")], "text": [ASK]}, **SHORT),
    Case("The river Danube flows", "what is written is not held to it, what is read is", max_length=5, **SHORT),
    Case("The river Danube flows", processor_kwargs={"truncation": True, "max_length": 6}, **SHORT), Case("The river", add_special_tokens=False, return_tensors=True, **SHORT),
    Case("The river Danube flows", generate_kwargs={"max_length": 26}), Case("The river Danube flows", error=True, generate_kwargs={"max_length": 20}),
    Case({"images": media("rgb.png"), "text": ASK}, error=True, truncation=True, max_length=9, **SHORT),
    Case(TALK, **SHORT), Case(TALK, return_full_text=False, **SHORT), Case({"images": media("rgb.png"), "text": ASK}, return_tensors=True, **SHORT), Case(TWO, **SHORT), Case(PREFILLED, **SHORT),
    Case(PREFILLED, continue_final_message=False, **SHORT), Case(WORDS_ONLY, "a chat without pictures", **SHORT), Case([TALK, WORDS_ONLY], **SHORT),
    Case({"text": TALK}, **SHORT),
    Case([user({"type": "image", "base64": PIXEL}, text("Which?"))], "a picture as base64", **SHORT),
    Case([user({"type": "image_url", "image_url": {"url": media("tall.png")}}, text("Which?"))], "as others write it", **SHORT),
    Case({"images": media("rgb.png"), "text": ASK}, generate_kwargs={"num_beams": 3, "num_return_sequences": 2, "max_new_tokens": 8}),
    Case({"images": [media("rgb.png"), media("photo.jpg")], "text": [ASK, "<image>?"]}, generate_kwargs={"num_beams": 2, "max_new_tokens": 8}),
    Case({"images": media("rgb.png"), "text": ASK}, generate_kwargs={"repetition_penalty": 1.3, "no_repeat_ngram_size": 2}, **SHORT),
    Case({"images": media("rgb.png"), "text": ASK}, return_full_text=False, skip_special_tokens=False, **SHORT),
    Case({"images": media("rgb.png"), "text": ASK}, return_full_text=False, timeout=3, stop_sequence=["never written", "e", "nd", "H", "w"], **SHORT),
    Case({"images": media("rgb.png"), "text": "No mark"}, error=True, **SHORT), Case({"images": media("rgb.png"), "text": "<image><image>"}, error=True, **SHORT),
    Case("<image>?", error=True, **SHORT), Case([user({"type": "image"}, text("Which?"))], error=True, **SHORT), Case({"images": "nowhere.png", "text": ASK}, error=True, **SHORT),
    Case({"images": media("voice.wav"), "text": ASK}, error=True, **SHORT), Case({"images": media("rgb.png"), "text": TALK}, error=True, **SHORT),
    Case(TALK, error=True, max_new_tokens=4, generate_kwargs={"max_new_tokens": 5}), Case(TALK, error=True, return_full_text=True, return_tensors=True, **SHORT),
    Case([], error=True, **SHORT), Case([{"role": "user"}], error=True, **SHORT),
], generation=4, rename=lambda key: key.replace("vision_tower.", "vision_tower.vision_model."))

llava("image_text_to_text_b", files(QWEN, IM, {"image_processor": clip() | {"size": {"shortest_edge": 30}, "image_processor_type": "CLIPImageProcessorFast"}, "image_token": "<image>",
                                               "num_additional_image_tokens": 1, "patch_size": 6, "processor_class": "LlavaProcessor", "vision_feature_select_strategy": "full"}), "qwen2", [
    *(Case({"images": media(name), "text": "<image>Which?"}, **SHORT) for name in ("rgb.png", "photo.jpg")),
    Case(TALK, **SHORT), Case(TWO, **SHORT), Case([{"role": "user", "content": "Who?"}], **SHORT), Case([*TALK, {"role": "assistant", "content": "It"}], return_full_text=False, **SHORT),
], vision=dict(EYES, hidden_act="gelu", layer_norm_eps=1e-3), words=dict(WORDS, tie_word_embeddings=True), vision_feature_layer=[-3, -1, 1], vision_feature_select_strategy="full",
      projector_hidden_act="gelu_new", multimodal_projector_bias=False, tie_word_embeddings=True)

llava("image_text_to_text_c", files(LLAMA3, "{% set bos = true %}" + IM, {"image_processor": clip() | {"do_pad": True, "image_processor_type": "LlavaImageProcessor"}, "patch_size": 6, "num_additional_image_tokens": 1, "vision_feature_select_strategy": "default"}), "mistral", [
    *(Case({"images": media(name), "text": "<image>Which?"}, **SHORT) for name in ("rgb.png", "photo.jpg", "tall.png", "small.png")),
    Case(TALK, "the template says how a text begins", **SHORT), Case(TWO, **SHORT),
], words=dict(WORDS, sliding_window=20, head_dim=8), vision_feature_layer=3, own_keys=True, dtype="float16", without=["image_token_index"],
      extra={"image_token_id": special(LLAMA3)["image"]})
