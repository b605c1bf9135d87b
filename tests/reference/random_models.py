"""Random functional models, both ways: Keras saves, Tenure loads and compares, writes back and compares again; Keras loads some of ours.

Usage: random_models.py BUILD_DIR [--count N] [--seed S] [--seconds T]
Model k of seed S is the same whatever the count. A failure is made small: nodes are taken away while it still fails, and the recipe of what
is left is printed and kept with its files in BUILD_DIR/random_models. Exit code 77 and a word where there is no Keras.
"""
import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys
import time
import warnings

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON = ROOT / "build" / "venv" / "bin" / "python"
if __name__ == "__main__" and pathlib.Path(sys.prefix) != PYTHON.parents[1]:
    if not PYTHON.exists():
        print("random models: SKIPPED: there is no build/venv with Keras (make setup tries to make it)")
        sys.exit(77)
    os.execv(PYTHON, [str(PYTHON), *sys.argv])

import golden  # first: it chooses how TensorFlow computes

import keras
import numpy as np

warnings.filterwarnings("ignore")  # of masks that end
L = keras.layers
TOLERANCE = 1e-4
BATCH = 3

# ---- recipes: what a model is made of, as data ----------------------------------------------------------------------------------------
# A node is {"make": name, "args": {...}, "from": [numbers of nodes]}; "share": the number of a node whose layer is called once more.

ACTIVATIONS = ["relu", "tanh", "sigmoid", "elu", "selu", "gelu", "swish", "softplus", "softsign", "hard_sigmoid", "mish", "leaky_relu", "linear"]
BY_RANK = {
    2: ["Dense", "Dense", "Dense", "BatchNormalization", "LayerNormalization", "Dropout", "Activation", "PReLU", "LeakyReLU", "ELU", "RepeatVector",
        "GaussianNoise", "UnitNormalization", "Rescaling", "Split", "Softmax", "Scale", "Relu", "Slice", "Nested", "NestedTwo", "ActivityRegularization"],
    3: ["Dense", "LSTM", "GRU", "SimpleRNN", "Bidirectional", "Conv1D", "MaxPooling1D", "AveragePooling1D", "GlobalAveragePooling1D", "GlobalMaxPooling1D",
        "LayerNormalization", "BatchNormalization", "TimeDistributed", "MultiHeadAttention", "Permute", "ZeroPadding1D", "UpSampling1D", "Flatten",
        "Masking", "Scale", "MeanTime", "SeparableConv1D", "EinsumDense"],
    4: ["Conv2D", "Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose", "MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D",
        "GlobalMaxPooling2D", "BatchNormalization", "GroupNormalization", "ZeroPadding2D", "Cropping2D", "UpSampling2D", "SpatialDropout2D", "Activation",
        "Flatten", "Relu", "Scale", "Transpose"],
}
MERGES = ["Add", "Multiply", "Average", "Maximum", "Minimum", "Subtract", "Concatenate", "Plus", "Times", "Concat"]


