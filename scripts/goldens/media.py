"""Small pictures and sounds in the formats that people have, under tests/goldens/media. Drawn and played by formulas: nobody's property."""

import numpy as np
import soundfile
from common import GOLDENS, VERSION
from PIL import Image, ImageDraw
from scipy.io import wavfile

FOLDER = GOLDENS / "media"


def scene(width, height, hue=0):
    """A gradient with a disc, a box and stripes: smooth parts, edges and fine detail."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    channels = [127 + 120 * np.sin(x / 9 + hue), 127 + 120 * np.cos(y / 7 - hue), 127 + 120 * np.sin((x + 2 * y) / 13 + 2 * hue)]
    image = Image.fromarray(np.stack(channels, -1).round().astype(np.uint8), "RGB")
    draw = ImageDraw.Draw(image)
    draw.ellipse([width // 6, height // 5, width // 2, height * 3 // 4], fill=(230, 40 + 30 * hue, 60))
    draw.rectangle([width * 3 // 5, height // 3, width * 9 // 10, height * 4 // 5], fill=(20, 60, 200 - 40 * hue))
    for k in range(0, width, 4):
        draw.line([k, 0, k, height // 8], fill=(255, 255, 0))
    return image


def pictures():
    scene(40, 30).save(FOLDER / "rgb.png")
    scene(57, 91, 1).save(FOLDER / "tall.png")
    scene(16, 16, 2).save(FOLDER / "small.png")
    scene(33, 21, 2).convert("L").save(FOLDER / "gray.png")
    scene(28, 28, 3).quantize(24).save(FOLDER / "palette.png")
    shade = Image.linear_gradient("L").resize((45, 37))
    half = scene(45, 37, 1)
    half.putalpha(shade)
    half.save(FOLDER / "rgba.png")
    half.convert("LA").save(FOLDER / "gray_alpha.png")
    Image.fromarray((np.asarray(scene(31, 23, 1).convert("L")).astype(np.uint16) * 257)).save(FOLDER / "gray_16bit.png")
    scene(64, 48).convert("1").save(FOLDER / "one_bit.png")
    scene(75, 50, 3).save(FOLDER / "photo.jpg", quality=90)
    scene(48, 64, 2).convert("L").save(FOLDER / "gray.jpg", quality=85)
    scene(36, 52, 1).save(FOLDER / "progressive.jpg", quality=80, progressive=True)
    turned = Image.Exif()
    turned[0x0112] = 6  # Orientation: turn by 90 degrees to see it upright
    scene(60, 40, 1).save(FOLDER / "turned.jpg", quality=90, exif=turned)


def voice(seconds, rate, pitch=140.0):
    """Something like vowels: harmonics of a gliding pitch under moving formants, with pauses; nothing above 3 kHz."""
    t = np.arange(int(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(pitch * (1 + 0.2 * np.sin(2 * np.pi * 1.7 * t))) / rate
    sound = np.zeros_like(t)
    for k in range(1, 14):
        formant = np.exp(-(((k * pitch - 600 - 500 * np.sin(2 * np.pi * 2.3 * t)) / 420) ** 2)) + 0.1
        sound += formant * np.sin(k * phase) / k
    return 0.5 * sound / np.abs(sound).max() * (0.55 + 0.45 * np.sign(np.sin(2 * np.pi * 3.1 * t + 0.4)))


def sounds():
    soundfile.write(FOLDER / "voice.wav", voice(1.4, 16000), 16000, subtype="PCM_16")
    wavfile.write(FOLDER / "short.wav", 16000, voice(0.35, 16000, 210).astype(np.float32))  # soundfile would put the time into it
    soundfile.write(FOLDER / "voice.flac", voice(1.0, 16000, 180), 16000, subtype="PCM_16")
    soundfile.write(FOLDER / "telephone.wav", voice(0.9, 8000, 160), 8000, subtype="PCM_16")
    soundfile.write(FOLDER / "eight_bit.wav", voice(0.6, 16000, 120), 16000, subtype="PCM_U8")
    soundfile.write(FOLDER / "twenty_four_bit.wav", voice(0.4, 16000, 250), 16000, subtype="PCM_24")
    soundfile.write(FOLDER / "stereo_44k.wav", np.stack([voice(0.7, 44100, 150), 0.6 * voice(0.7, 44100, 225)], -1), 44100, subtype="PCM_16")
    soundfile.write(FOLDER / "stereo_22k.flac", np.stack([voice(0.8, 22050, 130), voice(0.8, 22050, 190)], -1), 22050, subtype="PCM_16")


if __name__ == "__main__" and VERSION == 5:
    FOLDER.mkdir(parents=True, exist_ok=True)
    pictures()
    sounds()
