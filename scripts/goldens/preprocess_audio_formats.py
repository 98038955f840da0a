"""Makes tests/goldens/preprocess/sounds: one short sound of each coding and container, and what the reference makes of it.

Run with transformers 5.23.0 and ffmpeg 5.1 (with libopus and libvorbis, which write the files; ffmpeg's own decoders read them):
    python scripts/goldens/preprocess_audio_formats.py
Each case holds the sum, the sum weighted by position and every k-th sample.
"""

import json
import struct
import subprocess
from pathlib import Path

import numpy as np
import soundfile
from media import voice
from transformers.pipelines.audio_utils import ffmpeg_read

OUT = Path(__file__).resolve().parents[2] / "tests" / "goldens" / "preprocess" / "sounds"
SOURCE = OUT / "source.wav"


def ffmpeg(name, *options, channels=1, seconds=0.4, rate=16000):
    waves = [voice(seconds, rate, 140 + 35 * c) * (1 - 0.1 * c) for c in range(channels)]
    soundfile.write(SOURCE, np.stack(waves, -1), rate, subtype="PCM_16")
    subprocess.run(["ffmpeg", "-y", "-v", "error", "-i", SOURCE, "-bitexact", *options, OUT / name], check=True)
    SOURCE.unlink()


def checksum(page):
    total = 0
    for byte in page:
        total ^= byte << 24
        for _ in range(8):
            total = (total << 1 ^ 0x04C11DB7) & 0xFFFFFFFF if total & 0x80000000 else total << 1
    return total


def files():
    opus = ("-c:a", "libopus", "-b:a")
    pages = ("-page_duration", "100000")
    ffmpeg("opus_music.ogg", *opus, "64k", *pages)
    ffmpeg("opus_music_one_page.ogg", *opus, "48k")
    ffmpeg("opus_music_short_frames.ogg", *opus, "64k", "-frame_duration", "2.5", *pages)
    ffmpeg("opus_music_stereo.ogg", *opus, "64k", *pages, channels=2)
    ffmpeg("opus_music_six.ogg", *opus, "160k", "-mapping_family", "1", *pages, channels=6)
    ffmpeg("opus_music.webm", *opus, "64k")
    ffmpeg("opus_music.mp4", *opus, "64k", "-movflags", "+faststart")
    speech = ("-application", "voip")
    ffmpeg("opus_speech_narrow.ogg", *opus, "6k", *speech, *pages)
    ffmpeg("opus_speech_medium.ogg", *opus, "9k", *speech, *pages, rate=12000)
    ffmpeg("opus_speech_wide.ogg", *opus, "16k", *speech, *pages)
    ffmpeg("opus_speech_hybrid.ogg", *opus, "32k", *speech, *pages, rate=48000)
    ffmpeg("opus_speech_60ms.ogg", *opus, "14k", *speech, "-frame_duration", "60", *pages)
    ffmpeg("opus_speech_stereo.ogg", *opus, "24k", *speech, *pages, channels=2)
    ffmpeg("opus_speech.webm", *opus, "20k", *speech)
    loud = bytearray((OUT / "opus_music.ogg").read_bytes())
    loud[44:46] = struct.pack("<h", -6 * 256)
    loud[22:26] = bytes(4)
    loud[22:26] = struct.pack("<I", checksum(loud[:47]))
    (OUT / "opus_music_quieter.ogg").write_bytes(loud)
    ffmpeg("second.ogg", *opus, "48k", *pages, "-serial_offset", "7")
    second = OUT / "second.ogg"
    (OUT / "opus_music_chained.ogg").write_bytes((OUT / "opus_music.ogg").read_bytes() + second.read_bytes())
    second.unlink()
    ffmpeg("vorbis_pages.ogg", "-c:a", "libvorbis", *pages)
    ffmpeg("vorbis_stereo.ogg", "-c:a", "libvorbis", *pages, channels=2)
    ffmpeg("vorbis.webm", "-c:a", "libvorbis")
    ffmpeg("alac.m4a", "-c:a", "alac", "-movflags", "+faststart")
    ffmpeg("alac_stereo.m4a", "-c:a", "alac", "-movflags", "+faststart", channels=2)
    ffmpeg("rf64.wav", "-rf64", "always", seconds=0.1)
    big = bytearray((OUT / "rf64.wav").read_bytes())
    big[:4] = b"BW64"
    (OUT / "bw64.wav").write_bytes(big)
    ffmpeg("pcm24.rf64", "-rf64", "always", "-c:a", "pcm_s24le", "-f", "wav", seconds=0.1, channels=2)
    ffmpeg("sony.w64", "-f", "w64", seconds=0.1)
    ffmpeg("big_endian.caf", "-c:a", "pcm_s16be", seconds=0.1)
    whole = (OUT / "bw64.wav").read_bytes()
    (OUT / "cut.rf64").write_bytes(whole[: len(whole) * 2 // 3])
    # Chunks that nobody asks for, of odd lengths, before the sound.
    soundfile.write(SOURCE, voice(0.1, 16000), 16000, subtype="PCM_16")
    plain = SOURCE.read_bytes()
    SOURCE.unlink()
    odd = b"junk" + struct.pack("<I", 5) + b"abcde\0"
    (OUT / "odd_chunks.wav").write_bytes(plain[:12] + odd + plain[12:36] + odd + plain[36:])
    floats = voice(0.05, 16000).astype(np.float32)
    floats[100] = np.nan
    soundfile.write(OUT / "not_a_number.wav", floats, 16000, subtype="FLOAT")
    soundfile.write(OUT / "silence.wav", np.zeros(800), 16000, subtype="PCM_16")
    soundfile.write(OUT / "ten_samples.wav", voice(0.05, 16000)[:10], 16000, subtype="PCM_16")


def summary(samples):
    flat = np.asarray(samples, np.float64).reshape(-1)
    step = max(1, flat.size // 120)
    return {
        "length": int(flat.size),
        "sum": float(np.nansum(flat)),
        "weighted": float(np.nansum(flat * (np.arange(flat.size) % 1009))),
        "step": step,
        "values": [None if np.isnan(v) else float(np.float32(v)) for v in flat[::step]],
    }


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.iterdir():
        old.unlink()
    files()
    cases = []
    for path in sorted(p for p in OUT.iterdir()):
        case = {"file": path.name}
        try:
            case.update(summary(ffmpeg_read(path.read_bytes(), 16000)))
        except ValueError:
            case["error"] = True
        cases.append(case)
    (OUT / "cases.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


if __name__ == "__main__":
    main()
