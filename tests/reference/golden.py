"""Shared by the make_*.py scripts: cases with names, made one by one, stored as .npz (format: README.md beside this file).

A script defines FILES = {file name: {case name: function() -> (entry, arrays)}}. A case draws its inputs from a generator seeded by its own
name, so that any one can be made anew without the others.
"""
import hashlib
import io
import json
import os
import pathlib
import platform
import sys
import zipfile
import zlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # plain kernels: steadier over machines, and right for empty batches
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent


class Draw:
    """Random arrays for one case."""

    def __init__(self, name):
        self.rng = np.random.default_rng(zlib.crc32(name.encode()))

    def f(self, *shape, low=None, high=None, dtype="float32"):
        """Normal values, or uniform ones in [low, high)."""
        return (self.rng.normal(size=shape) if low is None else self.rng.uniform(low, high, shape)).astype(dtype)

    def i(self, *shape, low=-5, high=6, dtype="int32"):
        return self.rng.integers(low, high, shape).astype(dtype)

    def b(self, *shape):
        return self.rng.integers(0, 2, shape).astype(bool)

    def away(self, *shape, low=0.1, high=3.0):
        """Values of both signs, none nearer to zero than low."""
        return (self.rng.uniform(low, high, shape) * np.where(self.rng.integers(0, 2, shape), 1, -1)).astype("float32")

    def distinct(self, *shape):
        """No two values are equal, nor nearly: maxima have one place."""
        n = int(np.prod(shape))
        return ((self.rng.permutation(n) - n / 2) * (4.0 / max(n, 1)) + 0.011).astype("float32").reshape(shape)


def is_float(a):
    return tf.as_dtype(a.dtype).is_floating


def stored(a):
    """The array as .npz holds it: bfloat16 as its 16 bits."""
    a = np.asarray(a)
    return a.view("uint16") if a.dtype.name == "bfloat16" else a


def flat(x):
    if isinstance(x, dict):
        return [t for k in x for t in flat(x[k])]
    return [t for v in x for t in flat(v)] if isinstance(x, (list, tuple)) else [x]


def run(draw, call, inputs, extra=(), gradients=True):
    """Calls call(tensors) under a tape. Returns (arrays, output count): in*, out*, cot*, grad*, and gradients w.r.t. `extra` as wgrad*."""
    tensors = [tf.convert_to_tensor(a) for a in inputs]
    arrays = {f"in{k}": stored(a) for k, a in enumerate(inputs)}
    with tf.GradientTape() as tape:
        tape.watch([t for t in tensors if is_float(t)])
        outputs = [tf.convert_to_tensor(y) for y in flat(call(tensors))]
        loss = 0.0
        for k, y in enumerate(outputs):
            arrays[f"out{k}"] = stored(y)
            if gradients and is_float(y):
                arrays[f"cot{k}"] = cotangent = np.round(draw.rng.normal(size=y.shape), 3).astype(y.dtype.as_numpy_dtype)
                loss = loss + tf.reduce_sum(tf.cast(y * cotangent, "float64"))
    if gradients and any(is_float(y) for y in outputs):
        sources = [(f"grad{k}", t) for k, t in enumerate(tensors) if is_float(t)] + [(f"wgrad{k}", v) for k, v in enumerate(extra)]
        for (name, _), g in zip(sources, tape.gradient(loss, [t for _, t in sources])):
            if g is not None:
                arrays[name] = stored(tf.convert_to_tensor(g))
    return arrays, len(outputs)


def plain(value):
    """JSON's view of a value: what comes back from the file."""
    return json.loads(json.dumps(value, default=lambda o: o.item() if hasattr(o, "item") else str(o)))


def meta(script):
    return {"format": 1, "keras": keras.__version__, "tensorflow": tf.__version__, "numpy": np.__version__, "python": platform.python_version(),
            "script": pathlib.Path(script).name, "sha256": hashlib.sha256(pathlib.Path(script).read_bytes()).hexdigest()}


def text(value):
    """JSON as a uint8 array, one element a line where it is a list: readable with `unzip -p`."""
    lines = "[\n" + ",\n".join(json.dumps(v) for v in value) + "\n]" if isinstance(value, list) else json.dumps(value)
    return np.frombuffer(lines.encode(), "uint8")


def save(path, arrays):
    """An .npz with fixed dates: the same content gives the same bytes. Written beside its place and renamed."""
    with zipfile.ZipFile(f"{path}.part", "w") as archive:
        for name, a in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.asanyarray(a, order="C"), version=(1, 0))
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), buffer.getvalue(), zipfile.ZIP_DEFLATED, 9)
    os.replace(f"{path}.part", path)


def load(path):
    """(meta, {case name: (entry, {array name: array})})"""
    with np.load(path) as z:
        entries = json.loads(z["cases"].tobytes())
        cases = {e["name"]: (e, {}) for e in entries}
        for key in z.files:
            if key not in ("meta", "cases"):
                case, array = key.rsplit("/", 1)
                cases[case][1][array] = z[key]
        return json.loads(z["meta"].tobytes()), cases


def make(script, files):
    """Makes every file of a script, or those named on the command line."""
    for file, cases in files.items():
        if len(sys.argv) > 1 and file not in sys.argv[1:]:
            continue
        arrays, entries = {}, []
        for name, function in cases.items():
            try:
                entry, parts = function()
            except Exception as error:
                raise RuntimeError(f"case {name} of {file}") from error
            entries.append(plain({"name": name, **entry}))
            arrays |= {f"{name}/{k}": v for k, v in parts.items()}
        save(HERE / file, {"meta": text(meta(script)), "cases": text(entries), **arrays})
        print(f"{file}: {len(entries)} cases, {(HERE / file).stat().st_size / 1024:.0f} KiB")
