"""Values and gradients of keras.layers for images, series and volumes, for the tests of src/nn: as make_layers.py, in a file of their own."""
import golden  # first: it chooses how TensorFlow computes

import keras
import numpy as np
from keras.src.applications import convnext, inception_resnet_v2

import make_layers

L = keras.layers
CASES = {}
FILES = {"layers_vision.npz": CASES}


def case(name, *arguments, **options):
    make_layers.case(name, *arguments, **options)
    CASES[name] = make_layers.CASES.pop(name)


def variants(name, inputs, table, **options):
    for variant, attrs in table.items():
        case(f"{name}/{variant}", lambda attrs=attrs: getattr(L, name)(**attrs), inputs, **options)


def shaped(layer):
    """A layer of an application, which does not say its output's shape: the (first) input's."""
    layer.compute_output_shape = lambda shape: shape[0] if isinstance(shape, list) else shape
    return layer


series, image, volume = lambda d: [d.f(2, 6, 3)], lambda d: [d.f(2, 5, 6, 3)], lambda d: [d.f(2, 4, 5, 3, 2)]


def merging():
    two = lambda *shapes: lambda d: [d.f(*s) for s in shapes]
    case("Dot/vectors", lambda: L.Dot(axes=1), two((3, 4), (3, 4)))
    case("Dot/cosine", lambda: L.Dot(axes=-1, normalize=True), two((3, 4), (3, 4)))
    case("Dot/matrices", lambda: L.Dot(axes=(2, 1)), two((2, 3, 4), (2, 4, 5)))
    case("Dot/last", lambda: L.Dot(axes=(2, 2), normalize=True), two((2, 3, 4), (2, 5, 4)))
    case("Dot/vector_matrix", lambda: L.Dot(axes=(1, 2)), two((2, 4), (2, 3, 4)))
    case("Dot/matrix_vector", lambda: L.Dot(axes=(1, 1)), two((2, 4, 3), (2, 4)))
    case("Dot/images", lambda: L.Dot(axes=(2, 1)), two((2, 3, 4, 2), (2, 4, 5, 3)))


def shapes():
    variants("RepeatVector", lambda d: [d.f(3, 4)], {"three": dict(n=3), "one": dict(n=1)})
    variants("Cropping1D", series, {"default": {}, "pair": dict(cropping=(0, 2)), "none": dict(cropping=0)})
    variants("Cropping2D", image, {"default": {}, "number": dict(cropping=2), "two": dict(cropping=(1, 2)), "four": dict(cropping=((0, 1), (2, 0))),
                                   "first": dict(cropping=((1, 0), (1, 1)), data_format="channels_first")})
    variants("Cropping3D", volume, {"default": {}, "number": dict(cropping=1), "three": dict(cropping=(1, 2, 0)), "six": dict(cropping=((0, 1), (2, 0), (1, 1))),
                                    "first": dict(cropping=((1, 0), (0, 1), (0, 0)), data_format="channels_first")})
    variants("ZeroPadding1D", series, {"default": {}, "pair": dict(padding=(0, 2)), "first": dict(padding=(1, 2), data_format="channels_first")})
    variants("ZeroPadding2D", image, {"first": dict(padding=((0, 1), (2, 1)), data_format="channels_first")})
    variants("ZeroPadding3D", volume, {"default": {}, "three": dict(padding=(1, 0, 2)), "six": dict(padding=((0, 1), (2, 0), (1, 1))),
                                       "first": dict(padding=((1, 0), (0, 1), (0, 0)), data_format="channels_first")})
    variants("UpSampling1D", series, {"default": {}, "three": dict(size=3)})
    variants("UpSampling2D", image, {"default": {}, "mixed": dict(size=(2, 3)), "bilinear": dict(interpolation="bilinear"), "bilinear_mixed": dict(size=(3, 2), interpolation="bilinear"),
                                     "first": dict(size=(1, 2), data_format="channels_first")})
    variants("UpSampling3D", volume, {"default": {}, "mixed": dict(size=(1, 2, 3)), "first": dict(size=(2, 1, 2), data_format="channels_first")})
    variants("Permute", volume, {"volume": dict(dims=(4, 2, 1, 3))})
    case("Identity/series", lambda: L.Identity(), series)


