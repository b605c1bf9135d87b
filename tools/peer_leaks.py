"""Measures what TensorFlow/Keras keeps a call, for the rows of `tenure demo --peers`. Prints one JSON object: KB kept a call by row.

RSS is read after three garbage collections and malloc_trim, at the start and the end of the second half of the calls.
"""
import ctypes
import gc
import json
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
import keras
import numpy as np
import tensorflow as tf


def settled_rss():
    for _ in range(3):
        gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def kept(call, calls, warmup):
    for i in range(warmup + calls // 2):
        call(i)
    before = settled_rss()
    for i in range(calls // 2):
        call(i)
    return (settled_rss() - before) / 1024 / (calls // 2)


def network():
    inputs = keras.Input((28, 28, 1))
    x = keras.layers.Conv2D(16, 3, padding="same", activation="relu")(inputs)
    x = keras.layers.Flatten()(keras.layers.MaxPooling2D()(x))
    return keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(x))


def one_life(i):
    model = keras.Sequential([keras.layers.Dense(16, activation="relu"), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(small_x, small_y, verbose=0)
    keras.backend.clear_session()


model = network()
x = tf.random.uniform((1, 28, 28, 1))
small_x, small_y = np.random.rand(64, 8).astype("f4"), np.random.rand(64, 1).astype("f4")
symbol = keras.Input((28, 28, 1))
function = tf.function(lambda t: model(t))
scaled = tf.function(lambda t, factor: model(t) * factor)


def under_tape(i):
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(model(x))
    tape.gradient(y, model.trainable_variables)


rows = {
    "eager": kept(lambda i: model(x), 1000, 50),
    "function": kept(lambda i: function(x), 2000, 50),
    "tape": kept(under_tape, 400, 50),
    "symbolic": kept(lambda i: model(symbol), 1500, 50),
    "fresh": kept(lambda i: model(keras.Input((28, 28, 1))), 1000, 50),
    "predict": kept(lambda i: model.predict(x, verbose=0), 200, 20),
    "scalars": kept(lambda i: scaled(x, float(i)), 100, 5),
    "lifecycle": kept(one_life, 8, 2),
}
print(json.dumps({"version": tf.__version__ + ", Keras " + keras.__version__, **rows}))
