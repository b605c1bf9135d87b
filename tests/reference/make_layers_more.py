"""Values and gradients of more layers, with arguments of the call and under every dtype policy, for the tests of src/nn.
Run with the Keras of `tools/setup python`: python make_layers_more.py

Arrays are stored as float32, float64 or integers; "dtypes" in the entry says what they were (bfloat16 and float16 widen without loss)."""
import golden  # first: it chooses how TensorFlow computes

import keras
import numpy as np
import tensorflow as tf

from golden import Draw, flat, is_float

L = keras.layers


def wide(a):
    a = np.asarray(a)
    return a.astype("float32") if a.dtype.name in ("bfloat16", "float16") else a


def weight_value(draw, weight):
    if not tf.as_dtype(weight.dtype).is_floating:
        return np.asarray(weight)
    value = draw.rng.normal(0, 0.4, weight.shape)
    if "variance" in weight.path:
        value = np.abs(value) + 0.5
    elif "gamma" in weight.path:
        value = value + 1
    return np.round(value, 2).astype("float32")


def case(name, layer, inputs, kwargs=lambda d: {}, training=False, calls=1, gradients=True):
    """layer(): a new layer; inputs(draw): its arrays, passed as one list or one by one as the class takes them; kwargs(draw): arguments of the call,
    arrays, lists of arrays or flags; calls: how often it is called, the last time recorded."""
    assert name not in CASES, name

    def function():
        draw = Draw(name)
        keras.utils.clear_session()
        keras.utils.set_random_seed(1)
        made, arrays_in, options = layer(), [tf.convert_to_tensor(a) for a in inputs(draw)], kwargs(draw)
        apart = isinstance(made, (L.MultiHeadAttention, L.GroupQueryAttention))
        give = (lambda t: list(t)) if apart else (lambda t: [t[0]]) if len(arrays_in) == 1 else (lambda t: [list(t)])
        if options.get("reverse") and not made.built:
            made.build(None)
        else:
            made(*give(arrays_in), **options)  # builds
        for weight in made.weights:
            weight.assign(weight_value(draw, weight))
        if getattr(made, "stateful", False):
            made.reset_state()
        for _ in range(calls - 1):
            made(*give(arrays_in), training=training, **options)
        arrays = {f"in{k}": wide(a) for k, a in enumerate(arrays_in)} | {f"w{k}": wide(w) for k, w in enumerate(made.weights)}
        dtypes = {f"in{k}": a.dtype.name for k, a in enumerate(arrays_in)}
        trainable = [w.value for w in made.trainable_weights]
        said = dict(training=training) if "training" in made.call_signature_parameters else {}
        with tf.GradientTape() as tape:
            tape.watch([t for t in arrays_in if is_float(t)])
            outputs = [tf.convert_to_tensor(y) for y in flat(made(*give(arrays_in), **said, **options))]
            loss = 0.0
            for k, y in enumerate(outputs):
                arrays[f"out{k}"], dtypes[f"out{k}"] = wide(y), y.dtype.name
                if gradients and is_float(y):
                    cotangent = np.round(draw.rng.normal(size=y.shape), 1).astype(y.dtype.as_numpy_dtype)
                    arrays[f"cot{k}"] = wide(cotangent)
                    loss = loss + tf.reduce_sum(tf.cast(y, "float64") * tf.cast(cotangent, "float64"))
        arrays |= {f"after{k}": wide(w) for k, w in enumerate(made.weights) if not np.array_equal(wide(w), arrays[f"w{k}"])}
        if gradients and any(is_float(y) for y in outputs):
            sources = [(f"grad{k}", t) for k, t in enumerate(arrays_in) if is_float(t)] + [(f"wgrad{k}", v) for k, v in enumerate(trainable)]
            for (label, _), g in zip(sources, tape.gradient(loss, [t for _, t in sources])):
                if g is not None:
                    arrays[label] = wide(tf.convert_to_tensor(g))
        call = {}
        for key, value in options.items():
            if isinstance(value, (bool, int)):
                call[key] = value
            elif isinstance(value, list):
                call[key] = [None if v is None else f"{key}{i}" for i, v in enumerate(value)]
                arrays |= {f"{key}{i}": wide(v) for i, v in enumerate(value) if v is not None}
            else:
                call[key], arrays[key] = key, wide(value)
        name_of = {"GroupedQueryAttention": "GroupQueryAttention"}
        weights = [{"path": w.path.rsplit("/", 1)[1], "dtype": w.dtype, "trainable": bool(w.trainable)} for w in made.weights]
        entry = {"layer": name_of.get(type(made).__name__, type(made).__name__), "config": golden.plain(made.get_config()), "training": training, "calls": calls,
                 "outputs": len(outputs), "weights": weights, "call": call, "dtypes": dtypes}
        return entry, arrays

    CASES[name] = function


CASES = {}
MORE, DTYPES, AUGMENTATION = {}, {}, {}
FILES = {"layers_more.npz": MORE, "dtypes.npz": DTYPES, "augmentation.npz": AUGMENTATION}