def regularization():
    case("ActivityRegularization/default", lambda: L.ActivityRegularization(), series)
    case("ActivityRegularization/both", lambda: L.ActivityRegularization(l1=0.1, l2=0.2), series)
    for training in (False, True):
        word = "zero_training" if training else "inference"
        rate = dict(rate=0.0 if training else 0.4)
        variants("GaussianNoise", series, {word: dict(stddev=rate["rate"], seed=3)}, training=training)
        for name in ("GaussianDropout", "AlphaDropout", "SpatialDropout1D"):
            variants(name, series, {word: rate}, training=training)
        variants("SpatialDropout2D", image, {word: rate}, training=training)
        variants("SpatialDropout3D", volume, {word: dict(**rate, data_format="channels_first")}, training=training)


def convolutions():
    variants("Conv1D", series, {"valid": dict(filters=4, kernel_size=3), "same": dict(filters=4, kernel_size=3, padding="same", activation="relu"), "strides": dict(filters=4, kernel_size=3, strides=2, padding="same"),
                                "causal": dict(filters=4, kernel_size=3, padding="causal"), "causal_dilation": dict(filters=4, kernel_size=2, dilation_rate=3, padding="causal", activation="tanh"),
                                "dilation": dict(filters=4, kernel_size=2, dilation_rate=2, use_bias=False), "even": dict(filters=5, kernel_size=4, strides=3, padding="same")})
    variants("Conv1D", lambda d: [d.f(2, 7, 4)], {"groups": dict(filters=6, kernel_size=3, groups=2), "wide": dict(filters=17, kernel_size=1)})
    variants("Conv3D", volume, {"valid": dict(filters=3, kernel_size=2), "same": dict(filters=3, kernel_size=(3, 2, 1), padding="same", activation="relu"), "strides": dict(filters=4, kernel_size=3, strides=(2, 1, 2), padding="same"),
                                "strides_valid": dict(filters=3, kernel_size=2, strides=2), "no_bias": dict(filters=3, kernel_size=1, use_bias=False), "dilation": dict(filters=2, kernel_size=2, dilation_rate=(1, 2, 1), padding="same")})
    transposed = {"valid": dict(filters=4, kernel_size=3), "same": dict(filters=4, kernel_size=3, padding="same"), "strides": dict(filters=4, kernel_size=3, strides=2, padding="same", activation="relu"),
                  "strides_valid": dict(filters=4, kernel_size=3, strides=2), "even": dict(filters=3, kernel_size=4, strides=2, padding="same"), "gaps": dict(filters=3, kernel_size=2, strides=3),
                  "gaps_same": dict(filters=3, kernel_size=2, strides=3, padding="same"), "output_padding": dict(filters=3, kernel_size=3, strides=2, padding="same", output_padding=1),
                  "output_padding_valid": dict(filters=3, kernel_size=3, strides=3, output_padding=1), "five": dict(filters=3, kernel_size=5, strides=2, padding="same"), "no_bias": dict(filters=2, kernel_size=2, use_bias=False)}
    variants("Conv1DTranspose", series, transposed)
    variants("Conv2DTranspose", image, {**transposed, "mixed": dict(filters=3, kernel_size=(3, 2), strides=(2, 1), padding="same")})
    variants("Conv3DTranspose", volume, {k: transposed[k] for k in ("valid", "same", "strides", "gaps", "even", "output_padding")})
    variants("DepthwiseConv1D", series, {"valid": dict(kernel_size=3), "same": dict(kernel_size=3, padding="same", depth_multiplier=2, activation="relu"), "strides": dict(kernel_size=3, strides=2, padding="same"),
                                         "dilation": dict(kernel_size=2, dilation_rate=2, use_bias=False)})
    separable = {"valid": dict(filters=4, kernel_size=3), "same": dict(filters=4, kernel_size=3, padding="same", depth_multiplier=2, activation="relu"), "strides": dict(filters=4, kernel_size=3, strides=2, padding="same"),
                 "dilation": dict(filters=2, kernel_size=2, dilation_rate=2, padding="same", use_bias=False)}
    variants("SeparableConv1D", series, separable)
    variants("SeparableConv2D", image, separable)


