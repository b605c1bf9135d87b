"""Values and gradients of keras.layers for images, series and volumes, for the tests of src/nn: as make_layers.py, in a file of their own."""
import golden  # first: it chooses how TensorFlow computes

import keras
import numpy as np

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


merging(), shapes(), regularization()

if __name__ == "__main__":
    golden.make(__file__, FILES)
