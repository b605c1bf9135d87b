"""Makes the legacy files that the tests load: python tests/reference/make_legacy.py

Needs tensorflow-cpu 2.21, tf-keras 2.21 (Keras 2) and keras 3.15.1. Writes, each with NAME_io.npz (inputs in_i, outputs out_i):
  legacy_k2_ops.h5       a functional model of Keras 2 with functions of TensorFlow on symbols, shared and nested layers
  legacy_k2_trained.h5   a compiled and trained Sequential of Keras 2, optimizer state included; NAME_next.npz: outputs after its next step
  legacy_k2_trained.keras  the same as tf-keras' own .keras
  legacy_k2_weights.h5   its weights by layer name (save_weights of Keras 2)
  legacy_k3_trained.h5   a compiled and trained functional model of Keras 3 with ops on symbols
"""
import os
import pathlib
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
import numpy as np
import tensorflow as tf

HERE = pathlib.Path(__file__).resolve().parent


def record(name, inputs, outputs):
    arrays = {f"in_{i}": np.asarray(x) for i, x in enumerate(inputs)}
    arrays |= {f"out_{i}": np.asarray(y) for i, y in enumerate(outputs)}
    np.savez(HERE / f"{name}_io.npz", **arrays)


def after_training(model, x, y, name, files):
    """One step, the files, the outputs, then the outputs after a further step: that needs the optimizer's state."""
    model.train_on_batch(x, y)
    for f in files:
        model.save(HERE / f)
    outputs = model.predict(x, verbose=0)
    model.train_on_batch(x, y)
    after = model.predict(x, verbose=0)
    record(name, [x], [outputs])
    np.savez(HERE / f"{name}_next.npz", x=x, y=y, after=after)


def keras2():
    import tf_keras as k2

    k2.utils.set_random_seed(11)
    L = k2.layers
    a = k2.Input((6, 4), name="a")
    b = k2.Input((6, 4), name="b")
    shared = L.Dense(4, name="shared")
    x = shared(a) * 2.0 + shared(b) / 3.0 - 1.0
    x = tf.nn.relu(x)
    x = tf.concat([x, tf.reshape(tf.transpose(b, [0, 2, 1]), [-1, 6, 4])], axis=-1)
    x = tf.reduce_mean(x[:, 1:5, :], axis=1, keepdims=True) + x
    x = L.BatchNormalization(name="norm")(x)
    x = L.LeakyReLU(0.3)(x)
    inner = k2.Sequential([L.Flatten(), L.Dense(5, activation="tanh"), L.Dropout(0.4)], name="inner")
    y = inner(x)
    z = tf.clip_by_value(tf.square(y) - y, -0.5, 0.5)
    z = L.Dense(3, activation="softmax", name="out")(tf.cast(z, "float32"))
    model = k2.Model([a, b], [z, tf.expand_dims(y, 1)], name="k2_ops")
    model.get_layer("norm").set_weights([np.random.uniform(0.5, 1.5, 8).astype("f4") for _ in range(4)])
    xs = [np.random.uniform(-1, 1, (3, 6, 4)).astype("f4") for _ in range(2)]
    model.save(HERE / "legacy_k2_ops.h5")
    record("legacy_k2_ops", xs, model(xs))

    model = k2.Sequential(
        [
            L.Conv2D(4, 3, strides=2, padding="same", activation="relu", input_shape=(8, 8, 1)),
            L.BatchNormalization(),
            L.MaxPooling2D(),
            L.Flatten(),
            L.Dense(3, activation="softmax"),
        ],
        name="k2_trained",
    )
    model.compile(k2.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = np.random.uniform(0, 1, (12, 8, 8, 1)).astype("f4"), np.random.randint(0, 3, 12).astype("f4")
    model.train_on_batch(x, y)
    model.save_weights(HERE / "legacy_k2_weights.h5", save_format="h5")
    record("legacy_k2_weights", [x], [model.predict(x, verbose=0)])
    after_training(model, x, y, "legacy_k2_trained", ["legacy_k2_trained.h5", "legacy_k2_trained.keras"])


def keras3():
    import keras

    keras.utils.set_random_seed(12)
    L = keras.layers
    a = keras.Input((5,), name="a")
    x = L.Dense(6, activation="relu", name="first")(a)
    x = L.Add()([x, L.Dense(6, name="second")(x) * 0.5])
    x = keras.ops.concatenate([x, keras.ops.square(a)], axis=-1)
    out = L.Dense(2, name="out")(x)
    model = keras.Model(a, out, name="k3_trained")
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "mse")
    x, y = np.random.uniform(-1, 1, (9, 5)).astype("f4"), np.random.uniform(-1, 1, (9, 2)).astype("f4")
    after_training(model, x, y, "legacy_k3_trained", ["legacy_k3_trained.h5"])


if __name__ == "__main__":
    keras2()
    keras3()
    print("written; python", sys.version.split()[0], "tensorflow", tf.__version__)
