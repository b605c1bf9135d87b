"""Values and gradients of ops of keras.ops that stand in no other script: sequences without alignment, arrangement, windows of odd length; and io_rest.keras, a
model of them. Run with the Keras of `tools/setup python`: python make_ops_rest.py [FILE...]"""
import sys

import golden  # first: it chooses how TensorFlow computes

import keras
import numpy as np

from golden import Draw, run

ops = keras.ops
FILES = {"ops_rest.npz": {}}
INF = np.inf


def call(op, tensors, args=(), **attrs):
    return ops.istft(tuple(tensors), **attrs) if op == "istft" else getattr(ops, op)(*tensors, *args, **attrs)


def case(op, variant, inputs, gradients=False, **attrs):
    """inputs(draw) gives the input arrays."""
    name = f"{op}/{variant}"
    assert name not in FILES["ops_rest.npz"], name

    def function():
        draw = Draw(name)
        given = [np.asarray(a) for a in inputs(draw)]
        arrays, outputs = run(draw, lambda t: call(op, t, **attrs), given, gradients=gradients)
        return {"op": op, "attrs": attrs, "inputs": len(given), "outputs": outputs}, arrays

    FILES["ops_rest.npz"][name] = function


def sequences():
    lengths = lambda *n: np.int32(n)
    case("ctc_loss", "plain", lambda d: [d.i(3, 4, low=1, high=6), d.f(3, 9, 6), lengths(4, 2, 3), lengths(9, 7, 8)], gradients=True)
    case("ctc_loss", "repeats", lambda d: [np.int32([[1, 1, 2], [3, 3, 3]]), d.f(2, 7, 4), lengths(3, 3), lengths(6, 7)], gradients=True)
    case("ctc_loss", "last", lambda d: [d.i(2, 3, low=0, high=4), d.f(2, 8, 5), lengths(3, 1), lengths(8, 8)], gradients=True, mask_index=4)
    case("ctc_loss", "middle", lambda d: [np.int32([[0, 1], [3, 0]]), d.f(2, 5, 4), lengths(2, 2), lengths(5, 3)], gradients=True, mask_index=2)
    case("ctc_loss", "empty", lambda d: [np.int32([[0, 0], [2, 0]]), d.f(2, 4, 3), lengths(0, 1), lengths(4, 2)], gradients=True)
    case("ctc_loss", "tight", lambda d: [np.int32([[1, 2, 1]]), d.f(1, 3, 3), lengths(3), lengths(3)], gradients=True)
    case("ctc_loss", "long", lambda d: [d.i(2, 20, low=1, high=12), d.f(2, 60, 12) * np.float32(3), lengths(20, 11), lengths(60, 45)], gradients=True)
    case("ctc_loss", "too_short", lambda d: [np.int32([[1, 1]]), d.f(1, 2, 3), lengths(2), lengths(2)])
    case("ctc_loss", "float64", lambda d: [d.i(2, 2, low=1, high=4), d.f(2, 5, 4, dtype="float64"), lengths(2, 1), lengths(5, 4)])
    case("ctc_decode", "greedy", lambda d: [d.f(3, 9, 4), lengths(9, 5, 0)])
    case("ctc_decode", "greedy_unmerged", lambda d: [np.repeat(d.f(2, 5, 4), 2, 1), lengths(10, 7)], merge_repeated=False)
    case("ctc_decode", "greedy_repeats", lambda d: [np.repeat(d.f(2, 5, 4), 2, 1), lengths(10, 7)], mask_index=2)
    case("ctc_decode", "greedy_last", lambda d: [d.f(2, 9, 4), lengths(9, 5)], mask_index=None)
    case("ctc_decode", "greedy_float64", lambda d: [d.f(2, 6, 3, dtype="float64"), lengths(6, 4)])
    for width in (1, 3, 10, 100):
        case("ctc_decode", f"beam{width}", lambda d: [d.f(3, 12, 6) * np.float32(1.5), lengths(12, 7, 9)], strategy="beam_search", beam_width=width, top_paths=min(width, 4))
    case("ctc_decode", "beam_middle", lambda d: [np.repeat(d.f(2, 8, 5), 2, 1), lengths(16, 11)], strategy="beam_search", beam_width=8, top_paths=3, mask_index=2)
    case("ctc_decode", "beam_last", lambda d: [d.f(2, 8, 5), lengths(8, 6)], strategy="beam_search", beam_width=5, top_paths=2, mask_index=None)
    case("ctc_decode", "beam_long", lambda d: [d.f(2, 80, 20) * np.float32(2), lengths(80, 64)], strategy="beam_search", beam_width=25, top_paths=2)