def pooling():
    distinct = {"1D": lambda d: [d.distinct(2, 7, 3)], "2D": lambda d: [d.distinct(2, 7, 6, 3)], "3D": lambda d: [d.distinct(2, 5, 6, 4, 2)]}
    for kind in ("Max", "Average"):
        for n in ("1D", "3D"):
            variants(f"{kind}Pooling{n}", distinct[n], {"default": dict(pool_size=2), "same": dict(pool_size=2, padding="same"), "overlap": dict(pool_size=3, strides=2, padding="same"), "dense": dict(pool_size=3, strides=1)})
        variants(f"{kind}Pooling3D", distinct["3D"], {"mixed": dict(pool_size=(1, 3, 2), strides=(2, 1, 2), padding="same")})
        variants(f"{kind}Pooling1D", distinct["1D"], {"first": dict(pool_size=2, data_format="channels_first")})
        variants(f"Global{kind}Pooling1D", distinct["1D"], {"first": dict(data_format="channels_first"), "keepdims": dict(keepdims=True)})
        variants(f"Global{kind}Pooling3D", distinct["3D"], {"default": {}, "keepdims": dict(keepdims=True), "first": dict(data_format="channels_first")})
        sizes = {"1D": (1, 3, 4, 7), "2D": (1, 3, (4, 5), (7, 2)), "3D": (2, (3, 4, 1), (5, 2, 3))}
        for n, all_sizes in sizes.items():
            # TensorFlow's gradient of the maximum over everything is memory that nobody wrote.
            all_sizes = all_sizes[1:] if kind == "Max" and all_sizes[0] == 1 else all_sizes
            variants(f"Adaptive{kind}Pooling{n}", distinct[n], {str(size).replace(", ", "x").strip("()"): dict(output_size=size) for size in all_sizes})
    variants("AdaptiveMaxPooling2D", distinct["2D"], {"first": dict(output_size=(2, 3), data_format="channels_first")})


def normalization():
    variants("GroupNormalization", lambda d: [d.f(3, 4, 5, 6) * np.float32(2) + np.float32(1)], {"three": dict(groups=3), "one": dict(groups=1, epsilon=0.01), "instance": dict(groups=-1, scale=False), "axis1": dict(groups=2, axis=1)})
    variants("GroupNormalization", lambda d: [d.f(3, 8)], {"matrix": dict(groups=4, center=False), "layer": dict(groups=1, center=False, scale=False)})
    variants("RMSNormalization", lambda d: [d.f(2, 3, 4)], {"default": {}, "epsilon": dict(epsilon=0.1), "two_axes": dict(axis=[-2, -1])})
    variants("UnitNormalization", lambda d: [d.f(2, 3, 4)], {"default": {}, "axis1": dict(axis=1), "two_axes": dict(axis=[1, 2])})
    variants("Normalization", lambda d: [d.f(3, 4)], {"given": dict(mean=[1.0, 2.0, 3.0, 4.0], variance=[1.0, 4.0, 9.0, 0.25]), "numbers": dict(mean=2.0, variance=4.0), "invert": dict(mean=2.0, variance=4.0, invert=True)})
    variants("Normalization", image, {"image_given": dict(mean=[0.5, 0.25, 1.0], variance=[0.25, 4.0, 1.0]), "constant": dict(mean=[0.0, 1.0, 2.0], variance=[0.0, 1.0, 1.0])})
    case("LayerScale/default", lambda: shaped(convnext.LayerScale(1e-6, 3)), image)
    case("CustomScaleLayer/default", lambda: shaped(inception_resnet_v2.CustomScaleLayer(0.17)), lambda d: [d.f(2, 3, 4), d.f(2, 3, 4)])


merging(), shapes(), regularization(), convolutions(), pooling(), normalization()

if __name__ == "__main__":
    golden.make(__file__, FILES)
