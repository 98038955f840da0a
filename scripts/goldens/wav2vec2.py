"""wav2vec2: speech recognition by CTC, from sounds of every kind."""

import numpy as np
import torch
import transformers
from common import GOLDENS, Case, checkpoint
from transformers import Wav2Vec2Config
from vocabularies import write_json

LETTERS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLU'"]
A = dict(hidden_size=24, num_hidden_layers=2, num_attention_heads=4, intermediate_size=37, conv_dim=[16, 16, 16, 16], conv_stride=[5, 4, 4, 4],
         conv_kernel=[10, 4, 4, 4], num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=4, vocab_size=len(LETTERS))
B = dict(A, conv_dim=[12, 20, 20, 24], hidden_size=32, num_attention_heads=2, feat_extract_norm="layer", conv_bias=True, do_stable_layer_norm=True,
         hidden_act="gelu_new", num_conv_pos_embeddings=7, num_conv_pos_embedding_groups=2, layer_norm_eps=1e-6, num_hidden_layers=3)


def media(name):
    return f"../../media/{name}"


def files(normalize=True, mask=False, **tokenizer):
    def write(folder):
        write_json(folder / "vocab.json", {letter: i for i, letter in enumerate(LETTERS)})
        write_json(folder / "tokenizer_config.json", {"tokenizer_class": "Wav2Vec2CTCTokenizer", "unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>",
                                                      "pad_token": "<pad>", "do_lower_case": False, "word_delimiter_token": "|", **tokenizer})
        write_json(folder / "special_tokens_map.json", {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"})
        write_json(folder / "preprocessor_config.json", {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "feature_size": 1, "sampling_rate": 16000,
                                                         "padding_value": 0.0, "padding_side": "right", "do_normalize": normalize, "return_attention_mask": mask})

    return write


def talkative(model):
    """Frames in a row differ enough to spell something."""
    with torch.no_grad():
        model.lm_head.weight.mul_(1.6)
        model.lm_head.bias[0] += 0.8  # the blank


def any_resampler(folder):
    """Whether the texts of resampled files do not depend on the resampler: ffmpeg's, as recorded, against SoX's."""
    import librosa

    pipe = transformers.pipeline("automatic-speech-recognition", model=str(folder), dtype=torch.float32)
    for name in ("telephone.wav", "stereo_44k.wav", "stereo_22k.flac"):
        path = GOLDENS / "media" / name
        for gain in (1.0, 1.001):
            samples, _ = librosa.load(path, sr=16000, mono=True, res_type="soxr_hq")
            if pipe(str(path)) != pipe((samples * gain).astype(np.float32)):
                return False
    return True


checkpoint("wav2vec2", "ctc", "Wav2Vec2ForCTC", Wav2Vec2Config(**A), files(), {
    "automatic-speech-recognition": [
        *(Case(media(name)) for name in ("voice.wav", "short.wav", "voice.flac", "eight_bit.wav", "twenty_four_bit.wav")),
        *(Case(media(name), "resampled to 16 kHz, channels mixed") for name in ("telephone.wav", "stereo_44k.wav", "stereo_22k.flac")),
        Case([media("voice.wav"), media("short.wav")]),
        Case(media("voice.wav"), return_timestamps="char"), Case(media("voice.wav"), return_timestamps="word"),
        Case([media("short.wav"), media("voice.flac")], return_timestamps="word"),
        Case(media("voice.wav"), chunk_length_s=0.6), Case(media("voice.wav"), chunk_length_s=0.5, stride_length_s=0.1),
        Case(media("voice.wav"), chunk_length_s=0.5, stride_length_s=[0.15, 0.05]), Case(media("voice.wav"), chunk_length_s=30),
        Case(media("voice.wav"), chunk_length_s=0.5, stride_length_s=0.1, return_timestamps="word"),
        Case(media("voice.wav"), chunk_length_s=0.5, stride_length_s=[0.1, 0.0], return_timestamps="char"),
        Case(media("voice.wav"), return_timestamps=True, error=True), Case(media("voice.wav"), chunk_length_s=0.2, stride_length_s=0.2, error=True),
        Case("nowhere.wav", error=True), Case(media("rgb.png"), error=True),
    ]}, initialize=talkative, confirm=any_resampler)

checkpoint("wav2vec2", "ctc_b", "Wav2Vec2ForCTC", Wav2Vec2Config(**B), files(normalize=False, mask=True, do_lower_case=True, replace_word_delimiter_char="_"), {
    "automatic-speech-recognition": [
        Case(media("voice.wav")), Case(media("voice.flac"), return_timestamps="word"), Case([media("short.wav"), media("voice.wav")]),
        Case(media("voice.wav"), chunk_length_s=0.5, stride_length_s=0.1, return_timestamps="char"),
    ]}, initialize=talkative, dtype="float16", generation=4)

checkpoint("wav2vec2", "ctc_c", "Wav2Vec2ForCTC", Wav2Vec2Config(**{**A, "do_stable_layer_norm": True, "conv_bias": True, "hidden_act": "relu", "feat_extract_activation": "relu"}),
           files(mask=True), {
    "automatic-speech-recognition": [Case(media("voice.wav")), Case(media("voice.flac"), return_timestamps="char")],
}, initialize=talkative, weights="bin", rename=lambda key: key.replace("parametrizations.weight.original0", "weight_g").replace("parametrizations.weight.original1", "weight_v"))
