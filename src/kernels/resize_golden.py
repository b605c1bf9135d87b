"""Prints the numbers of image_test.cc: tf.image.resize of TensorFlow 2.21."""
import numpy as np
import tensorflow as tf

x = np.array([i * 37 % 23 - 11 + 0.25 * (i % 4) for i in range(70)], np.float32).reshape(1, 5, 7, 2)
dy = np.array([i * 7 % 5 - 2 for i in range(144)], np.float32).reshape(1, 8, 9, 2)


def show(name, values):
    print(name, ", ".join(f"{v:.9g}" for v in np.asarray(values).ravel()))


show("smaller", tf.image.resize(x, (3, 4)))
show("smaller_antialias", tf.image.resize(x, (3, 4), antialias=True))
show("smaller_nearest", tf.image.resize(x, (3, 4), method="nearest"))
with tf.GradientTape() as tape:
    v = tf.Variable(x)
    y = tf.image.resize(v, (8, 9))
show("larger", y)
show("larger_gradient", tape.gradient(y, v, output_gradients=tf.constant(dy)))
