"""Writes models that exercise the reader of .keras files, each with recorded inputs and outputs. Run: python make_io_models.py

io_ops: every op of keras.ops that a graph can hold and Tenure has. io_structures: dictionaries and nested lists as inputs and outputs, a
layer shared by two nested models (which Keras writes and cannot load), a frozen layer, a call with training=True, a constant tensor, losses and metrics by output name.
The _io.npz files are in the form of `tenure verify`, dictionaries in the order of their sorted keys.
"""
import sys

import golden  # first: it chooses how TensorFlow computes

import keras
import numpy as np

from golden import Draw

L, ops = keras.layers, keras.ops


def elementwise(x, y):
    """x is any float, y lies in (0.2, 0.9)."""
    return [
        ops.absolute(x), ops.negative(x), ops.sign(x), ops.square(x), ops.sqrt(y), ops.rsqrt(y), ops.reciprocal(y), ops.floor(x * 2.0),
        ops.ceil(x * 3), ops.round(x), ops.exp(x), ops.expm1(x), ops.log(y), ops.log1p(y), ops.sin(x), ops.cos(x), ops.tan(y), ops.arcsin(y),
        ops.arccos(y), ops.arctan(x), ops.sinh(x), ops.cosh(x), ops.tanh(x), ops.erf(x), ops.add(x, y), ops.subtract(1.5, x),
        ops.multiply(x, -2), ops.divide(x, y), ops.true_divide(1.0, y), ops.floor_divide(x, y), ops.mod(x, y), ops.power(y, x),
        ops.maximum(x, y), ops.minimum(x, 0.25), ops.clip(x, -0.5, 0.75), ops.relu(x), ops.relu6(x * 9), ops.leaky_relu(x, 0.3), ops.elu(x, 0.7),
        ops.celu(x, 1.3), ops.selu(x), ops.sigmoid(x), ops.log_sigmoid(x), ops.softplus(x), ops.softsign(x), ops.silu(x), ops.gelu(x),
        ops.gelu(x, approximate=False), ops.hard_sigmoid(x), ops.hard_silu(x), ops.hard_tanh(x), ops.tanh_shrink(x), ops.softmax(x),
        ops.softmax(x, axis=1), ops.log_softmax(x, axis=1), ops.stop_gradient(x), ops.zeros_like(x), ops.ones_like(y), ops.cumsum(x, axis=1),
        ops.where(ops.greater(x, 0.1), x, y), ops.copy(x), ops.flip(x, axis=1), ops.transpose(x, (0, 2, 1)), ops.swapaxes(x, 1, 2),
    ]


def flags(x, y):
    a, b = ops.greater(x, y), ops.less_equal(x, 0.5)
    return [a, b, ops.less(x, y), ops.greater_equal(y, x), ops.equal(x, x), ops.not_equal(x, 0.0), ops.logical_and(a, b), ops.logical_or(a, b),
            ops.logical_xor(a, b), ops.logical_not(a), ops.isnan(x), ops.isinf(x), ops.isfinite(x)]


def shaped(x, y, n):
    """Outputs of shapes of their own; n are whole numbers below 4."""
    return [
        ops.sum(x, axis=1), ops.mean(x, axis=(1, 2), keepdims=True), ops.prod(y, axis=-1), ops.max(x, axis=2), ops.min(x, axis=(1,), keepdims=True),
        ops.var(x, axis=1), ops.std(x, axis=2), ops.logsumexp(x, axis=1), ops.any(ops.greater(x, 1.0), axis=1), ops.all(ops.less(y, 2.0), axis=-1),
        ops.argmax(x, axis=-1), ops.argmin(x, axis=1), ops.amax(x, axis=1), ops.amin(x, axis=1), ops.reshape(x, (-1, 12)), ops.expand_dims(x, 1),
        ops.squeeze(ops.expand_dims(x, -1), -1), ops.broadcast_to(ops.mean(y, axis=(0, 1, 2)), (2, 3)), ops.concatenate([x, y], axis=1),
        ops.stack([x, y], axis=2), *ops.split(x, 2, axis=2), *ops.split(x, [1, 2], axis=1), ops.tile(x, [1, 2, 1]), ops.repeat(x, 2, axis=1),
        ops.pad(x, [[0, 0], [1, 0], [2, 1]]), ops.pad(x, [[0, 0], [1, 1], [0, 0]], mode="reflect"), x[:, 1], x[:, -1, 1:3], x[..., 0],
        x[:, ::2], x[:, :, ::-1], x[:, None, 1:, :2], ops.take(x, [2, 0], axis=1), ops.take(x, n, axis=2)[:, 0, 0], ops.take_along_axis(x, ops.minimum(n[:, :1, None], 2), axis=1), ops.one_hot(n, 4), ops.cast(n, "float32"), ops.cast(x, "int32"),
        ops.matmul(x, ops.transpose(y, (0, 2, 1))), ops.multiply(n, 3), ops.add(n, 0.5), *ops.unstack(x, axis=1),
        ops.add(x, np.array([1.0, 2.0, 3.0, 4.0], "float32")),
    ]


