"""Makes tests/goldens/preprocess/audio: short sounds, and what the reference makes of them on the way to a model.

Run with transformers 5.23.0, torchaudio 2.11 and ffmpeg 5.1:
    python scripts/goldens/preprocess_audio.py
Each case holds the sum, the sum weighted by position and every k-th sample.
"""

import json
import subprocess
from pathlib import Path

import numpy as np
import soundfile
import torch

torch.version.cuda = None  # torchaudio 2.11 refuses a torch built for another CUDA; what is used of it is plain Python
from torchaudio.functional import resample
from transformers import Wav2Vec2FeatureExtractor
from transformers.pipelines.audio_utils import ffmpeg_read

torch.set_num_threads(1)
OUT = Path(__file__).resolve().parents[2] / "tests" / "goldens" / "preprocess" / "audio"


def sound(length, rate, channels=1, seed=0):
    """A rising tone, a beat and some noise: energy up to the band limit, loud at both ends."""
    rng = np.random.default_rng(seed)
    t = np.arange(length) / rate
    waves = []
    for c in range(channels):
        tone = 0.4 * np.cos(2 * np.pi * (200 + 150 * c) * t * (1 + 3 * t))
        waves.append(tone + 0.2 * np.sin(2 * np.pi * rate * 0.23 * t + c) + rng.normal(0, 0.05, length))
    return np.clip(np.stack(waves, -1), -1, 1)


def write(name, length, rate, channels=1, seed=0, **options):
    soundfile.write(OUT / name, sound(length, rate, channels, seed), rate, **options)


def ffmpeg(name, length, rate, channels, *options):
    source = OUT / "source.wav"
    soundfile.write(source, sound(length, rate, channels, 9), rate, subtype="PCM_16")
    subprocess.run(["ffmpeg", "-y", "-v", "error", "-i", source, "-bitexact", *options, OUT / name], check=True)
    source.unlink()


def files():
    write("pcm16.wav", 900, 16000, subtype="PCM_16")
    write("pcm8.wav", 900, 16000, subtype="PCM_U8")
    write("pcm24.wav", 900, 16000, subtype="PCM_24")
    write("pcm32.wav", 500, 16000, subtype="PCM_32")
    write("float.wav", 500, 16000, subtype="FLOAT")
    write("double.wav", 500, 16000, subtype="DOUBLE")
    write("ulaw.wav", 900, 8000, subtype="ULAW")
    write("alaw.wav", 900, 8000, subtype="ALAW")
    ffmpeg("adpcm_ms.wav", 2500, 16000, 1, "-c:a", "adpcm_ms")
    ffmpeg("adpcm_ima.wav", 2500, 16000, 1, "-c:a", "adpcm_ima_wav")
    write("rate8000.wav", 700, 8000, subtype="PCM_16")
    write("rate11025.wav", 900, 11025, subtype="PCM_16")
    write("rate22050.wav", 1200, 22050, subtype="PCM_16")
    write("rate44100.wav", 2500, 44100, subtype="PCM_16")
    write("rate48000.wav", 2500, 48000, subtype="PCM_16")
    write("rate96000.wav", 3000, 96000, subtype="PCM_16")
    write("rate15999.wav", 900, 15999, subtype="PCM_16")
    write("short.wav", 70, 44100, subtype="PCM_16")
    write("stereo.wav", 900, 44100, 2, subtype="PCM_16")
    for channels in (3, 4, 6, 8):
        write(f"channels{channels}.wav", 400, 16000, channels, subtype="PCM_16")
    write("mono.flac", 3000, 16000)
    write("stereo.flac", 3000, 22050, 2)
    write("pcm.aiff", 900, 16000, subtype="PCM_16")
    ffmpeg("vorbis.ogg", 9000, 16000, 1, "-c:a", "libvorbis", "-b:a", "48k")
    ffmpeg("flac.ogg", 3000, 16000, 1, "-c:a", "flac")
    ffmpeg("tone.mp3", 9000, 16000, 1, "-c:a", "libmp3lame", "-b:a", "32k")
    ffmpeg("stereo.mp3", 9000, 44100, 2, "-c:a", "libmp3lame", "-b:a", "64k")
    ffmpeg("aac.m4a", 9000, 16000, 1, "-c:a", "aac", "-b:a", "32k", "-movflags", "+faststart")
    ffmpeg("vorbis.mkv", 6000, 16000, 1, "-c:a", "libvorbis", "-b:a", "48k")
    whole = (OUT / "pcm16.wav").read_bytes()
    (OUT / "cut.wav").write_bytes(whole[:1001])


def summary(samples):
    flat = np.asarray(samples, np.float64).reshape(-1)
    step = max(1, flat.size // 120)
    return {
        "length": int(flat.size),
        "sum": float(flat.sum()),
        "weighted": float((flat * (np.arange(flat.size) % 1009)).sum()),
        "step": step,
        "values": [float(np.float32(v)) for v in flat[::step]],
    }


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    files()
    out = {"files": [], "arrays": [], "extractors": []}
    for path in sorted(p for p in OUT.iterdir() if p.suffix != ".json"):
        for rate in (16000, 8000):
            case = {"file": path.name, "sampling_rate": rate}
            try:
                case.update(summary(ffmpeg_read(path.read_bytes(), rate)))
            except ValueError:  # too short for a filter
                case["error"] = True
            out["files"].append(case)
    source = soundfile.read(OUT / "rate44100.wav", dtype="float32")[0]
    for old, new in ((44100, 16000), (8000, 16000), (22050, 16000), (48000, 16000), (16000, 8000), (16001, 16000), (11025, 48000), (3, 2)):
        for length in (1, 7, 100, 2500):
            samples = resample(torch.from_numpy(source[:length]), old, new).numpy()
            out["arrays"].append({"length_in": length, "from": old, "to": new, **summary(samples)})
    lengths = (900, 400, 650)
    for config in ({}, {"do_normalize": False}, {"return_attention_mask": True}, {"return_attention_mask": True, "padding_value": -2.0}):
        batch = [source[:n] for n in lengths]
        found = Wav2Vec2FeatureExtractor(**config)(batch, sampling_rate=16000, padding=True, return_tensors="np")
        case = {"config": config, "lengths": lengths, **summary(found["input_values"])}
        if "attention_mask" in found:
            case["attention_mask"] = found["attention_mask"].sum(-1).tolist()
        out["extractors"].append(case)
    parts = [json.dumps(key) + ": [\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]" for key, cases in out.items()]
    (OUT / "cases.json").write_text("{\n" + ",\n".join(parts) + "\n}\n")


if __name__ == "__main__":
    main()
