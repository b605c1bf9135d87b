"""Values and gradients of keras.layers, for the tests of src/nn. Run with the Keras of `tools/setup python`: python make_layers.py"""
import golden  # first: it chooses how TensorFlow computes

import keras
import numpy as np

from golden import Draw, run

L = keras.layers


def weight_value(draw, weight):
    """Values that leave no weight at its default; variances stay positive, kernels small."""
    if weight.dtype not in ("float32", "float64", "float16"):
        return np.asarray(weight)
    value = draw.rng.normal(0, 0.4, weight.shape)
    if "variance" in weight.path or "stddev" in weight.path:
        value = np.abs(value) + 0.5
    elif "gamma" in weight.path:
        value = value + 1
    return value.astype("float32")


def case(name, layer, inputs, training=False, gradients=True, calls=1):
    """layer(): a new layer; inputs(draw): its arrays; calls: how often it is called before the recorded one (moving statistics)."""
    assert name not in CASES, name

    def function():
        draw = Draw(name)
        keras.utils.clear_session()
        keras.utils.set_random_seed(1)
        made, arrays_in = layer(), [np.asarray(a) for a in inputs(draw)]
        take = (lambda t: t) if len(arrays_in) > 1 else (lambda t: t[0])
        made.build([a.shape for a in arrays_in] if len(arrays_in) > 1 else arrays_in[0].shape)
        for weight in made.weights:
            weight.assign(weight_value(draw, weight))
        for _ in range(calls - 1):
            made(take([keras.ops.convert_to_tensor(a) for a in arrays_in]), training=training)
        before = {f"w{k}": np.asarray(w) for k, w in enumerate(made.weights)}
        trainable = [w.value for w in made.trainable_weights]
        arrays, outputs = run(draw, lambda t: made(take(t), training=training), arrays_in, extra=trainable, gradients=gradients)
        after = {f"after{k}": np.asarray(w) for k, w in enumerate(made.weights) if not w.trainable}
        weights = [{"name": w.name, "path": w.path, "shape": list(w.shape), "dtype": w.dtype, "trainable": bool(w.trainable)} for w in made.weights]
        order = [k for k, w in enumerate(made.weights) if w.trainable]  # wgrad<n> belongs to weight order[n]
        entry = {"layer": type(made).__name__, "config": made.get_config(), "training": training, "inputs": len(arrays_in), "outputs": outputs, "weights": weights,
                 "trainable_order": order, "output_shape": flat_shape(made.compute_output_shape([a.shape for a in arrays_in] if len(arrays_in) > 1 else arrays_in[0].shape))}
        return entry, {**arrays, **before, **after}

    CASES[name] = function


def flat_shape(shape):
    return [int(n) for n in shape]


CASES = {}
FILES = {"layers.npz": CASES}


def dense():
    case("Dense/linear", lambda: L.Dense(4), lambda d: [d.f(3, 5)])
    case("Dense/no_bias", lambda: L.Dense(4, use_bias=False), lambda d: [d.f(3, 5)])
    for activation in ("relu", "tanh", "sigmoid", "softmax", "gelu", "silu", "elu", "selu", "softplus"):
        case(f"Dense/{activation}", lambda activation=activation: L.Dense(6, activation=activation), lambda d: [d.f(3, 5)])
    case("Dense/rank3", lambda: L.Dense(4, activation="relu"), lambda d: [d.f(2, 3, 5)])
    case("Dense/rank4", lambda: L.Dense(2), lambda d: [d.f(2, 2, 3, 5)])
    case("Dense/wide", lambda: L.Dense(37), lambda d: [d.f(17, 19)])
    case("Dense/float64_input", lambda: L.Dense(4), lambda d: [d.f(3, 5, dtype="float64")], gradients=False)
    case("Dense/int_input", lambda: L.Dense(4), lambda d: [d.i(3, 5)])
    case("Dense/float64_layer", lambda: L.Dense(4, dtype="float64"), lambda d: [d.f(3, 5, dtype="float64")])
    case("Dense/not_trainable", lambda: L.Dense(4, trainable=False), lambda d: [d.f(3, 5)])
    case("Dense/empty_batch", lambda: L.Dense(4), lambda d: [d.f(0, 5)])


