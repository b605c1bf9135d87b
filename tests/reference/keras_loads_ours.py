"""Loads a file that Tenure wrote with the real Keras and compares. Usage: keras_loads_ours.py FILE io.npz [--layers JSON]

FILE is a .keras archive, or .weights.h5 with --layers: a JSON list [[class, config], ...] of a Sequential to load it into.
io.npz: in_i and out_i (dictionaries in the order of sorted keys); optionally opt_i, the optimizer's variables, and x_i, y_i, after_i: a
step of train_on_batch on x, y gives the weights after_i. Exit code 1 with words if anything differs by more than 1e-5.
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


def flat(x):
    if isinstance(x, dict):
        return [t for k in sorted(x) for t in flat(x[k])]
    return [t for v in x for t in flat(v)] if isinstance(x, (list, tuple)) else [np.asarray(x)]


def packed(structure, leaves):
    if isinstance(structure, dict):
        return dict((k, packed(structure[k], leaves)) for k in sorted(structure))
    return [packed(v, leaves) for v in structure] if isinstance(structure, (list, tuple)) else leaves.pop(0)


def check(what, got, expected):
    if got.shape != expected.shape:
        sys.exit(f"{what}: shape {got.shape}, expected {expected.shape}")
    if expected.size and np.max(np.abs(got.astype("float64") - expected.astype("float64"))) > 1e-5 * max(1.0, float(np.max(np.abs(expected)))):
        sys.exit(f"{what}: differs by {np.max(np.abs(got.astype('float64') - expected.astype('float64'))):.3g}")


p = argparse.ArgumentParser()
p.add_argument("file"), p.add_argument("io"), p.add_argument("--layers")
a = p.parse_args()
with np.load(a.io) as z:
    io = {k: z[k] for k in z.files}


def arrays(prefix):
    return [io[f"{prefix}_{i}"] for i in range(len(io)) if f"{prefix}_{i}" in io]


if a.layers:
    inputs = arrays("in")
    model = keras.Sequential([getattr(keras.layers, name)(**config) for name, config in json.loads(a.layers)])
    model(inputs[0])
    model.load_weights(a.file)
else:
    model = keras.saving.load_model(a.file)
    inputs = arrays("in")
structure = getattr(model, "_inputs_struct", None)
x = inputs[0] if len(inputs) == 1 and not isinstance(structure, dict) else packed(structure, list(inputs)) if structure is not None else inputs
outputs = flat(model(x, training=False))
if len(outputs) != len(arrays("out")):
    sys.exit(f"{len(outputs)} outputs, expected {len(arrays('out'))}")
for i, (got, expected) in enumerate(zip(outputs, arrays("out"))):
    check(f"output {i}", got, expected)
state = arrays("opt")
if state:
    if len(state) != len(model.optimizer.variables):
        sys.exit(f"the optimizer has {len(model.optimizer.variables)} variables, expected {len(state)}")
    for i, (got, expected) in enumerate(zip(model.optimizer.variables, state)):
        check(f"optimizer variable {i} ({got.path})", np.asarray(got), expected)
if arrays("after"):
    xs, ys = arrays("x"), arrays("y")
    model.train_on_batch(xs[0] if len(xs) == 1 else xs, ys[0] if len(ys) == 1 else ys)
    for i, (got, expected) in enumerate(zip(model.weights, arrays("after"))):
        check(f"weight {i} ({got.path}) after a step", np.asarray(got), expected)
print(f"{a.file}: Keras {keras.__version__} agrees on {len(outputs)} outputs, {len(state)} optimizer variables, {len(arrays('after'))} weights after a step")