def mask(batch=2, time=4):
    m = np.ones((batch, time), bool)
    m[0, 2:] = False
    m[1, 0] = False
    return m


def conv_lstm():
    line, image, volume = (lambda d: [d.f(2, 4, 6, 3)]), (lambda d: [d.f(2, 4, 5, 6, 2)]), (lambda d: [d.f(2, 3, 4, 3, 5, 2)])
    C = L.ConvLSTM2D
    case("ConvLSTM1D/last", lambda: L.ConvLSTM1D(3, 2), line)
    case("ConvLSTM1D/dilated", lambda: L.ConvLSTM1D(2, 2, dilation_rate=2, return_sequences=True), line)
    case("ConvLSTM1D/mask", lambda: L.ConvLSTM1D(2, 3, padding="same", return_sequences=True, return_state=True), line, lambda d: {"mask": mask()})
    case("ConvLSTM2D/last", lambda: C(3, 3), image)
    case("ConvLSTM2D/sequences", lambda: C(2, (2, 3), padding="same", strides=(2, 1), return_sequences=True, return_state=True), image)
    case("ConvLSTM2D/backwards", lambda: C(2, 2, go_backwards=True, return_sequences=True), image)
    case("ConvLSTM2D/mask", lambda: C(2, 3, return_sequences=True, return_state=True), image, lambda d: {"mask": mask()})
    case("ConvLSTM2D/mask_last", lambda: C(2, 3), image, lambda d: {"mask": mask()})
    case("ConvLSTM2D/mask_zero", lambda: C(2, 3, return_sequences=True, zero_output_for_mask=True), image, lambda d: {"mask": mask()})
    case("ConvLSTM2D/mask_backwards", lambda: C(2, 3, return_sequences=True, go_backwards=True), image, lambda d: {"mask": mask()})
    case("ConvLSTM2D/initial_state", lambda: C(2, 3, return_state=True), image, lambda d: {"initial_state": [d.f(2, 3, 4, 2), d.f(2, 3, 4, 2)]})
    case("ConvLSTM2D/stateful", lambda: C(2, 3, stateful=True), image, calls=3)
    case("ConvLSTM2D/no_bias", lambda: C(2, 3, use_bias=False, activation="relu", recurrent_activation="hard_sigmoid"), image)
    case("ConvLSTM2D/unroll", lambda: C(2, 2, unroll=True, unit_forget_bias=False, return_sequences=True), image)
    case("ConvLSTM3D/sequences", lambda: L.ConvLSTM3D(2, (2, 1, 3), padding="same", return_sequences=True), volume)
    case("Bidirectional/conv_lstm", lambda: L.Bidirectional(C(2, 3, return_sequences=True)), image)


def wrappers():
    image, table = (lambda d: [d.f(2, 5, 6, 2)]), (lambda d: [d.f(3, 5)])
    for training in (False, True):
        t = "training" if training else "inference"
        case(f"SpectralNormalization/conv_{t}", lambda: L.SpectralNormalization(L.Conv2D(3, 3)), image, training=training)
        case(f"SpectralNormalization/dense_{t}", lambda: L.SpectralNormalization(L.Dense(4), power_iterations=3), table, training=training)
    case("SpectralNormalization/depthwise", lambda: L.SpectralNormalization(L.DepthwiseConv2D(2)), image, training=True, calls=2)
    words = lambda d: [d.i(2, 5, low=0, high=7)]
    case("ReversibleEmbedding/tied", lambda: L.ReversibleEmbedding(7, 3), words)
    case("ReversibleEmbedding/own", lambda: L.ReversibleEmbedding(7, 3, tie_weights=False), words)
    vectors, back = (lambda d: [d.f(2, 5, 3)]), (lambda d: {"reverse": True})
    case("ReversibleEmbedding/tied_back", lambda: L.ReversibleEmbedding(7, 3), vectors, back)
    case("ReversibleEmbedding/own_back", lambda: L.ReversibleEmbedding(7, 3, tie_weights=False), vectors, back)
    case("ReversibleEmbedding/capped", lambda: L.ReversibleEmbedding(7, 3, logit_soft_cap=2.0), vectors, back)
    case("ReversibleEmbedding/float64", lambda: L.ReversibleEmbedding(7, 3, reverse_dtype="float64"), vectors, back)


