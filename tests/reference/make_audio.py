"""Values and gradients of keras.layers' spectrograms, for the tests of src/nn: as make_layers_more.py, with the weights that Keras starts with."""
import golden  # first: it chooses how TensorFlow computes

import keras
import numpy as np

import make_layers_more
import windows  # noqa: F401: where Keras finds SciPy's

L = keras.layers
CASES = {}
FILES = {"audio.npz": CASES}


def variants(name, inputs, table, **options):
    make_layers_more.CASES = CASES
    for variant, attrs in table.items():
        case(f"{name}/{variant}", lambda attrs=attrs: getattr(L, name)(**attrs), inputs, **options)


def case(name, *arguments, **options):
    make_layers_more.case(name, *arguments, **options)
    function = CASES[name]

    def with_first_weights():
        drawn, make_layers_more.weight_value = make_layers_more.weight_value, lambda draw, weight: np.asarray(weight)
        try:
            return function()
        finally:
            make_layers_more.weight_value = drawn

    CASES[name] = with_first_weights


def stft():
    sound = lambda d: [d.f(2, 40, 2)]  # TensorFlow has no convolution of channels_first on a CPU
    short = dict(frame_length=12, frame_step=5, fft_length=16)
    for mode in ("log", "magnitude", "psd", "real", "imag", "angle", "stft"):
        variants("STFTSpectrogram", sound, {mode: dict(mode=mode, **short), f"{mode}_same": dict(mode=mode, **short, padding="same", expand_dims=True)})
    variants("STFTSpectrogram", lambda d: [d.f(1, 50, 1)], {"short": dict(frame_length=20)})
    real = dict(mode="real", frame_length=10)
    variants("STFTSpectrogram", sound, {
        "steps": dict(**real), "hamming": dict(**real, window="hamming"), "periodic": dict(**real, window="hamming", periodic=True, scaling="spectrum"), "blackman": dict(**real, window="blackman"),
        "spectrum": dict(**real, scaling="spectrum"), "no_scaling": dict(**real, scaling=None), "no_window": dict(**real, window=None), "own_window": dict(**real, window=[0.1, 0.2, 0.5, 0.9, 1.0, 1.0, 0.9, 0.5, 0.2, 0.1]),
        "odd": dict(mode="magnitude", frame_length=9, frame_step=9, fft_length=11), "one": dict(mode="psd", frame_length=2, frame_step=1), "float64": dict(**real, dtype="float64"), "float16": dict(**real, dtype="mixed_float16"),
        "frozen": dict(mode="log", **short, trainable=False)})


def mel():
    sound, one = (lambda d: [d.f(2, 300)]), (lambda d: [d.f(300)])
    few = dict(fft_length=64, sequence_stride=20, num_mel_bins=8)
    linear = dict(**few, power_to_db=False)
    variants("MelSpectrogram", sound, {
        "decibels": few, "linear": linear, "window": dict(**linear, sequence_length=40, window="hamming"), "no_window": dict(**linear, window=None), "magnitude": dict(**linear, mag_exp=1.0),
        "range": dict(**few, sampling_rate=8000, min_freq=300.0, max_freq=3000.0), "quiet": dict(**few, top_db=12.0, ref_power=4.0, min_power=0.5), "odd": dict(fft_length=51, sequence_stride=17, num_mel_bins=5),
        "bfloat16": dict(**few, dtype="mixed_bfloat16")})  # float64 fails in Keras on TensorFlow
    variants("MelSpectrogram", one, {"one": few})
    variants("MelSpectrogram", lambda d: [d.i(2, 300)], {"whole_numbers": few})
    variants("MelSpectrogram", lambda d: [d.f(1, 1500)], {"default": {}}, gradients=False)


stft()
mel()

if __name__ == "__main__":
    golden.make(__file__, FILES)
