"""vit: image classification, from pictures of every kind."""

from common import Case, checkpoint
from transformers import ViTConfig
from vocabularies import write_json

A = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=37, image_size=32, patch_size=8)
B = dict(hidden_size=24, num_hidden_layers=3, num_attention_heads=3, intermediate_size=48, image_size=[24, 36], patch_size=6, hidden_act="gelu_new",
         layer_norm_eps=1e-6, qkv_bias=False)
ANIMALS = ["tabby cat", "dog", "horse", "zebra", "parrot", "fish", "owl"]


def media(name):
    return f"../../media/{name}"


def labels(names):
    return dict(id2label=dict(enumerate(names)), label2id={n: i for i, n in enumerate(names)})


def processor(**config):
    return lambda folder: write_json(folder / "preprocessor_config.json", config)


OLD = dict(do_normalize=True, do_resize=True, feature_extractor_type="ViTFeatureExtractor", image_mean=[0.5] * 3, image_std=[0.5] * 3, resample=2, size=32)
NEW = dict(image_processor_type="ViTImageProcessor", do_convert_rgb=None, do_normalize=True, do_rescale=True, do_resize=True, image_mean=[0.485, 0.456, 0.406],
           image_std=[0.229, 0.224, 0.225], resample=3, rescale_factor=1 / 255, size={"height": 24, "width": 36})

checkpoint("vit", "image_classification", "ViTForImageClassification", ViTConfig(**A, **labels(ANIMALS)), processor(**OLD), {
    "image-classification": [
        *(Case(media(name)) for name in ("rgb.png", "tall.png", "small.png", "gray.png", "palette.png", "rgba.png", "gray_alpha.png", "gray_16bit.png",
                                         "one_bit.png", "photo.jpg", "gray.jpg", "progressive.jpg")),
        Case(media("turned.jpg"), "turned upright as its Exif orientation says"),
        Case([media("rgb.png"), media("photo.jpg"), media("gray.png")]), Case([media("rgb.png")]),
        *(Case(media("rgb.png"), top_k=k) for k in (1, 3, 7, 100)), Case([media("rgb.png"), media("tall.png")], top_k=2),
        *(Case(media("photo.jpg"), function_to_apply=f, top_k=7) for f in ("softmax", "sigmoid", "none", "SIGMOID")),
        Case("data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M/wHwAEBgIApD5fRAAAAABJRU5ErkJggg==", "a data URL with one pixel"),
        Case("nowhere.png", error=True), Case(media("rgb.png"), function_to_apply="tanh", error=True), Case(media("voice.wav"), error=True),
    ]}, generation=4)

checkpoint("vit", "image_classification_b", "ViTForImageClassification", ViTConfig(**B, num_labels=3), processor(**NEW), {
    "image-classification": [Case(media("rgb.png")), Case(media("tall.png")), Case([media("photo.jpg"), media("rgba.png")], top_k=1)],
}, dtype="float16")

checkpoint("vit", "image_classification_multi_label", "ViTForImageClassification",
           ViTConfig(**A, num_labels=6, problem_type="multi_label_classification"), processor(**{**OLD, "resample": 0, "image_processor_type": "ViTImageProcessor"}), {
    "image-classification": [Case(media("rgb.png")), Case(media("photo.jpg"), top_k=2)],
}, weights="sharded", without=["hidden_act", "layer_norm_eps", "qkv_bias"])

checkpoint("vit", "image_classification_single", "ViTForImageClassification", ViTConfig(**A, num_labels=1),
           processor(image_processor_type="ViTImageProcessorFast", size={"height": 32, "width": 32}, do_rescale=True, rescale_factor=1 / 127.5, do_normalize=False), {
    "image-classification": [Case(media("rgb.png")), Case(media("photo.jpg")), Case(media("photo.jpg"), function_to_apply="softmax")],
}, weights="bin")