def convolutions():
    image = lambda d: [d.f(2, 7, 6, 3)]
    variants = {"valid": dict(filters=4, kernel_size=3), "same": dict(filters=4, kernel_size=3, padding="same"), "relu": dict(filters=4, kernel_size=3, activation="relu"),
                "strides": dict(filters=4, kernel_size=3, strides=2, padding="same"), "strides_valid": dict(filters=4, kernel_size=(3, 2), strides=(2, 1)),
                "dilation": dict(filters=4, kernel_size=3, dilation_rate=2, padding="same"), "groups": dict(filters=6, kernel_size=3, groups=3),
                "no_bias": dict(filters=4, kernel_size=(2, 3), use_bias=False), "pointwise": dict(filters=5, kernel_size=1, activation="silu")}
    for variant, attrs in variants.items():
        case(f"Conv2D/{variant}", lambda attrs=attrs: L.Conv2D(**attrs), image)
    case("Conv2D/wide", lambda: L.Conv2D(19, 3, padding="same"), lambda d: [d.f(1, 5, 5, 17)])
    variants = {"valid": dict(kernel_size=3), "same": dict(kernel_size=3, padding="same"), "multiplier": dict(kernel_size=(3, 2), depth_multiplier=2, padding="same"),
                "strides": dict(kernel_size=3, strides=2, padding="same"), "relu": dict(kernel_size=3, activation="relu"), "no_bias": dict(kernel_size=2, use_bias=False),
                "dilation": dict(kernel_size=2, dilation_rate=2, padding="same")}
    for variant, attrs in variants.items():
        case(f"DepthwiseConv2D/{variant}", lambda attrs=attrs: L.DepthwiseConv2D(**attrs), image)


def pooling():
    variants = {"valid": dict(pool_size=2), "same": dict(pool_size=2, padding="same"), "overlap": dict(pool_size=3, strides=2, padding="same"), "mixed": dict(pool_size=(2, 3), strides=(1, 2)),
                "dense": dict(pool_size=3, strides=1, padding="same")}
    for name in ("MaxPooling2D", "AveragePooling2D"):
        for variant, attrs in variants.items():
            case(f"{name}/{variant}", lambda name=name, attrs=attrs: getattr(L, name)(**attrs), lambda d: [d.distinct(2, 7, 6, 3)])
    case("MaxPooling2D/default", lambda: L.MaxPooling2D(), lambda d: [d.distinct(2, 7, 6, 3)])
    for name in ("GlobalMaxPooling2D", "GlobalAveragePooling2D"):
        for variant, attrs in {"default": {}, "keepdims": dict(keepdims=True)}.items():
            case(f"{name}/{variant}", lambda name=name, attrs=attrs: getattr(L, name)(**attrs), lambda d: [d.distinct(2, 5, 4, 3)])


def normalization():
    for training in (False, True):
        word = "training" if training else "inference"
        for variant, attrs, shape in (("image", {}, (3, 4, 5, 3)), ("matrix", {}, (8, 5)), ("plain", dict(center=False, scale=False), (8, 5)), ("no_scale", dict(scale=False), (8, 5)),
                                      ("no_center", dict(center=False), (8, 5)), ("options", dict(momentum=0.7, epsilon=0.01), (4, 3, 2, 5)), ("axis1", dict(axis=1), (3, 4, 5, 2))):
            case(f"BatchNormalization/{variant}_{word}", lambda attrs=attrs: L.BatchNormalization(**attrs), lambda d, shape=shape: [d.f(*shape) + np.float32(0.5)], training=training)
        for variant, attrs, shape in (("renorm", {}, (8, 5)), ("renorm_image", dict(axis=1, renorm_momentum=0.7), (3, 4, 5, 2)), ("renorm_plain", dict(center=False, scale=False), (8, 5)),
                                      ("renorm_clipped", dict(renorm_clipping=dict(rmax=1.2, rmin=0.8, dmax=0.3)), (8, 5)), ("renorm_no_scale", dict(scale=False, renorm_clipping=dict(dmax=0.1)), (8, 5))):
            case(f"BatchNormalization/{variant}_{word}", lambda attrs=attrs: L.BatchNormalization(renorm=True, **attrs), lambda d, shape=shape: [d.f(*shape) + np.float32(0.5)], training=training)
    case("BatchNormalization/frozen_training", lambda: L.BatchNormalization(trainable=False), lambda d: [d.f(8, 5)], training=True)
    case("BatchNormalization/renorm_third", lambda: L.BatchNormalization(momentum=0.8, renorm=True, renorm_momentum=0.6), lambda d: [d.f(8, 5)], training=True, calls=3)
    case("BatchNormalization/third_training", lambda: L.BatchNormalization(momentum=0.8), lambda d: [d.f(8, 5)], training=True, calls=3)
    for variant, attrs, shape in (("last", {}, (3, 4, 5)), ("matrix", dict(epsilon=1e-5), (6, 7)), ("two_axes", dict(axis=[-2, -1]), (3, 4, 5)), ("plain", dict(center=False, scale=False), (3, 5)),
                                  ("no_center", dict(center=False), (3, 5)), ("image", {}, (2, 3, 4, 5)), ("wide", {}, (2, 37)),
                                  ("rms", dict(rms_scaling=True), (3, 4, 5)), ("rms_axes", dict(rms_scaling=True, axis=[1, 2], scale=False), (3, 4, 5, 2))):
        case(f"LayerNormalization/{variant}", lambda attrs=attrs: L.LayerNormalization(**attrs), lambda d, shape=shape: [d.f(*shape) * np.float32(2) + np.float32(1)])