def policies():
    """A dozen layers that stand for all, under every policy but float32."""
    for policy in ("mixed_bfloat16", "mixed_float16", "bfloat16", "float64"):
        def add(name, layer, inputs, policy=policy, **options):
            case(f"{name}/{policy}", lambda: layer(dict(dtype=policy)), inputs, **options)
        image, series, table = (lambda d: [d.f(2, 6, 5, 4)]), (lambda d: [d.f(2, 5, 4)]), (lambda d: [d.f(3, 5)])
        add("Dense", lambda p: L.Dense(4, activation="tanh", **p), table)
        add("Dense/int", lambda p: L.Dense(4, **p), lambda d: [d.i(3, 5)])
        add("Conv2D", lambda p: L.Conv2D(3, 3, padding="same", activation="tanh", **p), image)
        add("Conv2DTranspose", lambda p: L.Conv2DTranspose(3, 3, strides=2, **p), image)
        add("DepthwiseConv2D", lambda p: L.DepthwiseConv2D(3, **p), image)
        add("BatchNormalization/training", lambda p: L.BatchNormalization(**p), image, training=True)
        add("BatchNormalization/inference", lambda p: L.BatchNormalization(**p), image)
        add("LayerNormalization", lambda p: L.LayerNormalization(**p), table)
        add("GroupNormalization", lambda p: L.GroupNormalization(2, **p), image)
        add("RMSNormalization", lambda p: L.RMSNormalization(**p), table)
        add("Embedding", lambda p: L.Embedding(9, 4, **p), lambda d: [d.i(3, 5, low=0, high=9)])
        add("LSTM", lambda p: L.LSTM(3, return_sequences=True, recurrent_initializer="glorot_uniform", **p), series)
        add("GRU", lambda p: L.GRU(3, recurrent_initializer="glorot_uniform", **p), series)
        add("MultiHeadAttention", lambda p: L.MultiHeadAttention(2, 3, **p), lambda d: [d.f(2, 4, 6), d.f(2, 5, 6)])
        add("Softmax", lambda p: L.Softmax(**p), table)
        add("Add", lambda p: L.Add(**p), lambda d: [d.f(3, 4), d.f(3, 4)])
        add("AveragePooling2D", lambda p: L.AveragePooling2D(2, **p), image)
        add("MaxPooling2D", lambda p: L.MaxPooling2D(2, **p), lambda d: [d.distinct(2, 6, 5, 4)])
        add("GlobalAveragePooling1D", lambda p: L.GlobalAveragePooling1D(**p), series)
        add("UpSampling2D", lambda p: L.UpSampling2D(2, interpolation="bilinear", **p), image)
        add("PReLU", lambda p: L.PReLU(**p), table)
        add("Rescaling", lambda p: L.Rescaling(1 / 255.0, **p), lambda d: [d.i(2, 3, low=0, high=256, dtype="uint8")])


def augmentation():
    """Factors whose two ends are one, so that nothing is left to chance; and what is the same for every image."""
    image = lambda d: [np.round(d.f(2, 6, 5, 3, low=0, high=255), 1)]
    unit = lambda d: [np.round(d.f(2, 6, 5, 3, low=0, high=1), 2)]
    byte = lambda d: [d.i(2, 6, 5, 3, low=0, high=256, dtype="uint8")]
    one = lambda d: [np.round(d.f(6, 5, 3, low=0, high=255), 1)]
    both = {"training": True, "inference": False}
    layers = {"RandomFlip": lambda **k: L.RandomFlip("vertical", **k), "RandomBrightness": lambda **k: L.RandomBrightness((0.2, 0.2), **k), "RandomContrast": lambda **k: L.RandomContrast((-0.25, 0.25), **k),
              "Solarization": lambda **k: L.Solarization(**k), "RandomInvert": lambda **k: L.RandomInvert((1.0, 1.0), **k), "RandomPosterization": lambda **k: L.RandomPosterization((3, 3), **k),
              "RandomSharpness": lambda **k: L.RandomSharpness((0.8, 0.8), **k), "RandomGaussianBlur": lambda **k: L.RandomGaussianBlur((1.0, 1.0), kernel_size=(3, 3), sigma=(0.7, 0.7), **k),
              "RandomErasing": lambda **k: L.RandomErasing((1.0, 1.0), scale=(1.0, 1.0), fill_value=7.0, **k), "AutoContrast": lambda **k: L.AutoContrast(**k), "Equalization": lambda **k: L.Equalization(bins=64, **k),
              "ContrastLimitedAdaptiveHistogramEqualization": lambda **k: L.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(2, 3), **k)}
    for name, layer in layers.items():
        for kind, training in both.items():
            if (name, kind) == ("RandomFlip", "training"):
                continue
            options = dict(training=training, gradients=name not in ("Equalization", "RandomPosterization", "ContrastLimitedAdaptiveHistogramEqualization"))
            case(f"{name}/{kind}", layer, image, **options)
            if name != "RandomContrast":  # Keras cannot
                case(f"{name}/{kind}_byte", layer, byte, **options)
            if training and name not in ("Equalization", "AutoContrast"):
                case(f"{name}/{kind}_one", layer, one, **options)
            if training and name != "Equalization":
                case(f"{name}/{kind}_unit", lambda layer=layer: layer(value_range=(0, 1)), unit, **options)
    case("RandomErasing/colour", lambda: L.RandomErasing((1.0, 1.0), scale=(1.0, 1.0), fill_value=(7.0, 8.0, 300.0)), image, training=True)
    for kind, training in both.items():
        case(f"RandomCrop/small_{kind}", lambda: L.RandomCrop(7, 4, seed=3), image, training=training)
        case(f"RandomCrop/equal_{kind}", lambda: L.RandomCrop(6, 5, seed=3), byte, training=training)


CASES = MORE
conv_lstm(), wrappers()
CASES = DTYPES
policies()
CASES = AUGMENTATION
augmentation()

if __name__ == "__main__":
    golden.make(__file__, FILES)