def draw(rng, name, shape):
    """Arguments of a layer for a value of `shape` (without the batch), or None where it does not fit."""
    pick, whole = (lambda xs: xs[rng.integers(len(xs))]), (lambda low, high: int(rng.integers(low, high + 1)))
    small = len(shape) == 3 and min(shape[:2]) < 3
    if name in ("Dense", "TimeDistributed"):
        return {"units": whole(1, 6), "activation": pick(ACTIVATIONS), "use_bias": bool(rng.integers(2))}
    if name == "Activation":
        return {"activation": pick(ACTIVATIONS)}
    if name in ("Dropout", "SpatialDropout2D", "GaussianNoise"):
        return {"rate" if name != "GaussianNoise" else "stddev": 0.3}
    if name == "RepeatVector":
        return {"n": whole(2, 4)}
    if name == "Rescaling":
        return {"scale": 0.5, "offset": float(whole(-1, 1))}
    if name == "Split":
        return {"target_shape": [2, shape[0] // 2]} if shape[0] % 2 == 0 else None
    if name in ("LSTM", "GRU", "SimpleRNN"):
        return {"units": whole(1, 4), "return_sequences": bool(rng.integers(2)), "go_backwards": bool(rng.integers(4) == 0)}
    if name == "Bidirectional":
        return {"kind": pick(["LSTM", "GRU"]), "units": whole(1, 3), "return_sequences": bool(rng.integers(2)), "merge_mode": pick(["concat", "sum", "ave"])}
    if name in ("Conv1D", "SeparableConv1D"):
        return {"filters": whole(1, 4), "kernel_size": 2, "padding": pick(["same", "valid"] + (["causal"] if name == "Conv1D" else []))} if shape[0] > 2 else None
    if name in ("MaxPooling1D", "AveragePooling1D"):
        return {"pool_size": 2, "padding": pick(["same", "valid"])} if shape[0] > 1 else None
    if name in ("GlobalAveragePooling2D", "GlobalMaxPooling2D"):
        return {"keepdims": bool(rng.integers(2))}
    if name == "MultiHeadAttention":
        return {"num_heads": whole(1, 2), "key_dim": whole(1, 3)}
    if name in ("UpSampling1D", "UpSampling2D"):
        return {"size": 2} if max(shape) < 20 else None
    if name in ("Conv2D", "Conv2DTranspose", "SeparableConv2D"):
        return None if small else {"filters": whole(1, 4), "kernel_size": whole(1, 3), "strides": whole(1, 2), "padding": pick(["same", "valid"]),
                                   "activation": pick(["relu", "linear", "tanh"]), "use_bias": bool(rng.integers(2))}
    if name == "DepthwiseConv2D":
        return None if small else {"kernel_size": 3, "padding": pick(["same", "valid"]), "depth_multiplier": whole(1, 2)}
    if name in ("MaxPooling2D", "AveragePooling2D"):
        return None if small else {"pool_size": 2, "strides": whole(1, 2), "padding": pick(["same", "valid"])}
    if name == "GroupNormalization":
        return {"groups": 1 if shape[-1] % 2 else 2}
    if name == "ZeroPadding2D":
        return {"padding": [[whole(0, 2), 1], [0, whole(0, 1)]]}
    if name == "Cropping2D":
        return None if small else {"cropping": [[1, 0], [0, 1]]}
    if name == "Slice":
        return {"stop": shape[0] - 1} if shape[0] > 2 else None
    if name == "Permute":
        return {"dims": [2, 1]}
    if name in ("Nested", "NestedTwo"):
        return {"units": whole(2, 5)}
    if name == "EinsumDense":
        return {"units": whole(1, 4)}
    return {}


def layer_of(name, a, shape):
    """The layer, or a function of one symbol for what is no layer."""
    ops = keras.ops
    if name == "Split":
        return L.Reshape(**a)
    if name == "TimeDistributed":
        return L.TimeDistributed(L.Dense(**a))
    if name == "Bidirectional":
        return L.Bidirectional(getattr(L, a["kind"])(a["units"], return_sequences=a["return_sequences"]), merge_mode=a["merge_mode"])
    if name == "EinsumDense":
        return L.EinsumDense("abc,cd->abd", (None, a["units"]), bias_axes="d")
    if name == "Nested":
        return keras.Sequential([keras.Input(shape), L.Dense(a["units"], activation="tanh"), L.BatchNormalization()])
    if name == "NestedTwo":
        inner = keras.Input(shape)
        y = L.Dense(a["units"], activation="relu")(inner)
        return keras.Model(inner, L.Add()([L.Dense(a["units"])(inner), y]))
    plain = {"Scale": lambda x: x * 0.5 + 1.0, "Relu": ops.relu, "Slice": lambda x: x[:, :a["stop"]], "MeanTime": lambda x: ops.mean(x, axis=1),
             "Transpose": lambda x: ops.transpose(x, (0, 2, 1, 3)), "Plus": lambda x: x[0] + x[1], "Times": lambda x: x[0] * x[1],
             "Concat": lambda x: ops.concatenate(x, axis=-1)}
    return plain[name] if name in plain else getattr(L, name)(**a)


class Builder:
    """A model from a recipe; grows the recipe where it is given a generator."""

    def __init__(self):
        self.recipe, self.values, self.layers = [], [], []

    def add(self, node):
        xs = [self.values[i] for i in node["from"]]
        if node["make"] == "Input":
            y, layer = keras.Input(tuple(node["args"]["shape"]), dtype=node["args"]["dtype"]), None
        elif "share" in node:
            layer = self.layers[node["share"]]
            y = layer(xs[0])
        else:
            layer = layer_of(node["make"], node["args"], tuple(xs[0].shape[1:]) if xs else ())
            y = layer(xs[0], xs[0]) if node["make"] == "MultiHeadAttention" else layer(xs if len(xs) > 1 else xs[0])
        if None in y.shape[1:] or int(np.prod(y.shape[1:])) > 4000:
            raise ValueError("too large, or of unknown size")
        self.recipe.append(node), self.values.append(y), self.layers.append(layer)

    def model(self, name):
        used = {i for n in self.recipe for i in n["from"]}
        inputs = [v for n, v in zip(self.recipe, self.values) if n["make"] == "Input"]
        outputs = [v for i, v in enumerate(self.values) if i not in used and self.recipe[i]["make"] != "Input"]
        return keras.Model(inputs, outputs[0] if len(outputs) == 1 else outputs, name=name)


def grow(rng, builder):
    """Tries to add one node."""
    values = builder.values
    shapes = [tuple(v.shape[1:]) for v in values]
    if rng.integers(4) == 0:
        i, k = (int(v) for v in rng.integers(len(values), size=2))
        floats = "float" in values[i].dtype and "float" in values[k].dtype
        if i != k and floats and shapes[i] == shapes[k]:
            return builder.add({"make": MERGES[rng.integers(len(MERGES))], "args": {}, "from": [i, k]})
    i = int(rng.integers(max(0, len(values) - 4), len(values)))
    if "int" in values[i].dtype:
        return builder.add({"make": "Embedding", "args": {"input_dim": 11, "output_dim": int(rng.integers(2, 5)), "mask_zero": bool(rng.integers(2))}, "from": [i]})
    shared = [k for k, n in enumerate(builder.recipe) if isinstance(builder.layers[k], keras.layers.Layer) and len(n["from"]) == 1 and "share" not in n
              and n["make"] != "MultiHeadAttention" and shapes[n["from"][0]] == shapes[i] and n["from"][0] != i]
    if shared and rng.integers(3) == 0:
        return builder.add({"make": "shared", "args": {}, "from": [i], "share": int(shared[rng.integers(len(shared))])})
    names = BY_RANK[len(shapes[i]) + 1]
    name = names[rng.integers(len(names))]
    args = draw(rng, name, shapes[i])
    if args is not None:
        builder.add({"make": name, "args": args, "from": [i]})


def random_recipe(seed, number):
    rng = np.random.default_rng([seed, number])
    builder = Builder()
    kinds = [([int(rng.integers(2, 7))], "float32"), ([int(rng.integers(3, 7)), int(rng.integers(1, 5))], "float32"),
             ([int(rng.integers(5, 10)), int(rng.integers(5, 10)), int(rng.integers(1, 4))], "float32"), ([int(rng.integers(3, 7))], "int32")]
    for _ in range(int(rng.integers(1, 4))):
        shape, dtype = kinds[rng.integers(len(kinds))]
        builder.add({"make": "Input", "args": {"shape": shape, "dtype": dtype}, "from": []})
    wanted = len(builder.recipe) + int(rng.integers(3, 14))
    for _ in range(60):
        if len(builder.recipe) >= wanted:
            break
        try:
            grow(rng, builder)
        except (ValueError, TypeError, NotImplementedError, KeyError):  # Keras refuses the combination
            pass
    return unread_inputs_gone(builder.recipe)


def unread_inputs_gone(recipe):
    for i in range(len(recipe) - 1, -1, -1):
        if recipe[i]["make"] == "Input" and not any(i in n["from"] for n in recipe):
            recipe = without(recipe, i)
    return recipe


# ---- one model's way there and back ---------------------------------------------------------------------------------------------------


def build(recipe, name, rng):
    """The model with weights that matter, its inputs and outputs."""
    keras.utils.clear_session()
    builder = Builder()
    for node in recipe:
        builder.add(node)
    used = {i for n in recipe for i in n["from"]}
    if any(n["make"] == "Input" and i not in used for i, n in enumerate(recipe)):
        raise ValueError("an input that nobody reads")
    model = builder.model(name)
    for w in model.weights:
        if "float" not in w.dtype:
            continue
        value = rng.normal(0, 0.4, w.shape)
        w.assign((np.abs(value) + 0.5 if "variance" in w.path else value).astype("float32"))
    inputs = []
    for t in model.inputs:
        x = rng.normal(size=(BATCH, *t.shape[1:])).astype("float32")
        if "int" in t.dtype:
            x = rng.integers(1, 11, (BATCH, *t.shape[1:])).astype("int32")
            x[0, -1] = x[2, -2:] = 0
        inputs.append(x)
    outputs = [np.asarray(y) for y in golden.flat([model(inputs if len(inputs) > 1 else inputs[0], training=False)])]
    return model, inputs, outputs


def close(a, b):
    return a.shape == b.shape and (not b.size or np.max(np.abs(a - b)) <= TOLERANCE * max(1.0, np.max(np.abs(b))))


def trouble(tenure, folder, recipe, seed, keras_too):
    """What goes wrong with this model, or None. ValueError where Keras itself cannot make it."""
    model, inputs, outputs = build(recipe, "random", np.random.default_rng(seed))
    if not all(np.all(np.isfinite(y)) for y in outputs):
        raise ValueError("not finite")
    model.save(folder / "m.keras")
    np.savez(folder / "io.npz", **{f"in_{i}": x for i, x in enumerate(inputs)}, **{f"out_{i}": y for i, y in enumerate(outputs)})
    for words in (["verify", "m.keras", "io.npz", "--tolerance", str(TOLERANCE)], ["convert", "m.keras", "back.keras"],
                  ["verify", "back.keras", "io.npz", "--tolerance", str(TOLERANCE)]):
        p = subprocess.run([tenure, *words], capture_output=True, text=True, cwd=folder)
        if p.returncode:
            return f"tenure {' '.join(words)}: {(p.stdout + p.stderr).strip()}"
    if keras_too:
        again = keras.saving.load_model(folder / "back.keras")
        got = [np.asarray(y) for y in golden.flat([again(inputs if len(inputs) > 1 else inputs[0], training=False)])]
        if len(got) != len(outputs) or not all(close(a, b) for a, b in zip(got, outputs)):
            return "Keras loads what Tenure wrote and gets other outputs"
    return None


def without(recipe, i):
    """The recipe without node i: who read it reads what it read."""
    if recipe[i]["make"] == "Input" and any(n["from"] == [i] or i in n["from"] for n in recipe):
        return None
    to = recipe[i]["from"][0] if recipe[i]["from"] else None
    shift = lambda k: to if k == i else k - (k > i)  # noqa: E731
    out = []
    for k, n in enumerate(recipe):
        if k == i:
            continue
        if n.get("share") == i:
            return None
        out.append({**n, "from": [shift(f) for f in n["from"]], **({"share": n["share"] - (n["share"] > i)} if "share" in n else {})})
    return out


def shrink(fails, recipe, seconds=60):
    """Fewer nodes that still fail."""
    end, i = time.time() + seconds, len(recipe) - 1
    while i >= 0 and time.time() < end:
        smaller = without(recipe, i)
        if smaller and fails(smaller):
            recipe, i = smaller, len(smaller)
        i -= 1
    return recipe


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("build", type=pathlib.Path), p.add_argument("--count", type=int, default=15), p.add_argument("--seed", type=int, default=1)
    p.add_argument("--first", type=int, default=0, help="number of the first model")
    p.add_argument("--seconds", type=float, default=1e9, help="start no more models after this time")
    a = p.parse_args()
    tenure, folder, start = str((a.build / "tenure").resolve()), a.build / "random_models", time.time()
    folder.mkdir(exist_ok=True)
    print(f"random models: seed {a.seed}")
    passed = failed = 0
    refused = collections.Counter()
    for number in range(a.first, a.first + a.count):
        if time.time() - start > a.seconds:
            print(f"random models: time is over after {number - a.first} of {a.count}")
            break
        recipe = random_recipe(a.seed, number)
        try:
            found = trouble(tenure, folder, recipe, number, number % 5 == 0)
        except ValueError as error:
            refused[str(error).splitlines()[0][:80]] += 1
            continue
        if found is None:
            passed += 1
            continue
        failed += 1

        def fails(smaller):
            try:
                return trouble(tenure, folder, smaller, number, "Keras loads" in found) is not None
            except Exception:  # noqa: BLE001  a model that Keras cannot make
                return False

        small = shrink(fails, recipe)
        keep = folder / f"failed_{a.seed}_{number}"
        keep.mkdir(exist_ok=True)
        print(f"FAILED model {number} of seed {a.seed}, {len(recipe)} nodes, made small:")
        try:
            print("  " + (trouble(tenure, keep, small, number, True) or found).replace("\n", "\n  "))
        except Exception as error:  # noqa: BLE001
            print(f"  {found}\n  ({error})")
        print("\n".join("  " + json.dumps(n) for n in small), flush=True)
    print(f"random models: {passed} passed, {failed} failed, {refused.total()} that Keras itself refused, {time.time() - start:.0f} s")
    for why, times in refused.items():
        print(f"  refused {times}: {why}")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
