"""Values and gradients of the rarer keras.ops, for the tests of src/ops. Run with the Keras of `tools/setup python`: python make_ops_more.py [FILE...]"""
import golden  # first: it chooses how TensorFlow computes

import keras
import numpy as np

from golden import Draw, run

NAN, INF = np.nan, np.inf
FILES = {}


def find(op):
    for module in (keras.ops, keras.ops.image, keras.ops.linalg, keras.ops.nn):
        if hasattr(module, op):
            return getattr(module, op)
    raise KeyError(op)


# Ops whose tensors are a list or a pair, or stand among other arguments.
SPECIAL = {
    "fft": lambda t: keras.ops.fft(tuple(t)), "fft2": lambda t: keras.ops.fft2(tuple(t)), "ifft2": lambda t: keras.ops.ifft2(tuple(t)),
    "irfft": lambda t, **a: keras.ops.irfft(tuple(t), **a), "istft": lambda t, **a: keras.ops.istft(tuple(t), **a),
    "scale_and_translate": lambda t, output_shape, **a: keras.ops.image.scale_and_translate(t[0], output_shape, t[1], t[2], **a),
    "meshgrid": lambda t, **a: keras.ops.meshgrid(*t, **a), "select": lambda t, default: keras.ops.select(list(t[:len(t) // 2]), list(t[len(t) // 2:]), default),
    **{op: (lambda t, op=op: find(op)(list(t))) for op in ("hstack", "vstack", "dstack")},
}


def case(family, op, variant, inputs, gradients=True, **attrs):
    """inputs(draw) gives the input arrays."""
    name, cases = f"{op}/{variant}", FILES.setdefault(f"ops_{family}.npz", {})
    assert name not in cases, name

    def function():
        draw = Draw(name)
        given = [np.asarray(a) for a in inputs(draw)]
        kept = {k: tuple(v) if isinstance(v, list) and k in ("axis", "axes") and op not in ("tensordot",) else v for k, v in attrs.items()}
        call = (lambda t: SPECIAL[op](t, **kept)) if op in SPECIAL else (lambda t: find(op)(*t, **kept))
        arrays, outputs = run(draw, call, given, gradients=gradients)
        return {"op": op, "attrs": attrs, "args": [], "variadic": False, "inputs": len(given), "outputs": outputs}, arrays

    cases[name] = function


def special_cases():
    def add(op, variant, inputs, **kw):
        case("special", op, variant, inputs, **kw)

    for op in ("erfc", "sinc", "deg2rad", "rad2deg"):
        add(op, "plain", lambda d: [d.f(3, 4, low=-3, high=3)])
        add(op, "float64", lambda d: [d.f(5, dtype="float64")])
    add("cbrt", "plain", lambda d: [d.f(3, 4, low=0.2, high=3)])
    add("i0", "plain", lambda d: [d.f(3, 4, low=-6, high=6)], gradients=False)
    add("signbit", "plain", lambda d: [np.float32([1, -1, 0.0, -0.0, -INF])])
    add("isposinf", "plain", lambda d: [np.float32([1, INF, -INF, NAN])])
    add("isneginf", "plain", lambda d: [np.float32([1, INF, -INF, NAN])])
    add("nan_to_num", "plain", lambda d: [np.float32([1, INF, -INF, NAN, -2])], gradients=False)
    add("nan_to_num", "values", lambda d: [np.float32([1, INF, -INF, NAN, -2])], nan=7.0, posinf=8.0, neginf=9.0)
    add("angle", "plain", lambda d: [d.away(6)], gradients=False)
    add("arctan2", "row", lambda d: [d.away(4, 3), d.away(3)])
    for op in ("hypot", "logaddexp", "logaddexp2", "fmax", "fmin"):
        add(op, "row", lambda d: [d.away(4, 3), d.away(3)])
    add("fmax", "nan", lambda d: [np.float32([NAN, 1, NAN]), np.float32([2, NAN, NAN])], gradients=False)
    add("fmod", "signs", lambda d: [np.float32([7, -7, 7.5, -7]), np.float32([3, 3, -3, -3])], gradients=False)
    add("fmod", "int", lambda d: [np.int32([7, -7, 7, -7]), np.int32([3, 3, -3, -3])])
    add("divide_no_nan", "plain", lambda d: [d.f(4), np.float32([1, 0, -2, 0])])
    add("heaviside", "plain", lambda d: [np.float32([-1, 0, 2]), np.float32(0.3)], gradients=False)
    add("ldexp", "plain", lambda d: [d.f(4), d.i(4, low=-3, high=4)], gradients=False)
    add("nextafter", "plain", lambda d: [np.float32([1, 1, -2]), np.float32([2, 0, 0])], gradients=False)
    add("isclose", "plain", lambda d: [np.float32([1, 1, NAN]), np.float32([1.000001, 1.1, NAN])])
    add("isclose", "nan", lambda d: [np.float32([1, 1, NAN]), np.float32([1.000001, 1.1, NAN])], equal_nan=True)
    for op in ("bitwise_and", "bitwise_or", "bitwise_xor", "gcd", "lcm"):
        add(op, "row", lambda d: [d.i(4, 3, low=0, high=50), d.i(3, low=0, high=50)])
    add("bitwise_not", "plain", lambda d: [d.i(7)])
    add("left_shift", "plain", lambda d: [d.i(5), d.i(5, low=0, high=6)])
    add("right_shift", "plain", lambda d: [d.i(5, low=-90, high=90), d.i(5, low=0, high=6)])
    add("glu", "plain", lambda d: [d.f(3, 6)])
    add("glu", "axis", lambda d: [d.f(4, 3)], axis=0)
    add("sparse_sigmoid", "plain", lambda d: [d.f(4, 5)])
    add("sparsemax", "plain", lambda d: [d.f(4, 5)])
    add("sparsemax", "axis", lambda d: [d.f(4, 5)], axis=0)
    add("psnr", "plain", lambda d: [d.f(4, 5), d.f(4, 5)], max_val=2.0)
    add("rms_normalization", "plain", lambda d: [d.f(3, 5)])
    add("rms_normalization", "scale", lambda d: [d.f(3, 5), d.f(5)], axis=-1)
    add("normalize", "plain", lambda d: [d.f(3, 5)])
    add("normalize", "order1", lambda d: [d.f(3, 5)], axis=0, order=1)
    add("normalize", "order3", lambda d: [d.f(3, 5)], order=3)
    add("multi_hot", "plain", lambda d: [d.i(3, 4, low=0, high=5)], num_classes=5)
    add("depth_to_space", "plain", lambda d: [d.f(2, 2, 3, 8)], block_size=2)
    add("space_to_depth", "plain", lambda d: [d.f(2, 4, 6, 2)], block_size=2)
    add("unfold", "plain", lambda d: [d.f(2, 3, 5, 4)], kernel_size=2)
    add("unfold", "all", lambda d: [d.f(2, 3, 6, 7)], kernel_size=[2, 3], dilation=2, padding=1, stride=[2, 1])
    add("fold", "plain", lambda d: [d.f(2, 12, 12)], output_size=[5, 4], kernel_size=2)
    add("fold", "padded", lambda d: [d.f(2, 8, 9)], output_size=4, kernel_size=2, padding=1, stride=2)
    qkv = lambda d: [d.f(2, 3, 4, 5), d.f(2, 6, 4, 5), d.f(2, 6, 4, 5)]
    add("dot_product_attention", "plain", qkv)
    add("dot_product_attention", "causal", lambda d: [d.f(1, 4, 2, 3) for _ in range(3)], is_causal=True)
    add("dot_product_attention", "shared", lambda d: [d.f(2, 3, 4, 5), d.f(2, 6, 2, 5), d.f(2, 6, 2, 5)], scale=0.3)


def numpy_cases():
    def add(op, variant, inputs, **kw):
        case("numpy", op, variant, inputs, **kw)

    add("cumprod", "axis", lambda d: [d.away(3, 4)], axis=1)
    for op in ("dot", "inner"):
        add(op, "vectors", lambda d: [d.f(4), d.f(4)])
    add("dot", "matrices", lambda d: [d.f(3, 4), d.f(4, 5)])
    add("dot", "high", lambda d: [d.f(2, 3, 4), d.f(5, 4, 2)])
    add("outer", "plain", lambda d: [d.f(3), d.f(2, 2)])
    add("vdot", "plain", lambda d: [d.f(2, 3), d.f(2, 3)])
    add("tensordot", "two", lambda d: [d.f(2, 3, 4), d.f(3, 4, 5)])
    add("tensordot", "lists", lambda d: [d.f(2, 3, 4), d.f(4, 5, 2)], axes=[[0, 2], [2, 0]])
    add("kron", "plain", lambda d: [d.f(2, 3), d.f(3, 2)])
    add("cross", "three", lambda d: [d.f(4, 3), d.f(4, 3)])
    add("cross", "two", lambda d: [d.f(4, 2), d.f(4, 2)])
    for mode in ("valid", "same", "full"):
        add("correlate", mode, lambda d: [d.f(7), d.f(3)], mode=mode)
    add("corrcoef", "plain", lambda d: [d.f(3, 6)])
    add("average", "plain", lambda d: [d.f(3, 4)], axis=1)
    add("count_nonzero", "plain", lambda d: [d.i(3, 4, low=0, high=2)], axis=0)
    add("ptp", "plain", lambda d: [d.distinct(3, 4)], axis=1)
    for op in ("median", "nanmedian"):
        add(op, "odd", lambda d: [d.distinct(3, 5)], axis=1, gradients=False)
        add(op, "even", lambda d: [d.distinct(2, 3, 4)], axis=[0, 2], keepdims=True, gradients=False)
    for method in ("linear", "lower", "higher", "midpoint", "nearest"):
        add("quantile", method, lambda d: [d.distinct(3, 6)], q=[0.12, 0.35, 1.0], axis=1, method=method, gradients=False)
    holes = lambda d, *s: np.where(d.rng.uniform(size=s) < 0.3, np.float32(NAN), d.f(*s))
    for op in ("nanmax", "nanmin", "nansum", "nanprod", "nanmean", "nanvar", "nanstd", "nanmedian"):
        add(op, "holes", lambda d: [holes(d, 4, 6)], axis=1, gradients=False)
    add("nanargmax", "holes", lambda d: [holes(d, 4, 6)], axis=1)
    add("histogram", "plain", lambda d: [d.f(50)], bins=5, gradients=False)
    add("trapezoid", "plain", lambda d: [d.f(3, 5)], dx=0.5)
    add("append", "axis", lambda d: [d.f(2, 3), d.f(2, 2)], axis=1)
    add("append", "flat", lambda d: [d.f(2, 3), d.f(2)])
    add("array_split", "uneven", lambda d: [d.f(2, 7)], indices_or_sections=3, axis=1)
    add("moveaxis", "two", lambda d: [d.f(2, 3, 4, 5)], source=[0, 1], destination=[-1, 0])
    add("roll", "flat", lambda d: [d.f(2, 3)], shift=2)
    add("roll", "axes", lambda d: [d.f(3, 4)], shift=[1, -1], axis=[0, 1])
    for k in (1, 3):  # two turns are not NumPy's there
        add("rot90", f"k{k}", lambda d: [d.f(2, 3, 4)], k=k, axes=[1, 2])
    add("diff", "twice", lambda d: [d.f(2, 5)], n=2)
    for op in ("hstack", "vstack", "dstack"):
        add(op, "vectors", lambda d: [d.f(3), d.f(3)])
        add(op, "matrices", lambda d: [d.f(2, 3), d.f(2, 3)])
    for indexing in ("xy", "ij"):
        add("meshgrid", indexing, lambda d: [d.f(3), d.f(2), d.f(4)], indexing=indexing)
    for k in (-1, 0, 2):
        for op in ("diag", "diagflat"):
            add(op, f"vector{k}", lambda d: [d.f(3)], k=k)
        add("diag", f"matrix{k}", lambda d: [d.f(4, 3)], k=k)
        add("tril", f"k{k}", lambda d: [d.f(2, 3, 4)], k=k)
        add("triu", f"k{k}", lambda d: [d.f(2, 3, 4)], k=k)
        add("diagonal", f"k{k}", lambda d: [d.f(2, 4, 3)], offset=k, axis1=1, axis2=2)
    add("trace", "plain", lambda d: [d.f(3, 3, 2)])
    add("vander", "plain", lambda d: [d.away(3)], N=4, gradients=False)
    add("linspace", "vectors", lambda d: [d.f(3), d.f(3)], num=5, axis=-1)
    add("linspace", "open", lambda d: [d.f(3), d.f(3)], num=4, endpoint=False)
    add("logspace", "plain", lambda d: [d.f(3), d.f(3)], num=4)
    add("geomspace", "plain", lambda d: [d.f(3, low=1, high=2), d.f(3, low=3, high=9)], num=4)
    add("select", "plain", lambda d: [d.b(5), d.b(5), d.f(5), d.f(5)], default=0.5)
    add("isin", "plain", lambda d: [d.i(3, 4), d.i(5)])
    add("unravel_index", "plain", lambda d: [d.i(6, low=0, high=12)], shape=[3, 4])
    add("argsort", "axis", lambda d: [d.i(4, 5, low=0, high=3)], axis=0)
    add("sort", "axis", lambda d: [d.distinct(4, 5)], axis=0)
    add("sort", "last", lambda d: [d.distinct(2, 3, 7)])
    add("top_k", "plain", lambda d: [d.distinct(3, 9)], k=4)
    add("top_k", "ties", lambda d: [d.i(3, 9, low=0, high=3)], k=5)
    add("in_top_k", "plain", lambda d: [d.i(6, low=0, high=5), d.f(6, 5)], k=2)
    for side in ("left", "right"):
        add("searchsorted", side, lambda d: [np.float32([0, 1, 1, 2]), np.float32([1, 0.5, 3, -1])], side=side)
    add("digitize", "plain", lambda d: [d.f(3, 4)], bins=[-1.0, 0.0, 0.5])
    add("scatter", "rows", lambda d: [d.i(4, 1, low=0, high=3), d.f(4, 2)], shape=[3, 2])
    add("scatter", "elements", lambda d: [d.i(5, 2, low=0, high=3), d.f(5)], shape=[3, 3])
    add("scatter_update", "rows", lambda d: [d.f(5, 2), np.int32([[3], [0]]), d.f(2, 2)])
    for reduction in ("add", "max", "min", "mul"):
        add("scatter_update", reduction, lambda d: [d.away(4), np.int32([[3], [0]]), d.away(2)], reduction=reduction, gradients=reduction != "mul")
    for op in ("segment_sum", "segment_max", "segment_min", "segment_prod"):
        add(op, "plain", lambda d: [d.away(6, 2), np.int32([0, 2, 0, 1, 2, 0])], num_segments=4, gradients=op == "segment_sum" or op == "segment_max")


def linalg_cases():
    def add(op, variant, inputs, **kw):
        case("linalg", op, variant, inputs, **kw)

    def spd(d, *s):
        m = d.f(*s, dtype="float64")
        return (m @ np.swapaxes(m, -1, -2) + np.eye(s[-1])).astype("float32")

    for variant, s in {"one": (3, 3), "batch": (2, 4, 4)}.items():
        add("cholesky", variant, lambda d, s=s: [spd(d, *s)])
        add("cholesky_inverse", variant, lambda d, s=s: [np.linalg.cholesky(spd(d, *s)).astype("float32")])
        for op in ("det", "inv"):
            add(op, variant, lambda d, s=s: [d.f(*s) + 2 * np.eye(s[-1], dtype="float32")])
        add("slogdet", variant, lambda d, s=s: [d.f(*s) + 2 * np.eye(s[-1], dtype="float32")], gradients=False)
        add("logdet", variant, lambda d, s=s: [spd(d, *s)], gradients=False)
        add("solve", variant, lambda d, s=s: [d.f(*s) + 2 * np.eye(s[-1], dtype="float32"), d.f(*s[:-1], 2)])
        add("solve", f"{variant}_vector", lambda d, s=s: [d.f(*s) + 2 * np.eye(s[-1], dtype="float32"), d.f(*s[:-1])])
        for lower in (False, True):
            add("solve_triangular", f"{variant}_{lower}", lambda d, s=s: [d.f(*s) + 2 * np.eye(s[-1], dtype="float32"), d.f(*s[:-1], 2)], lower=lower)
    add("eigh", "one", lambda d: [spd(d, 3, 3)])  # the signs of more vectors are the algorithm's
    add("lu_factor", "one", lambda d: [d.f(4, 4)], gradients=False)
    for variant, s in {"tall": (4, 3), "square": (3, 3), "batch": (2, 5, 2)}.items():
        add("qr", variant, lambda d, s=s: [d.f(*s)])
    add("qr", "wide", lambda d, s=s: [d.f(3, 5)], gradients=False)
    add("qr", "complete", lambda d, s=s: [d.f(4, 2)], mode="complete", gradients=False)
    for variant, s in {"tall": (4, 3), "wide": (3, 4), "square": (3, 3), "batch": (2, 3, 2)}.items():
        add("svd", variant, lambda d, s=s: [d.f(*s)], full_matrices=False)
        add("pinv", variant, lambda d, s=s: [d.f(*s)])
        add("matrix_rank", variant, lambda d, s=s: [d.f(*s)])
    add("svd", "full", lambda d: [d.f(4, 2)], full_matrices=True, gradients=False)
    add("svd", "values", lambda d: [d.f(4, 2)], compute_uv=False)
    add("lstsq", "plain", lambda d: [d.f(5, 3), d.f(5, 2)])
    add("lstsq", "vector", lambda d: [d.f(5, 3), d.f(5)])
    for name, kw in {"all": {}, "one": {"axis": 1}, "l1": {"axis": 1, "ord": 1}, "l3": {"axis": -1, "ord": 3, "keepdims": True}, "zero": {"axis": 0, "ord": 0},
                     "fro": {"axis": [0, 1], "ord": "fro"}, "nuc": {"axis": [0, 1], "ord": "nuc"}, "m1": {"axis": [0, 1], "ord": 1}, "m-1": {"axis": [0, 1], "ord": -1},
                     "m2": {"axis": [0, 1], "ord": 2}, "m-2": {"axis": [0, 1], "ord": -2, "keepdims": True}}.items():
        add("norm", name, lambda d: [d.away(4, 3)], **kw)
    add("cdist", "plain", lambda d: [d.f(4, 3), d.f(5, 3)])


def signal_cases():
    def add(op, variant, inputs, **kw):
        case("signal", op, variant, inputs, **kw)

    for n in (1, 7, 8, 12):
        add("fft", f"n{n}", lambda d, n=n: [d.f(2, n), d.f(2, n)])
        add("rfft", f"n{n}", lambda d, n=n: [d.f(2, n)])
    add("rfft", "longer", lambda d: [d.f(2, 5)], fft_length=8)
    add("rfft", "shorter", lambda d: [d.f(2, 9)], gradients=False, fft_length=8)
    for op in ("fft2", "ifft2"):
        add(op, "plain", lambda d: [d.f(2, 4, 6), d.f(2, 4, 6)])
    add("irfft", "plain", lambda d: [d.f(2, 5), d.f(2, 5)])
    add("irfft", "odd", lambda d: [d.f(2, 5), d.f(2, 5)], fft_length=9)
    add("extract_sequences", "plain", lambda d: [d.f(2, 10)], sequence_length=4, sequence_stride=3)
    for center in (True, False):
        add("stft", f"center{center}", lambda d: [d.f(2, 20)], sequence_length=6, sequence_stride=3, fft_length=8, center=center)
        add("istft", f"center{center}", lambda d: [d.f(2, 6, 5), d.f(2, 6, 5)], sequence_length=8, sequence_stride=2, fft_length=8, center=center)


def image_cases():
    def add(op, variant, inputs, **kw):
        case("image_more", op, variant, inputs, **kw)

    unit = lambda d, *s: d.f(*s, low=0, high=1)
    add("rgb_to_grayscale", "plain", lambda d: [unit(d, 2, 3, 4, 3)])
    add("rgb_to_grayscale", "uint8", lambda d: [d.i(3, 4, 3, low=0, high=256, dtype="uint8")])
    add("rgb_to_hsv", "plain", lambda d: [unit(d, 2, 3, 4, 3)])
    add("rgb_to_hsv", "grey", lambda d: [np.repeat(unit(d, 2, 3, 1), 3, -1)], gradients=False)
    add("hsv_to_rgb", "plain", lambda d: [unit(d, 2, 3, 4, 3)], gradients=False)
    transform = np.float32([[0.9, 0.2, -0.43, -0.1, 1.1, 0.32, 0, 0], [0.8, -0.3, 2.1, 0.4, 0.9, -1.2, 0.01, -0.02]])
    for interpolation in ("bilinear", "nearest"):
        for mode in ("constant", "nearest", "wrap", "reflect"):
            add("affine_transform", f"{interpolation}_{mode}", lambda d: [d.f(2, 5, 6, 2), transform], interpolation=interpolation, fill_mode=mode, gradients=False)
    add("affine_transform", "fill", lambda d: [d.f(2, 5, 6, 2), transform], fill_value=0.7, gradients=False)
    add("affine_transform", "one", lambda d: [d.f(5, 6, 2), transform[1]], gradients=False)
    add("affine_transform", "uint8", lambda d: [d.i(2, 5, 6, 1, low=0, high=256, dtype="uint8"), transform], interpolation="nearest")
    points = np.float32([[0, 0], [5, 0.5], [0.3, 4], [5.5, 4.2]])
    add("perspective_transform", "plain", lambda d: [d.f(2, 5, 6, 2), np.float32([points, points + 0.2]), np.float32([points[::-1], points * 0.8])], gradients=False)
    for order in (0, 1):
        for mode in ("constant", "nearest", "wrap", "reflect"):
            add("map_coordinates", f"{mode}{order}", lambda d: [d.f(4, 5), d.f(2, 3, 3, low=-3, high=7)], order=order, fill_mode=mode, gradients=False)
    add("map_coordinates", "gradient", lambda d: [d.f(4, 5), d.f(2, 6, low=0.2, high=2.8)], order=1, fill_value=0.5)
    add("crop_images", "plain", lambda d: [d.f(2, 5, 6, 2)], top_cropping=1, left_cropping=2, target_height=3, target_width=2)
    add("pad_images", "plain", lambda d: [d.f(2, 3, 4, 2)], top_padding=1, left_padding=2, target_height=6, target_width=8)
    add("extract_patches", "plain", lambda d: [d.f(2, 5, 6, 2)], size=[2, 3])
    add("extract_patches", "same", lambda d: [d.f(2, 5, 6, 2)], size=[3, 3], strides=[2, 2], padding="same")
    add("extract_patches", "dilated", lambda d: [d.f(7, 6, 1)], size=[2, 2], strides=[1, 1], dilation_rate=2)
    add("sobel_edges", "plain", lambda d: [d.f(2, 5, 6, 2)])
    add("gaussian_blur", "plain", lambda d: [d.f(2, 6, 7, 2)])
    add("gaussian_blur", "wide", lambda d: [d.f(6, 7, 2)], kernel_size=[3, 5], sigma=[0.7, 1.5])
    for method in ("linear", "cubic", "lanczos3", "lanczos5"):
        add("scale_and_translate", method, lambda d: [d.f(5, 7, 2), np.float32([1.6, 0.7]), np.float32([0.4, -0.3])], output_shape=[8, 5, 2],
            spatial_dims=[0, 1], method=method)
    add("scale_and_translate", "sharp", lambda d: [d.f(2, 6, 4), np.float32([0.45]), np.float32([0.9])], output_shape=[2, 3, 4], spatial_dims=[1],
        method="linear", antialias=False)
    add("ssim", "plain", lambda d: [d.f(2, 12, 13, 2), d.f(2, 12, 13, 2)])
    add("ssim", "small", lambda d: [d.f(6, 7, 3), d.f(6, 7, 3)], max_val=2.0, filter_size=3, filter_sigma=0.8, k1=0.02, k2=0.05)


special_cases(), numpy_cases(), linalg_cases(), signal_cases(), image_cases()

if __name__ == "__main__":
    golden.make(__file__, FILES)
