"""The networks of keras.applications with weights that matter, made when they are asked for: they are too large to be kept.

Usage: make_applications.py FOLDER NAME...   writes NAME.keras and NAME_io.npz (the form of `tenure verify`) into FOLDER.
Weights are random. The statistics of every BatchNormalization are those of one batch, then moved: as they are at first, values vanish or
explode on the way through a hundred layers and every output is alike. Without activation, so that outputs are not squeezed together.
A network that Keras itself answers differently when its input moves in the last bit says nothing about who computes it: it is made anew, calmer.
"""
import pathlib
import sys

import golden  # first: it chooses how TensorFlow computes

import keras
import numpy as np

from golden import Draw

L = keras.layers
# Height and width: odd and unequal, a little above the smallest that the network takes.
SMALL, MEDIUM = (67, 45, 3), (101, 77, 3)
NETWORKS = {
    "ConvNeXtTiny": SMALL, "ConvNeXtSmall": SMALL, "ConvNeXtBase": SMALL, "ConvNeXtLarge": SMALL, "ConvNeXtXLarge": SMALL,
    "DenseNet121": SMALL, "DenseNet169": SMALL, "DenseNet201": SMALL,
    "EfficientNetB0": SMALL, "EfficientNetB1": SMALL, "EfficientNetB2": SMALL, "EfficientNetB3": SMALL, "EfficientNetB4": SMALL,
    "EfficientNetB5": SMALL, "EfficientNetB6": SMALL, "EfficientNetB7": SMALL,
    "EfficientNetV2B0": SMALL, "EfficientNetV2B1": SMALL, "EfficientNetV2B2": SMALL, "EfficientNetV2B3": SMALL,
    "EfficientNetV2S": SMALL, "EfficientNetV2M": SMALL, "EfficientNetV2L": SMALL,
    "InceptionV3": MEDIUM, "InceptionResNetV2": MEDIUM,
    "MobileNet": SMALL, "MobileNetV2": SMALL, "MobileNetV3Small": SMALL, "MobileNetV3Large": SMALL,
    "NASNetMobile": SMALL, "NASNetLarge": SMALL,
    "ResNet50": SMALL, "ResNet101": SMALL, "ResNet152": SMALL, "ResNet50V2": SMALL, "ResNet101V2": SMALL, "ResNet152V2": SMALL,
    "VGG16": SMALL, "VGG19": SMALL, "Xception": MEDIUM,
}
# One of every family, those that are made fast: what every test run makes.
FAST = ["MobileNetV3Small", "MobileNetV2", "MobileNet", "EfficientNetB0", "EfficientNetV2B0", "NASNetMobile", "DenseNet121", "ResNet50", "Xception",
        "ConvNeXtTiny"]


def layers_of(model):
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from layers_of(layer)


