"""Makes tests/goldens/preprocess/formats: one small picture of each kind that Pillow opens, and the RGB pixels that it makes of them.

Run with transformers 5.23.0, Pillow 13 and tifffile 2026; avifenc, cjpeg, opj_compress and ffmpeg write what Pillow does not:
    python scripts/goldens/preprocess_image_formats.py
`pixels` is the picture as the pipelines' `load_image` gives it, as a PNG file in base64.
"""

import base64
import io
import json
import struct
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image
from preprocess_image import orientation, picture
from transformers.image_utils import load_image

OUT = Path(__file__).resolve().parents[2] / "tests" / "goldens" / "preprocess" / "formats"
WIDTH, HEIGHT = 19, 13  # no multiple of anything
RGB = picture(HEIGHT, WIDTH, 3, 40)
RGBA = picture(HEIGHT, WIDTH, 4, 41)
GRAY = picture(HEIGHT, WIDTH, 1, 42)[..., 0]
WIDE = (picture(HEIGHT, WIDTH, 1, 43)[..., 0].astype(np.uint16) * 259 + 7).astype(np.uint16)


def save(name, image, **options):
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(OUT / name, **options)


def write(name, *parts):
    (OUT / name).write_bytes(b"".join(p if isinstance(p, bytes) else p.encode() for p in parts))


