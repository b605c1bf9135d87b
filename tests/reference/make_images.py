"""Makes images/: small pictures of every kind that the decoders must read, and what Pillow, TensorFlow and Keras make of them.

images/*.png, *.jpg   the pictures
images/expected.npz   "<file>:<channels>" = uint8 pixels;  "folder:..." = what image_dataset_from_directory gives of images/classes
Usage: make_images.py. The same versions give the same bytes; they are stored in expected.npz under "versions".
"""
import io
import json
import os
import pathlib
import shutil
import struct
import zlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras  # noqa: E402
import numpy as np  # noqa: E402
import PIL  # noqa: E402
import tensorflow as tf  # noqa: E402
from PIL import Image  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent / "images"


def scene(h, w, seed):
    """Smooth colours with some edges."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:h, 0:w]
    f = rng.uniform(0.1, 0.6, (3, 2))
    rgb = np.stack([127 + 110 * np.sin(a * x + b * y + i) for i, (a, b) in enumerate(f)], -1)
    rgb[h // 3 : h // 2, w // 4 : w // 2] = rng.integers(0, 256, 3)
    return rgb.clip(0, 255).astype("uint8")


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def interlaced_png(rgb):
    """Adam7, which Pillow reads but does not write."""
    h, w, _ = rgb.shape
    raw = b""
    for x0, y0, dx, dy in [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]:
        part = rgb[y0::dy, x0::dx]
        if part.size:
            raw += b"".join(b"\0" + row.tobytes() for row in part)
    header = struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def pictures():
    rgb = scene(13, 17, 1)
    image = Image.fromarray(rgb)
    alpha = Image.fromarray(np.linspace(0, 255, 13 * 17).reshape(13, 17).astype("uint8"))
    rgba = image.copy()
    rgba.putalpha(alpha)
    grey = image.convert("L")
    image.save(HERE / "rgb.png")
    rgba.save(HERE / "rgba.png")
    grey.save(HERE / "grey.png")
    Image.merge("LA", (grey, alpha)).save(HERE / "grey_alpha.png")
    image.quantize(16).save(HERE / "palette.png")
    image.quantize(16).save(HERE / "palette_trns.png", transparency=3)
    grey.convert("1").save(HERE / "grey1.png")
    Image.fromarray((np.arange(13 * 17).reshape(13, 17) * 290).astype("uint16")).save(HERE / "grey16.png")
    (HERE / "interlaced.png").write_bytes(interlaced_png(rgb))
    photo = Image.fromarray(scene(37, 50, 2))
    photo.save(HERE / "photo.jpg", quality=90)
    photo.save(HERE / "photo_444.jpg", quality=95, subsampling=0)
    photo.save(HERE / "progressive.jpg", quality=80, progressive=True)
    photo.convert("L").save(HERE / "grey.jpg", quality=85)
    photo.convert("CMYK").save(HERE / "cmyk.jpg", quality=90)


def expected():
    out = {}
    for path in sorted(HERE.glob("*.[pj][np]g")):
        data = path.read_bytes()
        for channels in (1, 3, 4):
            if path.suffix == ".jpg" and channels == 4 or path.name == "cmyk.jpg" and channels == 1:
                continue
            if path.suffix == ".jpg":
                pixels = tf.io.decode_jpeg(data, channels=channels, dct_method="INTEGER_ACCURATE").numpy()
            else:
                pixels = tf.io.decode_png(data, channels=channels).numpy()
            picture = Image.open(io.BytesIO(data))
            mode = {1: "L", 3: "RGB", 4: "RGBA"}[channels]
            by_pillow = np.asarray(picture.convert(mode)).reshape(pixels.shape) if picture.mode not in ("I;16", "CMYK") else pixels
            same = np.array_equal(pixels, by_pillow)
            # TensorFlow turns colour PNGs grey with wrong weights (0.299, 0.114, 0.587): Pillow decides there.
            if not same and path.suffix == ".png":
                pixels = by_pillow
            print(f"{path.name}:{channels} {'=' if same else '!='} Pillow")
            out[f"{path.name}:{channels}"] = pixels
    return out


def folder():
    root = HERE / "classes"
    sizes = iter([(13, 17), (28, 28), (9, 31), (40, 23), (16, 16), (21, 12), (30, 30), (11, 11), (25, 19), (10, 12)])
    names = [("b_second", "z.png"), ("b_second", "a.PNG"), ("b_second", "deep/a.png"), ("a_first", "1.png"), ("a_first", "10.png"), ("a_first", "2.png"),
             ("c_third", "p.png"), ("c_third", "q.png"), ("c_third", "r.png"), ("c_third", "s.png")]
    for i, (label, name) in enumerate(names):
        path = root / label / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(scene(*next(sizes), 10 + i)).save(path)
    load = keras.utils.image_dataset_from_directory
    args = dict(batch_size=4, image_size=(12, 10), verbose=False)
    out = {}
    for interpolation in ("bilinear", "nearest"):
        batches = list(load(root, shuffle=False, interpolation=interpolation, **args).as_numpy_iterator())
        out[f"folder:{interpolation}:x"] = np.concatenate([np.asarray(x, "float32") for x, _ in batches])
        out[f"folder:{interpolation}:y"] = np.concatenate([y for _, y in batches])
    relative = lambda paths: "\n".join(str(pathlib.Path(p).relative_to(root)) for p in paths)
    for subset in ("training", "validation"):
        d = load(root, seed=7, validation_split=0.35, subset=subset, **args)
        out[f"folder:{subset}:paths"] = np.frombuffer(relative(d.file_paths).encode(), "uint8")
    return out


if __name__ == "__main__":
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    pictures()
    arrays = {**expected(), **folder()}
    versions = json.dumps({"keras": keras.__version__, "tensorflow": tf.__version__, "pillow": PIL.__version__, "numpy": np.__version__})
    arrays["versions"] = np.frombuffer(versions.encode(), "uint8")
    np.savez(HERE / "expected.npz", **arrays)
