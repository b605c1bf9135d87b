"""Writes models of more layers and two networks under four dtype policies, each with recorded inputs and outputs, and outputs after a further
training step. Run: python make_layer_models.py

layers_more: recurrence over images, wrappers, an embedding both ways, grouped attention. dtype_image_*, dtype_text_*: a network for images and one for
words, trained for two steps. The _io.npz files are in the form of `tenure verify`; `_next.npz` has `x`, `y` and `out`, the outputs after a step on them."""
import sys

import golden  # first: it chooses how TensorFlow computes

import keras
import numpy as np

from golden import Draw

L = keras.layers
POLICIES = ("mixed_bfloat16", "mixed_float16", "float64", "bfloat16")


def layers_more(draw):
    film, image, words = L.Input((3, 6, 6, 2), name="film"), L.Input((6, 6, 2), name="image"), L.Input((5,), dtype="int32", name="words")
    a = L.ConvLSTM2D(2, 3, return_sequences=True, dropout=0.1)(film)
    a = L.Bidirectional(L.ConvLSTM2D(2, 2))(a)
    b = L.SpectralNormalization(L.Conv2D(3, 3, activation="relu"), power_iterations=2)(image)
    b = L.SpectralNormalization(L.DepthwiseConv2D(2))(b)
    table = L.ReversibleEmbedding(9, 4, tie_weights=False)
    c = table(words)
    c = L.GroupQueryAttention(3, 4, 2)(c, c)
    c = table(c, reverse=True)
    return keras.Model([film, image, words], [a, b, c]), [draw.f(2, 3, 6, 6, 2), draw.f(2, 6, 6, 2), draw.i(2, 5, low=0, high=9)], None


def image(draw):
    x = L.Input((8, 8, 2))
    y = L.Conv2D(4, 3, padding="same", use_bias=False)(x)
    y = L.Activation("relu")(L.BatchNormalization()(y))
    y = L.MaxPooling2D()(y)
    y = L.Add()([y, L.SeparableConv2D(4, 3, padding="same", activation="silu")(y)])
    y = L.Dense(3, activation="softmax", dtype="float32" if "mixed" in keras.config.dtype_policy().name else None)(L.GlobalAveragePooling2D()(y))
    model = keras.Model(x, y)
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "sparse_categorical_crossentropy")
    return model, [draw.f(4, 8, 8, 2)], lambda: (draw.f(6, 8, 8, 2), draw.i(6, low=0, high=3))


def text(draw):
    x = L.Input((6,), dtype="int32")
    y = L.Embedding(11, 8, mask_zero=True)(x)
    y = L.LayerNormalization()(L.Add()([y, L.MultiHeadAttention(2, 4)(y, y)]))
    y = L.GRU(5, return_sequences=True, recurrent_initializer="glorot_uniform")(y)
    y = L.Dense(1)(L.GlobalAveragePooling1D()(y))
    model = keras.Model(x, y)
    model.compile(keras.optimizers.Adam(0.01), "mse")
    ids = lambda n: np.where(np.arange(6) < draw.i(n, 1, low=3, high=7), draw.i(n, 6, low=1, high=11), 0).astype("int32")
    return model, [ids(4)], lambda: (ids(6), draw.f(6, 1))


def wide(a):
    a = np.asarray(a)
    return a.astype("float32") if a.dtype.name in ("bfloat16", "float16") else a


MODELS = {"layers_more": (layers_more, "float32")}
MODELS |= {f"dtype_{make.__name__}_{policy}": (make, policy) for make in (image, text) for policy in POLICIES}

if __name__ == "__main__":
    for name, (make, policy) in MODELS.items():
        if len(sys.argv) > 1 and name not in sys.argv[1:]:
            continue
        keras.utils.clear_session()
        keras.utils.set_random_seed(11)
        keras.config.set_dtype_policy(policy)
        draw = Draw(name)
        model, inputs, batch = make(draw)
        for w in model.weights:
            if "seed" not in w.path:
                w.assign(np.round(draw.rng.normal(1 if "gamma" in w.path or "variance" in w.path else 0, 0.2, w.shape), 2))
        if batch:
            for _ in range(2):
                model.train_on_batch(*batch())
        model.save(golden.HERE / f"{name}.keras")
        flat = lambda y: y if isinstance(y, list) else [y]
        inputs_of = inputs if len(inputs) > 1 else inputs[0]
        outputs = [wide(y) for y in flat(model.predict(inputs_of, verbose=0))]
        arrays = {f"in_{k}": x for k, x in enumerate(inputs)} | {f"out_{k}": y for k, y in enumerate(outputs)}
        meta = golden.text(golden.meta(__file__))
        golden.save(golden.HERE / f"{name}_io.npz", {**arrays, "meta": meta})
        if batch:
            x, y = batch()
            model.train_on_batch(x, y)
            golden.save(golden.HERE / f"{name}_next.npz", {"x": x, "y": y, "out": wide(model.predict(inputs_of, verbose=0)), "meta": meta})
        print(f"{name}: {(golden.HERE / f'{name}.keras').stat().st_size / 1024:.0f} KiB, {len(outputs)} outputs")