def anymaps():
    plain = lambda values: " ".join(str(v) for v in np.asarray(values).reshape(-1)) + "\n"
    bits = (GRAY > 128).astype(np.uint8)
    write("plain.pbm", f"P1\n# a comment\n{WIDTH} {HEIGHT}\n", "\n".join("".join(map(str, row)) for row in bits), "\n")
    write("raw.pbm", f"P4 {WIDTH} {HEIGHT}\n", np.packbits(bits, axis=1).tobytes())
    write("plain.pgm", f"P2\n{WIDTH} {HEIGHT} # sizes\n99\n", plain(GRAY // 3))
    write("raw.pgm", f"P5\n{WIDTH}\n{HEIGHT}\n255\n", GRAY.tobytes())
    write("raw100.pgm", f"P5 {WIDTH} {HEIGHT} 100\n", (GRAY // 3).tobytes())
    write("raw1000.pgm", f"P5 {WIDTH} {HEIGHT} 1000\n", (GRAY.astype(">u2") * 4).tobytes())
    write("raw65535.pgm", f"P5 {WIDTH} {HEIGHT} 65535\n", (GRAY.astype(">u2") * 2).tobytes())
    write("plain600.pgm", f"P2 {WIDTH} {HEIGHT} 60000\n", plain(GRAY.astype(int)))
    write("plain.ppm", f"P3\n{WIDTH} {HEIGHT}\n31\n", plain(RGB // 8))
    write("plain16.ppm", f"P3\n{WIDTH} {HEIGHT}\n65535\n", plain(RGB.astype(int) * 250))
    write("raw.ppm", f"P6 {WIDTH} {HEIGHT} 255\n", RGB.tobytes())
    write("raw77.ppm", f"P6 {WIDTH} {HEIGHT} 255\n".replace("255", "77"), (RGB // 4).tobytes())
    write("raw16.ppm", f"P6 {WIDTH} {HEIGHT} 65535\n", (RGB.astype(">u2") * 251).tobytes())
    floats = GRAY.astype("<f4") * 1.7 - 40
    write("little.pfm", f"Pf\n{WIDTH} {HEIGHT}\n-1.0\n", floats.tobytes())
    write("big.pfm", f"Pf\n{WIDTH} {HEIGHT}\n2.5\n", floats.astype(">f4").tobytes())


def icons():
    icon = lambda side, mode: Image.fromarray(picture(side, side, 4, side), "RGBA").convert(mode)
    for mode in ("RGBA", "RGB", "L", "P", "1"):
        save(f"bitmap_{mode}.ico", icon(24, mode), sizes=[(16, 16), (24, 24)], bitmap_format="bmp")
    save("png.ico", icon(32, "RGBA"), sizes=[(16, 16), (32, 32)])
    # Two of one size: the one with fewer colours counts.
    entries, data = [], b""
    for bits, mode in ((32, "RGBA"), (8, "P")):
        one = OUT / "one.ico"
        icon(16, mode).save(one, sizes=[(16, 16)], bitmap_format="bmp", format="ICO")
        whole = one.read_bytes()
        one.unlink()
        header = bytearray(whole[6:22])
        header[12:16] = struct.pack("<I", 6 + 32 + len(data))
        entries.append(bytes(header))
        data += whole[22:]
    write("two_depths.ico", struct.pack("<HHH", 0, 1, 2), *entries, data)
    cursor = bytearray((OUT / "bitmap_RGB.ico").read_bytes())
    cursor[2] = 2
    write("pointer.cur", bytes(cursor))


def targas():
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        image = Image.fromarray(RGBA, "RGBA").convert(mode)
        save(f"{mode}.tga", image)
        if mode != "1":
            save(f"{mode}_packed.tga", image, compression="tga_rle", orientation=1)
    turned = bytearray((OUT / "RGB_packed.tga").read_bytes())
    turned[17] |= 0x10
    write("mirrored.tga", bytes(turned))
    header = lambda kind, depth, **palette: struct.pack(
        "<BBBHHBHHHHBB", 3, int(bool(palette)), kind, palette.get("start", 0), palette.get("size", 0), palette.get("bits", 0), 0, 0, WIDTH, HEIGHT, depth, 0x20
    )
    fifteen = (RGB[..., 0].astype("<u2") >> 3 << 10) | (RGB[..., 1].astype("<u2") >> 3 << 5) | (RGB[..., 2] >> 3)
    write("fifteen.tga", header(2, 16), b"abc", fifteen.tobytes())
    colours = picture(16, 1, 4, 46).reshape(-1, 4)
    write("palette32.tga", header(1, 8, size=16, bits=32), b"abc", colours.tobytes(), (GRAY // 16).tobytes())
    write("palette15.tga", header(1, 8, start=2, size=16, bits=16), b"abc", fifteen.reshape(-1)[:16].tobytes(), (GRAY // 16 + 2).tobytes())


def bitmaps():
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        save(f"{mode}.bmp", Image.fromarray(RGBA, "RGBA").convert(mode))

    def dib(name, bits, rows, compression=0, masks=b"", colours=b"", height=HEIGHT, size=40):
        header = struct.pack("<IiiHHIIiiII", size, WIDTH, height, 1, bits, compression, len(rows), 2835, 2835, len(colours) // 4, 0)
        offset = 14 + len(header) + len(masks) + len(colours)
        write(name, b"BM", struct.pack("<IHHI", offset + len(rows), 0, 0, offset), header, masks, colours, rows)

    padded = lambda rows: b"".join(row + bytes(-len(row) % 4) for row in rows)
    below = RGB[::-1].astype("<u2")
    fifteen = (below[..., 0] >> 3 << 10) | (below[..., 1] >> 3 << 5) | (below[..., 2] >> 3)
    sixteen = (below[..., 0] >> 3 << 11) | (below[..., 1] >> 2 << 5) | (below[..., 2] >> 3)
    dib("fifteen.bmp", 16, padded(row.tobytes() for row in fifteen))
    dib("sixteen.bmp", 16, padded(row.tobytes() for row in sixteen), 3, struct.pack("<III", 0xF800, 0x7E0, 0x1F))
    bgra = RGBA[::-1, :, [2, 1, 0, 3]].tobytes()
    dib("alpha.bmp", 32, bgra, 3, struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000))
    dib("unused_alpha.bmp", 32, bgra)
    dib("from_top.bmp", 24, padded(row.tobytes() for row in RGB[:, :, ::-1]), height=-HEIGHT)
    colours = b"".join(bytes(c) + b"\0" for c in picture(16, 1, 3, 47).reshape(-1, 3))
    four = GRAY[::-1] // 16
    nibbles = [bytes(a << 4 | b for a, b in zip(row[::2], np.append(row, 0)[1::2])) for row in four]
    dib("four.bmp", 4, padded(nibbles), colours=colours)
    runs = lambda row: b"".join(bytes([1, v]) for v in row[:6]) + bytes([0, 5, *row[6:11], 0]) + bytes([8, row[11]]) + b"\0\0"
    dib("runs8.bmp", 8, b"".join(runs(row) for row in four) + b"\0\1", 1, colours=colours)
    runs4 = lambda row: b"".join(bytes([2, v << 4 | v]) for v in row[:5]) + bytes([0, 5, row[5] << 4 | row[6], row[7] << 4 | row[8], row[9] << 4, 0]) + bytes([4, row[11] << 4 | row[12]]) + b"\0\0"
    dib("runs4.bmp", 4, b"".join(runs4(row) for row in four) + b"\0\1", 2, colours=colours)
    core = struct.pack("<IHHHH", 12, WIDTH, HEIGHT, 1, 24)
    rows = padded(row.tobytes() for row in RGB[::-1, :, ::-1])
    write("core.bmp", b"BM", struct.pack("<IHHI", 26 + len(rows), 0, 0, 26), core, rows)


def frames():
    stills = [Image.fromarray(picture(HEIGHT, WIDTH, 3, 50 + k)) for k in range(3)]
    save("moving.gif", stills[0].quantize(30), save_all=True, append_images=[s.quantize(30) for s in stills[1:]], duration=90)
    save("moving.webp", stills[0], save_all=True, append_images=stills[1:], duration=90, lossless=True)
    save("moving.png", stills[0], save_all=True, append_images=stills[1:], duration=90)
    save("moving_hidden.png", stills[0], save_all=True, append_images=stills[1:], duration=90, default_image=True)
    save("moving_lossy.webp", stills[0], save_all=True, append_images=stills[1:], duration=90, quality=70)
    save("alpha.webp", Image.fromarray(RGBA, "RGBA"), quality=80)
    save("alpha_lossless.webp", Image.fromarray(RGBA, "RGBA"), lossless=True)
    save("interlaced.gif", stills[1].quantize(60), interlace=1)
    clear = stills[2].quantize(20)
    save("transparent.gif", clear, transparency=3)
    # A frame that covers only a part of the picture, with a background colour that is not the first one.
    whole = bytearray((OUT / "transparent.gif").read_bytes())
    whole[6:10] = struct.pack("<HH", WIDTH + 4, HEIGHT + 3)
    whole[11] = 5
    frame = whole.index(b"," + struct.pack("<HHHH", 0, 0, WIDTH, HEIGHT))
    whole[frame + 1 : frame + 5] = struct.pack("<HH", 3, 1)
    write("part_transparent.gif", bytes(whole))
    opaque = bytearray((OUT / "interlaced.gif").read_bytes())
    opaque[6:10] = struct.pack("<HH", WIDTH + 4, HEIGHT + 3)
    opaque[11] = 7
    frame = opaque.index(b"," + struct.pack("<HHHH", 0, 0, WIDTH, HEIGHT))
    opaque[frame + 1 : frame + 5] = struct.pack("<HH", 2, 3)
    write("part.gif", bytes(opaque))


def tiffs():
    for compression in ("raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate"):
        save(f"{compression}.tiff", RGB, compression=compression)
    for compression in ("group3", "group4", "tiff_ccitt"):
        save(f"{compression}.tiff", Image.fromarray(GRAY).convert("1"), compression=compression)
    save("jpeg.tiff", RGB, compression="jpeg", quality=90)
    source = Image.fromarray(RGBA, "RGBA")
    for mode in ("1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "LAB"):
        try:
            save(f"{mode}.tiff", source.convert("RGB").convert(mode) if mode in ("YCbCr",) else source.convert(mode))
        except (ValueError, KeyError, OSError):
            continue
    save("gray16.tiff", Image.fromarray(WIDE))
    save("gray32.tiff", Image.fromarray(GRAY.astype(np.int32) * 3 - 100))
    save("float.tiff", Image.fromarray(GRAY.astype(np.float32) * 1.5 - 30.25))
    save("turned.tiff", RGB, exif=orientation(6))
    put = lambda name, data, **options: tifffile.imwrite(OUT / name, data, metadata=None, **options)
    put("planes.tiff", np.moveaxis(RGB, -1, 0), photometric="rgb", planarconfig="separate")
    put("planes_rows.tiff", np.moveaxis(RGB, -1, 0), photometric="rgb", planarconfig="separate", compression="lzw", rowsperstrip=4)
    put("tiles.tiff", RGB, photometric="rgb", tile=(16, 16))
    put("tiles_predictor.tiff", RGB, photometric="rgb", tile=(16, 16), compression="zlib", predictor=True)
    put("tiles_planes.tiff", np.moveaxis(RGB, -1, 0), photometric="rgb", planarconfig="separate", tile=(16, 16), compression="lzw")
    put("big.tiff", RGB, photometric="rgb", bigtiff=True)
    put("big_endian.tiff", RGB, photometric="rgb", byteorder=">")
    put("rgb16.tiff", RGB.astype(np.uint16) * 255, photometric="rgb")
    put("rgb16_big_endian.tiff", RGB.astype(np.uint16) * 255, photometric="rgb", byteorder=">", compression="lzw", predictor=True)
    put("gray16_big_endian.tiff", WIDE // 300, photometric="minisblack", byteorder=">")
    put("gray16_signed.tiff", WIDE.astype(np.int16) // 90, photometric="minisblack")
    put("gray32_unsigned.tiff", WIDE.astype(np.uint32) // 300, photometric="minisblack")
    put("float_predictor.tiff", GRAY.astype(np.float32) * 1.5 - 30.25, photometric="minisblack", compression="zlib", predictor=True)
    put("float_big_endian.tiff", GRAY.astype(np.float32) * 1.5 - 30.25, photometric="minisblack", byteorder=">")
    put("white_is_zero.tiff", GRAY, photometric="miniswhite")
    put("bits_white_is_zero.tiff", GRAY > 100, photometric="miniswhite")
    put("rgba_premultiplied.tiff", RGBA, photometric="rgb", extrasamples=["assocalpha"])
    put("rgb_extra.tiff", RGBA, photometric="rgb", extrasamples=["unspecified"])
    put("gray_alpha.tiff", RGBA[..., :2], photometric="minisblack", extrasamples=["unassalpha"], planarconfig="contig")
    put("two_pages.tiff", np.stack([RGB, 255 - RGB]), photometric="rgb")
    put("zstd.tiff", RGB, photometric="rgb", compression="zstd")
    put("lzma.tiff", RGB, photometric="rgb", compression="lzma")
    put("cmyk.tiff", RGBA, photometric="separated")


def jpegs():
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "a.ppm"
        Image.fromarray(RGB).save(source)
        for name, options in (("arithmetic", ["-arithmetic"]), ("rgb", ["-rgb"]), ("440", ["-sample", "1x2"]), ("411", ["-sample", "4x1"]), ("smooth", ["-smooth", "30"])):
            (OUT / f"{name}.jpg").write_bytes(subprocess.run(["cjpeg", *options, source], check=True, capture_output=True).stdout)
    save("ycck.jpg", Image.fromarray(RGBA, "CMYK"), quality=90)
    save("mpo.jpg", RGB, format="MPO", save_all=True, append_images=[Image.fromarray(255 - RGB)])


def jpeg2000():
    source = Image.fromarray(RGBA, "RGBA")
    for mode in ("RGB", "RGBA", "L", "LA", "CMYK", "YCbCr", "I;16"):
        image = Image.fromarray(WIDE) if mode == "I;16" else source.convert("RGB").convert(mode) if mode == "YCbCr" else source.convert(mode)
        try:
            save(f"{mode.replace(';', '')}.jp2", image)
        except (OSError, ValueError):
            (OUT / f"{mode.replace(';', '')}.jp2").unlink(missing_ok=True)
    save("code.j2k", RGB)
    save("lossy.jp2", RGB, irreversible=True, quality_mode="dB", quality_layers=[30, 45])
    save("lossy_gray.j2k", GRAY, irreversible=True, quality_mode="rates", quality_layers=[4])
    save("tiles.jp2", RGB, tile_size=(8, 8), num_resolutions=2)
    save("no_mct.jp2", RGB, mct=0, progression="RPCL", num_resolutions=3)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "a.ppm"
        Image.fromarray(RGB).save(source)
        wide = Path(folder) / "wide.rawl"
        wide.write_bytes((np.moveaxis(RGB, -1, 0).astype("<u2") * 16).tobytes())
        for name, path, options in (("twelve", wide, ["-F", f"{WIDTH},{HEIGHT},3,12,u"]), ("layers", source, ["-r", "20,5,1", "-p", "PCRL", "-SOP", "-EPH"]), ("offset", source, ["-d", "3,5", "-t", "9,7", "-T", "2,4"])):
            subprocess.run(["opj_compress", "-i", path, "-o", OUT / f"{name}.jp2", "-n", "3", *options], check=True, capture_output=True)


def avifs():
    big = Image.fromarray(picture(37, 45, 3, 60))
    for subsampling in ("4:4:4", "4:2:2", "4:2:0", "4:0:0"):
        save(f"{subsampling.replace(':', '')}.avif", big, subsampling=subsampling, quality=80)
    save("limited.avif", big, range="limited", quality=85)
    save("rough.avif", big, quality=20)
    save("alpha.avif", Image.fromarray(picture(37, 45, 4, 61), "RGBA"), quality=80)
    save("gray.avif", Image.fromarray(picture(37, 45, 1, 62)[..., 0]), quality=80)
    save("turned.avif", big, exif=orientation(6), quality=80)
    save("mirrored.avif", big, exif=orientation(5), quality=80)
    save("moving.avif", big, save_all=True, append_images=[Image.fromarray(255 - np.asarray(big))], quality=60)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "a.png"
        big.save(source)
        kinds = {
            "lossless": ["--lossless"],
            "ten": ["-d", "10", "-y", "420", "--min", "10", "--max", "10"],
            "twelve": ["-d", "12", "-y", "444", "--min", "10", "--max", "10"],
            "ten_limited": ["-d", "10", "-y", "422", "-r", "limited", "--min", "10", "--max", "10"],
            "bt709": ["--cicp", "1/13/1", "-y", "420", "--min", "10", "--max", "10"],
            "bt2020": ["--cicp", "9/13/9", "-y", "444", "--min", "10", "--max", "10"],
            "ycgco": ["--cicp", "1/13/8", "-y", "444", "--min", "10", "--max", "10"],
            "unspecified": ["--cicp", "2/2/2", "-y", "420", "--min", "10", "--max", "10"],
            "identity_limited": ["--cicp", "1/13/0", "-y", "444", "-r", "limited", "--min", "5", "--max", "5"],
            "rotated": ["--irot", "1", "--min", "10", "--max", "10"],
            "flipped": ["--imir", "0", "--irot", "3", "--min", "10", "--max", "10"],
        }
        for name, options in kinds.items():
            subprocess.run(["avifenc", "-j", "1", "-s", "6", *options, source, OUT / f"{name}.avif"], check=True, capture_output=True)
        large = Path(folder) / "b.png"
        Image.fromarray(picture(128, 160, 3, 63)).save(large)
        subprocess.run(["avifenc", "-j", "1", "-s", "8", "--grid", "2x2", "--min", "40", "--max", "40", large, OUT / "grid.avif"], check=True, capture_output=True)


def others():
    header = struct.pack(">4sIIBB", b"qoif", WIDTH, HEIGHT, 3, 0)
    raw = b"".join(b"\xfe" + bytes(p) for p in RGB.reshape(-1, 3))
    write("rgb.qoi", header, raw, bytes(7) + b"\1")
    header = struct.pack(">4sIIBB", b"qoif", WIDTH, HEIGHT, 4, 0)
    raw = b"".join(b"\xff" + bytes(p) for p in RGBA.reshape(-1, 4)[:100]) + b"\xc0" * 0
    rest = WIDTH * HEIGHT - 100
    while rest:
        run = min(rest, 62)
        raw += bytes([0xC0 | run - 1])
        rest -= run
    write("runs.qoi", header, raw, bytes(7) + b"\1")


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.iterdir():
        old.unlink()
    for kind in (anymaps, icons, targas, bitmaps, frames, tiffs, jpegs, jpeg2000, avifs, others):
        kind()
    cases = []
    for path in sorted(OUT.iterdir()):
        case = {"image": path.name}
        try:
            image = load_image(str(path))
            png = io.BytesIO()
            image.save(png, "PNG", optimize=True)
            case.update(pixels=base64.b64encode(png.getvalue()).decode())
        except Exception as error:
            print(path.name, type(error).__name__, error)
            case["error"] = True
        cases.append(case)
    (OUT / "cases.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


if __name__ == "__main__":
    main()
