"""Makes tests/goldens/preprocess/image: small pictures, and what the reference's image processors make of them.

Run with transformers 5.23.0, torchvision 0.29 and Pillow 13 on a CPU with AVX2:
    python scripts/goldens/preprocess_image.py
Each case holds the sum, the sum weighted by position and every k-th value of pixel_values, in single precision.
"""

import json
import os
import struct
import zlib
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from transformers.image_utils import load_image
from transformers.models.auto.image_processing_auto import get_image_processor_class_from_name

torch.set_num_threads(1)
OUT = Path(__file__).resolve().parents[2] / "tests" / "goldens" / "preprocess" / "image"


def picture(height, width, channels, seed):
    """Smooth waves with some noise and hard edges, so that filters differ."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    planes = []
    for c in range(channels):
        wave = 110 + 80 * np.sin(x / (5.0 + c) + c) * np.cos(y / (7.0 - c))
        wave = wave + 60 * ((x // 9 + y // 11) % 2) - 20 * c + rng.normal(0, 6, (height, width))
        planes.append(wave)
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


def save(name, image, **options):
    image.save(OUT / name, **options)


def save_png(name, pixels, *chunks):
    """A PNG file with 16 bits per channel, which Pillow does not write for all kinds."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 3: 2}[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    (OUT / name).write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in parts))


def orientation(value):
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


def pictures():
    rgb = picture(61, 83, 3, 1)
    save("rgb.png", Image.fromarray(rgb))
    save("tall.png", Image.fromarray(picture(97, 40, 3, 2)))
    save("small.png", Image.fromarray(picture(9, 7, 3, 3)))
    save("gray.png", Image.fromarray(picture(50, 50, 1, 4)[..., 0]))
    save("gray_alpha.png", Image.fromarray(picture(40, 31, 2, 5), "LA"))
    save("rgba.png", Image.fromarray(picture(33, 47, 4, 6), "RGBA"))
    save("palette.png", Image.fromarray(picture(45, 37, 3, 7)).quantize(32))
    save("palette_transparent.png", Image.fromarray(picture(45, 37, 3, 7)).quantize(16), transparency=3)
    save("bits.png", Image.fromarray(picture(30, 41, 1, 8)[..., 0]).convert("1"))
    wide = picture(30, 30, 1, 9)[..., 0].astype(np.uint16)
    save("gray16.png", Image.fromarray(wide * 3))
    save_png("rgb16.png", picture(20, 24, 3, 10).astype(np.uint16) * 257 + 77)
    save_png("gray16_transparent.png", picture(10, 16, 1, 10).astype(np.uint16) * 2, (b"tRNS", b"\0\x05"))
    save("rgb.bmp", Image.fromarray(picture(21, 35, 3, 11)))
    save("rgb.gif", Image.fromarray(picture(32, 35, 3, 12)))
    save("lossless.webp", Image.fromarray(picture(32, 35, 3, 13)), lossless=True)
    save("lossy.webp", Image.fromarray(picture(64, 49, 3, 14)), quality=80)
    save("rgb.tiff", Image.fromarray(picture(23, 35, 3, 15)), compression="tiff_lzw")
    smooth = Image.fromarray(picture(120, 160, 3, 16))
    save("420.jpg", smooth, quality=85)
    save("422.jpg", Image.fromarray(picture(61, 83, 3, 1)), quality=90, subsampling=1)
    save("444.jpg", Image.fromarray(picture(61, 83, 3, 1)), quality=75, subsampling=0)
    save("odd420.jpg", Image.fromarray(picture(61, 83, 3, 1)), quality=60)
    save("progressive.jpg", Image.fromarray(picture(75, 90, 3, 17)), quality=80, progressive=True)
    save("gray.jpg", Image.fromarray(picture(50, 61, 1, 18)[..., 0]), quality=80)
    save("cmyk.jpg", Image.fromarray(picture(40, 37, 3, 19)).convert("CMYK"), quality=90)
    save("restart.jpg", Image.fromarray(picture(64, 80, 3, 20)), quality=80, restart_marker_blocks=3)
    for value in range(1, 9):
        save(f"turned{value}.jpg", Image.fromarray(picture(24, 32, 3, 20 + value)), quality=90, exif=orientation(value))
    save("turned6.png", Image.fromarray(picture(24, 31, 3, 30)), exif=orientation(6))
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", '<rdf:Description tiff:Orientation="6"/>')
    save("turned_by_xmp.png", Image.fromarray(picture(24, 31, 3, 32)), pnginfo=info)
    save("turned8.webp", Image.fromarray(picture(24, 31, 3, 31)), exif=orientation(8), lossless=True)


def cases():
    vit = {"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}}
    plain = {**vit, "do_resize": False, "do_rescale": False, "do_normalize": False}
    for name in sorted(p.name for p in OUT.iterdir() if p.suffix != ".json"):
        yield name, vit
        yield name, plain
    for resample in (0, 1, 2, 3):
        for name in ("rgb.png", "tall.png", "small.png"):
            for size in ([20, 20], [64, 64], [61, 30], [150, 83], [200, 11], [1, 2], [37, 129]):
                yield name, {**vit, "resample": resample, "size": {"height": size[0], "width": size[1]}}
    clip = {"image_processor_type": "CLIPImageProcessor"}
    for name in ("rgb.png", "tall.png", "small.png"):
        yield name, {**clip, "size": {"shortest_edge": 24}, "crop_size": 20}
        yield name, {**clip, "size": 24, "crop_size": {"height": 31, "width": 45}}
        yield name, {**clip, "size": {"shortest_edge": 30, "longest_edge": 41}, "do_center_crop": False}
        yield name, {**clip, "do_resize": False, "crop_size": {"height": 60, "width": 41}}
        yield name, {**clip, "size": {"max_height": 50, "max_width": 33}, "do_center_crop": False, "do_normalize": False}
        yield name, {**clip, "size": [10, 12], "do_center_crop": False, "do_rescale": False}
        yield name, {**clip, "size": [10, 12], "crop_size": 8, "do_pad": True, "pad_size": 16}
        yield name, {"image_processor_type": "ViTFeatureExtractor", "size": 18, "image_mean": [0.1, 0.2, 0.3], "image_std": 0.7}
    for kind in ("Bit", "Blip", "CLIP", "Chameleon", "ChineseCLIP", "DeiT", "MobileNetV1", "OwlViT", "PI0", "Pvt", "Siglip", "Tipsv2", "ViT"):
        yield "rgb.png", {"image_processor_type": kind + "ImageProcessor"}


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    pictures()
    out = []
    for name, config in cases():
        kind = config["image_processor_type"].replace("FeatureExtractor", "ImageProcessor")
        options = {k: v for k, v in config.items() if k != "image_processor_type"}
        processor = get_image_processor_class_from_name(kind)(**options)
        image = load_image(str(OUT / name))
        values = processor(images=image, return_tensors="pt")["pixel_values"].to(torch.float32).numpy()
        flat = values.reshape(-1).astype(np.float64)
        step = max(1, flat.size // 90)
        out.append(
            {
                "image": name,
                "config": config,
                "shape": list(values.shape),
                "sum": float(flat.sum()),
                "weighted": float((flat * (np.arange(flat.size) % 1009)).sum()),
                "step": step,
                "values": [float(v) for v in values.reshape(-1)[::step]],
            }
        )
    lines = ",\n".join(json.dumps(case) for case in out)
    (OUT / "cases.json").write_text("[\n" + lines + "\n]\n")


if __name__ == "__main__":
    main()