def activations():
    names = ("celu", "elu", "exponential", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6",
             "selu", "sigmoid", "silu", "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "tanh", "tanh_shrink")
    for name in names:
        case(f"Activation/{name}", lambda name=name: L.Activation(name), lambda d: [d.f(4, 9) * np.float32(2)])
    case("Activation/glu", lambda: L.Activation("glu"), lambda d: [d.f(4, 6) * np.float32(2)])
    wide = lambda d: [d.f(4, 9) * np.float32(4)]
    for variant, attrs in {"default": {}, "max_value": dict(max_value=3.0), "slope": dict(negative_slope=0.1), "threshold": dict(threshold=1.0),
                           "all": dict(max_value=4.0, negative_slope=0.2, threshold=0.5)}.items():
        case(f"ReLU/{variant}", lambda attrs=attrs: L.ReLU(**attrs), wide)
    for name, attrs in {"LeakyReLU": dict(negative_slope=0.1), "ELU": dict(alpha=0.5)}.items():
        case(f"{name}/default", lambda name=name: getattr(L, name)(), wide)
        case(f"{name}/option", lambda name=name, attrs=attrs: getattr(L, name)(**attrs), wide)
    case("Softmax/default", lambda: L.Softmax(), wide)
    case("Softmax/axis1", lambda: L.Softmax(axis=1), lambda d: [d.f(2, 3, 4)])
    case("Softmax/two_axes", lambda: L.Softmax(axis=[1, 2]), lambda d: [d.f(2, 3, 4)])
    case("PReLU/default", lambda: L.PReLU(), lambda d: [d.f(2, 3, 4)])
    case("PReLU/shared", lambda: L.PReLU(shared_axes=[1, 2]), lambda d: [d.f(2, 3, 4, 5)])


def shapes_and_merges():
    image = lambda d: [d.f(2, 3, 4, 5)]
    case("Flatten/image", lambda: L.Flatten(), image)
    case("Flatten/channels_first", lambda: L.Flatten(data_format="channels_first"), image)
    case("Flatten/vector", lambda: L.Flatten(), lambda d: [d.f(4)])
    case("Reshape/plain", lambda: L.Reshape((6, 10)), image)
    case("Reshape/inferred", lambda: L.Reshape((-1, 5, 2)), image)
    case("Dropout/inference", lambda: L.Dropout(0.4), image)
    case("Dropout/zero_training", lambda: L.Dropout(0.0), image, training=True)
    for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"):
        case(f"{name}/two", lambda name=name: getattr(L, name)(), lambda d: [d.f(2, 3, 4), d.f(2, 3, 4)])
        case(f"{name}/broadcast", lambda name=name: getattr(L, name)(), lambda d: [d.f(2, 3, 4), d.f(2, 1, 4)])
        case(f"{name}/ranks", lambda name=name: getattr(L, name)(), lambda d: [d.f(2, 3, 4), d.f(2, 4)])
        if name != "Subtract":
            case(f"{name}/three", lambda name=name: getattr(L, name)(), lambda d: [d.f(2, 3), d.f(2, 3), d.f(2, 3)])
    case("Concatenate/last", lambda: L.Concatenate(), lambda d: [d.f(2, 3, 4), d.f(2, 3, 1), d.f(2, 3, 2)])
    case("Concatenate/axis1", lambda: L.Concatenate(axis=1), lambda d: [d.f(2, 3, 4), d.f(2, 1, 4)])
    for variant, padding in {"default": 1, "number": 2, "two": (1, 2), "four": ((0, 1), (2, 1))}.items():
        case(f"ZeroPadding2D/{variant}", lambda padding=padding: L.ZeroPadding2D(padding), image)
    case("Rescaling/scale", lambda: L.Rescaling(1 / 255.0), lambda d: [d.f(2, 3)])
    case("Rescaling/offset", lambda: L.Rescaling(2.0, offset=-1.0), lambda d: [d.f(2, 3)])
    case("Rescaling/uint8", lambda: L.Rescaling(1 / 127.5, offset=-1.0), lambda d: [d.i(2, 3, low=0, high=256, dtype="uint8")])
    case("Rescaling/per_channel", lambda: L.Rescaling([0.5, 1.0, 2.0], offset=[0.0, 1.0, -1.0]), lambda d: [d.f(2, 4, 3)])
    case("Embedding/plain", lambda: L.Embedding(9, 4), lambda d: [d.i(3, 5, low=0, high=9)])
    case("Embedding/repeated", lambda: L.Embedding(4, 3), lambda d: [np.int32([[1, 1, 2], [1, 3, 3]])])
    case("Embedding/float_indices", lambda: L.Embedding(9, 4), lambda d: [d.i(3, low=0, high=9).astype("float32")])
    case("Embedding/mask_zero", lambda: L.Embedding(9, 4, mask_zero=True), lambda d: [np.int32([[1, 2, 0], [3, 0, 0]])])


dense(), convolutions(), pooling(), normalization(), activations(), shapes_and_merges()

if __name__ == "__main__":
    golden.make(__file__, FILES)