def arrangement():
    every = dict(return_index=True, return_inverse=True, return_counts=True)
    for name, to, values in (("same", "int32", lambda d: d.f(3, 4)), ("narrow", "uint8", lambda d: d.i(2, 3)), ("wide", "int32", lambda d: d.i(2, 8, low=0, high=200, dtype="uint8")),
                             ("double", "int64", lambda d: d.f(2, 3, dtype="float64"))):
        case("view", name, lambda d, values=values: [values(d)], dtype=to)
    case("unique", "plain", lambda d: [d.i(3, 5, low=0, high=6)], **every)
    case("unique", "padded", lambda d: [d.i(3, 5, low=0, high=6)], size=9, fill_value=-7, **every)
    case("unique", "cut", lambda d: [d.i(3, 5, low=0, high=6)], size=3, **every)
    case("unique", "unsorted", lambda d: [d.i(12, low=0, high=6)], sorted=False, **every)
    case("unique", "float", lambda d: [np.round(d.f(14)).astype("float32")], size=5)
    case("unique", "rows", lambda d: [d.i(9, 2, low=0, high=2)], axis=0, **every)
    case("unique", "rows_padded", lambda d: [d.i(9, 2, low=0, high=2)], axis=0, size=6, fill_value=5, **every)
    case("unique", "columns", lambda d: [d.i(2, 9, low=0, high=2)], axis=1, **every)
    for n, (pattern, lengths) in enumerate([("b h w c -> b c h w", {}), ("b h w c -> (b h) w c", {}), ("b h w c -> h (b w) c", {}), ("b h w c -> b (c h w)", {}),
                                            ("b (h1 h) (w1 w) c -> (b h1 w1) h w c", dict(h1=2, w1=3)), ("b (h p) (w q) c -> b h w (c p q)", dict(p=2, q=3))]):
        case("rearrange", str(n), lambda d: [d.f(2, 4, 6, 3)], gradients=True, args=[pattern], **lengths)


def windows():
    """TensorFlow's windows of an odd number of values are symmetric."""
    for window in ("hann", "hamming"):
        for n in (5, 6, 9):
            case("stft", f"{window}{n}", lambda d: [d.f(2, 30)], gradients=True, sequence_length=n, sequence_stride=2, fft_length=12, window=window)
    case("istft", "odd", lambda d: [d.f(2, 7, 5), d.f(2, 7, 5)], sequence_length=7, sequence_stride=2, fft_length=8)


sequences(), arrangement(), windows()


def io_rest():
    t, x, steps, labels = keras.Input(batch_shape=(2, 3), dtype="int32"), keras.Input(batch_shape=(2, 9, 5)), keras.Input(batch_shape=(2,), dtype="int32"), keras.Input(batch_shape=(2,), dtype="int32")
    n = keras.Input(batch_shape=(6,), dtype="int32")
    outputs = [
        ops.ctc_loss(t, x, labels, steps), *ops.ctc_decode(x, steps), *ops.ctc_decode(x, steps, strategy="beam_search", beam_width=6, top_paths=2, mask_index=4), ops.argpartition(n, 5),
        *ops.unique(n, size=4, return_inverse=True, return_counts=True, return_index=True), ops.unique(t, axis=0, size=2, fill_value=3), ops.view(x, "int32"), ops.view(t, "uint8"), ops.view_as_real(x),
        ops.rearrange(x, "b (s p) c -> b s (c p)", p=3), keras.activations.relu(x, negative_slope=0.1, max_value=1.5), keras.layers.Activation("sparsemax")(x), ops.layer_normalization(x, rms_scaling=True),
        ops.layer_normalization(x, ops.convert_to_tensor(np.float32([1, 2, 3, 4, 5, 6, 7, 8, 9])), axis=1, rms_scaling=True),
        ops.stft(ops.transpose(x, (0, 2, 1)), 5, 2, 6)[0],
    ]
    draw = Draw("io_rest")
    return keras.Model([t, x, steps, labels, n], outputs, name="io_rest"), [draw.i(2, 3, low=1, high=5), draw.f(2, 9, 5), np.int32([9, 7]), np.int32([3, 2]), np.int32([4, 9, 1, 4, 7, 2])]


if __name__ == "__main__":
    golden.make(__file__, FILES)
    if len(sys.argv) == 1 or "io_rest" in sys.argv:
        model, inputs = io_rest()
        model.save(golden.HERE / "io_rest.keras")
        outputs = [np.asarray(y) for y in model(inputs)]
        arrays = {f"in_{k}": x for k, x in enumerate(inputs)} | {f"out_{k}": y for k, y in enumerate(outputs)}
        golden.save(golden.HERE / "io_rest_io.npz", {**arrays, "meta": golden.text(golden.meta(__file__))})
        print(f"io_rest: {len(outputs)} outputs")