def images(p):
    """p is (batch, 6, 5, 4)."""
    return [ops.max_pool(p, 2), ops.average_pool(p, (2, 3), strides=1, padding="same")]


def io_ops():
    x, n, p = keras.Input((3, 4), name="x"), keras.Input((2,), dtype="int32", name="n"), keras.Input((6, 5, 4), name="p")
    y = ops.sigmoid(x) * 0.7 + 0.2
    outputs = elementwise(x, y)
    same = ops.stack([t for t in outputs if tuple(t.shape[1:]) == (3, 4)], axis=1)
    other = [t for t in outputs if tuple(t.shape[1:]) != (3, 4)]
    marks = ops.stack([ops.cast(t, "int32") for t in flags(x, y)], axis=1)
    model = keras.Model([x, n, p], [same, *other, marks, *shaped(x, y, n), *images(p)], name="io_ops")
    draw = Draw("io_ops")
    return model, [draw.f(2, 3, 4), draw.i(2, 2, low=0, high=4), draw.f(2, 6, 5, 4)]


def io_structures():
    draw = Draw("io_structures")
    common = L.Dense(3, name="common", activation="tanh")
    u, v = keras.Input((3,), name="u"), keras.Input((3,), name="v")
    first = keras.Model(u, common(L.Dense(3, name="before")(u)), name="first")
    second = keras.Model({"v": v}, {"twice": common(v), "thrice": common(common(v))}, name="second")
    a, b, c = keras.Input((3,), name="a"), keras.Input((3,), name="b"), keras.Input((4,), name="c", dtype="float32")
    frozen = L.Dense(3, name="frozen", trainable=False)
    pair = second({"v": first(a)})
    other = second({"v": L.LeakyReLU(name="leaky")(frozen(b))})
    noisy = L.Dropout(0.5, name="noisy", seed=3)(pair["twice"], training=True)
    out = {
        "z_sum": L.Add(name="all")([pair["twice"], pair["thrice"], other["twice"]]),
        "a_list": [L.Dense(2, name="narrow", kernel_regularizer="l2")(L.Concatenate(name="joined")([other["thrice"], c])), noisy * 0.0 + a],
    }
    model = keras.Model({"b": b, "rest": [a, c]}, out, name="structures")
    return model, {"b": draw.f(2, 3), "rest": [draw.f(2, 3), draw.f(2, 4)]}


def io_outputs():
    """Two outputs by name, losses and metrics by name, RMSprop and SGD have their turn in training.npz."""
    draw = Draw("io_outputs")
    x = keras.Input((5,), name="x")
    h = L.Dense(4, activation="relu", name="hidden")(x)
    model = keras.Model(x, {"value": L.Dense(1, name="value")(h), "kind": L.Dense(3, activation="softmax", name="kind")(h)}, name="outputs")
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
                  loss={"value": "mse", "kind": keras.losses.SparseCategoricalCrossentropy()}, loss_weights={"value": 0.25, "kind": 1.0},
                  metrics={"value": ["mae"], "kind": [keras.metrics.SparseCategoricalAccuracy(name="right")]})
    for _ in range(2):
        model.train_on_batch(draw.f(6, 5), {"value": draw.f(6, 1), "kind": draw.i(6, low=0, high=3)})
    return model, draw.f(3, 5)


def io_sequential():
    """A Sequential in a Sequential, built by its first call and without an Input."""
    draw = Draw("io_sequential")
    model = keras.Sequential([L.Rescaling(0.5, offset=-1.0), keras.Sequential([L.Dense(4, activation="elu"), L.LayerNormalization()], name="inside"),
                              L.Dense(2, bias_initializer="ones")], name="outside")
    x = draw.f(3, 6)
    model(x)
    return model, x


MODELS = {"io_ops": io_ops, "io_structures": io_structures, "io_outputs": io_outputs, "io_sequential": io_sequential}


def flat(x):
    """In the order of the model's own inputs and outputs: keys sorted."""
    if isinstance(x, dict):
        return [t for k in sorted(x) for t in flat(x[k])]
    return [t for v in x for t in flat(v)] if isinstance(x, (list, tuple)) else [np.asarray(x)]


if __name__ == "__main__":
    for name, make in MODELS.items():
        if len(sys.argv) > 1 and name not in sys.argv[1:]:
            continue
        keras.utils.clear_session()
        keras.utils.set_random_seed(11)
        model, inputs = make()
        model.save(golden.HERE / f"{name}.keras")
        outputs = flat(model.predict(inputs, verbose=0))
        arrays = {f"in_{k}": x for k, x in enumerate(flat(inputs))} | {f"out_{k}": y for k, y in enumerate(outputs)}
        golden.save(golden.HERE / f"{name}_io.npz", {**arrays, "meta": golden.text(golden.meta(__file__))})
        print(f"{name}: {(golden.HERE / f'{name}.keras').stat().st_size / 1024:.0f} KiB, {len(outputs)} outputs")