def pictures(draw, height, width, channels):
    """Two images of patches of unlike brightness: noise alone looks the same to a network that averages."""
    patches = draw.f(2, height // 16 + 1, width // 16 + 1, channels)
    x = np.repeat(np.repeat(patches, 16, axis=1), 16, axis=2)[:, :height, :width]
    return x + 0.3 * draw.f(2, height, width, channels)


def spread(model, draw, x, calm):
    """Moves what starts as ones and zeros, so that a weight in the wrong place shows. `calm`: by how much normalized values are made smaller."""
    norms, drops = [], []
    for layer in layers_of(model):
        if isinstance(layer, L.Dropout):
            drops.append((layer, layer.rate))
            layer.rate = 0.0
        if isinstance(layer, (L.DepthwiseConv2D, L.SeparableConv2D)):  # their usual start is too small by the root of the number of channels
            kernel = layer.kernel if isinstance(layer, L.DepthwiseConv2D) else layer.depthwise_kernel
            kernel.assign(kernel * kernel.shape[2] ** 0.5)
        if isinstance(layer, L.BatchNormalization):
            norms.append((layer, layer.momentum))
            layer.momentum = 0.0
            if layer.scale:
                layer.gamma.assign(draw.f(*layer.gamma.shape, low=0.8, high=1.2))
            if layer.center:
                layer.beta.assign(draw.f(*layer.beta.shape) * 0.2)
        elif isinstance(layer, L.Normalization) and layer.input_mean is None:
            layer.set_weights([draw.f(*w.shape, low=0.5, high=1.5).astype(w.dtype) for w in layer.weights])
            layer.finalize_state()
        elif type(layer).__name__ == "LayerScale":
            layer.gamma.assign(draw.f(*layer.gamma.shape, low=0.2, high=1.0))
        elif isinstance(layer, L.LayerNormalization):
            layer.gamma.assign(draw.f(*layer.gamma.shape, low=0.7, high=1.3)), layer.beta.assign(draw.f(*layer.beta.shape) * 0.2)
        elif getattr(layer, "bias", None) is not None:
            layer.bias.assign(draw.f(*layer.bias.shape) * 0.1)
    if norms:
        model(x, training=True)
    if model.name.startswith("vgg"):
        for layer in model.layers:  # nothing holds the size of values together: what a relu halves is put back
            if isinstance(layer, (L.Conv2D, L.Dense)):
                layer.kernel.assign(layer.kernel * 1.4)
    for layer, momentum in norms:
        layer.momentum, n = momentum, layer.moving_mean.shape[0]
        mean, variance = np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)
        variance = (0.6 * variance + 0.4 * variance.mean()) * (1 + calm) + 0.001  # a channel that hardly moved in this batch must not be blown up
        layer.moving_mean.assign(mean + 0.05 * np.sqrt(variance) * draw.f(n))
        layer.moving_variance.assign(variance * draw.f(n, low=0.9, high=1.1))
    for layer, rate in drops:
        layer.rate = rate


def build(name, attempt=0, **arguments):
    """The model, and inputs for it. Each attempt is calmer than the one before."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(7 + attempt)
    draw = Draw(f"{name} {attempt}" if attempt else name)
    model = getattr(keras.applications, name)(weights=None, input_shape=NETWORKS[name], classes=10, classifier_activation=None, **arguments)
    x = pictures(draw, *NETWORKS[name])
    if any(isinstance(layer, (L.Rescaling, L.Normalization)) for layer in model.layers):
        x = np.clip(128 + 60 * x, 0, 255)  # bytes go in
    spread(model, draw, x, 0.1 * attempt)
    return model, x


def answers(name):
    """A model, inputs and outputs, of which the outputs hold still: 2e-5 of the largest where every input moves by 1e-7 of itself."""
    for attempt in range(8):
        model, x = build(name, attempt)
        y = np.asarray(model(x, training=False))
        moved = np.asarray(model((x * (1 + 1e-7 * Draw(f"{name} moved").f(*x.shape))).astype("float32"), training=False))
        if np.max(np.abs(moved - y)) <= 2e-5 * np.max(np.abs(y)):
            return model, x, y
    raise RuntimeError(f"{name}: outputs do not hold still")


def make(name, folder):
    """Both files; the outputs last, so that whoever finds them finds the model."""
    model, x, y = answers(name)
    if not np.all(np.isfinite(y)) or np.max(np.abs(y[0] - y[1])) < 1e-2 * np.max(np.abs(y)):
        raise RuntimeError(f"{name}: outputs say nothing: {y}")
    model.save(folder / f"{name}.keras")
    golden.save(folder / f"{name}_io.npz", {"in_0": x, "out_0": y, "meta": golden.text(golden.meta(__file__))})
    return model.count_params()


if __name__ == "__main__":
    if len(sys.argv) < 3 or any(name not in NETWORKS for name in sys.argv[2:]):
        sys.exit(__doc__)
    for network in sys.argv[2:]:
        print(f"{network}: {make(network, pathlib.Path(sys.argv[1])):,} parameters", flush=True)
