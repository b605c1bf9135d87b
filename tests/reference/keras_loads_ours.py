"""Loads files that Tenure wrote with the real Keras and compares. Usage: keras_loads_ours.py FILE io.npz [FILE io.npz ...] [--tolerance 1e-5]

FILE is a .keras archive, or .weights.h5 with --layers: a JSON list [[class, config], ...] of a Sequential to load it into.
io.npz: in_i and out_i (dictionaries in the order of sorted keys); optionally opt_i, the optimizer's variables, and x_i, y_i, after_i: a
step of train_on_batch on x, y gives the weights after_i. A line for each file. Exit code 1 if anything differs by more than the tolerance.
"""
import argparse
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402


class Differs(Exception):
    pass


def flat(x):
    if isinstance(x, dict):
        return [t for k in sorted(x) for t in flat(x[k])]
    return [t for v in x for t in flat(v)] if isinstance(x, (list, tuple)) else [np.asarray(x)]


def packed(structure, leaves):
    if isinstance(structure, dict):
        return dict((k, packed(structure[k], leaves)) for k in sorted(structure))
    return [packed(v, leaves) for v in structure] if isinstance(structure, (list, tuple)) else leaves.pop(0)


def check(what, got, expected, tolerance):
    if got.shape != expected.shape:
        raise Differs(f"{what}: shape {got.shape}, expected {expected.shape}")
    if expected.dtype.kind == "U":
        texts = np.array([t.decode() for t in got.reshape(-1)]).reshape(got.shape)
        if not np.array_equal(texts, expected):
            raise Differs(f"{what}: {texts.tolist()}, expected {expected.tolist()}")
        return
    apart = np.max(np.abs(got.astype("float64") - expected.astype("float64"))) if expected.size else 0.0
    if not apart <= tolerance * max(1.0, float(np.max(np.abs(expected), initial=0))):
        raise Differs(f"{what}: differs by {apart:.3g}")


def compare(file, io, layers, tolerance):
    """What was compared, in words."""
    with np.load(io) as z:
        io = {k: z[k] for k in z.files}

    def arrays(prefix):
        found = [io[f"{prefix}_{i}"] for i in range(len(io)) if f"{prefix}_{i}" in io]
        return [tf.constant(a) if prefix == "in" and a.dtype.kind == "U" else a for a in found]

    inputs = arrays("in")
    if layers:
        model = keras.Sequential([getattr(keras.layers, name)(**config) for name, config in json.loads(layers)])
        model(inputs[0])
        model.load_weights(file)
    else:
        model = keras.saving.load_model(file)
    structure = getattr(model, "_inputs_struct", None)
    x = inputs[0] if len(inputs) == 1 and not isinstance(structure, dict) else packed(structure, list(inputs)) if structure is not None else inputs
    outputs = flat(model(x, training=False))
    if len(outputs) != len(arrays("out")):
        raise Differs(f"{len(outputs)} outputs, expected {len(arrays('out'))}")
    for i, (got, expected) in enumerate(zip(outputs, arrays("out"))):
        check(f"output {i}", got, expected, tolerance)
    state = arrays("opt")
    if state:
        if len(state) != len(model.optimizer.variables):
            raise Differs(f"the optimizer has {len(model.optimizer.variables)} variables, expected {len(state)}")
        for i, (got, expected) in enumerate(zip(model.optimizer.variables, state)):
            check(f"optimizer variable {i} ({got.path})", np.asarray(got), expected, tolerance)
    if arrays("after"):
        xs, ys = arrays("x"), arrays("y")
        model.train_on_batch(xs[0] if len(xs) == 1 else xs, ys[0] if len(ys) == 1 else ys)
        for i, (got, expected) in enumerate(zip(model.weights, arrays("after"))):
            check(f"weight {i} ({got.path}) after a step", np.asarray(got), expected, tolerance)
    return f"{len(outputs)} outputs, {len(state)} optimizer variables, {len(arrays('after'))} weights after a step"


p = argparse.ArgumentParser()
p.add_argument("files", nargs="+"), p.add_argument("--layers"), p.add_argument("--tolerance", type=float, default=1e-5)
a = p.parse_args()
failed = 0
for file, io in zip(a.files[::2], a.files[1::2]):
    try:
        print(f"{file}: Keras {keras.__version__} agrees on {compare(file, io, a.layers, a.tolerance)}", flush=True)
    except Exception as e:  # whatever Keras says of a file belongs to that file
        failed += 1
        print(f"{file}: FAILED: {type(e).__name__}: {e}", flush=True)
sys.exit(1 if failed or len(a.files) % 2 else 0)
