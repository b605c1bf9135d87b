"""Records what a Keras model answers, for `tenure verify MODEL io.npz`.

Usage: keras_io.py model.keras io.npz [--inputs in.npz] [--layers] [--batch N] [--seed N]
Inputs are named as the model names them, else in order; without --inputs they are random. --layers also records every layer's output
as "layer/<name>". Keys: in_0.. and out_0.. in the model's order.
"""
import argparse

import keras
import numpy as np

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("model"), p.add_argument("io"), p.add_argument("--inputs"), p.add_argument("--layers", action="store_true")
p.add_argument("--batch", type=int, default=2), p.add_argument("--seed", type=int, default=0)
a = p.parse_args()
model, rng = keras.saving.load_model(a.model, compile=False), np.random.default_rng(a.seed)
given = np.load(a.inputs) if a.inputs else {}
inputs = [given[t.name] if t.name in given else given[list(given)[i]] if a.inputs
          else rng.normal(size=[a.batch if d is None else d for d in t.shape]).astype(t.dtype) if "float" in t.dtype
          else rng.integers(0, 2, [a.batch if d is None else d for d in t.shape]).astype(t.dtype) for i, t in enumerate(model.inputs)]
layers = [layer for layer in model.layers if a.layers and not isinstance(layer, keras.layers.InputLayer)]
probe = keras.Model(model.inputs, [model.outputs, [layer.output for layer in layers]])
outputs, seen = probe(inputs, training=False)
record = {f"in_{i}": x for i, x in enumerate(inputs)} | {f"out_{i}": np.asarray(y) for i, y in enumerate(outputs)}
record |= {f"layer/{layer.name}": np.asarray(y) for layer, y in zip(layers, seen)}
np.savez_compressed(a.io, **record)
print(f"{a.io}: {len(inputs)} inputs, {len(outputs)} outputs, {len(seen)} layer outputs, Keras {keras.__version__}")
