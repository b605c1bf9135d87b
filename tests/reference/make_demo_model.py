"""Writes cnn.keras (what `tenure demo` loads first) and functional_zoo.keras, each with recorded inputs and outputs. Run: python make_demo_model.py

The io files are in the form of `tenure verify`: in_0.., out_0.. in the model's order, layer/<name> for every layer's output.
"""
import sys

import golden  # first: it chooses how TensorFlow computes

import keras
import numpy as np

from golden import Draw

L = keras.layers


def cnn():
    """Every kind of layer that a small image classifier has, with moving statistics that matter, three Adam steps old."""
    draw = Draw("cnn")
    x = keras.Input((14, 14, 1), name="image")
    y = L.Conv2D(8, 3, padding="same", use_bias=False, name="stem")(x)
    y = L.BatchNormalization(name="stem_norm")(y)
    y = L.ReLU(name="stem_relu")(y)
    y = L.MaxPooling2D(name="pool")(y)
    z = L.DepthwiseConv2D(3, padding="same", activation="relu", name="depthwise")(y)
    z = L.Conv2D(8, 1, name="pointwise")(z)
    y = L.Add(name="add")([y, z])
    y = L.GlobalAveragePooling2D(name="average")(y)
    model = keras.Model(x, L.Dense(10, activation="softmax", name="classes")(y), name="cnn")
    norm = model.get_layer("stem_norm")
    norm.gamma.assign(draw.f(8) * 0.3 + 1), norm.beta.assign(draw.f(8) * 0.3)
    norm.moving_mean.assign(draw.f(8) * 0.3), norm.moving_variance.assign(draw.f(8, low=0.5, high=1.5))
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    for _ in range(3):
        model.train_on_batch(draw.f(16, 14, 14, 1), draw.i(16, low=0, high=10))
    return model, [draw.f(4, 14, 14, 1)]


def functional_zoo():
    """A shared layer, a nested model used twice, two inputs, two outputs, merges of several kinds, AdamW state of two steps."""
    draw = Draw("functional_zoo")
    a, b = keras.Input((6,), name="left"), keras.Input((4,), dtype="int32", name="words")
    inner_in = keras.Input((8,), name="inner_in")
    inner = keras.Model(inner_in, L.LayerNormalization(name="inner_norm")(L.Dense(8, activation="tanh", name="inner_dense")(inner_in)), name="inner")
    shared = L.Dense(8, activation="relu", name="shared")
    e = L.Embedding(11, 6, name="embedding")(b)
    e = L.Flatten(name="flat")(L.Dense(2, name="narrow")(e))
    left, right = shared(a), shared(L.Dense(6, name="to_six")(e))
    m = L.Multiply(name="multiply")([inner(left), inner(right)])
    c = L.Concatenate(name="joined")([m, L.Dropout(0.3, seed=1, name="dropout")(left), L.Rescaling(0.5, offset=0.1, name="rescaled")(right)])
    grid = L.ZeroPadding2D(1, name="padded")(L.Reshape((2, 4, 3), name="grid")(c))
    grid = L.AveragePooling2D(2, padding="same", name="pooled")(grid)
    classes = L.Dense(3, activation="softmax", name="classes")(L.BatchNormalization(name="norm")(c))
    value = L.Dense(1, name="value")(L.GlobalMaxPooling2D(name="highest")(L.Activation("gelu", name="gelu")(grid)))
    model = keras.Model([a, b], [classes, value], name="zoo")
    model.compile(keras.optimizers.AdamW(0.01, weight_decay=0.02), ["sparse_categorical_crossentropy", "mse"], metrics=[["accuracy"], ["mae"]], loss_weights=[1.0, 0.5])
    for _ in range(2):
        model.train_on_batch([draw.f(8, 6), draw.i(8, 4, low=0, high=11)], [draw.i(8, low=0, high=3), draw.f(8, 1)])
    return model, [draw.f(3, 6), draw.i(3, 4, low=0, high=11)]


def record(model, inputs):
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    once = [layer for layer in layers if len(layer._inbound_nodes) == 1]  # a shared layer has no one output
    outputs, seen = keras.Model(model.inputs, [model.outputs, [layer.output for layer in once]])(inputs, training=False)
    arrays = {f"in_{k}": x for k, x in enumerate(inputs)} | {f"out_{k}": np.asarray(y) for k, y in enumerate(outputs)}
    return arrays | {f"layer/{layer.name}": np.asarray(y) for layer, y in zip(once, seen)}


MODELS = {"cnn": cnn, "functional_zoo": functional_zoo}


def again(name):
    """For golden_check: the kept model file, run on the kept inputs."""
    with np.load(golden.HERE / f"{name}_io.npz") as z:
        inputs = [z[k] for k in z.files if k.startswith("in_")]
    return record(keras.saving.load_model(golden.HERE / f"{name}.keras"), inputs)


if __name__ == "__main__":
    for name, make in MODELS.items():
        if len(sys.argv) > 1 and name not in sys.argv[1:]:
            continue
        keras.utils.clear_session()
        keras.utils.set_random_seed(7)
        model, inputs = make()
        model.save(golden.HERE / f"{name}.keras")
        golden.save(golden.HERE / f"{name}_io.npz", {**record(model, inputs), "meta": golden.text(golden.meta(__file__))})
        print(f"{name}: {(golden.HERE / f'{name}.keras').stat().st_size / 1024:.0f} KiB, {model.count_params()} parameters")
